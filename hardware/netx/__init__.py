"""netx files: the HDF5 form in which lava-dl takes an integer network."""
