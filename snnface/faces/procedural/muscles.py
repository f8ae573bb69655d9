"""Expression offsets of the built-in face: soft muscles, fitted to measured landmark motion.

An action unit moves a handful of control points; between them the skin follows bells
around each point, cut at the slits of eyes and mouth. The strength of the bells is
solved so that each control point moves by what `MOTION` lists. Where skin slides it
follows the surface in depth, and some units bulge.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from snnface.faces.curves import smooth_ramp
from snnface.faces.procedural.surface import Lids
from snnface.faces.procedural.template import MOUTH_CORNER, Template, mouth_slit_height

__all__ = ["CONTROLS", "JAW_BACK", "JAW_UNITS", "MOTION", "expression_offsets", "jaw_breadth"]

Field = Float64[np.ndarray, " V"]

CONTROLS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "inner brow": (21,),
        "outer brow": (17,),
        "upper lid": (37, 38),
        "lower lid": (40, 41),
        "nose wing": (31,),
        "mouth corner": (48,),
        "upper lip": (51,),
        "lower lip": (57,),
        "chin": (8,),
        "mid brow": (19,),
        "upper margin": (62,),
        "lower margin": (66,),
    }
)
"""Control points: name -> the landmarks of the right half whose mean it is."""

# fmt: off
MOTION: Mapping[int, Mapping[str, tuple[float, float]]] = MappingProxyType({
    1: {"inner brow": (.5, 6.2), "outer brow": (-.2, 1.2), "upper lid": (0, .2), "nose wing": (0, .3),
        "mid brow": (.3, 3.1)},
    2: {"inner brow": (.7, 2.9), "outer brow": (1.3, 6.4), "upper lid": (0, .5), "mid brow": (1.0, 8.5)},
    4: {"inner brow": (-2.4, -2.5), "outer brow": (-2.4, -.9), "upper lid": (-.1, -.3), "mid brow": (-5.1, -4.1)},
    5: {"upper lid": (.3, 3.3), "lower lid": (.2, .3)},
    6: {"outer brow": (-.2, -.4), "lower lid": (-.5, 2.6), "nose wing": (.8, 1.1), "mouth corner": (.8, 1.2),
        "upper lip": (0, .6), "lower lip": (0, .3), "chin": (0, .4), "upper margin": (0, .6), "lower margin": (0, .6)},
    7: {"outer brow": (-.2, -.2), "lower lid": (-.8, 2.1)},
    9: {"inner brow": (-.6, -4.0), "outer brow": (-.3, -.6), "lower lid": (-.1, 1.2), "nose wing": (.5, 8.4),
        "mouth corner": (-1.1, 7.0), "upper lip": (0, 8.7), "lower lip": (0, .7), "chin": (0, .6),
        "mid brow": (-1.0, -2.5), "upper margin": (0, 7.9), "lower margin": (0, .9)},
    10: {"lower lid": (0, .2), "nose wing": (2.2, 6.6), "mouth corner": (.2, 4.9), "upper lip": (0, 8.9),
         "lower lip": (0, .4), "chin": (0, .2), "upper margin": (0, 8.6), "lower margin": (0, .6)},
    12: {"lower lid": (0, .6), "nose wing": (2.7, 2.5), "mouth corner": (7.9, 11.8), "upper lip": (0, 3.9),
         "lower lip": (0, 4.5), "chin": (0, 3.6), "upper margin": (0, 4.2), "lower margin": (0, 4.2)},
    14: {"nose wing": (1.0, 0), "mouth corner": (.9, 3.0), "upper lip": (0, .3), "lower lip": (0, 1.7),
         "chin": (0, 1.2), "upper margin": (0, .4), "lower margin": (0, .4)},
    15: {"nose wing": (.2, -1.5), "mouth corner": (2.1, -5.1), "upper lip": (0, -1.2), "lower lip": (0, -.3),
         "chin": (0, 1.2), "upper margin": (0, -.7), "lower margin": (0, -.7)},
    17: {"mouth corner": (.8, 1.9), "lower lip": (0, 8.6), "chin": (0, 9.1), "lower margin": (0, 7.7)},
    20: {"nose wing": (1.0, -.5), "mouth corner": (7.4, -3.4), "upper lip": (0, -1.0), "lower lip": (0, 1.1),
         "chin": (0, 1.0), "upper margin": (0, -.1), "lower margin": (0, -.1)},
    23: {"nose wing": (.1, -1.7), "mouth corner": (-.2, .7), "upper lip": (0, -2.1), "lower lip": (0, 4.7),
         "upper margin": (0, 1.0), "lower margin": (0, 1.0)},
    24: {"nose wing": (.3, -.1), "mouth corner": (-.1, 1.5), "upper lip": (0, -1.6), "lower lip": (0, 3.4),
         "chin": (0, 4.9), "upper margin": (0, .7), "lower margin": (0, .7)},
    25: {"nose wing": (0, -.2), "mouth corner": (-.3, -2.5), "upper lip": (0, -.2), "lower lip": (0, -10.6),
         "chin": (0, -6.6), "upper margin": (0, -.2), "lower margin": (0, -10.8)},
    26: {"nose wing": (.1, -1.2), "mouth corner": (-1.3, -5.9), "upper lip": (0, -1.1), "lower lip": (0, -15.7),
         "chin": (0, -12.6), "upper margin": (0, -1.1), "lower margin": (0, -15.8)},
    27: {"lower lid": (0, -.2), "nose wing": (.3, -3.0), "mouth corner": (-3.2, -14.7), "upper lip": (0, -2.6),
         "lower lip": (0, -39.3), "chin": (0, -31.6), "upper margin": (0, -2.7), "lower margin": (0, -39.5)},
    43: {"upper lid": (-1.4, -8.7), "lower lid": (-2.1, .2)},
})
# fmt: on
"""Motion at full intensity, FACS code -> control point -> (outward, up) in percent of the eye distance.

