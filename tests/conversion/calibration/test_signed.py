"""Spikes with a sign and graded messages: by hand, and nearer to the ANN than one bit."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conversion.ann.network import AnnLayer, AnnNetwork
from conversion.calibration.qcfs import qcfs_network
from conversion.calibration.signed import graded_runner, run_ternary
from conversion.graph import INPUT, Connection, LinearSynapse
from conversion.normalise import normalised_graph
from conversion.simulate import constant_input, simulate


def chain(weights: np.ndarray, bias: float) -> AnnNetwork:
    """One layer of neurons that each copy an input, then one neuron that sums them with weights."""
    many = len(weights)
    copies = Connection(INPUT, LinearSynapse(np.eye(many), np.zeros(many)))
    total = Connection("first", LinearSynapse(weights[None], np.array([bias])))
    layers = (AnnLayer("first", (many,), (copies,)), AnnLayer("second", (1,), (total,)))
    return AnnNetwork((many,), layers, "second", LinearSynapse(np.ones((1, 1)), np.zeros(1)))


def test_a_spike_that_came_too_early_is_taken_back():
    # 1 and 0.5 drive +1 and -2: the sum is 0. Spikes of the first come at steps 1, 2, 3, 4, of the second at 1 and 3:
    # v = 0.5 - 1 = -0.5 (nothing was sent, nothing is taken back), 0.5, -0.5, 0.5: no spike at all.
    graph = normalised_graph(chain(np.array([1.0, -2.0]), 0.0), {"first": 1.0, "second": 1.0}, metadata={})
    assert run_ternary(graph, np.array([[1.0, 0.5]]), (4,)).after[4].item() == 0.0
    # 1 and 0.4 drive +1 and -2.5: 0 again, but 0.4 fires first in step 2, when a spike has gone out.
    graph = normalised_graph(chain(np.array([1.0, -2.5]), 0.0), {"first": 1.0, "second": 1.0}, metadata={})
    sample = np.array([[1.0, 0.4]])
    # v: 1.5 -> +1, 0.5;  0.5 + 1 - 2.5 = -1 -> -1, 0;  1 -> +1, 0;  1 - 2.5 = -1.5 -> -1, -0.5
    assert run_ternary(graph, sample, (1, 2, 3, 4)).after == {1: [[1.0]], 2: [[0.0]], 3: [[1 / 3]], 4: [[0.0]]}
    assert run_ternary(graph, sample, (4,)).num_spikes[4]["second"] == 4
    assert simulate(graph, constant_input(sample, 4)).answers.item() > 0


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_ternary_spikes_are_never_further_from_the_ann_than_rounding_and_a_burst(seed):
    generator = np.random.default_rng(seed)
    # Inputs on levels of 1 / T reach the second layer exactly; what it sends is its clipped, rounded sum.
    steps, weights = 16, generator.uniform(-0.5, 0.5, 3)
    sample = generator.integers(0, steps + 1, (1, 3)) / steps
    graph = normalised_graph(chain(weights, 0.0), {"first": 1.0, "second": 1.0}, metadata={})
    wanted = max(0.0, float(sample[0] @ weights))
    # Where the ANN's sum is near a half level, or a burst came in the last steps, one spike more or less.
    assert abs(run_ternary(graph, sample, (steps,)).after[steps].item() - wanted) <= 1.6 / steps


def test_graded_messages_are_the_quantised_ann_after_one_step_and_then_silence(residual_ann, samples):
    thresholds = {layer.name: 50.0 for layer in residual_ann.layers}
    graph = normalised_graph(residual_ann, thresholds, metadata={})
    said = graded_runner(levels=2000)(graph, samples, (1, 5))
    with torch.no_grad():
        wanted = qcfs_network(residual_ann, thresholds, levels=2000)(torch.tensor(samples))[0].numpy()
    np.testing.assert_allclose(said.after[1], wanted, atol=1e-3)
    np.testing.assert_allclose(said.after[5], wanted, atol=1e-3)
    assert said.num_spikes[1] == said.num_spikes[5]
    assert all(0 < count <= 48 * 144 for count in said.num_spikes[1].values())
