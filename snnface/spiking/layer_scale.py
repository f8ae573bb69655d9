"""The scale of one layer: how many integer weight units one float weight unit becomes."""

from typing import Literal, NamedTuple

import numpy as np

from snnface.spiking.weight_range import WeightRange, sign_of, weight_range

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
    weights: list[np.ndarray],
    bias: np.ndarray,
    threshold: float,
    *,
    weight_bits: int = 8,
    clip_percentile: float | None = None,
) -> LayerScale:
    """The largest scale at which weights, threshold and bias fit their bits.

    The largest weight (or its percentile) becomes the largest integer that every connection
    can hold, see `weight_range`. Without clipping, a smaller scale that puts every weight exactly on
    its connection's integers is preferred.

    Args:
        weights: of every connection into the population.
        bias: their sum; may be empty of values other than 0.
        threshold: positive.
        clip_percentile: percentile of |W| to scale by; None or 100 is the maximum.
    """
    ranges = [weight_range(sign_of(weight), weight_bits) for weight in weights]
    magnitudes = np.abs(np.concatenate([weight.ravel() for weight in weights]))
    largest, high = float(magnitudes.max(initial=0.0)), min(held.largest for held in ranges)
    if largest == 0:
        by_weights = float(high)
    elif clip_percentile in (None, 100):
        by_weights = _grid_scale(weights, ranges) or high / largest
    else:
        # Where clipping would leave nothing, the largest weight decides.
        by_weights = high / (float(np.percentile(magnitudes, clip_percentile)) or largest)
    candidates = [LayerScale(by_weights, "weights"), LayerScale(_MAX_THRESHOLD / threshold, "threshold")]
    if (largest_bias := float(np.abs(bias).max(initial=0.0))) > 0:
        candidates.append(LayerScale(_MAX_BIAS / (64 * largest_bias), "bias"))
    return min(candidates)


def _grid_scale(weights: list[np.ndarray], ranges: list[WeightRange]) -> float | None:
    """The largest scale that puts every weight on its connection's integers exactly, if there is one."""
    flat = [weight.ravel() for weight in weights if weight.size]
    held = [one for one, weight in zip(ranges, weights, strict=True) if weight.size]
    # The largest weight is a whole number of its own connection's steps.
    first = int(np.argmax([np.abs(values).max() for values in flat]))
    largest, step = float(np.abs(flat[first]).max()), held[first].step
    for integer in range(256, 0, -step):
        scale = integer / largest
        # Most scales fail on the first few weights.
        if all(
            _is_held(values[:_SAMPLE] * scale, one) and _is_held(values * scale, one)
            for values, one in zip(flat, held, strict=True)
        ):
            return scale
    return None


def _is_held(numbers: np.ndarray, held: WeightRange) -> bool:
    steps = numbers / held.step
    whole = np.round(steps)
    fits = whole.min() * held.step >= held.low and whole.max() * held.step <= held.high
    return bool(fits and np.abs(steps - whole).max() < _GRID_TOLERANCE)
