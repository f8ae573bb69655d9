"""One module a command; each is a thin shell over functions that a notebook can call too."""
