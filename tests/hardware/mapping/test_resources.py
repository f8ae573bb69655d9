"""Chip fit, held to a network worked out by hand."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from conversion.graph import INPUT, Connection, Conv2dSynapse, LinearSynapse, Neuron, Population, Readout, SpikingGraph
from conversion.integer_graph import (
    ChipNeuron,
    IntegerGraph,
    IntegerNeuron,
    IntegerPopulation,
    SigmaDeltaNeuron,
    TernaryNeuron,
)
from conversion.quantize import QuantizeConfig, quantize
from hardware.mapping.resources import ChipFit, chip_fit
from hardware.target import GENERIC, LOIHI1, LOIHI2, TARGETS, HardwareTarget
from snnface.config import from_json, to_json

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


@cache
def _fit(name: str) -> ChipFit:
    return chip_fit(micro_expression_network(), TARGETS[name])


def fit_of_the_network(target: HardwareTarget) -> ChipFit:
    return _fit(target.name)


def test_loihi1_needs_of_the_micro_expression_network_are_those_worked_out_by_hand() -> None:
    fit = fit_of_the_network(LOIHI1)
    by_name = {population.name: population for population in fit.populations}
    assert fit.neurons == 205_522
    assert sum(population.cores_by_limit["neurons"] for population in fit.populations) == 202
    wide = by_name["fc512"]
    assert wide.synapse_bits_shared == 4.5 * 2**20 * 8
    assert wide.cores_by_limit["synapse memory"] == 36
    assert (wide.cores, wide.input_axons, wide.fan_in, wide.cores_unshared) == (36, 8192, 8192, None)
    assert (wide.binding, wide.verdict, wide.used) == ("input axons", "does not fit", 2.0)
    assert wide.reason == "one neuron reads 8192 inputs and a core has 4096 input axons"
    # A full core of OR relays reads 1024 * 4 inputs: exactly the limit.
    assert by_name["pool1"].input_axons == 4096
    # Cores of whole neurons: 14 rows make lists of two words, 8192 * 128 bits = 128 KiB. So 37 cores hear each of
    # the 8192 relays, and a core has 4096 output axons: 74 cores, although their neurons would fit in 8.
    pool = by_name["pool2"]
    assert (pool.cores, pool.cores_by_limit["neurons"], pool.binding) == (74, 8, "output axons")
    assert [by_name[name].cores for name in ("conv1", "pool1", "conv2", "fc210")] == [128, 32, 32, 1]
    assert fit.verdict == "does not fit"
    assert (fit.cores, fit.chips, fit.board) == (303, 3, "Nahuku")
    assert "at least 303 cores are needed; one chip has 128" in fit.reasons


def test_loihi2_lower_bound_of_the_micro_expression_network_is_58_cores() -> None:
    fit = fit_of_the_network(LOIHI2)
    assert sum(-(-population.neurons // 8192) for population in fit.populations) == 27
    wide = next(population for population in fit.populations if population.name == "fc512")
    assert (wide.cores, wide.binding, wide.synapse_bits_shared) == (32, "synapse memory", 4 * 2**20 * 8)
    assert fit.cores == 58
    assert fit.verdict == "unknown"
    assert "published in part only" in fit.reasons[0]


def test_a_bound_can_prove_that_a_network_does_not_fit_loihi2() -> None:
    fit = chip_fit(graph_of((20_000,), linear("huge", INPUT, 1000, 20_000)), LOIHI2)
    assert (fit.cores, fit.verdict) == (153, "does not fit")


def test_a_small_network_fits_loihi1_whatever_is_shared() -> None:
    fit = chip_fit(graph_of((2, 8, 8), conv("small", INPUT, (4, 8, 8), 2)), LOIHI1)
    row = fit.populations[0]
    assert (fit.verdict, fit.reasons, row.cores, row.cores_unshared) == ("fits", (), 1, 1)
    assert row.synapses == 2 * 4 * 22 * 22
    assert row.input_axons == 2 * 8 * 8
    # One list for each of 2 input channels: 4 * 9 = 36 synapses of 18 bits and a header, in words of 64.
    assert row.synapse_bits_shared == 2 * 704
    # Inside the border 36 lists of 4 * 9 synapses (11 words), along it 24 of 4 * 6 (7), at its corners 4 of 4 * 4 (5).
    assert row.synapse_bits_unshared == 2 * (36 * 704 + 24 * 448 + 4 * 320)


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
    fit = fit_of_the_network(target)
    assert fit.cores == sum(population.cores for population in fit.populations)
    assert fit.source == target.source
    assert "routing" in fit.not_checked


def test_graded_input_does_not_fit_a_chip_of_binary_spikes() -> None:
    graph = graph_of((4,), linear("only", INPUT, 3, 4))
    counts = quantize(graph, QuantizeConfig(input_bits=4)).graph
    assert chip_fit(counts, LOIHI1).verdict == "does not fit"
    assert "counts of 4 bits; this chip takes binary spikes only" in chip_fit(counts, LOIHI1).reasons[0]
    assert chip_fit(quantize(graph, QuantizeConfig(input_bits=0)).graph, LOIHI1).verdict == "fits"
    assert chip_fit(counts, LOIHI2).verdict == "unknown"


def test_of_a_chip_without_known_limits_needs_are_counted_and_nothing_is_concluded() -> None:
    fit = fit_of_the_network(GENERIC)
    assert (fit.verdict, fit.cores, fit.cores_per_chip, fit.board, fit.remedies) == ("unknown", 1, None, None, ())
    assert fit.reasons == ("no limits of cores and memory are known; what is needed is counted",)
    wide = fit.populations[4]
    assert (wide.neurons, wide.weights, wide.input_axons) == (512, 512 * 8192, 8192)
    assert (wide.binding, wide.used, wide.cores_by_limit) == ("none known", None, {})


def test_every_core_that_reads_a_neuron_takes_one_of_its_output_axons() -> None:
    # 3000 neurons that all read 100 relays: 3 cores, so the relays need 300 axons of the one core that holds them.
    source = Population("source", (100,), RELAY, (Connection(INPUT, LinearSynapse(np.eye(100))),))
    fit = chip_fit(graph_of((100,), source, linear("reader", "source", 3000, 100)), LOIHI1)
    assert fit.populations[1].cores == 3
    assert (fit.populations[0].output_axons, fit.populations[0].cores) == (300, 1)


def test_output_axons_make_cores_smaller() -> None:
    few = replace(LOIHI1, output_axons_per_core=150)
    source = Population("source", (100,), RELAY, (Connection(INPUT, LinearSynapse(np.eye(100))),))
    row = chip_fit(graph_of((100,), source, linear("reader", "source", 3000, 100)), few).populations[0]
    assert (row.cores, row.binding, row.output_axons, row.used) == (2, "output axons", 150, 1.0)
    none = replace(LOIHI1, output_axons_per_core=2)
    refused = chip_fit(graph_of((100,), source, linear("reader", "source", 3000, 100)), none)
    assert refused.reasons == ("source: 3 cores read one neuron and a core has 2 output axons",)


def test_a_matrix_that_is_mostly_zero_needs_axons_and_memory_for_the_rest_alone() -> None:
    relay = Population("relay", (1000,), RELAY, (Connection(INPUT, LinearSynapse(np.eye(1000))),))
    row = chip_fit(graph_of((1000,), relay), LOIHI1).populations[0]
    assert (row.fan_in, row.input_axons, row.cores) == (1, 1000, 1)
    # One synapse with its index, 10 + 18 bits: a word for each axon.
    assert row.synapse_bits_unshared == 1000 * 64


def test_weights_that_act_late_need_more_memory_and_may_be_too_late() -> None:
    def fit(delay: int, target: HardwareTarget) -> ChipFit:
        matrix = np.full((2, 4), 2, dtype=np.int64)
        links = (Connection(INPUT, LinearSynapse(matrix), delay=np.full((2, 4), delay)),)
        return chip_fit(integers(links), target)

    prompt = chip_fit(integers((Connection(INPUT, LinearSynapse(np.full((2, 4), 2))),)), LOIHI1)
    # Lists of 10 + 40 * 8 and of 10 + 40 * 14 bits.
    assert prompt.populations[0].synapse_bits_shared == 4 * 64
    assert fit(62, LOIHI1).verdict == "fits"
    assert fit(63, LOIHI1).reasons == ("cells: weights from input act 63 steps late; this chip can wait for 62",)
    assert fit(63, LOIHI2).verdict == "unknown"


@pytest.mark.parametrize(
    "neuron",
    [
        TernaryNeuron(du=4095, dv=0, vth_high=1, vth_low=-1, bias_mant=np.array(0)),
        SigmaDeltaNeuron(vth=1, bias=np.array(0)),
    ],
)
def test_messages_with_a_sign_do_not_fit_a_chip_of_binary_spikes(neuron: TernaryNeuron | SigmaDeltaNeuron) -> None:
    graph = integers((Connection(INPUT, LinearSynapse(np.full((2, 4), 2))),), neuron)
    refused = chip_fit(graph, LOIHI1)
    assert refused.verdict == "does not fit"
    name = type(neuron).__name__
    assert refused.reasons == (f"cells: a {name} sends numbers with a sign; this chip sends single bits",)
    assert refused.remedies == ()
    assert chip_fit(graph, LOIHI2).verdict == "unknown"


def test_cores_that_only_the_cut_into_boxes_needs_prove_nothing() -> None:
    # 21 x 21 neurons of 9 inputs each: ceil(441 / 225) = 2 cores, but no 2 boxes of a square hold so few.
    synapse = Conv2dSynapse(np.ones((1, 1, 3, 3)), stride=(3, 3))
    population = Population("pool", (1, 21, 21), RELAY, (Connection(INPUT, synapse),))
    two = replace(LOIHI1, neurons_per_core=225, cores_per_chip=2)
    fit = chip_fit(graph_of((1, 63, 63), population), two)
    assert (fit.cores, fit.verdict) == (3, "unknown")
    assert fit.reasons == ("3 cores are needed where each holds a box of neurons; one chip has 2",)
    assert [remedy.chips for remedy in fit.remedies] == [1]


def test_a_fit_with_all_its_remedies_survives_being_written_as_json_and_read() -> None:
    fit = fit_of_the_network(LOIHI1)
    assert len(fit.remedies) > 5
    assert from_json(ChipFit, to_json(fit)) == fit


def test_more_weights_than_a_chip_has_synapses_do_not_fit() -> None:
    fit = chip_fit(graph_of((4,), linear("only", INPUT, 3, 4)), replace(LOIHI2, synapses_per_chip=11))
    assert fit.reasons == ("12 weights are needed; one chip holds 11 synapses",)


def integers(links: tuple[Connection, ...], neuron: ChipNeuron | None = None) -> IntegerGraph:
    lif = IntegerNeuron(du=4095, dv=0, vth=1, bias_mant=np.array(0))
    cells = IntegerPopulation("cells", (2,), neuron or lif, links)
    return IntegerGraph((4,), 0, (cells,), Readout("cells", np.ones((1, 2)), np.zeros(1)))
