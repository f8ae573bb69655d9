"""Energy estimates: counts times the constants of a named model, always as a range."""
