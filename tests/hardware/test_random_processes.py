"""The networks of every process hold what they promise."""

from functools import cache

import numpy as np

from conversion.graph import Connection, Conv2dSynapse, LinearSynapse
from conversion.integer_graph import DeltaNeuron, IntegerNeuron, SigmaDeltaNeuron, SigmaNeuron, TernaryNeuron
from hardware.backends.loihi_limits import prepared_graph
from hardware.backends.loihi_synapse import is_mostly_zero
from hardware.placement import pipeline_schedule
from hardware.random_networks import RandomNetwork
from hardware.random_processes import random_processes
from hardware.target import LOIHI2


@cache
def networks() -> list[RandomNetwork]:
    return [random_processes(seed) for seed in range(200)]


def connections(drawn: list[RandomNetwork]) -> list[Connection]:
    return [c for network in drawn for population in network.graph.populations for c in population.inputs]


def test_a_seed_always_gives_the_same_network() -> None:
    again = random_processes(3)
    assert np.array_equal(again.spikes, networks()[3].spikes)
    for a, b in zip(connections([again]), connections([networks()[3]]), strict=True):
        assert np.array_equal(a.synapse.weight, b.synapse.weight)
        assert a.weight_exp == b.weight_exp


def test_they_fit_the_chip_and_their_paths_are_equally_long() -> None:
    for network in networks():
        pipeline_schedule(network.graph)
        assert sum(prepared_graph(network.graph, LOIHI2, "strict").num_altered_weights.values()) == 0


def test_every_neuron_and_every_connection_occurs_often() -> None:
    populations = [population for network in networks() for population in network.graph.populations]
    for kind in (IntegerNeuron, TernaryNeuron, DeltaNeuron, SigmaDeltaNeuron, SigmaNeuron):
        assert sum(isinstance(population.neuron, kind) for population in populations) >= 20, kind
    wires = connections(networks())
    matrices = [wire for wire in wires if isinstance(wire.synapse, LinearSynapse)]
    kernels = [wire.synapse for wire in wires if isinstance(wire.synapse, Conv2dSynapse)]
    late = [wire for wire in matrices if wire.delay is not None]
    assert sum(is_mostly_zero(wire.synapse.weight) for wire in matrices) >= 20
    assert len(late) >= 30
    assert sum(is_mostly_zero(wire.synapse.weight) for wire in late) >= 8
    assert sum(wire.weight_exp != 0 for wire in late) >= 8
    assert sum(max(synapse.stride) > 1 for synapse in kernels) >= 10
    assert sum(max(synapse.dilation) > 1 for synapse in kernels) >= 10
    assert sum(max(synapse.padding) > 0 for synapse in kernels) >= 10
    assert sum(synapse.groups > 1 for synapse in kernels) >= 10
    assert sum(len(population.inputs) == 2 for population in populations) >= 5
    assert {network.graph.input_bits for network in networks()} == {0, 1, 3, 8}


def test_networks_beyond_the_bits_hold_weights_that_the_chip_would_alter() -> None:
    graphs = [random_processes(seed, limits="lava").graph for seed in range(20)]
    altered = [sum(prepared_graph(graph, LOIHI2, "lava").num_altered_weights.values()) for graph in graphs]
    assert sum(count > 0 for count in altered) >= 12
