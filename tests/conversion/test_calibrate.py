"""Thresholds: hand-worked, equal to their definitions, and refused where there are none."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from conversion.ann_layers import layers_of
from conversion.calibrate import (
    corrected_biases,
    measured_activations,
    mmse_threshold,
    percentile_threshold,
)
from conversion.normalise import CONVERTED_NEURON, normalised_graph
from conversion.simulate import constant_input, simulate
from snnface.errors import CalibrationError, DataError, ShapeError


def squared_error(values: np.ndarray, theta: float, steps: int) -> float:
    spikes = np.clip(np.floor(values * steps / theta + 0.5), 0, steps)
    return float(np.sum((values - theta * spikes / steps) ** 2))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), steps=st.integers(1, 32))
def test_the_mmse_threshold_has_the_least_error_of_the_grid(seed, steps):
    generator = np.random.default_rng(seed)
    values = np.maximum(generator.normal(0, 1, 300) ** 3, 0)
    theta = mmse_threshold(values, steps)
    grid = np.linspace(0.1, 1.0, 91) * values.max()
    errors = [squared_error(values, candidate, steps) for candidate in grid]
    assert squared_error(values, theta, steps) == pytest.approx(min(errors), rel=1e-9)


def test_activations_on_levels_get_the_threshold_that_makes_them_exact():
    values = np.array([0.0, 0.5, 1.0, 1.5, 2.0])
    assert squared_error(values, mmse_threshold(values, 4), 4) == pytest.approx(0, abs=1e-12)
    assert mmse_threshold(values, 4) == 2.0


def test_an_outlier_is_clipped_by_mmse_and_by_a_percentile():
    values = np.append(np.linspace(0, 1, 1000), 5.0)
    assert mmse_threshold(values, 4) < 1.5
    assert percentile_threshold(values, 99.0) < 1.0
    assert percentile_threshold(values, 100.0) == 5.0


def small_ann():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 2))
    return layers_of(model, (1, 4, 4))


def test_measured_activations_are_those_of_the_network():
    ann = small_ann()
    inputs = np.random.default_rng(0).random((100, 1, 4, 4))
    first, second = measured_activations(ann, inputs, np.max)
    with torch.no_grad():
        maps = ann.layers[0](torch.as_tensor(inputs))
        flat = ann.layers[1](maps)
    assert first.threshold == pytest.approx(maps.max().item(), rel=1e-6)
    np.testing.assert_allclose(first.channel_mean, maps.mean((0, 2, 3)).numpy(), rtol=1e-5)
    np.testing.assert_allclose(second.channel_mean, flat.mean(0).numpy(), rtol=1e-5)


def test_a_layer_that_never_fires_is_named():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.ReLU(), nn.Linear(2, 2))
    model[1].bias.data.fill_(-100.0)
    with pytest.raises(CalibrationError, match=r"layer '1' gets the threshold 0\.0: on the 3 calibration samples"):
        measured_activations(layers_of(model, (1, 2, 2)), np.ones((3, 1, 2, 2)), np.max)


def test_wrong_calibration_samples_are_refused():
    ann = small_ann()
    with pytest.raises(ShapeError, match="calibration input must have the axes"):
        measured_activations(ann, np.zeros((2, 1, 4, 5)), np.max)
    for samples in (np.zeros((0, 1, 4, 4)), np.full((1, 1, 4, 4), np.inf)):
        with pytest.raises(DataError, match="calibration needs at least one sample"):
            measured_activations(ann, samples, np.max)


def test_rates_of_the_normalised_graph_obey_the_rate_identity():
    ann = small_ann()
    inputs = np.random.default_rng(0).random((20, 1, 4, 4))
    activations = measured_activations(ann, inputs, lambda a: percentile_threshold(a, 99.0))
    thetas = [a.threshold for a in activations]
    graph = normalised_graph(ann, thetas, metadata={})
    assert {population.neuron for population in graph.populations} == {CONVERTED_NEURON}
    steps = 10
    run = simulate(graph, constant_input(inputs, steps))
    # mean(theta s) = mean(x) - theta (v[T] - v[0]) / T, with x the ANN's own pre-activation in layer 1
    with torch.no_grad():
        current = nn.functional.conv2d(
            torch.as_tensor(inputs),
            torch.as_tensor(ann.layers[0].synapse.weight),
            torch.as_tensor(ann.layers[0].synapse.bias),
        ).numpy()
    name = graph.populations[0].name
    rate = thetas[0] * run.spikes[name].mean(axis=0)
    np.testing.assert_allclose(rate, current - thetas[0] * (run.voltage[name] - 0.5) / steps, atol=1e-9)


def test_a_long_run_of_the_normalised_graph_approaches_the_ann():
    ann = small_ann()
    inputs = np.random.default_rng(3).random((30, 1, 4, 4))
    thetas = [a.threshold for a in measured_activations(ann, inputs, np.max)]
    graph = normalised_graph(ann, thetas, metadata={})
    with torch.no_grad():
        wanted = ann(torch.as_tensor(inputs)).numpy()
    run = simulate(graph, constant_input(inputs, 800), keep=())
    errors = [np.abs(run.answers_after(steps) - wanted).max() for steps in (50, 800)]
    assert errors[1] < 0.01
    assert errors[1] < errors[0] / 5


def test_bias_correction_brings_the_mean_rates_to_the_anns():
    ann = small_ann()
    inputs = np.random.default_rng(4).random((200, 1, 4, 4))
    activations = measured_activations(ann, inputs, lambda a: percentile_threshold(a, 99.5))
    graph = normalised_graph(ann, [a.threshold for a in activations], metadata={})
    corrected = corrected_biases(graph, activations, inputs, num_steps=3)

    def distance(candidate) -> float:
        run = simulate(candidate, constant_input(inputs, 3))
        rates = run.spikes["3"].mean(axis=(0, 1))
        return float(np.abs(rates - activations[1].channel_mean / activations[1].threshold).sum())

    assert distance(corrected) < distance(graph)
    np.testing.assert_array_equal(
        corrected.populations[0].inputs[0].synapse.weight, graph.populations[0].inputs[0].synapse.weight
    )
