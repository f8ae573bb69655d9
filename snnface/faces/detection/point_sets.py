"""Sets of landmarks that are made from the 68, and mirrored pictures."""

import numpy as np
from jaxtyping import Float, Float64

from snnface.errors import ConfigError
from snnface.faces.landmarks import MIRROR68

__all__ = ["five_points", "mirrored_landmarks"]


def mirrored_landmarks(points: Float[np.ndarray, "*B 68 2"], *, width: int) -> Float[np.ndarray, "*B 68 2"]:
    """The points of the picture flipped left to right: mirrored and renamed, so that right stays the subject's right.

    Args:
        width: of the picture in pixels; column 0 becomes column width - 1.

    Raises:
        ConfigError: if the width is below 1.
    """
    if width < 1:
        raise ConfigError(f"a picture is at least 1 pixel wide; got {width}.")
    mirrored = points[..., MIRROR68, :].copy()
    mirrored[..., 0] = (width - 1) - mirrored[..., 0]
    return mirrored


def five_points(points: Float[np.ndarray, "*B 68 D"]) -> Float64[np.ndarray, "*B 5 D"]:
    """Right eye, left eye (means of their six points), tip of the nose, right and left corner of the mouth."""
    eyes = [points[..., start : start + 6, :].mean(-2) for start in (36, 42)]
    return np.stack([*eyes, *(points[..., index, :] for index in (30, 48, 54))], -2).astype(np.float64)
