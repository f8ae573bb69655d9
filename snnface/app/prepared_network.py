"""A trained network as a graph and as integers, and its pictures as what a chip is fed."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import nn

from conversion.from_snn import graph_from_model
from conversion.graph import SpikingGraph
from conversion.integer_graph import IntegerGraph
from conversion.nir_export import write_nir
from conversion.nir_import import read_nir
from conversion.quantize import QuantizeConfig, Quantized, quantize
from conversion.scale_search import choose_scales
from hardware.backends.fixed_point import FixedPointBackend
from hardware.target import LOIHI2, HardwareTarget
from snnface.app.recipes import Recipe
from snnface.errors import ConfigError, UnsupportedLayerError
from snnface.models.reconstruction import SpikingReconstruction
from snnface.representations.histogram import HistogramConfig

__all__ = ["Prepared", "ScaleChoice", "Scaling", "integer_counts", "prepare", "searched_percentiles"]

ScaleChoice = Literal["max", "percentile", "search"]


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """How a layer's weights are brought into its integers.

    Attributes:
        scale: "max" clips no weight, and is exact for a network trained in integers; "percentile" clips all layers
            at one percentile of |W|; "search" chooses each layer's by the spikes on validation clips, or training
            clips where there are none, never on test clips.
        percentile: of "percentile".
        calibration_clips: of "search".

    Raises:
        ConfigError: if a value is out of its range.
    """

    scale: ScaleChoice = "max"
    percentile: float = 99.9
    calibration_clips: int = 8

    def __post_init__(self) -> None:
        if self.scale not in get_args(ScaleChoice):
            raise ConfigError(f"scale must be one of {', '.join(get_args(ScaleChoice))}; got {self.scale!r}.")
        if not 0 < self.percentile <= 100 or self.calibration_clips < 1:
            raise ConfigError(
                "percentile must lie in 0..100, above 0, and calibration_clips must be at least 1; "
                f"got {self.percentile} and {self.calibration_clips}."
            )


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A trained network as a graph and as integers."""

    graph: SpikingGraph
    quantized: Quantized
    target: HardwareTarget


def prepare(
    model: nn.Module,
    recipe: Recipe,
    *,
    target: HardwareTarget = LOIHI2,
    nir_path: Path | None = None,
    scaling: Scaling | None = None,
    calibration: Int64[np.ndarray, "T B C H W"] | None = None,
    percentiles: Mapping[str, float] | None = None,
) -> Prepared:
    """Fold, export and quantise a recipe's trained model; of several heads that of the first task.

    The graph that goes on is the one read back from the NIR file where `nir_path` is
    given, so that what is deployed is what other tools can load.

    Args:
        scaling: None clips no weight.
        calibration: counts that "search" runs, see `integer_counts`.
        percentiles: population -> clip percentile, of an earlier search: instead of `scaling`.

    Raises:
        CalibrationError: if a population is silent on the calibration clips.
    """
    graph = graph_from_model(copy.deepcopy(model).double().eval(), head=recipe.task.target)
    if nir_path is not None:
        write_nir(graph, nir_path)
        graph = read_nir(nir_path)
    chosen = scaling or Scaling()
    config = _config(model, recipe, target, chosen)
    if percentiles is None and chosen.scale == "search":
        if calibration is None:
            raise ConfigError("scale 'search' needs calibration clips; got none.")
        percentiles = searched_percentiles(graph, calibration, config, target)
    return Prepared(graph, quantize(graph, config, percentiles=percentiles), target)


def searched_percentiles(
    graph: SpikingGraph, counts: Int64[np.ndarray, "T B *N"], config: QuantizeConfig, target: HardwareTarget
) -> dict[str, float]:
    """Population -> the clip percentile with the fewest differing spikes, in the fixed-point simulator."""
    backend = FixedPointBackend()

    def run(integers: IntegerGraph, spikes: np.ndarray) -> Mapping[str, np.ndarray]:
        return backend.run(backend.compile(integers, target), spikes).spikes

    return choose_scales(graph, counts, run=run, config=config)


def integer_counts(inputs: Float32[np.ndarray, "*shape"], target: HardwareTarget) -> Int64[np.ndarray, "*shape"]:
    """Event pictures as the whole numbers that the target's input messages carry.

    Raises:
        UnsupportedLayerError: if a value is not whole, negative, or too large.
    """
    limit = max(2**target.input_bits - 1, 1)
    if not np.array_equal(inputs, np.round(inputs)) or inputs.min() < 0 or inputs.max() > limit:
        raise UnsupportedLayerError(
            f"{target.name} takes whole input counts of 0..{limit}; this representation gives values in "
            f"{inputs.min():g}..{inputs.max():g}. Use the polarity histogram with max_count={limit} or less."
        )
    return inputs.astype(np.int64)


def _config(model: nn.Module, recipe: Recipe, target: HardwareTarget, scaling: Scaling) -> QuantizeConfig:
    peak = recipe.representation.max_count if isinstance(recipe.representation, HistogramConfig) else None
    if peak is not None and isinstance(model, SpikingReconstruction):
        peak = max(peak, _whitest(model))
    return QuantizeConfig(
        weight_bits=target.weight_bits,
        # No more bits than the pictures' counts need.
        input_bits=target.input_bits if peak is None else min(target.input_bits, peak.bit_length()),
        peak_input=peak,
        clip_percentile=scaling.percentile if scaling.scale == "percentile" else None,
    )


def _whitest(model: SpikingReconstruction) -> int:
    """The number that stands for white in the reference's channel."""
    size = model.resolution
    dark = torch.zeros(1, 1, model.in_channels, size.height, size.width)
    return int(model.joined(dark, torch.ones(1, 1, size.height, size.width)).max())