Control points that are not listed stay where they are. Lip margins that meet at rest move
together where the mouth stays closed.

Source: measured on the expressions of ICT-FaceKit (USC-ICT, MIT licence).
"""

_MIDDLE = ("upper lip", "lower lip", "chin", "upper margin", "lower margin")
JAW_UNITS = (25, 26, 27)
"""Units that part the lips: the jaw drops."""

_LID_UNITS = (5, 7, 43)

JAW_BACK = 0.6
"""A dropping jaw turns back as it goes down: depth per length of way down."""

# Sliding skin follows this share of the surface's slope; lids move in their own plane.
_SLIDE = 0.7

# Offsets below this are left out, so that a movement has an end and the rest can stay undrawn.
_FAINT = 2e-4


class _Bulge(NamedTuple):
    """Skin that moves (outward, up, forward) around a point of the right half, in eye distances."""

    x: float
    y: float
    width_x: float
    width_y: float
    move: tuple[float, float, float]
    below_mouth_slit: bool = False


# Away from the control points: cheeks, root of the nose, chin, forehead.
_BULGES: Mapping[int, tuple[_Bulge, ...]] = MappingProxyType(
    {
        1: (_Bulge(-0.13, 0.46, 0.16, 0.05, (0.0, 0.03, 0.02)), _Bulge(0.0, 0.02, 0.07, 0.08, (0.0, 0.02, 0.0))),
        2: (_Bulge(-0.50, 0.47, 0.16, 0.05, (0.0, 0.03, 0.02)),),
        4: (_Bulge(-0.06, 0.22, 0.04, 0.07, (-0.01, -0.01, 0.02)), _Bulge(0.0, 0.24, 0.03, 0.07, (0.0, 0.0, -0.01))),
        6: (
            _Bulge(-0.44, -0.25, 0.13, 0.09, (0.01, 0.05, 0.035)),
            _Bulge(-0.58, -0.06, 0.08, 0.06, (-0.01, 0.01, 0)),
            _Bulge(-0.70, -0.62, 0.12, 0.18, (0.0, 0.02, 0.0)),
        ),
        9: (
            _Bulge(-0.10, -0.06, 0.05, 0.05, (0.0, 0.02, 0.03)),
            _Bulge(0.0, 0.05, 0.06, 0.035, (0.0, 0.0, -0.01)),
            _Bulge(0.0, -0.28, 0.08, 0.10, (0.0, 0.025, 0.0)),
        ),
        10: (_Bulge(-0.25, -0.45, 0.08, 0.12, (0.01, 0.02, 0.02)),),
        12: (
            _Bulge(-0.46, -0.34, 0.13, 0.12, (0.02, 0.05, 0.05)),
            _Bulge(-0.34, -0.55, 0.06, 0.1, (0.02, 0.03, -0.01)),
            _Bulge(-0.58, -0.85, 0.16, 0.16, (0.025, 0.035, 0.0)),
        ),
        14: (_Bulge(-0.35, -0.77, 0.05, 0.07, (0.0, 0.0, -0.045)), _Bulge(-0.19, -0.76, 0.06, 0.10, (0.02, 0.0, 0.0))),
        15: (_Bulge(-0.32, -0.92, 0.06, 0.08, (0.01, -0.02, 0.02)),),
        17: (_Bulge(0.0, -1.03, 0.12, 0.07, (0.0, 0.02, 0.03)), _Bulge(0.0, -0.82, 0.18, 0.1, (0, 0, 0.03), True)),
        20: (
            _Bulge(-0.40, -0.78, 0.07, 0.10, (0.02, 0.0, -0.02)),
            _Bulge(-0.56, -0.96, 0.12, 0.12, (0.025, 0.008, 0.0)),
        ),
        23: (_Bulge(0.0, -0.77, 0.18, 0.05, (0.0, 0.0, -0.0125)),),
        24: (_Bulge(0.0, -0.77, 0.18, 0.05, (0.0, 0.0, -0.0075)),),
    }
)


def expression_offsets(template: Template, slope: Float64[np.ndarray, "V 2"], code: int) -> Float64[np.ndarray, "V 3"]:
    """Offset of every skin vertex at full intensity of one action unit, both sides together.

    Args:
        slope: dz/dx and dz/dy of the skin at each vertex.
        code: a key of `MOTION`.
    """
    weights = _bells(template, jaw=code in JAW_UNITS)
    offsets = _bulge_offsets(template, code)
    for axis, mirror_sign, names in (
        # Points on the middle line cannot move sideways.
        (0, -1.0, [name for name in CONTROLS if name not in _MIDDLE]),
        (1, 1.0, list(CONTROLS)),
    ):
        # Outward is towards -x on the right half, where the control points lie.
        wanted = np.array([MOTION[code].get(name, (0.0, 0.0))[axis] for name in names]) / 100 * mirror_sign
        fields = np.stack([weights[name] + mirror_sign * weights[name][template.mirror] for name in names], 1)
        at_controls = np.stack([_at_control(fields, template, name) for name in names])
        already = np.array([_at_control(offsets[:, axis], template, name) for name in names])
        offsets[:, axis] += fields @ np.linalg.solve(at_controls, wanted - already)
    if code in JAW_UNITS:
        offsets[:, 2] += JAW_BACK * np.minimum(offsets[:, 1], 0.0)
    elif code not in _LID_UNITS:
        offsets[:, 2] += _SLIDE * (slope * offsets[:, :2]).sum(1)
    return np.where((np.abs(offsets) > _FAINT).any(1, keepdims=True), offsets, 0.0)


def jaw_breadth(x: Field) -> Field:
    """How much of the chin's drop the jaw takes at either side of it."""
    return 1 - 0.9 * smooth_ramp(0.12, 0.68, np.abs(x))


