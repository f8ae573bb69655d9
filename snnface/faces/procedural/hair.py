"""Where hair grows on the built-in face's head."""

import numpy as np
from jaxtyping import Float64

from snnface.faces.curves import smooth_ramp

__all__ = ["MEAN_HAIRLINE", "height_over_hairline"]

Field = Float64[np.ndarray, " V"]

MEAN_HAIRLINE = 0.74


def height_over_hairline(xy: Float64[np.ndarray, "V 2"], behind: Field, z: Field, hairline: float) -> Field:
    """Distance from the hair line, positive where hair grows.

    The line falls from the middle of the forehead to the temples, goes over the ears and down to the nape.

    Args:
        behind: see `Template`.
        z: depth; needed behind the outline only.
        hairline: the line's height in the middle of the forehead.
    """
    away, height = np.abs(xy[:, 0]), xy[:, 1]
    line = hairline - 0.75 * away**3 - 0.25 * smooth_ramp(0.66, 0.83, away)
    # How steep the line is, so that distances are at right angles to it.
    slope = 2.25 * away**2 + 0.25 * 1.5 / 0.17 * (1 - np.clip((away - 0.745) / 0.085, -1, 1) ** 2)
    # Behind the outline hair is at the sides, whatever is left on the forehead.
    line += (np.minimum(line, 0.0) - line) * smooth_ramp(0.0, 0.2, behind)
    line += np.where(behind > 0, 0.12 * np.exp(-(((z + 0.85) / 0.16) ** 2)) - 0.55 * smooth_ramp(-1.0, -1.2, z), 0.0)
    return (height - line) / np.sqrt(1 + np.where(behind > 0, 0.0, slope) ** 2)
