"""ANNs on their way to spikes: readers, the graph that they all make, and its reduction to synapses and ReLUs."""