def _at_control(field: np.ndarray, template: Template, name: str) -> np.ndarray | np.floating:
    return field[template.landmarks68[list(CONTROLS[name])]].mean(0)


def _bells(template: Template, *, jaw: bool) -> dict[str, Field]:
    """One soft weight a control point, on the right half or across the middle, before scaling."""
    lids = Lids.at(template.xy, template.side)
    over = _over_mouth(template)
    x, y = template.xy.T
    right = x < 0
    chin = smooth_ramp(-0.6, -1.05, y) * jaw_breadth(x) if jaw else _bell(template, 0, -1.17, 0.27, 0.15)
    # A dropping jaw opens the mouth wide and round, other units move the lips' middle.
    lip_width, lip_height, margin_height = (0.30, 0.10, 0.09) if jaw else (0.17, 0.07, 0.05)
    return {
        "inner brow": _bell(template, -0.13, 0.29, 0.11, 0.13),
        "outer brow": _bell(template, -0.63, 0.21, 0.12, 0.12),
        # A closing lid must meet the other everywhere along the eye, so its weight is the opening.
        "upper lid": np.where(right, (lids.upper + lids.lower) * lids.near_upper, 0.0),
        "lower lid": np.where(right, (lids.upper + lids.lower) * lids.near_lower, 0.0),
        "nose wing": _bell(template, -0.15, -0.49, 0.09, 0.10),
        "mouth corner": _bell(template, -0.29, -0.78, 0.13, 0.12),
        # The four lip weights share one width, so that margins which meet in the middle meet all along.
        "upper lip": over * _bell(template, 0, -0.64, lip_width, lip_height),
        "lower lip": (1 - over) * _bell(template, 0, -0.90, lip_width, lip_height),
        "chin": (1 - over) * chin,
        "mid brow": _bell(template, -0.40, 0.32, 0.13, 0.12),
        "upper margin": over * _bell(template, 0, -0.76, lip_width, margin_height),
        "lower margin": (1 - over) * _bell(template, 0, -0.76, lip_width, margin_height),
    }


def _bulge_offsets(template: Template, code: int) -> Float64[np.ndarray, "V 3"]:
    offsets = np.zeros((len(template.xy), 3))
    for bulge in _BULGES.get(code, ()):
        weight = _bell(template, bulge.x, bulge.y, bulge.width_x, bulge.width_y)
        if bulge.below_mouth_slit:
            weight = weight * (1 - _over_mouth(template))
        one_side = weight[:, None] * np.array(bulge.move) * [-1, 1, 1]
        offsets += one_side + one_side[template.mirror] * [-1, 1, 1]
    return offsets


def _over_mouth(template: Template) -> Field:
    """1 above the mouth's slit, 0 below: sharp between the corners, gradual beside them."""
    x, y = template.xy.T
    height = y - mouth_slit_height(x)
    sharpness = np.clip(1 - (x / MOUTH_CORNER) ** 2, 0.0, 1.0) ** 0.6
    above = (height > 1e-9) | ((np.abs(height) <= 1e-9) & (template.side >= 0))
    return sharpness * above + (1 - sharpness) * smooth_ramp(-0.06, 0.06, height)


def _bell(template: Template, x: float, y: float, width_x: float, width_y: float) -> Field:
    flat = template.xy
    return np.exp(-(((flat[:, 0] - x) / width_x) ** 2 + ((flat[:, 1] - y) / width_y) ** 2) / 2)
