"""Does a network fit a chip: cores, axons and memory of each population, and what would help."""
