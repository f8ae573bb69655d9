"""The float simulator: hand-worked traces, and independence of how a run is cut."""

import numpy as np
import pytest

from conversion import simulate as module
from conversion.graph import INPUT, Connection, LinearSynapse, Neuron, Population, Readout, SpikingGraph
from conversion.simulate import constant_input, simulate
from snnface.errors import DataError, ShapeError


def one_neuron(neuron: Neuron, weight: float = 1.0, bias: float | None = None) -> SpikingGraph:
    synapse = LinearSynapse(np.array([[weight]]), None if bias is None else np.array([bias]))
    return SpikingGraph(
        input_shape=(1,),
        populations=(Population("n", (1,), neuron, (Connection(INPUT, synapse),)),),
        readout=Readout("n", np.array([[2.0]]), np.array([0.5])),
    )


def trace(neuron: Neuron, values: list[float], weight: float = 1.0, bias: float | None = None) -> list[int]:
    inputs = np.array(values).reshape(-1, 1, 1)
    return simulate(one_neuron(neuron, weight, bias), inputs).spikes["n"].ravel().tolist()


def test_a_leaky_neuron_follows_the_trace_worked_out_by_hand():
    # h: 0.75, 0.75/2 + 0.75 = 1.125 -> spike, 0.75, 0.375, 0.1875 + 0.75
    assert trace(Neuron(leak=0.5, threshold=1.0), [0.75, 0.75, 0.75, 0.0, 0.75]) == [0, 1, 0, 0, 0]


def test_reset_to_zero_forgets_the_overshoot_and_subtraction_keeps_it():
    values = [1.75, 0.5, 0.5]
    assert trace(Neuron(leak=0.0, threshold=1.0), values) == [1, 0, 0]
    assert trace(Neuron(leak=0.0, threshold=1.0, reset="subtract"), values) == [1, 1, 0]


def test_equality_fires_only_where_it_is_asked_for():
    assert trace(Neuron(leak=0.0, threshold=1.0), [1.0]) == [0]
    assert trace(Neuron(leak=0.0, threshold=1.0, fires_on_equality=True), [1.0]) == [1]


def test_the_initial_voltage_counts_and_the_bias_comes_at_every_step():
    neuron = Neuron(leak=0.0, threshold=1.0, initial_voltage=0.5)
    assert trace(neuron, [0.0, 0.0, 0.0], bias=0.3) == [0, 1, 0]


def test_a_relay_repeats_its_input_without_memory():
    assert trace(Neuron(leak=1.0, threshold=0.5, is_relay=True), [1, 0, 0, 1, 1]) == [1, 0, 0, 1, 1]


def test_answers_are_the_mean_over_the_steps_asked_for():
    run = simulate(one_neuron(Neuron(leak=1.0, threshold=0.5)), np.array([1.0, 0.0, 0.0, 0.0]).reshape(4, 1, 1))
    assert run.answers_after(1).item() == 2.5
    assert run.answers.item() == 1.0
    assert run.num_spikes == {"n": 1}


def test_the_readout_of_a_graph_equals_the_answers_of_a_run(small_graph, input_spikes):
    graph = small_graph()
    run = simulate(graph, input_spikes)
    np.testing.assert_allclose(graph.readout(run.spikes["full"]), run.answers, atol=1e-12)


def test_the_last_voltage_closes_the_balance_of_a_soft_reset_neuron():
    # The rate identity: sum of spikes = sum of currents - (v[T] - v[0]).
    neuron = Neuron(leak=0.0, threshold=1.0, reset="subtract", initial_voltage=0.5, fires_on_equality=True)
    values = np.random.default_rng(3).normal(0.3, 0.4, (50, 1, 1))
    run = simulate(one_neuron(neuron), values)
    balance = values.sum() - (run.voltage["n"].item() - 0.5)
    assert run.num_spikes["n"] == pytest.approx(balance, abs=1e-9)
    assert run.num_spikes["n"] > 5


def test_cutting_the_samples_into_chunks_changes_nothing(small_graph, input_spikes, monkeypatch):
    graph = small_graph()
    whole = simulate(graph, input_spikes)
    monkeypatch.setattr(module, "_CHUNK_BYTES", 1)
    parts = simulate(graph, input_spikes)
    np.testing.assert_array_equal(whole.spikes["second"], parts.spikes["second"])
    np.testing.assert_allclose(whole.step_answers, parts.step_answers, atol=1e-12)
    assert whole.num_spikes == parts.num_spikes


def test_a_held_input_gives_the_same_spikes_as_its_copies(small_graph):
    graph = small_graph(2)
    sample = np.random.default_rng(1).random((3, 2, 6, 6))
    held = simulate(graph, constant_input(sample, 12))
    copied = simulate(graph, np.repeat(sample[None], 12, axis=0))
    np.testing.assert_array_equal(held.spikes["full"], copied.spikes["full"])
    assert sum(held.num_spikes.values()) > 0


def test_only_the_populations_asked_for_are_kept(small_graph, input_spikes):
    run = simulate(small_graph(), input_spikes, keep=("full",))
    assert set(run.spikes) == {"full"} == set(run.voltage)
    assert set(run.num_spikes) == {"conv", "pool", "second", "full"}


def test_wrong_shapes_empty_runs_and_nan_are_refused(small_graph):
    graph = small_graph()
    with pytest.raises(ShapeError, match="graph's input must have the axes"):
        simulate(graph, np.zeros((4, 1, 2, 6, 5)))
    with pytest.raises(DataError, match="at least one step and one sample"):
        simulate(graph, np.zeros((0, 1, 2, 6, 6)))
    with pytest.raises(DataError, match="must be finite"):
        simulate(graph, np.full((2, 1, 2, 6, 6), np.nan))
