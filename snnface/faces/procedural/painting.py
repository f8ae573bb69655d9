"""The colours of the built-in face: reflectance of every vertex, from where it lies on the flat template."""

import numpy as np
from jaxtyping import Float32, Float64, Int8

from snnface.faces.complexion import Complexion
from snnface.faces.landmarks import mean_landmarks
from snnface.faces.model import PARTS
from snnface.faces.procedural.curves import smooth_ramp
from snnface.faces.procedural.template import MOUTH_CORNER, eye_slit_height

__all__ = ["skin_albedo"]


def skin_albedo(
    complexion: Complexion, xy: Float64[np.ndarray, "V 2"], side: Int8[np.ndarray, " V"], part: Int8[np.ndarray, " V"]
) -> Float32[np.ndarray, " V"]:
    """Reflectance of skin vertices by flat position; for other parts a plain colour of their own."""
    x, y = xy.T
    albedo = complexion.skin * (1 + complexion.mottling * _blotches(xy, complexion.mottling_seed))
    # Where light hardly reaches: the orbits, under the nose and lip, beside the nose wings.
    for cx, cy, width_x, width_y, share in (
        (0.28, 0.10, 0.12, 0.06, 0.15),
        (0.2, 0.0, 0.04, 0.06, 0.15),
        (0.06, -0.53, 0.06, 0.02, 0.25),
        (0.0, -0.97, 0.12, 0.04, 0.15),
        (0.22, -0.48, 0.02, 0.06, 0.12),
    ):
        albedo *= 1 - share * _spot(xy, cx, cy, width_x, width_y)
    albedo += (complexion.lips - albedo) * _lips(xy)
    albedo += (0.06 - albedo) * 0.85 * _spot(xy, 0.065, -0.495, 0.026, 0.016)
    albedo += (complexion.brows - albedo) * _brows(xy, complexion.brow_thickness)
    line = complexion.hairline - 0.75 * np.abs(x) ** 3 - 0.3 * smooth_ramp(0.68, 0.83, np.abs(x))
    albedo += (complexion.hair - albedo) * smooth_ramp(-0.05, 0.06, y - line)
    # The lash line: the upper margin and what lies just above it.
    lid = y - eye_slit_height(x)
    lash = (np.abs(x) > 0.21) & (np.abs(x) < 0.5) & (lid > 1e-9)
    albedo *= np.where(lash, 1 - 0.6 * smooth_ramp(0.03, 0.0, lid), 1.0)
    margin = side != 0
    at_mouth = margin & (y < -0.5)
    albedo[margin & ~at_mouth & (side > 0)] = 0.06
    albedo[margin & ~at_mouth & (side < 0)] *= 0.75
    albedo[at_mouth] *= 0.45
    for name, own in (("neck", 0.85 * complexion.skin), ("head", complexion.hair)):
        albedo[part == PARTS.index(name)] = own
    return albedo.astype(np.float32)


def _lips(xy: np.ndarray) -> np.ndarray:
    """1 between the outer lip lines, which run through the landmarks 48-59."""
    marks = mean_landmarks()
    x, y = np.abs(xy[:, 0]), xy[:, 1]
    upper, lower = marks[[51, 52, 53, 54]], marks[[57, 56, 55, 54]]
    top = np.interp(x, upper[:, 0], upper[:, 1])
    bottom = np.interp(x, lower[:, 0], lower[:, 1])
    inside = smooth_ramp(-0.012, 0.012, top - y) * smooth_ramp(-0.012, 0.012, y - bottom)
    return inside * smooth_ramp(0.04, 0.0, x - MOUTH_CORNER)


def _brows(xy: np.ndarray, half_width: float) -> np.ndarray:
    """1 on the brow bands: along the landmarks 22-26, thinner towards the temple."""
    marks = mean_landmarks()[22:27, :2]
    x, y = np.abs(xy[:, 0]), xy[:, 1]
    centre = np.interp(x, marks[:, 0], marks[:, 1]) - 0.25 * half_width
    taper = np.interp(x, [0.13, 0.3, 0.65], [0.9, 1.0, 0.5])
    across = smooth_ramp(half_width * 1.4, half_width * 0.6, np.abs(y - centre) / taper)
    along = smooth_ramp(0.08, 0.14, x) * smooth_ramp(0.69, 0.62, x)
    return across * along


def _spot(xy: np.ndarray, x: float, y: float, width_x: float, width_y: float) -> np.ndarray:
    """A bell on both halves."""
    return np.exp(-(((np.abs(xy[:, 0]) - x) / width_x) ** 2 + ((xy[:, 1] - y) / width_y) ** 2) / 2)


def _blotches(xy: np.ndarray, seed: int) -> np.ndarray:
    """Smooth noise of unit rms: plane waves of 0.15..0.6 eye distances in random directions."""
    generator = np.random.default_rng(seed)
    count = 24
    angle, phase = generator.uniform(0, 2 * np.pi, (2, count))
    wave = 2 * np.pi / generator.uniform(0.15, 0.6, count)
    along = xy @ np.stack([np.cos(angle), np.sin(angle)]) * wave
    return np.cos(along + phase).sum(1) * np.sqrt(2 / count)
