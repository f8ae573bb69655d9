"""Smooth one-dimensional curves that the face and its motion are drawn with."""

import numpy as np
from jaxtyping import Float64

__all__ = ["hermite", "raised_cosine", "smooth_ramp", "smoother_ramp"]

Curve = Float64[np.ndarray, " N"]


def smooth_ramp(start: float, stop: float, x: Curve) -> Curve:
    """0 at `start`, 1 at `stop` (which may be the smaller), cubic with level ends; constant beyond."""
    t = np.clip((x - start) / (stop - start), 0.0, 1.0)
    return t * t * (3 - 2 * t)


def smoother_ramp(t: Curve) -> Curve:
    """0 below 0, 1 above 1, quintic between: speed and acceleration are zero at both ends (minimum jerk)."""
    t = np.clip(t, 0.0, 1.0)
    return t**3 * (t * (6 * t - 15) + 10)


def raised_cosine(t: Curve) -> Curve:
    """0 below 0, 1 above 1, half a cosine between: speed is zero at both ends."""
    return (1 - np.cos(np.pi * np.clip(t, 0.0, 1.0))) / 2


def hermite(x: Curve, knots: Float64[np.ndarray, " M"], values: Float64[np.ndarray, " M"]) -> Curve:
    """Piecewise cubic through rising knots with a continuous slope; constant outside them."""
    slopes = np.gradient(values, knots)
    x = np.clip(x, knots[0], knots[-1])
    i = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, len(knots) - 2)
    step = knots[i + 1] - knots[i]
    t = (x - knots[i]) / step
    return (
        (1 + 2 * t) * (1 - t) ** 2 * values[i]
        + t * (1 - t) ** 2 * step * slopes[i]
        + t**2 * (3 - 2 * t) * values[i + 1]
        + t**2 * (t - 1) * step * slopes[i + 1]
    )
