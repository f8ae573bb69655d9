"""Calmer values over time: boxes that do not tremble, landmarks with less noise."""

import numpy as np
from jaxtyping import Float64, Int64

from snnface.errors import ConfigError

__all__ = ["smoothed"]

# Beyond this many widths a bell adds nothing that matters.
_REACH = 3.0


def smoothed(
    values: Float64[np.ndarray, "T D"], t_us: Int64[np.ndarray, " T"], *, width_ms: float, causal: bool
) -> Float64[np.ndarray, "T D"]:
    """A running mean over time; times may be uneven.

    With `causal` only the past counts: y(i) = y(i-1) + (1 - exp(-dt / width)) (x(i) - y(i-1)),
    which begins at the first value and lags by the width. Without, a bell of that standard
    deviation on both sides: no lag. A width of 0 leaves everything as it is.

    Raises:
        ConfigError: if the width is negative or not finite.
    """
    if not 0 <= width_ms < float("inf"):
        raise ConfigError(f"the width of smoothing must be at least 0 ms; got {width_ms}.")
    if width_ms == 0 or len(values) < 2:
        return values.copy()
    width_us = width_ms * 1000
    result = np.empty_like(values)
    if causal:
        share = 1 - np.exp(-np.diff(t_us) / width_us)
        result[0] = values[0]
        for i in range(1, len(values)):
            result[i] = result[i - 1] + share[i - 1] * (values[i] - result[i - 1])
        return result
    starts = np.searchsorted(t_us, t_us - _REACH * width_us, side="left")
    stops = np.searchsorted(t_us, t_us + _REACH * width_us, side="right")
    for i, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        bell = np.exp(-(((t_us[start:stop] - t_us[i]) / width_us) ** 2) / 2)
        result[i] = bell @ values[start:stop] / bell.sum()
    return result
