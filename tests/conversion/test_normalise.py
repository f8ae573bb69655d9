"""Thresholds in the weights: the same rates, per layer and per channel, over several connections."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conversion.ann.network import AnnLayer, AnnNetwork
from conversion.graph import INPUT, Connection, Conv2dSynapse, LinearSynapse
from conversion.normalise import CONVERTED_NEURON, PORTABLE_NEURON, normalised_graph
from conversion.simulate import constant_input, simulate


def network(seed: int) -> AnnNetwork:
    """2x4x4 -> grouped conv 4 -> conv 4 with the identity beside it -> full 5 -> 2."""
    generator = np.random.default_rng(seed)
    grouped = Conv2dSynapse(
        generator.normal(0, 0.6, (4, 1, 3, 3)), generator.normal(0, 0.1, 4), padding=(1, 1), groups=2
    )
    second = Conv2dSynapse(generator.normal(0, 0.3, (4, 4, 3, 3)), generator.normal(0, 0.1, 4), padding=(1, 1))
    identity = Conv2dSynapse(np.ones((4, 1, 1, 1)), groups=4)
    full = LinearSynapse(generator.normal(0, 0.2, (5, 64)), generator.normal(0, 0.1, 5))
    return AnnNetwork(
        (2, 4, 4),
        (
            AnnLayer("a", (4, 4, 4), (Connection(INPUT, grouped),)),
            AnnLayer("b", (4, 4, 4), (Connection("a", second), Connection("a", identity))),
            AnnLayer("c", (5,), (Connection("b", full),)),
        ),
        "c",
        LinearSynapse(generator.normal(0, 1, (2, 5)), generator.normal(0, 1, 2)),
    )


def test_one_neuron_is_scaled_as_written():
    # theta: 2 before, 4 behind: W~ = 3 2 / 4, b~ = 1 / 4; the readout gets 5 4.
    ann = AnnNetwork(
        (1,),
        (
            AnnLayer("a", (1,), (Connection(INPUT, LinearSynapse(np.full((1, 1), 6.0), np.ones(1))),)),
            AnnLayer("b", (1,), (Connection("a", LinearSynapse(np.full((1, 1), 3.0), np.ones(1))),)),
        ),
        "b",
        LinearSynapse(np.full((1, 1), 5.0), np.full(1, 7.0)),
    )
    graph = normalised_graph(ann, {"a": 2.0, "b": 4.0}, metadata={})
    (first,), (second,) = (population.inputs for population in graph.populations)
    assert (first.synapse.weight.item(), first.synapse.bias.item()) == (3.0, 0.5)
    assert (second.synapse.weight.item(), second.synapse.bias.item()) == (1.5, 0.25)
    assert (graph.readout.weight.item(), graph.readout.bias.item()) == (20.0, 7.0)


def test_an_identity_shortcut_weighs_what_a_spike_stands_for():
    graph = normalised_graph(network(0), {"a": np.array([1.0, 2.0, 3.0, 4.0]), "b": 2.0, "c": 1.0}, metadata={})
    shortcut = graph.population("b").inputs[1].synapse
    np.testing.assert_array_equal(shortcut.weight.ravel(), [0.5, 1.0, 1.5, 2.0])
    assert shortcut.bias is None


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10**6), per_channel=st.booleans())
def test_many_steps_give_the_anns_activations_clipped_at_the_thresholds(seed, per_channel):
    ann, generator = network(seed), np.random.default_rng(seed)
    inputs = generator.random((3, 2, 4, 4))
    # Above all activations, so that nothing is clipped: the answers are the ANN's.
    top = {layer.name: float(values.max()) + 0.1 for layer, values in ann.activations(torch.tensor(inputs))}
    sizes = {"a": 4, "b": 4, "c": 5}
    thresholds = {n: t * generator.uniform(1, 3, sizes[n]) if per_channel else t for n, t in top.items()}
    run = simulate(normalised_graph(ann, thresholds, metadata={}), constant_input(inputs, 500), keep=())
    np.testing.assert_allclose(run.answers, ann(torch.tensor(inputs)).numpy(), atol=0.15)


def test_every_value_between_layers_is_zero_or_one_and_every_threshold_one():
    graph = normalised_graph(network(1), {"a": 0.3, "b": np.full(4, 0.2), "c": 0.5}, metadata={"steps": 8})
    inputs = np.random.default_rng(0).random((5, 2, 4, 4))
    run = simulate(graph, constant_input(inputs, 16))
    for train in run.spikes.values():
        assert set(np.unique(train)) == {0, 1}
    assert {population.neuron for population in graph.populations} == {CONVERTED_NEURON}
    assert CONVERTED_NEURON.threshold == PORTABLE_NEURON.threshold == 1.0
    assert graph.metadata == {"steps": 8}


@pytest.mark.parametrize("steps", [1, 7, 10])
def test_rates_obey_the_rate_identity(steps):
    ann = network(2)
    inputs = np.random.default_rng(0).random((20, 2, 4, 4))
    graph = normalised_graph(ann, {"a": 0.4, "b": 0.4, "c": 0.4}, metadata={})
    run = simulate(graph, constant_input(inputs, steps))
    # mean(theta s) = mean(x) - theta (v[T] - v[0]) / T, with x the ANN's own current in the first layer
    current = ann.layers[0].current({INPUT: torch.tensor(inputs)}).numpy()
    rate = 0.4 * run.spikes["a"].mean(axis=0)
    np.testing.assert_allclose(rate, current - 0.4 * (run.voltage["a"] - 0.5) / steps, atol=1e-9)
