"""Chip fit, held to a network worked out by hand."""

import numpy as np
import pytest

from conversion.graph import INPUT, Connection, Conv2dSynapse, LinearSynapse, Neuron, Population, Readout, SpikingGraph
from conversion.quantize import QuantizeConfig, quantize
from hardware.resources import chip_fit
from hardware.target import LOIHI1, LOIHI2

NEURON = Neuron(leak=0.5, threshold=1.0)
RELAY = Neuron(leak=1.0, threshold=0.5, is_relay=True)


def graph_of(input_shape: tuple[int, ...], *populations: Population) -> SpikingGraph:
    last = populations[-1]
    return SpikingGraph(input_shape, populations, Readout(last.name, np.ones((1, last.num_neurons)), np.zeros(1)))


def conv(name: str, source: str, shape: tuple[int, int, int], channels: int) -> Population:
    synapse = Conv2dSynapse(np.ones((shape[0], channels, 3, 3)), padding=(1, 1))
    return Population(name, shape, NEURON, (Connection(source, synapse),))


def pool(name: str, source: str, shape: tuple[int, int, int]) -> Population:
    synapse = Conv2dSynapse(np.ones((shape[0], 1, 2, 2)), stride=(2, 2), groups=shape[0])
    return Population(name, shape, RELAY, (Connection(source, synapse),))


def linear(name: str, source: str, outputs: int, inputs: int) -> Population:
    return Population(name, (outputs,), NEURON, (Connection(source, LinearSynapse(np.ones((outputs, inputs)))),))


def micro_expression_network() -> SpikingGraph:
    """2x64x64 - conv 32 - pool - conv 32 - pool - fc 512 - fc 210."""
    return graph_of(
        (2, 64, 64),
        conv("conv1", INPUT, (32, 64, 64), 2),
        pool("pool1", "conv1", (32, 32, 32)),
        conv("conv2", "pool1", (32, 32, 32), 32),
        pool("pool2", "conv2", (32, 16, 16)),
        linear("fc512", "pool2", 512, 8192),
        linear("fc210", "fc512", 210, 512),
    )


def test_loihi1_needs_of_the_micro_expression_network_are_those_worked_out_by_hand() -> None:
    fit = chip_fit(micro_expression_network(), LOIHI1)
    by_name = {population.name: population for population in fit.populations}
    assert fit.neurons == 205_522
    assert sum(-(-population.neurons // 1024) for population in fit.populations) == 202
    wide = by_name["fc512"]
    assert wide.synapse_bits_shared == 4.5 * 2**20 * 8
    assert (wide.cores, wide.input_axons, wide.cores_unshared) == (36, 8192, None)
    assert (wide.binding, wide.verdict) == ("input axons", "does not fit")
    assert "one neuron reads 8192 inputs and a core has 4096 input axons" in wide.reason
    # A full core of OR relays reads 1024 * 4 inputs: exactly the limit.
    assert by_name["pool1"].input_axons == 4096
    assert [by_name[name].cores for name in ("conv1", "pool1", "conv2", "pool2", "fc210")] == [128, 32, 32, 8, 1]
    assert fit.verdict == "does not fit"
    assert fit.chips == 2
    assert any("at least 237 cores are needed; one chip has 128" in reason for reason in fit.reasons)


def test_loihi2_lower_bound_of_the_micro_expression_network_is_58_cores() -> None:
    fit = chip_fit(micro_expression_network(), LOIHI2)
    assert sum(-(-population.neurons // 8192) for population in fit.populations) == 27
    wide = next(population for population in fit.populations if population.name == "fc512")
    assert (wide.cores, wide.binding, wide.synapse_bits_shared) == (32, "synapse memory", 4 * 2**20 * 8)
    assert fit.cores == 58
    assert fit.verdict == "unknown"
    assert "published in part only" in fit.reasons[0]


def test_a_bound_can_prove_that_a_network_does_not_fit_loihi2() -> None:
    fit = chip_fit(graph_of((40_000,), linear("huge", INPUT, 1000, 40_000)), LOIHI2)
    assert (fit.cores, fit.verdict) == (306, "does not fit")


def test_a_small_network_fits_loihi1_whatever_is_shared() -> None:
    fit = chip_fit(graph_of((2, 8, 8), conv("small", INPUT, (4, 8, 8), 2)), LOIHI1)
    row = fit.populations[0]
    assert (fit.verdict, fit.reasons, row.cores, row.cores_unshared) == ("fits", (), 1, 1)
    assert row.synapses == 2 * 4 * 22 * 22
    assert row.input_axons == 2 * 8 * 8
    # One list for each of 2 input channels: 4 * 9 = 36 synapses of 18 bits and a header, in words of 64.
    assert row.synapse_bits_shared == 2 * 704
    # 128 lists of 3872 / 128 = 30.25 -> 31 synapses: 568 bits, 9 words.
    assert row.synapse_bits_unshared == 128 * 576


def test_a_convolution_that_fits_only_with_shared_lists_is_unknown() -> None:
    fit = chip_fit(graph_of((32, 40, 40), conv("wide", INPUT, (32, 40, 40), 32)), LOIHI1)
    assert fit.cores <= 128 < (fit.populations[0].cores_unshared or 0)
    assert fit.verdict == "unknown"
    assert "it depends on shared weight lists" in fit.reasons[0]


def test_axon_limit_makes_cores_smaller() -> None:
    # 1024 relays with 3 x 3 windows that do not overlap read 9216 inputs: 455 neurons a core at most.
    synapse = Conv2dSynapse(np.ones((1, 1, 3, 3)), stride=(3, 3))
    population = Population("pool", (1, 32, 32), RELAY, (Connection(INPUT, synapse),))
    row = chip_fit(graph_of((1, 96, 96), population), LOIHI1).populations[0]
    assert (row.binding, row.verdict) == ("input axons", "fits")
    assert row.cores == 3
    assert row.input_axons == 11 * 32 * 9


def test_two_connections_into_one_population_add_up() -> None:
    synapse = LinearSynapse(np.ones((10, 3000)))
    both = Population("sum", (10,), NEURON, (Connection(INPUT, synapse), Connection("relay", synapse)))
    relay = Population("relay", (3000,), RELAY, (Connection(INPUT, LinearSynapse(np.eye(3000))),))
    row = chip_fit(graph_of((3000,), relay, both), LOIHI1).populations[1]
    assert row.synapses == 60_000
    assert row.verdict == "does not fit"
    assert "one neuron reads 6000 inputs" in row.reason


@pytest.mark.parametrize("target", [LOIHI1, LOIHI2])
def test_totals_are_sums_over_populations(target) -> None:  # type: ignore[no-untyped-def]
    fit = chip_fit(micro_expression_network(), target)
    assert fit.cores == sum(population.cores for population in fit.populations)
    assert fit.source == target.source
    assert "output axons" in fit.not_checked


def test_graded_input_does_not_fit_a_chip_of_binary_spikes() -> None:
    graph = graph_of((4,), linear("only", INPUT, 3, 4))
    counts = quantize(graph, QuantizeConfig(input_bits=4)).graph
    assert chip_fit(counts, LOIHI1).verdict == "does not fit"
    assert "counts of 4 bits; this chip takes binary spikes only" in chip_fit(counts, LOIHI1).reasons[0]
    assert chip_fit(quantize(graph, QuantizeConfig(input_bits=0)).graph, LOIHI1).verdict == "fits"
    assert chip_fit(counts, LOIHI2).verdict == "unknown"
