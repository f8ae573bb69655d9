"""Choosing scales: by the largest weight, by a percentile, or by the spikes of clips that are not tested on."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from hardware.target import LOIHI1, LOIHI2
from snnface.app.chip_clips import evenly_spread
from snnface.app.prepared_network import Prepared, Scaling, integer_counts, prepare
from snnface.app.recipes import Recipe, recipe_named
from snnface.errors import CalibrationError, ConfigError, UnsupportedLayerError
from snnface.events import Resolution
from snnface.models import FaceModel, MeanOverTime, VotingHead, VotingHeadConfig
from snnface.spiking import ConvSnn, ConvSnnConfig, SpikingLinear


@pytest.fixture
def recipe() -> Recipe:
    recipe = recipe_named("demo-plif")
    return replace(recipe, representation=replace(recipe.representation, max_count=3))


@pytest.fixture
def model() -> FaceModel:
    """Full layers with one weight that is far larger than all others, on an input that hardly ever spikes."""
    torch.manual_seed(3)
    encoder = ConvSnn(
        ConvSnnConfig(channels=(4,), features=(12, 6)), in_channels=2, resolution=Resolution(height=8, width=8)
    )
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 1.0, 2.0)
            nn.init.uniform_(module.bias, 0.0, 0.4)
        if isinstance(module, SpikingLinear):
            nn.init.normal_(module.linear.weight, 0.1, 0.4)
            with torch.no_grad():
                module.linear.weight[0, 0] = -60.0
    head = VotingHead(VotingHeadConfig(), num_features=6, num_outputs=3)
    return FaceModel(encoder, MeanOverTime(), {"action_unit": head}).eval()


@pytest.fixture
def counts() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4, (12, 4, 2, 8, 8))


def integers_of(prepared: Prepared) -> list[np.ndarray]:
    return [link.synapse.weight for p in prepared.quantized.graph.populations for link in p.inputs]


def test_the_largest_weight_decides_by_default_and_a_percentile_clips(recipe, model):
    plain, clipped = (
        prepare(model, recipe),
        prepare(model, recipe, scaling=Scaling(scale="percentile", percentile=90.0)),
    )
    for layer, cut in zip(plain.quantized.layers, clipped.quantized.layers, strict=True):
        assert layer.clip_percentile is None
        assert layer.num_clipped == 0
        if layer.limited_by != "relay":
            assert cut.clip_percentile == 90
            assert cut.num_clipped > 0
            assert cut.scale > layer.scale


def test_a_search_clips_layers_where_it_brings_spikes_back_and_is_repeated_by_its_percentiles(recipe, model, counts):
    found = prepare(model, recipe, scaling=Scaling(scale="search"), calibration=counts)
    chosen = {
        layer.name: layer.clip_percentile for layer in found.quantized.layers if layer.clip_percentile is not None
    }
    assert any("layers" in name for name in chosen)
    again = prepare(model, recipe, percentiles=chosen)
    for one, other in zip(integers_of(found), integers_of(again), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_search_needs_clips_that_spike(recipe, model, counts):
    with pytest.raises(ConfigError, match="needs calibration clips"):
        prepare(model, recipe, scaling=Scaling(scale="search"))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.bias, -100.0)
    with pytest.raises(CalibrationError, match="never spikes on the calibration input"):
        prepare(model, recipe, scaling=Scaling(scale="search"), calibration=counts)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"percentile": 0.0}, r"percentile must lie in 0\.\.100"),
        ({"calibration_clips": 0}, "calibration_clips must be at least 1"),
    ],
)
def test_impossible_settings_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        Scaling(**values)


def test_the_chip_is_fed_whole_numbers_that_its_messages_hold():
    assert integer_counts(np.array([0.0, 3.0, 255.0], np.float32), LOIHI2).tolist() == [0, 3, 255]
    for wrong in (0.5, -1.0, 256.0):
        with pytest.raises(UnsupportedLayerError, match=r"takes whole input counts of 0\.\.255"):
            integer_counts(np.array([wrong], np.float32), LOIHI2)
    with pytest.raises(UnsupportedLayerError, match=r"0\.\.1;"):
        integer_counts(np.array([2.0], np.float32), LOIHI1)


def test_clips_of_a_part_come_from_all_over_the_set():
    assert evenly_spread(tuple(range(100)), 3) == (0, 50, 99)
    assert evenly_spread(tuple(range(4)), 9) == (0, 1, 2, 3)
    assert evenly_spread((7,), 1) == (7,)
