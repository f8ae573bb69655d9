"""Thresholds: hand-worked, equal to their definitions, and refused where there are none."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conversion.ann.network import AnnLayer, AnnNetwork
from conversion.calibration.thresholds import (
    balanced_thresholds,
    channel_percentile_thresholds,
    measured_activations,
    mmse_threshold,
    percentile_threshold,
)
from conversion.graph import INPUT, Connection, LinearSynapse
from snnface.errors import CalibrationError, DataError, ShapeError


def largest(activations: np.ndarray) -> float:
    return float(activations.max())


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


def test_each_channel_gets_its_own_percentile_and_at_least_a_hundredth_of_the_largest():
    maps = np.zeros((2, 3, 1, 2))
    maps[:, 0], maps[:, 1] = 8.0, [[1.0, 3.0]]
    np.testing.assert_array_equal(channel_percentile_thresholds(maps, 100.0), [8.0, 3.0, 0.08])
    np.testing.assert_array_equal(channel_percentile_thresholds(maps, 50.0), [8.0, 2.0, 0.08])


def test_measured_activations_are_those_of_the_network(residual_ann, samples):
    # More than one piece, so that pieces must not matter.
    many = np.concatenate([samples, 2 * samples])
    found = measured_activations(residual_ann, many, largest)
    for layer, values in residual_ann.activations(torch.as_tensor(many, dtype=torch.float64)):
        assert found[layer.name].threshold == pytest.approx(values.max().item(), rel=1e-5)
        np.testing.assert_allclose(found[layer.name].channel_mean, values.mean((0, 2, 3)).numpy(), rtol=1e-5)
    assert list(found) == [layer.name for layer in residual_ann.layers]


def test_a_clipped_relu_is_measured_clipped(residual_ann, samples):
    clipped = replace(residual_ann, layers=tuple(replace(layer, ceiling=0.25) for layer in residual_ann.layers))
    assert {found.threshold for found in measured_activations(clipped, samples, largest).values()} == {0.25}


def test_a_layer_that_never_fires_is_named(samples):
    silent = LinearSynapse(np.zeros((2, 36)), np.full(2, -100.0))
    readout = LinearSynapse(np.ones((2, 2)), np.zeros(2))
    ann = AnnNetwork((1, 6, 6), (AnnLayer("dead", (2,), (Connection(INPUT, silent),)),), "dead", readout)
    with pytest.raises(CalibrationError, match=r"layer 'dead' gets the threshold 0\.0: on the 48 calibration samples"):
        measured_activations(ann, samples, largest)
    with pytest.raises(CalibrationError, match="layer 'dead'"):
        balanced_thresholds(ann, samples, num_batches=2)


@pytest.mark.parametrize("find", [lambda ann, x: measured_activations(ann, x, largest), balanced_thresholds])
def test_wrong_calibration_samples_are_refused(residual_ann, find):
    with pytest.raises(ShapeError, match="calibration input must have the axes"):
        find(residual_ann, np.zeros((2, 1, 4, 5)))
    for wrong in (np.zeros((0, 1, 6, 6)), np.full((1, 1, 6, 6), np.inf), np.array([[[["a"] * 6] * 6]])):
        with pytest.raises(DataError, match="at least one sample, and finite numbers"):
            find(residual_ann, wrong)


def test_balancing_settles_where_clipping_moves_a_threshold_no_more():
    # One neuron that gets 0, 1, ..., 9: theta grows by 2 mean(max(a - theta, 0)) a batch, from 0.
    ann = AnnNetwork(
        (1,),
        (AnnLayer("only", (1,), (Connection(INPUT, LinearSynapse(np.ones((1, 1)), np.zeros(1))),)),),
        "only",
        LinearSynapse(np.ones((1, 1)), np.zeros(1)),
    )
    inputs = np.arange(10.0)[:, None]
    theta = 0.0
    for num_batches in (1, 2, 3):
        theta += 2 * float(np.maximum(inputs - theta, 0).mean())
        found = balanced_thresholds(ann, inputs, num_batches=num_batches, batch_size=10)
        assert found["only"] == pytest.approx([theta], rel=1e-6)
    # 2 (9 - theta) / 10 a batch from theta = 9 on, in ever smaller steps towards the largest activation.
    assert theta >= 9.0


def test_balanced_thresholds_depend_on_the_seed_alone(residual_ann, samples):
    one, same, other = (
        balanced_thresholds(residual_ann, samples, num_batches=30, batch_size=8, seed=seed) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(one["last"], same["last"])
    assert (one["last"] != other["last"]).any()
    found = measured_activations(residual_ann, samples, lambda a: channel_percentile_thresholds(a, 100.0))
    assert (one["stem"] <= 1.2 * found["stem"].threshold).all()
