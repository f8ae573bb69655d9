"""Two phases a sample: which neurons are edited, and what it costs in steps."""

import numpy as np
import pytest

from conversion.ann.network import AnnLayer, AnnNetwork
from conversion.calibration.phases import two_phase_runner
from conversion.calibration.samples import in_pieces
from conversion.conversion_report import answers_held, quality_per_step
from conversion.graph import INPUT, Connection, LinearSynapse
from conversion.normalise import normalised_graph
from conversion.simulate import constant_input, simulate


def neurons(*currents: float) -> AnnNetwork:
    """Neurons that get these currents at every step, read one by one."""
    many = len(currents)
    link = Connection(INPUT, LinearSynapse(np.zeros((many, 1)), np.array(currents)))
    return AnnNetwork((1,), (AnnLayer("only", (many,), (link,)),), "only", LinearSynapse(np.eye(many), np.zeros(many)))


def rates(graph, phases: str, first_steps: int, steps: int) -> np.ndarray:
    said = two_phase_runner(phases, first_steps=first_steps)(graph, np.zeros((1, 1)), (steps,))
    return said.after[steps][0]


def test_silenced_neurons_are_those_whose_potential_is_below_zero():
    # From 0.5: 0.3 a step stays in 0..1; -0.4 a step is below 0 after two steps.
    graph = normalised_graph(neurons(0.3, -0.4, 0.75), {"only": 1.0}, metadata={})
    np.testing.assert_allclose(rates(graph, "silence", 2, 4), [0.25, 0.0, 0.75])


@pytest.mark.parametrize("phases", ["silence", "shift"])
def test_where_no_neuron_errs_every_layer_runs_as_without_a_first_phase(phases):
    # A chain of weights that are no whole numbers, potentials within 0..1 after four steps in each layer.
    first = AnnLayer("first", (2,), (Connection(INPUT, LinearSynapse(np.zeros((2, 1)), np.array([0.75, 0.5]))),))
    weights = np.array([[0.5, 0.25], [0.25, 0.75]])
    second = AnnLayer("second", (2,), (Connection("first", LinearSynapse(weights, np.zeros(2))),))
    network = AnnNetwork((1,), (first, second), "second", LinearSynapse(np.eye(2), np.zeros(2)))
    graph = normalised_graph(network, {"first": 1.0, "second": 1.0}, metadata={})
    plain = simulate(graph, np.zeros((4, 1, 1)))
    assert all((voltage >= 0).all() and (voltage <= 1).all() for voltage in plain.voltage.values())
    np.testing.assert_allclose(plain.answers, [[0.5, 0.5]])
    np.testing.assert_allclose(rates(graph, phases, 4, 4), plain.answers[0])


def test_neurons_that_are_behind_start_a_threshold_higher_and_those_ahead_a_threshold_lower():
    # 1.6 a step fires once a step: v = 1.1, 1.7 is above the threshold after two steps; in four steps there is
    # no room for more spikes. -0.4 has fired nothing and is below 0: it starts at -0.5.
    graph = normalised_graph(neurons(1.6, -0.4, 0.3), {"only": 1.0}, metadata={})
    np.testing.assert_allclose(rates(graph, "shift", 2, 4), [1.0, 0.0, 0.25])


def test_both_phases_count_in_the_latency(residual_ann, samples):
    graph = normalised_graph(residual_ann, {layer.name: 1.0 for layer in residual_ann.layers}, metadata={})
    wanted = in_pieces(residual_ann)(samples)
    runner = two_phase_runner("shift", first_steps=3)
    quality = quality_per_step(graph, samples, wanted, steps=(4,), first_phase=3, run=runner)[0]
    # Four populations on the longest path: stem, sum, inner, last.
    assert (quality.num_steps, quality.latency, quality.pipelined_latency) == (4, 7, 11)
    assert quality_per_step(graph, samples, wanted, steps=(4,))[0].latency == 4


@pytest.mark.parametrize("phases", ["silence", "shift"])
def test_the_first_phase_leaves_the_graph_as_it_is(residual_ann, samples, phases):
    graph = normalised_graph(residual_ann, {layer.name: 1.0 for layer in residual_ann.layers}, metadata={})
    before = simulate(graph, constant_input(samples, 4)).answers
    said = two_phase_runner(phases, first_steps=4)(graph, samples, (2, 4))
    np.testing.assert_array_equal(simulate(graph, constant_input(samples, 4)).answers, before)
    assert said.after[2].shape == said.after[4].shape == (48, 3)
    assert all(count <= 4 * 48 * 144 for count in said.num_spikes[4].values())


def test_shifted_starts_bring_few_steps_nearer_to_the_ann(residual_ann, samples):
    graph = normalised_graph(residual_ann, {layer.name: 1.2 for layer in residual_ann.layers}, metadata={})
    wanted = in_pieces(residual_ann)(samples)
    shifted = two_phase_runner("shift", first_steps=8)(graph, samples, (4,)).after[4]
    plain = answers_held(graph, samples, (4,)).after[4]
    assert np.abs(shifted - wanted).mean() < np.abs(plain - wanted).mean()
