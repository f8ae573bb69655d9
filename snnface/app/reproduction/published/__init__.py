"""The papers' numbers, as printed: one file a paper."""
