"""Energy estimates against sums on paper, and what may be said about ratios."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from conversion.graph import INPUT, Connection, LinearSynapse, Neuron, Population, Readout, SpikingGraph
from hardware.counts.ann_operations import AnnOperations, count_ann_operations
from hardware.counts.operation_counts import ConnectionOperations, LayerOperations, NetworkOperations
from hardware.counts.operations import count_operations
from hardware.energy.compute import (
    ann_compute_energy,
    ann_parity_compute_energy,
    snn_compute_energy,
    snn_parity_compute_energy,
)
from hardware.energy.constants import ARITHMETIC_45NM, LOIHI1_ENERGY, LOIHI1_KERAS_SPIKING, sram_access_j
from hardware.energy.memory import (
    ann_memory_energy,
    ann_parity_memory_energy,
    snn_memory_energy,
    snn_parity_memory_energy,
)
from hardware.energy.models import EnergyEstimate, energy_estimates, energy_ranges, parity_bits
from hardware.energy.platform import platform_energy
from hardware.energy.ratio import energy_ratio, energy_ratios
from snnface.errors import ConfigError


def picojoules(estimate: EnergyEstimate) -> list[float]:
    return [round(value * 1e12, 6) for value in (estimate.low_j, estimate.central_j, estimate.high_j)]


def tiny_operations() -> NetworkOperations:
    """Per inference, hidden: 3 events, 6 synops (5 nonzero), 3 spikes, 6 updates (4 active), 3 bias adds, leaky;
    readout: 3 events, 3 synops (1 nonzero), 1 bias add."""
    synapse = LinearSynapse(np.array([[1.0, 0.0], [2.0, 3.0]]), bias=np.array([0.0, 0.5]))
    hidden = Population("hidden", (2,), Neuron(leak=0.5, threshold=1.0), (Connection(INPUT, synapse),))
    graph = SpikingGraph((2,), (hidden,), Readout("hidden", np.array([[1.0, 0.0]]), np.array([0.25])))
    inputs = np.array([[[1, 0]], [[0, 0]], [[1, 1]]], np.uint8)
    return count_operations(graph, inputs, {"hidden": np.array([[[0, 1]], [[0, 0]], [[1, 1]]], np.uint8)})


def tiny_ann() -> AnnOperations:
    """Linear 4 -> 2 with bias, one of four inputs not zero."""
    return count_ann_operations(nn.Linear(4, 2), torch.tensor([[0.0, 3.0, 0.0, 0.0]]), batch_axis=0)


def test_arithmetic_constants_are_the_published_ones() -> None:
    macs = {name: round(e.mac_j * 1e12, 9) for name, e in ARITHMETIC_45NM.items()}
    assert macs == {"int8": 0.23, "int32": 3.2, "fp16": 1.5, "fp32": 4.6}


@pytest.mark.parametrize(
    ("kib", "pj"),
    [(0, 10), (8, 10), (20, 15), (32, 20), (528, 60), (1024, 100), (2016, 180), (1 << 20, 1300)],
)
def test_memory_access_is_linear_between_the_published_sizes(kib: int, pj: float) -> None:
    assert sram_access_j(kib * 1024) * 1e12 == pytest.approx(pj)


def test_compute_only_energy_of_a_tiny_network_is_that_on_paper() -> None:
    # central: 0.9*6 + 0.9*(3+3) + (0.9+3.7)*6 = 38.4, readout 0.9*3 + 0.9*1 = 3.6
    # low: 0.9*5 + 5.4 + 4.6*4 = 28.3, readout 0.9*1 + 0.9 = 1.8
    assert picojoules(snn_compute_energy(tiny_operations(), "fp32")) == [30.1, 42.0, 42.0]
    # int8 central: 0.03*6 + 0.03*6 + 0.23*6 = 1.74, readout 0.12; high with 32-bit sums: 0.6 + 0.6 + 0.3*6 + 0.4
    assert picojoules(snn_compute_energy(tiny_operations(), "int8"))[1:] == [1.86, 3.4]


def test_parts_add_up_to_the_central_value() -> None:
    for estimate in energy_estimates(tiny_operations(), tiny_ann()):
        assert sum(estimate.parts.values()) == pytest.approx(estimate.central_j, rel=1e-12)
        assert 0 < estimate.low_j <= estimate.central_j <= estimate.high_j


def test_compute_only_energy_of_an_ann_skips_zeros_at_best() -> None:
    # 8 connections; one input of four is not zero: 2 effective
    assert picojoules(ann_compute_energy(tiny_ann(), "fp32")) == [9.2, 36.8, 36.8]
    # int8: products of 8 bits, sums of 32 bits at worst: 8 * (0.2 + 0.1)
    assert picojoules(ann_compute_energy(tiny_ann(), "int8")) == [0.46, 1.84, 2.4]


def test_energy_with_memory_of_a_tiny_network_is_that_on_paper() -> None:
    # All memories below 8 KiB: 10 pJ per access, half of it per 32-bit word.
    # hidden: weights 5*(6+3), potentials 5*2*(6+6), queues 5*(3+3), adds 0.1*(6+3+3), leak 3.1*6, addresses 0.1*6
    hidden = 45 + 120 + 30 + 1.2 + 18.6 + 0.6
    readout = 5 * (3 + 1) + 5 * 2 * 3 + 5 * 3 + 0.1 * (3 + 1) + 0.1 * 3
    # low: potentials 5 * 2 * 4 active updates, none for the readout
    low = hidden - 120 + 40 + readout - 30
    # high: memory costs twice as much
    high = hidden + (45 + 120 + 30) + readout + (20 + 30 + 15)
    assert picojoules(snn_memory_energy(tiny_operations())) == pytest.approx([low, hidden + readout, high])


def test_energy_with_memory_of_a_tiny_ann_is_that_on_paper() -> None:
    # weights 5*(8+2), inputs 5*4, outputs 5*2, MACs 3.2*8, bias 0.1*2, addresses 0.1*(4+2)
    central = 50 + 20 + 10 + 25.6 + 0.2 + 0.6
    low = central - 5 * 6 - 3.2 * 6
    assert picojoules(ann_memory_energy(tiny_ann())) == pytest.approx([low, central, central + 80])


def test_convolution_reads_one_input_for_each_multiplication() -> None:
    conv = nn.Conv2d(1, 2, 2, bias=False)
    operations = count_ann_operations(conv, torch.ones(1, 1, 3, 3), batch_axis=0)
    # 4 outputs * 2 maps * 4 taps = 32 MACs; addresses 9 inputs + 8 outputs + 2*4 kernel
    expected = 5 * 32 + 5 * 32 + 5 * 8 + 3.2 * 32 + 0.1 * (9 + 8 + 8)
    assert picojoules(ann_memory_energy(operations))[1] == pytest.approx(expected)


def test_loihi_energy_of_a_tiny_network_is_that_on_paper() -> None:
    low = 23.6 * 5 + 81 * 4 + 52 * 2 + 1.7 * 3
    central = 23.6 * 6 + 81 * 4 + 52 * 2 + (1.7 + 2 * 3.5) * 3
    high = 23.6 * 6 + 81 * 6 + (1.7 + 4 * 4.0) * 3
    estimate = platform_energy(tiny_operations(), LOIHI1_ENERGY)
    assert picojoules(estimate) == pytest.approx([low, central, high])
    assert estimate.node == "14 nm"
    other = platform_energy(tiny_operations(), LOIHI1_KERAS_SPIKING)
    assert picojoules(other)[1] == pytest.approx(27.1 * 6 + 81 * 6)


def one_layer(touched: int, dense: int, neurons: int, steps: int, active: int) -> NetworkOperations:
    connection = ConnectionOperations(
        source=INPUT,
        kind="conv2d",
        event_type="binary",
        num_weights=1,
        num_zero_weights=0,
        num_biases=0,
        dense=dense,
        dense_pad=dense,
        max_fan_out=1,
        textbook_fan_out=1,
        is_constant=False,
        peak_events=touched,
        event_bits=8,
        in_events=np.array([touched]),
        touched=np.array([touched]),
        touched_nonzero=np.array([touched]),
    )
    layer = LayerOperations(
        name="all",
        kind="population",
        shape=(neurons,),
        num_neurons=neurons,
        num_decays=0,
        biases_per_step=0,
        weight_bits=8,
        state_bits=24,
        connections=(connection,),
        steps=np.array([steps]),
        spikes=np.array([0]),
        neuron_spikes=np.zeros(neurons, int),
        updates_active=np.array([active]),
    )
    return NetworkOperations(layers=(layer,), steps=np.array([steps]))


def test_figures_of_a_published_size_of_network_come_out_in_the_right_range() -> None:
    """8 steps, 18 432 neurons, 1.05 events per connection of 2.61 M: 2.5 uJ of additions; Loihi 1 72 to 77 uJ."""
    busy, idle = (
        one_layer(touched=2_745_000, dense=2_610_000, neurons=18_432, steps=8, active=active)
        for active in (8 * 18_432, 0)
    )
    assert busy.kappa == pytest.approx(1.05, abs=0.01)
    additions = snn_compute_energy(busy, "fp32").parts["synaptic additions"]
    assert additions * 1e6 == pytest.approx(2.47, abs=0.01)
    assert platform_energy(idle, LOIHI1_ENERGY).central_j * 1e6 == pytest.approx(64.78 + 7.67, abs=0.01)
    assert platform_energy(busy, LOIHI1_ENERGY).central_j * 1e6 == pytest.approx(64.78 + 11.94, abs=0.01)


def test_ratio_is_formed_inside_one_model_only() -> None:
    snn, ann = snn_compute_energy(tiny_operations(), "fp32"), ann_compute_energy(tiny_ann(), "fp32")
    ratio = energy_ratio(snn, ann)
    assert (ratio.low, ratio.central, ratio.high) == pytest.approx((30.1 / 36.8, 42 / 36.8, 42 / 9.2))
    loihi = platform_energy(tiny_operations(), LOIHI1_ENERGY)
    for first, second in [
        (snn, ann_compute_energy(tiny_ann(), "int8")),
        (loihi, ann),
        (snn_memory_energy(tiny_operations()), ann),
        (ann, snn),
    ]:
        with pytest.raises(ConfigError, match="of one model, node and precision; got"):
            energy_ratio(first, second)


def test_every_allowed_ratio_and_no_other_is_formed() -> None:
    ratios = energy_ratios(energy_estimates(tiny_operations(), tiny_ann()))
    parity = [("M3", "int8 weights, 2-bit codes")] * 2
    assert [(r.model[:2], r.precision) for r in ratios] == [
        *(("M0", "fp32"), ("M0", "int8"), ("M1", "int32")),
        *parity,
    ]
    assert energy_ratios(energy_estimates(tiny_operations())) == ()


def bounded(workload: str, low: float, central: float, high: float) -> EnergyEstimate:
    estimate = ann_compute_energy(tiny_ann(), "fp32")
    values = {name: getattr(estimate, name) for name in EnergyEstimate.__slots__}
    return EnergyEstimate(**values | {"workload": workload, "low_j": low, "central_j": central, "high_j": high})


@pytest.mark.parametrize(
    ("snn", "verdict"),
    [
        ((1.0, 2.0, 4.0), "no energy advantage can be claimed"),
        ((0.1, 0.5, 10.0), "no energy advantage can be claimed"),
        ((0.1, 0.5, 3.9), "the SNN needs less than the ANN (estimated, not measured)"),
        ((4.1, 5.0, 6.0), "no energy advantage can be claimed"),
        ((8.1, 9.0, 10.0), "the ANN needs less than the SNN (estimated, not measured)"),
    ],
)
def test_no_advantage_is_claimed_when_the_range_holds_one(snn: tuple[float, float, float], verdict: str) -> None:
    ratio = energy_ratio(bounded("SNN", *snn), bounded("ANN", 4.0, 6.0, 8.0))
    assert verdict in ratio.sentence
    assert ratio.sentence.startswith("M0 compute only, fp32, 45 nm: SNN / ANN = ")


def test_an_ann_that_does_nothing_gives_an_infinite_ratio_and_no_claim() -> None:
    ratio = energy_ratio(bounded("SNN", 0.1, 0.5, 1.0), bounded("ANN", 0.0, 1.0, 2.0))
    assert ratio.high == np.inf
    assert "no energy advantage can be claimed" in ratio.sentence


def test_the_parity_partner_pays_for_its_own_bits_and_skips_its_own_zeros() -> None:
    # 3 steps carry 2 bits: products of 8 by 2 bits cost a quarter of 8 by 8.
    # central 8 * (0.05 + 0.03), low 2 effective, high 8-bit multipliers and sums of 32 bits 8 * (0.2 + 0.1)
    assert picojoules(ann_parity_compute_energy(tiny_ann(), 2)) == [0.16, 0.64, 2.4]
    parity, plain = snn_parity_compute_energy(tiny_operations(), 2), snn_compute_energy(tiny_operations(), "int8")
    assert picojoules(parity) == picojoules(plain)
    assert parity.precision == ann_parity_compute_energy(tiny_ann(), 2).precision == "int8 weights, 2-bit codes"


def test_parity_with_memory_reads_narrow_words() -> None:
    # ANN: weights 1.25*(8+2), inputs 0.3125*4, outputs 0.3125*2, products (0.05+0.1)*8, bias 0.1*2, addresses 0.1*6
    central = 1.25 * 10 + 0.3125 * 6 + 0.15 * 8 + 0.2 + 0.6
    assert picojoules(ann_parity_memory_energy(tiny_ann(), 2))[1] == pytest.approx(central)
    # SNN: as M1, but 1.25 instead of 5 for each of the 9 + 4 weights read.
    full = picojoules(snn_memory_energy(tiny_operations()))[1]
    assert picojoules(snn_parity_memory_energy(tiny_operations(), 2))[1] == pytest.approx(full - 3.75 * 13)


def test_a_constant_graded_input_is_cheap_at_best_and_dear_at_worst() -> None:
    def energy(*, is_constant: bool) -> EnergyEstimate:
        layer = one_layer(touched=80, dense=20, neurons=5, steps=4, active=0).layers[0]
        (connection,) = layer.connections
        graded = dataclasses.replace(connection, event_type="graded", is_constant=is_constant)
        return snn_compute_energy(
            NetworkOperations(layers=(dataclasses.replace(layer, connections=(graded,)),), steps=np.array([4])), "fp32"
        )

    moving, still = energy(is_constant=False), energy(is_constant=True)
    assert picojoules(moving) == pytest.approx([4.6 * 80, 4.6 * 80 + 0.9 * 20, 4.6 * 80 + 0.9 * 20])
    # Computed once, then one addition a neuron and step.
    assert picojoules(still) == pytest.approx([4.6 * 20 + 0.9 * 20, *picojoules(moving)[1:]])


def test_every_part_is_its_counts_times_constants() -> None:
    for estimate in energy_estimates(tiny_operations(), tiny_ann()):
        assert estimate.parts.keys() == estimate.counted.keys()
        for name, joules in estimate.parts.items():
            total = sum(estimate.counted[name].values())
            assert total * min(estimate.constants.values()) * 0.49 <= joules
            assert joules <= total * (2 * max(estimate.constants.values()) + 1e-18)
        assert estimate.source
        assert estimate.grade
    compute = snn_compute_energy(tiny_operations(), "fp32")
    assert compute.counted["synaptic additions"] == {"synops": 9.0}
    assert compute.parts["synaptic additions"] == pytest.approx(9 * compute.constants["addition"])


def test_the_range_of_a_network_goes_from_bare_arithmetic_to_whole_accesses() -> None:
    estimates = energy_estimates(tiny_operations(), tiny_ann())
    snn, ann = energy_ranges(estimates)
    assert (snn.workload, ann.workload, snn.node) == ("SNN", "ANN", "45 nm")
    memory = snn_memory_energy(tiny_operations())
    assert snn.low_j == snn_compute_energy(tiny_operations(), "int8").low_j
    assert (snn.central_j, snn.high_j) == (memory.central_j, memory.high_j)
    assert ann.low_j == ann_compute_energy(tiny_ann(), "int8").low_j
    assert energy_ranges(estimates[:1]) == ()


def test_unknown_precision_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"unknown precision 'int4'.*Known: fp16, fp32, int32, int8"):
        snn_compute_energy(tiny_operations(), "int4")
    with pytest.raises(ConfigError, match="unknown precision 'int4'"):
        ann_compute_energy(tiny_ann(), "int4")


def test_parity_bits_are_those_of_the_largest_count() -> None:
    assert [parity_bits(steps) for steps in (1, 2, 3, 7, 8, 75, 255, 256)] == [1, 2, 2, 3, 4, 7, 8, 9]
