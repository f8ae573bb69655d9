"""Each step of quantising by itself: what it changes, and that the steps together are the integers."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversion.graph import INPUT, Connection, LinearSynapse, Neuron, Population, Readout, SpikingGraph
from conversion.integer_graph import IntegerGraph
from conversion.quantisation_report import StepMeter, graph_with_step
from conversion.quantize import QuantizeConfig, quantize
from conversion.simulate import simulate
from hardware.backends.fixed_point import FixedPointBackend
from hardware.target import LOIHI2

BINARY = QuantizeConfig(input_bits=0)


def run_integers(graph: IntegerGraph, inputs: np.ndarray) -> tuple[Mapping[str, np.ndarray], np.ndarray]:
    backend = FixedPointBackend()
    result = backend.run(backend.compile(graph, LOIHI2), inputs)
    return result.spikes, result.answers


def one_layer(weight: np.ndarray, neuron: Neuron, bias: np.ndarray | None = None) -> SpikingGraph:
    links = (Connection(INPUT, LinearSynapse(weight, bias)),)
    population = Population("n", (len(weight),), neuron, links)
    return SpikingGraph((weight.shape[1],), (population,), Readout("n", np.eye(len(weight)), np.zeros(len(weight))))


def test_a_step_puts_back_its_own_numbers_and_no_others():
    graph = one_layer(np.array([[0.5, -0.3217]]), Neuron(leak=0.3, threshold=0.9), np.array([0.123]))
    quantized = quantize(graph, BINARY)
    # S = 508: -0.3217 becomes -164, the threshold 457, the leak 1229 / 4096; the bias 64 S b = 3999 after rounding.
    steps = {}
    for step in ("weights", "bias", "leak", "threshold", "comparison"):
        altered = graph_with_step(graph, quantized, step)
        steps[step] = None if altered is None else altered.populations[0]
    assert steps["comparison"] is None
    weights = steps["weights"]
    np.testing.assert_array_equal(weights.inputs[0].synapse.weight, [[254, -164]])
    # In the unit of the integers: all else is as it was, 508 times.
    assert weights.neuron == Neuron(leak=0.3, threshold=0.9 * 508)
    assert weights.inputs[0].synapse.bias == pytest.approx([0.123 * 508])
    np.testing.assert_allclose(steps["bias"].inputs[0].synapse.bias, [3999 / 64 / 508])
    np.testing.assert_array_equal(steps["bias"].inputs[0].synapse.weight, [[0.5, -0.3217]])
    assert steps["leak"].neuron == Neuron(leak=1229 / 4096, threshold=0.9)
    assert steps["threshold"].neuron.threshold == pytest.approx(457 / 508)
    together = graph_with_step(graph, quantized, "all numbers").populations[0]
    assert together.neuron == Neuron(leak=1229 / 4096, threshold=457.0)


def test_the_comparison_is_a_step_where_it_changes_what_fires():
    # v is 1 at the first step: >= fires, > does not.
    graph = one_layer(np.array([[1.0]]), Neuron(leak=0.5, threshold=1.0, fires_on_equality=True))
    meter = StepMeter(graph, quantize(graph, BINARY), run_integers=run_integers)
    meter.add(np.eye(10, 1, dtype=np.uint8)[:, None].repeat(2, axis=1))
    report = meter.report()
    changed = {step.step: step.num_differing for step in report.steps}
    assert changed["comparison"] == 2
    assert changed["weights"] == changed["threshold"] == 0
    assert changed["all numbers"] == changed["integers"] == 2
    assert report.head_room[0].num_ties == 2
    assert report.num_samples == 2


def test_without_leak_equality_is_kept_by_another_threshold_and_no_step_changes_a_spike():
    graph = one_layer(np.array([[2.0, -1.0]]), Neuron(leak=0.0, threshold=4.0, fires_on_equality=True))
    meter = StepMeter(graph, quantize(graph, BINARY), run_integers=run_integers)
    meter.add((np.random.default_rng(0).random((40, 4, 2)) < 0.6).astype(np.uint8))
    assert all(step.num_differing == 0 for step in meter.report().steps)
    assert meter.report().steps[0].comparisons[0].num_spikes_a > 10


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), leak=st.sampled_from([0.0, 0.5, 1.0]), bias=st.booleans())
def test_all_numbers_in_float_are_the_integers_where_no_fraction_of_v_is_lost(seed, leak, bias):
    generator = np.random.default_rng(seed)
    graph = one_layer(
        generator.normal(0, 0.4, (5, 8)),
        Neuron(leak=leak, threshold=1.0),
        generator.normal(0, 0.1, 5) if bias else None,
    )
    quantized = quantize(graph, BINARY)
    # Twelve bits below v are lost one at a leak of 1/2 in each step: none within the first six.
    inputs = (generator.random((6, 4, 8)) < 0.5).astype(np.uint8)
    altered = graph_with_step(graph, quantized, "all numbers")
    if leak == 1.0:
        # 4095 is the most that leaks: a 4096th of v stays.
        assert altered.populations[0].neuron.leak == 4095 / 4096
        return
    spikes, _ = run_integers(quantized.graph, inputs)
    np.testing.assert_array_equal(simulate(altered or graph, inputs).spikes["n"], spikes["n"])


def test_a_whole_network_is_reported_layer_by_layer_with_metrics(small_graph, input_spikes):
    graph = small_graph(6)
    quantized = quantize(graph, BINARY)
    meter = StepMeter(graph, quantized, run_integers=run_integers)
    first, second = meter.add(input_spikes), meter.add(input_spikes[:, ::-1].copy())
    assert set(first) == {"float", "weights", "bias", "leak", "threshold", "comparison", "all numbers", "integers"}
    np.testing.assert_allclose(first["float"], second["float"][::-1])
    report = meter.report({"weights": {"top1": 0.5}, "float": {"top1": 0.75}})
    assert report.metrics == {"top1": 0.75}
    steps = {step.step: step for step in report.steps}
    assert steps["weights"].metrics == {"top1": 0.5}
    assert steps["leak"].metrics == {}
    # A leak of 1/2 is 2048 / 4096.
    assert steps["leak"].num_differing == 0
    assert steps["weights"].num_differing > 0
    names = [population.name for population in graph.populations]
    for step in report.steps:
        assert [row.population for row in step.comparisons] == names
    assert [room.population for room in report.head_room] == names
    # Both halves were counted.
    single = StepMeter(graph, quantized, run_integers=run_integers)
    single.add(input_spikes)
    assert steps["weights"].num_differing == 2 * single.report().steps[0].num_differing


def test_a_relay_is_never_a_step(small_graph):
    graph = small_graph(6)
    altered = graph_with_step(graph, quantize(graph, BINARY), "all numbers")
    assert altered.population("pool") is graph.population("pool")
    assert altered.population("conv") is not graph.population("conv")
    assert replace(altered, populations=graph.populations).readout is graph.readout
