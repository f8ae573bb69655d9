"""Heat maps: an amount as a colour from blue (none) over green to red (most)."""

import numpy as np
from jaxtyping import Float, Float32, UInt8

__all__ = ["heat_bar", "heat_colours"]

# sRGB 0..1 at equal steps. Red and blue differ from each other and from the middle in lightness too.
_STOPS = np.array([(0.16, 0.25, 0.66), (0.15, 0.58, 0.76), (0.45, 0.77, 0.40), (0.97, 0.78, 0.20), (0.80, 0.09, 0.12)])


def heat_colours(amounts: Float[np.ndarray, "*N"]) -> Float32[np.ndarray, "*N 3"]:
    """Linear reflectance for amounts 0 (blue) to 1 (red); what lies outside is clipped."""
    places = np.linspace(0, 1, len(_STOPS))
    encoded = np.stack([np.interp(amounts, places, stops) for stops in _STOPS.T], -1)
    # Close enough to sRGB for colours that no one measures; the renderer's light is linear.
    return (encoded**2.2).astype(np.float32)


def heat_bar(height_px: int, width_px: int) -> UInt8[np.ndarray, "H W 3"]:
    """The scale from left (0) to right (1), as an sRGB picture."""
    row = np.rint(255 * heat_colours(np.linspace(0, 1, width_px)) ** (1 / 2.2)).astype(np.uint8)
    return np.repeat(row[None], height_px, 0)
