"""The colours of the built-in face: reflectance of every vertex, from where it lies on the flat template."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from jaxtyping import Float32, Float64

from snnface.faces.complexion import Complexion, Tint, tinted
from snnface.faces.curves import hermite, smooth_ramp
from snnface.faces.landmarks import mean_landmarks
from snnface.faces.model import PARTS
from snnface.faces.procedural.features import Piece
from snnface.faces.procedural.hair import height_over_hairline
from snnface.faces.procedural.template import MOUTH_CORNER, Template, eye_slit_height

__all__ = ["painted"]

Field = Float64[np.ndarray, " V"]
Colour = Float64[np.ndarray, "V 3"]
Flat = Float64[np.ndarray, "V 2"]

_NOSTRIL_TINT: Tint = (1.80, 0.79, 0.70)
_PART_TINTS: Mapping[str, Tint] = MappingProxyType(
    {
        "eyeball": (1.10, 0.98, 0.90),
        "limbus": (1.10, 0.98, 0.90),
        "pupil": (1.0, 1.0, 1.0),
        "mouth interior": (2.6, 0.55, 0.55),
        "teeth": (1.07, 1.0, 0.84),
    }
)
# Blood adds red and takes green, so that luminance stays.
_BLOOD = np.array([1.0, -0.2126 / 0.7152, 0.0])

# Where light hardly reaches: centre, widths, share. The orbits, under nose and lip, beside the nose wings.
_SHADES = (
    (0.28, 0.10, 0.12, 0.06, 0.12),
    (0.20, 0.00, 0.04, 0.06, 0.12),
    (0.06, -0.53, 0.06, 0.02, 0.25),
    (0.00, -0.97, 0.12, 0.04, 0.12),
    (0.205, -0.46, 0.018, 0.05, 0.2),
)
# Where blood shows: cheeks, tip of the nose, ears are all blood.
_BLUSHES = ((0.45, -0.32, 0.16, 0.12, 0.10), (0.0, -0.40, 0.10, 0.08, 0.08), (0.0, -1.10, 0.14, 0.07, 0.04))
_EAR_BLUSH = 0.10


def painted(complexion: Complexion, whole: Piece, template: Template) -> Float32[np.ndarray, "V 3"]:
    """Linear red, green and blue reflectance of every vertex.

    Args:
        whole: the face's pieces; its first vertices are those of the template.
    """
    skin = complexion.skin_colour
    colour = np.empty((len(whole.anchor), 3))
    # What is neither the grid nor of a colour of its own is plain skin: ears, and the shaded neck.
    colour[:] = skin + _EAR_BLUSH * complexion.skin * _BLOOD
    # The chin's shadow lies on the neck.
    neck = whole.part == PARTS.index("neck")
    colour[neck] = (0.6 + 0.25 * smooth_ramp(-1.25, -1.75, whole.positions[neck, 1]))[:, None] * skin
    for name, tint in _PART_TINTS.items():
        own = whole.part == PARTS.index(name)
        colour[own] = tinted(whole.albedo[own], tint)
    colour[whole.part == PARTS.index("iris")] = complexion.iris_colour
    count = len(template.xy)
    colour[:count] = _skin(complexion, template, whole.positions[:count])
    return np.clip(colour, 0.0, 1.0).astype(np.float32)


def _skin(complexion: Complexion, template: Template, positions: Colour) -> Colour:
    xy, (x, y) = template.xy, template.xy.T
    front = smooth_ramp(0.1, 0.0, template.behind)
    blotches = 1 + complexion.mottling * _blotches(xy, complexion.mottling_seed)
    colour = blotches[:, None] * complexion.skin_colour
    for *where, share in _BLUSHES:
        colour += (complexion.skin * share * front * _spot(xy, *where))[:, None] * _BLOOD
    for *where, share in _SHADES:
        colour *= (1 - share * _spot(xy, *where))[:, None]
    hair = complexion.hair_colour
    _blend(colour, hair, complexion.beard * _beard(template))
    _blend(colour, complexion.lip_colour, _lips(xy))
    _blend(colour, tinted(0.05, _NOSTRIL_TINT), 0.85 * _spot(xy, 0.065, -0.495, 0.026, 0.014))
    _blend(colour, complexion.brow_colour, _brows(xy, complexion.brow_thickness))
    over = height_over_hairline(xy, template.behind, positions[:, 2], complexion.hairline)
    _blend(colour, hair, smooth_ramp(-0.07, 0.07, over))
    # The lash line: the upper margin and what lies just above it.
    lid = y - eye_slit_height(x)
    lash = (np.abs(x) > 0.21) & (np.abs(x) < 0.5) & (lid > 1e-9)
    colour *= np.where(lash, 1 - 0.6 * smooth_ramp(0.03, 0.0, lid), 1.0)[:, None]
    margin = template.side != 0
    at_mouth = margin & (y < -0.5)
    colour[margin & ~at_mouth & (template.side > 0)] = tinted(0.05, complexion.hair_tint)
    colour[margin & ~at_mouth & (template.side < 0)] *= 0.75
    colour[at_mouth] *= 0.45
    return colour


def _blend(colour: Colour, other: Float64[np.ndarray, " 3"], share: Field) -> None:
    """Paint over, in place."""
    colour += (other - colour) * share[:, None]


def _beard(template: Template) -> Field:
    """1 where a beard grows: the upper lip, round the mouth, chin and jaw, up to the ears."""
    x, y = np.abs(template.xy[:, 0]), template.xy[:, 1]
    edge = hermite(
        x, *np.array([(0.0, -0.56), (0.2, -0.57), (0.33, -0.66), (0.5, -0.74), (0.66, -0.5), (0.83, -0.1)]).T
    )
    edge = np.where(template.behind > 0, edge - 0.6 * template.behind, edge)
    below_lip = 0.6 * _spot(template.xy, 0.16, -0.93, 0.06, 0.03)
    return smooth_ramp(-0.03, 0.06, edge - y) * (1 - below_lip)


def _lips(xy: Flat) -> Field:
    """1 between the outer lip lines, which run through the landmarks 48-59."""
    marks = mean_landmarks()
    x, y = np.abs(xy[:, 0]), xy[:, 1]
    upper, lower = marks[[51, 52, 53, 54]], marks[[57, 56, 55, 54]]
    top = hermite(x, upper[:, 0], upper[:, 1])
    bottom = hermite(x, lower[:, 0], lower[:, 1])
    inside = smooth_ramp(-0.016, 0.014, top - y) * smooth_ramp(-0.016, 0.014, y - bottom)
    return inside * smooth_ramp(0.04, -0.02, x - MOUTH_CORNER)


def _brows(xy: Flat, half_width: float) -> Field:
    """1 on the brow bands: along the landmarks 22-26, thinner towards the temple."""
    marks = mean_landmarks()[22:27, :2]
    x, y = np.abs(xy[:, 0]), xy[:, 1]
    centre = hermite(x, marks[:, 0], marks[:, 1]) - 0.25 * half_width
    taper = np.interp(x, [0.13, 0.3, 0.65], [0.9, 1.0, 0.5])
    across = smooth_ramp(half_width * 1.4, half_width * 0.6, np.abs(y - centre) / taper)
    along = smooth_ramp(0.08, 0.15, x) * smooth_ramp(0.70, 0.58, x)
    return across * along


def _spot(xy: Flat, x: float, y: float, width_x: float, width_y: float) -> Field:
    """A bell on both halves."""
    return np.exp(-(((np.abs(xy[:, 0]) - x) / width_x) ** 2 + ((xy[:, 1] - y) / width_y) ** 2) / 2)


def _blotches(xy: Flat, seed: int) -> Field:
    """Smooth noise of unit rms: plane waves of 0.15..0.6 eye distances in random directions."""
    generator = np.random.default_rng(seed)
    count = 24
    angle, phase = generator.uniform(0, 2 * np.pi, (2, count))
    wave = 2 * np.pi / generator.uniform(0.15, 0.6, count)
    along = xy @ np.stack([np.cos(angle), np.sin(angle)]) * wave
    return np.cos(along + phase).sum(1) * np.sqrt(2 / count)
