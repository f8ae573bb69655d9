"""The scale of one layer: how many integer weight units one float weight unit becomes."""

from typing import Literal, NamedTuple

import numpy as np

__all__ = ["LayerScale", "layer_scale"]

_MAX_THRESHOLD = 131071
_MAX_BIAS = 4095 * 2**7
_GRID_TOLERANCE = 1e-5
"""In weight steps: weights trained on a grid in float32 lie this near to it."""
_SAMPLE = 256


class LayerScale(NamedTuple):
    """The scale, and which number set it."""

    value: float
    limited_by: Literal["weights", "threshold", "bias"]


def layer_scale(
    weights: list[np.ndarray], bias: np.ndarray, threshold: float, *, step: int, clip_percentile: float | None
) -> LayerScale:
    """The largest scale at which weights, threshold and bias fit their bits.

    The largest weight (or its percentile) becomes 256 - step. Without clipping, a smaller
    scale that puts every weight exactly on the integer grid is preferred.

    Args:
        weights: of every connection into the population.
        bias: their sum; may be empty of values other than 0.
        threshold: positive.
        step: distance of neighbouring integer weights.
        clip_percentile: percentile of |W| to scale by; None or 100 is the maximum.
    """
    values = np.concatenate([weight.ravel() for weight in weights])
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0:
        by_weights = 256.0 - step
    elif clip_percentile in (None, 100):
        by_weights = _grid_scale(values, largest, step) or (256 - step) / largest
    else:
        # Where clipping would leave nothing, the largest weight decides.
        by_weights = (256 - step) / (float(np.percentile(np.abs(values), clip_percentile)) or largest)
    candidates = [LayerScale(by_weights, "weights"), LayerScale(_MAX_THRESHOLD / threshold, "threshold")]
    if (largest_bias := float(np.abs(bias).max(initial=0.0))) > 0:
        candidates.append(LayerScale(_MAX_BIAS / (64 * largest_bias), "bias"))
    return min(candidates)


def _grid_scale(values: np.ndarray, largest: float, step: int) -> float | None:
    """The largest scale that puts every weight on the integer grid exactly, if there is one."""
    for count in range(256 // step, 0, -1):
        factor = count / largest
        fits = round(float(values.max()) * factor) * step <= 256 - step
        # Most scales fail on the first few weights.
        if fits and _is_on_grid(values[:_SAMPLE] * factor) and _is_on_grid(values * factor):
            return step * factor
    return None


def _is_on_grid(steps: np.ndarray) -> bool:
    return bool(np.abs(steps - np.round(steps)).max() < _GRID_TOLERANCE)
