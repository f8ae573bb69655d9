"""A layer that reads too much, split over cores: the same spikes, and no core that hears too much."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversion.graph import INPUT, Connection, Conv2dSynapse, LinearSynapse, Readout
from conversion.integer_graph import IntegerGraph, IntegerNeuron, IntegerPopulation
from hardware.backends.fixed_point import FixedPointBackend
from hardware.backends.lava import LavaBackend
from hardware.mapping.fan_in import split_fan_in
from hardware.mapping.resources import chip_fit
from hardware.placement import pipeline_schedule
from hardware.target import LOIHI1, LOIHI2
from snnface.errors import CapacityError

HEARS_20 = replace(LOIHI2, name="hears 20", input_axons_per_core=20)


def network(seed: int, *, rows: int = 6, columns: int = 50, **options: int) -> IntegerGraph:
    """A full matrix over 50 inputs, then a small one."""
    draw = np.random.default_rng(seed)

    def cells(name: str, source: str, shape: tuple[int, int], **given: int) -> IntegerPopulation:
        neuron = IntegerNeuron(du=3000, dv=500, vth=300, bias_mant=draw.integers(-50, 50, shape[0]), bias_exp=3)
        weight = 2 * draw.integers(-127, 128, shape)
        return IntegerPopulation(name, shape[:1], neuron, (Connection(source, LinearSynapse(weight), **given),))

    populations = (cells("wide", INPUT, (rows, columns), **options), cells("last", "wide", (3, rows)))
    return IntegerGraph((columns,), 0, populations, Readout("last", np.eye(3), np.zeros(3)))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), hears=st.integers(7, 49), weight_exp=st.integers(0, 2))
def test_a_split_network_gives_the_same_spikes(seed: int, hears: int, weight_exp: int) -> None:
    graph = network(seed, weight_exp=weight_exp)
    target = replace(LOIHI2, input_axons_per_core=hears)
    split = split_fan_in(graph, target)
    assert len(split.populations) == 2 + 2 * -(-50 // hears)
    spikes = (np.random.default_rng(seed).random((12, 2, 50)) < 0.3).astype(np.uint8)
    backend = FixedPointBackend()
    before = backend.run(backend.compile(graph, target), spikes)
    after = backend.run(backend.compile(split, target), spikes)
    for name in ("wide", "last"):
        assert np.array_equal(before.spikes[name], after.spikes[name])
        assert np.array_equal(before.voltage[name], after.voltage[name])


def test_every_neuron_of_a_split_network_can_be_heard_by_a_core() -> None:
    graph = network(1)
    assert "wide: one neuron reads 50 inputs and a core has 20 input axons" in chip_fit(graph, HEARS_20).reasons
    fit = chip_fit(split_fan_in(graph, HEARS_20), HEARS_20)
    assert [(row.name, row.fan_in) for row in fit.populations] == [
        ("wide.part0", 20),
        ("wide.sum0", 1),
        ("wide.part1", 20),
        ("wide.sum1", 1),
        ("wide.part2", 10),
        ("wide.sum2", 1),
        ("wide", 3),
        ("last", 6),
    ]
    assert fit.verdict == "unknown"
    # The layer now comes two steps later.
    assert pipeline_schedule(split_fan_in(graph, HEARS_20)).latency["wide"] == 3


def test_a_chip_that_sends_numbers_is_offered_the_split() -> None:
    (remedy,) = [one for one in chip_fit(network(1), HEARS_20).remedies if one.keeps_answers]
    assert remedy.change == "form the sums of 'wide' in parts that other cores hear"
    assert (remedy.fan_in, remedy.neurons) == (20, 6 + 3 + 6 * 6)


def test_inputs_that_no_neuron_reads_are_not_counted() -> None:
    graph = network(2)
    weight = graph.populations[0].inputs[0].synapse.weight.copy()
    weight[:, 20:] = 0
    wide = replace(graph.populations[0], inputs=(Connection(INPUT, LinearSynapse(weight)),))
    narrow = replace(graph, populations=(wide, graph.populations[1]))
    assert split_fan_in(narrow, HEARS_20).populations == narrow.populations


def test_nothing_is_split_where_the_limit_is_not_published() -> None:
    graph = network(3)
    assert split_fan_in(graph, LOIHI2).populations == graph.populations


def test_a_chip_of_single_bits_and_short_messages_are_refused() -> None:
    with pytest.raises(CapacityError, match=r"population 'wide': sums .* loihi1 sends single bits"):
        split_fan_in(network(4), replace(LOIHI1, input_axons_per_core=20))
    with pytest.raises(CapacityError, match="hears 20 sends numbers of 8 bits"):
        split_fan_in(network(4), replace(HEARS_20, message_bits=8))


def test_sums_that_are_rounded_and_convolutions_are_refused() -> None:
    with pytest.raises(CapacityError, match=r"one neuron reads 50 inputs and a core hears 20; .* rounds its sums"):
        split_fan_in(network(5, weight_exp=-1), HEARS_20)
    neuron = IntegerNeuron(du=4095, dv=0, vth=1, bias_mant=np.array(0))
    conv = Conv2dSynapse(np.full((1, 4, 3, 3), 2))
    cells = IntegerPopulation("cells", (1, 2, 2), neuron, (Connection(INPUT, conv),))
    graph = IntegerGraph((4, 4, 4), 0, (cells,), Readout("cells", np.ones((1, 4)), np.zeros(1)))
    with pytest.raises(CapacityError, match=r"one neuron reads 36 inputs .* is a convolution"):
        split_fan_in(graph, HEARS_20)


@pytest.mark.lava
def test_lava_gives_the_same_spikes_for_a_split_network(lava_python: Path) -> None:
    graph = network(6)
    spikes = (np.random.default_rng(6).random((12, 2, 50)) < 0.3).astype(np.uint8)
    fixed, lava = FixedPointBackend(), LavaBackend()
    whole = fixed.run(fixed.compile(graph, HEARS_20), spikes)
    split = lava.run(lava.compile(split_fan_in(graph, HEARS_20), HEARS_20), spikes)
    assert whole.num_spikes["last"] > 0
    assert all(np.array_equal(whole.spikes[name], split.spikes[name]) for name in ("wide", "last"))
