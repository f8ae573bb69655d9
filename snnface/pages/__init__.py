"""Self-contained HTML pages in the project's look."""
