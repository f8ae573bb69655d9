"""Linear colour and luminance."""

import numpy as np
from jaxtyping import Float32

__all__ = ["LUMINANCE", "luminance"]

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)
"""How much linear red, green and blue of equal strength add to luminance.

Source: ITU-R BT.709-6, table 3, item 3.2.
"""


def luminance(colour: Float32[np.ndarray, "*N 3"]) -> Float32[np.ndarray, "*N"]:
    """Luminance of linear (red, green, blue); grey keeps its value."""
    return colour @ LUMINANCE
