"""Bias correction: right channel means, for the price of two runs a layer."""

from dataclasses import replace

import numpy as np
import pytest

from conversion.calibration import bias_correction
from conversion.calibration.bias_correction import corrected_biases
from conversion.calibration.thresholds import measured_activations, percentile_threshold
from conversion.graph import INPUT, Connection, LinearSynapse, Population, Readout, SpikingGraph
from conversion.normalise import CONVERTED_NEURON, normalised_graph
from conversion.simulate import constant_input, simulate


@pytest.fixture
def graph_and_rates(residual_ann, samples):
    measured = measured_activations(residual_ann, samples, lambda a: percentile_threshold(a, 99.0))
    thresholds = {name: found.threshold for name, found in measured.items()}
    rates = {name: found.channel_mean / found.threshold for name, found in measured.items()}
    return normalised_graph(residual_ann, thresholds, metadata={}), rates


def distances(graph, rates, inputs, steps: int) -> dict[str, float]:
    """Mean distance of the channels' rates to those that are wanted, by population."""
    spikes = simulate(graph, constant_input(inputs, steps), precision="float32").spikes
    return {name: float(np.abs(train.mean((0, 1, 3, 4)) - rates[name]).mean()) for name, train in spikes.items()}


def test_mean_rates_come_nearer_to_the_anns_in_every_layer(graph_and_rates, samples):
    graph, rates = graph_and_rates
    corrected = corrected_biases(graph, rates, samples, num_steps=4)
    before, after = (distances(one, rates, samples, 4) for one in (graph, corrected))
    assert all(after[name] < 0.5 * before[name] + 0.01 for name in before)
    assert sum(after.values()) < 0.5 * sum(before.values())


def test_nothing_but_the_first_bias_changes(graph_and_rates, samples):
    graph, rates = graph_and_rates
    corrected = corrected_biases(graph, rates, samples, num_steps=4)
    for before, after in zip(graph.populations, corrected.populations, strict=True):
        assert before.neuron == after.neuron
        for place, (one, other) in enumerate(zip(before.inputs, after.inputs, strict=True)):
            assert one.source == other.source
            np.testing.assert_array_equal(one.synapse.weight, other.synapse.weight)
            assert (one.synapse.bias is other.synapse.bias) == (place > 0)


def test_a_bias_is_shifted_by_what_is_missing():
    # 0.6 a step from 0.5: v = 1.1, 0.7, 1.3, 0.9 -> 2 spikes of 4; 0.7 is wanted, so 0.2 is added.
    link = Connection(INPUT, LinearSynapse(np.ones((1, 1)), None))
    graph = SpikingGraph(
        (1,), (Population("only", (1,), CONVERTED_NEURON, (link,)),), Readout("only", np.ones((1, 1)), np.zeros(1))
    )
    corrected = corrected_biases(graph, {"only": np.array([0.7])}, np.full((1, 1), 0.6), num_steps=4)
    assert corrected.populations[0].inputs[0].synapse.bias == pytest.approx([0.2])


def test_pieces_do_not_matter(graph_and_rates, samples, monkeypatch):
    graph, rates = graph_and_rates
    whole = corrected_biases(graph, rates, samples, num_steps=9)
    monkeypatch.setattr(bias_correction, "_CHUNK_BYTES", 4 * 9 * 144 * 7)
    pieces = corrected_biases(graph, rates, samples, num_steps=9)
    for one, other in zip(whole.populations, pieces.populations, strict=True):
        np.testing.assert_allclose(one.inputs[0].synapse.bias, other.inputs[0].synapse.bias, atol=1e-3)


def test_the_work_grows_with_the_number_of_layers_not_with_its_square(samples, monkeypatch):
    weight = np.eye(36)
    links = [INPUT, *(f"layer{place}" for place in range(11))]
    populations = tuple(
        Population(f"layer{place}", (36,), CONVERTED_NEURON, (Connection(source, LinearSynapse(weight)),))
        for place, source in enumerate(links)
    )
    graph = SpikingGraph((36,), populations, Readout("layer11", np.ones((1, 36)), np.zeros(1)))
    runs = []
    run_neurons = bias_correction.run_neurons
    monkeypatch.setattr(bias_correction, "run_neurons", lambda *parts: runs.append(0) or run_neurons(*parts))
    rates = {population.name: np.full(36, 0.5) for population in populations}
    corrected_biases(graph, rates, samples.reshape(48, 36), num_steps=2)
    assert len(runs) == 2 * len(populations)


def test_the_graph_that_comes_in_stays_as_it_is(graph_and_rates, samples):
    graph, rates = graph_and_rates
    kept = [population.inputs[0].synapse.bias.copy() for population in graph.populations]
    corrected_biases(replace(graph), rates, samples, num_steps=2)
    for bias, population in zip(kept, graph.populations, strict=True):
        np.testing.assert_array_equal(bias, population.inputs[0].synapse.bias)
