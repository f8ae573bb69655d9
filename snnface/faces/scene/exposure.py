"""From linear light to the 8-bit frame of an ordinary camera."""

import numpy as np
from jaxtyping import Float32, Float64, UInt8

__all__ = ["developed", "srgb"]

_STEPS = 16


def srgb(linear: Float64[np.ndarray, " N"]) -> Float64[np.ndarray, " N"]:
    """Linear light 0..1 in the sRGB transfer curve.

    Source: IEC 61966-2-1.
    """
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055)


# 16 entries for each of 256 digital numbers; a pixel takes the nearest.
_CURVE = np.rint(255 * srgb(np.arange(255 * _STEPS + 1) / (255 * _STEPS))).astype(np.uint8)


def developed(light: Float32[np.ndarray, "H W C"]) -> UInt8[np.ndarray, "H W C"]:
    """Light in digital numbers 0..255, clipped there, as an sRGB picture."""
    return _CURVE[np.rint(np.clip(light, 0, 255) * _STEPS).astype(np.int32)]
