"""The networks that backends are compared on hold what they promise."""

import numpy as np

from conversion.graph import Conv2dSynapse, LinearSynapse
from hardware.backends.loihi_limits import prepared_graph
from hardware.placement import pipeline_schedule
from hardware.random_networks import random_network
from hardware.target import LOIHI2


def test_a_seed_always_gives_the_same_network() -> None:
    first, second = random_network(4), random_network(4)
    assert np.array_equal(first.spikes, second.spikes)
    for a, b in zip(first.graph.populations, second.graph.populations, strict=True):
        assert np.array_equal(a.inputs[0].synapse.weight, b.inputs[0].synapse.weight)
    assert not np.array_equal(random_network(5).spikes.shape, first.spikes.shape)


def test_strict_networks_fit_the_chip_and_their_paths_are_equally_long() -> None:
    for seed in range(60):
        graph = random_network(seed).graph
        pipeline_schedule(graph)
        assert sum(prepared_graph(graph, LOIHI2, "strict").num_altered_weights.values()) == 0


def test_lava_networks_go_beyond_the_chip() -> None:
    graphs = [random_network(seed, limits="lava").graph for seed in range(20)]
    altered = [sum(prepared_graph(graph, LOIHI2, "lava").num_altered_weights.values()) for graph in graphs]
    assert sum(count > 0 for count in altered) >= 15


def test_every_kind_of_connection_occurs() -> None:
    graphs = [random_network(seed).graph for seed in range(60)]
    populations = [population for graph in graphs for population in graph.populations]
    synapses = [connection.synapse for population in populations for connection in population.inputs]
    convolutions = [synapse for synapse in synapses if isinstance(synapse, Conv2dSynapse)]
    assert any(isinstance(synapse, LinearSynapse) for synapse in synapses)
    assert any(max(synapse.stride) > 1 for synapse in convolutions)
    assert any(max(synapse.dilation) > 1 for synapse in convolutions)
    assert any(max(synapse.padding) > 0 for synapse in convolutions)
    assert any(1 < synapse.groups < len(synapse.weight) for synapse in convolutions)
    assert any(len(population.inputs) == 2 for population in populations)
    assert any(population.neuron.is_relay for population in populations)
    assert any(np.any(population.neuron.bias_mant) for population in populations)
    assert {graph.input_bits for graph in graphs} == {0, 1, 3, 8}
