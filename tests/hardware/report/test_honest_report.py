"""The ten mistakes that critics of energy claims name, each with the test that it is not made here.

Source: Lemaire et al. 2022 (arXiv:2210.13107), Dampfhoffer et al. 2023 (IEEE TETCI 7(3)), Yan et al. 2024
(arXiv:2409.08290), and issue 258 of NeuroBench.
"""

import dataclasses
import json

import numpy as np
import pytest
import torch
from report_examples import bare_report, full_report
from torch import nn

from conversion.graph import INPUT, Connection, Conv2dSynapse, LinearSynapse, Neuron, Population, Readout, SpikingGraph
from hardware.counts.ann_operations import count_ann_operations
from hardware.counts.operation_counts import NetworkOperations
from hardware.counts.operations import count_operations
from hardware.energy.models import EnergyEstimate, energy_estimates, parity_bits
from hardware.energy.ratio import energy_ratio
from hardware.report import report_values
from hardware.report.markdown import report_markdown
from snnface.errors import ConfigError

STEPS, SAMPLES = 6, 4


def network() -> SpikingGraph:
    """Counts -> convolution -> OR-pool -> full layer -> readout."""
    draw = np.random.default_rng(0)
    first = Population(
        "first",
        (3, 6, 6),
        Neuron(leak=0.5, threshold=1.0),
        (Connection(INPUT, Conv2dSynapse(draw.integers(-1, 2, (3, 2, 3, 3)).astype(float), padding=(1, 1))),),
    )
    pool = Conv2dSynapse(np.ones((3, 1, 2, 2)), stride=(2, 2), groups=3)
    relay = Population("pool", (3, 3, 3), Neuron(leak=1.0, threshold=0.5, is_relay=True), (Connection("first", pool),))
    full = LinearSynapse(draw.normal(size=(4, 27)), draw.normal(size=4))
    last = Population("last", (4,), Neuron(leak=0.5, threshold=1.0), (Connection("pool", full),))
    return SpikingGraph((2, 6, 6), (first, relay, last), Readout("last", np.eye(4), np.ones(4)))


def counted(*, largest: int = 3, rate: float = 0.3) -> NetworkOperations:
    draw = np.random.default_rng(1)
    graph = network()
    inputs = draw.integers(0, largest + 1, (STEPS, SAMPLES, 2, 6, 6)) * (draw.random((STEPS, SAMPLES, 2, 6, 6)) < rate)
    spikes = {p.name: (draw.random((STEPS, SAMPLES, *p.shape)) < rate).astype(np.uint8) for p in graph.populations}
    return count_operations(graph, inputs, spikes)


def estimates(snn: NetworkOperations) -> dict[tuple[str, str, str], EnergyEstimate]:
    torch.manual_seed(0)
    ann = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(108, 4)).eval()
    baseline = count_ann_operations(ann, torch.randn(SAMPLES, 2, 6, 6), batch_axis=0)
    return {(e.model[:2], e.workload, e.precision): e for e in energy_estimates(snn, baseline)}


def test_1_memory_is_counted_and_dominates() -> None:
    parts = estimates(counted())["M1", "SNN", "int32"].parts
    assert {"weight reads", "potentials", "event queues", "addressing"} <= parts.keys()
    assert sum(joules for name, joules in parts.items() if name != "arithmetic") > parts["arithmetic"]
    compute = estimates(counted())["M0", "SNN", "fp32"]
    assert "excludes memory" in compute.scope
    assert "memory" in compute.not_counted


def test_2_events_at_borders_cost_their_own_fan_out_not_the_mean() -> None:
    graph = network()
    inputs = np.zeros((1, 2, 2, 6, 6), np.uint8)
    inputs[0, 0, 0, 0, 0] = inputs[0, 1, 0, 3, 3] = 1
    silent = {p.name: np.zeros((1, 2, *p.shape), np.uint8) for p in graph.populations}
    corner, inner = count_operations(graph, inputs, silent).layer("first").per_sample("synops")
    assert (corner, inner) == (3 * 4, 3 * 9)


def test_3_the_first_layer_is_there_at_every_step() -> None:
    first = counted().layer("first")
    assert first.mean("macs") > 0
    assert first.steps.tolist() == [STEPS] * SAMPLES
    assert "graded input" in estimates(counted())["M0", "SNN", "fp32"].parts


def test_4_the_ann_skips_zeros_has_few_bits_and_its_own_accuracy() -> None:
    found = estimates(counted())
    fp32, int8 = found["M0", "ANN", "fp32"], found["M0", "ANN", "int8"]
    assert int8.central_j < fp32.central_j / 10
    assert fp32.low_j < fp32.central_j
    codes = f"int8 weights, {parity_bits(STEPS)}-bit codes"
    assert found["M3", "ANN", codes].precision == found["M3", "SNN", codes].precision
    assert any(row.name == "chance" for row in full_report().accuracy)


def test_5_neurons_are_updated_at_every_step_leaks_included() -> None:
    quiet = counted(rate=0.0)
    assert quiet.per_sample("synops").tolist() == [0] * SAMPLES
    updates = STEPS * (108 + 27 + 4)
    assert quiet.per_sample("updates_dense").tolist() == [updates] * SAMPLES
    assert quiet.per_sample("leak_multiplies").tolist() == [STEPS * (108 + 4)] * SAMPLES
    assert estimates(quiet)["M0", "SNN", "fp32"].parts["neuron updates"] > 0


@pytest.mark.parametrize(("largest", "quantity", "other"), [(1, "synops", "macs"), (3, "macs", "synops")])
def test_6_what_is_no_spike_is_multiplied(largest: int, quantity: str, other: str) -> None:
    first = counted(largest=largest).layer("first")
    assert first.mean(quantity) > 0
    assert first.mean(other) == 0


def test_7_pooling_and_readout_are_layers_of_their_own() -> None:
    kinds = {layer.name: layer.kind for layer in counted().layers}
    assert kinds == {"first": "population", "pool": "relay", "last": "population", "readout": "readout"}
    assert all(counted().layer(name).mean("synops") > 0 for name in ("pool", "readout"))


def test_8_constants_of_two_chips_never_meet_in_one_ratio() -> None:
    found = estimates(counted())
    loihi = next(e for e in found.values() if e.node == "14 nm")
    with pytest.raises(ConfigError, match="of one model, node and precision"):
        energy_ratio(loihi, found["M0", "ANN", "fp32"])
    assert {e.node for e in found.values()} == {"45 nm", "14 nm"}


def test_9_every_sample_counts_and_the_spread_is_told() -> None:
    operations = counted()
    assert operations.num_samples == SAMPLES
    total = operations.total("synops")
    assert total.mean == operations.per_sample("synops").mean()
    assert total.low < total.mean < total.high
    assert len(set(operations.per_sample("synops").tolist())) > 1


def test_10_nothing_is_saved_or_measured_in_words() -> None:
    report = dataclasses.replace(bare_report(), energy=tuple(estimates(counted()).values()))
    text = report_markdown(report) + json.dumps(report_values(report))
    assert "saving" not in text
    assert "never a measurement" in text
    assert report_values(report)["energy_is_estimated_not_measured"] is True
    for estimate in report.energy:
        assert estimate.low_j < estimate.high_j
        assert estimate.grade
