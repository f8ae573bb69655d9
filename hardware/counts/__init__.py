"""Exact counts of what networks do: spikes, synaptic operations, updates; of graphs, of torch modules, of ANNs."""
