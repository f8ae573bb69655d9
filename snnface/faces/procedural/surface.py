"""The mean shape of the built-in face: depth over the flat template, and the open eyes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int8

from snnface.faces.curves import hermite, smooth_ramp
from snnface.faces.landmarks import mean_landmarks
from snnface.faces.procedural.hair import MEAN_HAIRLINE, height_over_hairline
from snnface.faces.procedural.template import EYE_CORNERS, Template, eye_slit_height, outline

__all__ = ["Lids", "SkinSurface"]

# Depth of the face's middle line by height, without nose and lips.
_PROFILE = np.array(
    [
        (1.25, -0.82), (1.20, -0.60), (1.10, -0.32), (1.00, -0.16), (0.90, -0.04), (0.80, 0.05), (0.70, 0.11),
        (0.60, 0.16), (0.50, 0.19), (0.40, 0.22), (0.30, 0.24), (0.20, 0.24), (0.10, 0.21), (-0.10, 0.18),
        (-0.30, 0.21), (-0.50, 0.24), (-0.60, 0.27), (-0.80, 0.28), (-0.90, 0.27), (-1.00, 0.26), (-1.10, 0.265),
        (-1.20, 0.24), (-1.235, 0.21),
    ]
)  # fmt: skip

# Depth in thousandths on a raster: a row is a height, its columns are `_RASTER_X`. Measured like the
# landmarks, on the mean head of ICT-FaceKit (USC-ICT, MIT licence); none in the eyes' openings.
_RASTER_X = (0.0, 0.05, 0.10, 0.15, 0.20, 0.30, 0.40, 0.50, 0.60, 0.70)
_RASTER = (
    (1.10, (-323, -327, -338, -357, -382, -463)),
    (0.90, (-43, -46, -54, -66, -82, -131, -210, -329)),
    (0.70, (107, 105, 100, 92, 81, 47, -15, -107, -241)),
    (0.50, (184, 183, 179, 173, 164, 134, 80, 3, -105, -271)),
    (0.40, (215, 215, 213, 210, 202, 172, 118, 41, -66, -230)),
    (0.30, (239, 238, 238, 235, 229, 202, 157, 88, -28, -209)),
    (0.20, (240, 237, 231, 226, 216, 185, 154, 112, 21, -193)),
    (0.10, (229, 216, 188, 151, 129, 115, 116, 77, 3, -180)),
    (0.00, (258, 235, 160, 98)),
    (-0.10, (335, 313, 237, 150, 106, 98, 88, 30, -56, -164)),
    (-0.20, (412, 390, 318, 229, 167, 114, 91, 53, -11, -127)),
    (-0.30, (485, 472, 425, 293, 202, 148, 115, 78, 15, -109)),
    (-0.35, (501, 490, 453, 372, 205, 159, 128, 85, 16, -116)),
    (-0.40, (496, 483, 441, 381, 300, 166, 137, 89, 11, -130)),
    (-0.45, (457, 422, 330, 300, 245, 169, 142, 89, 1, -153)),
    (-0.50, (348, 326, 291, 248, 209, 173, 143, 84, -12)),
    (-0.55, (327, 327, 303, 267, 234, 181, 142, 78, -28)),
    (-0.60, (331, 336, 322, 292, 259, 196, 140, 68, -45)),
    (-0.65, (357, 356, 342, 313, 278, 208, 139, 59, -63)),
    (-0.70, (362, 353, 337, 316, 286, 209, 137, 47, -81)),
    (-0.75, (319, 310, 292, 275, 255, 196, 132, 35, -101)),
    (-0.80, (329, 328, 316, 289, 245, 170, 123, 22, -124)),
    (-0.85, (340, 337, 324, 297, 257, 169, 109, 4)),
    (-0.90, (301, 300, 293, 272, 240, 165, 93, -19)),
    (-0.95, (263, 261, 256, 242, 220, 153, 73, -49)),
    (-1.00, (264, 259, 248, 230, 207, 139, 50, -85)),
    (-1.05, (272, 268, 256, 234, 206, 129, 25)),
    (-1.10, (273, 270, 259, 236, 205, 117, -14)),
    (-1.15, (263, 260, 249, 226, 193, 90)),
)

# Octaves of Gaussians, (width, share): wide ones fill between the points, narrow ones meet them. What
# a point may be missed by is the ridge, less for landmarks: a narrow Gaussian costs more, so that skin
# stays smooth.
_OCTAVES = ((0.30, 1.0), (0.12, 0.4), (0.06, 0.12))
_RIDGE, _MARK_RIDGE = 4e-4, 1e-4

# The skull over its widest height is round: a power between that of an ellipse and of a box.
_CROWN_Y, _CROWN_POWER = 1.2505, 2.4
# The head behind the outline: columns run from the outline (0) round to the middle of the back (1).
_BACK_CENTRE_Z = -1.0
_BACK = np.array(
    [
        # Height; half width at its widest, and depth of the back.
        (-1.25, 0.10, -1.10), (-0.80, 0.50, -1.50), (-0.60, 0.58, -1.54), (-0.30, 0.76, -1.68), (0.00, 0.87, -1.84),
        (0.25, 0.90, -1.92),
    ]
)  # fmt: skip
_SKULL_CENTRE = np.array([0.0, 0.3, -0.9])
_HAIR_LIFT = 0.035
# Where the skin under the jaw ends, inside the neck.
_UNDER_JAW_Y, _UNDER_JAW_Z = -1.06, -0.75

# Height of the open lids over their meeting line, and how far into the skin their bunching reaches.
_UPPER_LID, _LOWER_LID = 0.0733, 0.0331
_LID_REACH = (0.09, 0.08)


class SkinSurface:
    """Depth of the mean face: half-elliptic slices plus signed Gaussians.

    The Gaussians stand at the landmarks and at the raster's points; their weights are the
    ridge solution of meeting those points' depths, in closed form and so the same on
    every machine up to rounding.
    """

    def __init__(self) -> None:
        marks = mean_landmarks()
        # The meeting line of each slit takes the mean of both margins.
        for upper, lower in ((37, 41), (38, 40), (44, 46), (43, 47), (61, 67), (62, 66), (63, 65)):
            marks[[upper, lower]] = (marks[upper] + marks[lower]) / 2
        raster_y = np.array([y for y, _ in _RASTER])
        raster = np.array([(x, y, z / 1000) for y, row in _RASTER for x, z in zip(_RASTER_X, row, strict=False)])
        edge = np.column_stack([outline(raster_y)[0], raster_y, outline(raster_y)[1]])
        raster = np.concatenate([raster, edge])
        points = np.concatenate([marks, raster, raster[raster[:, 0] > 0] * [-1, 1, 1]])
        self._centres = points[:, :2]
        features = np.concatenate(list(self._bells(self._centres)), 1)
        missing = points[:, 2] - _slices(self._centres, None)
        ridge = np.where(np.arange(len(points)) < len(marks), _MARK_RIDGE, _RIDGE)
        gram = features @ features.T + np.diag(ridge)
        self._weights = (features.T @ np.linalg.solve(gram, missing)).reshape(len(_OCTAVES), -1)

    def _bells(self, xy: Float64[np.ndarray, "N 2"]) -> Iterator[Float64[np.ndarray, "N M"]]:
        """The Gaussians at flat positions, one octave after another."""
        square = (xy**2).sum(1)[:, None] + (self._centres**2).sum(1) - 2 * xy @ self._centres.T
        for width, share in _OCTAVES:
            yield share * np.exp(square / (-2 * width**2))

    def depth(
        self, xy: Float64[np.ndarray, "N 2"], fraction: Float64[np.ndarray, " N"] | None = None
    ) -> Float64[np.ndarray, " N"]:
        """z at flat positions; `fraction` is x over the outline's half width where that is known."""
        octaves = zip(self._bells(xy), self._weights, strict=True)
        return _slices(xy, fraction) + np.sum([bells @ weights for bells, weights in octaves], 0)

    def slope(self, xy: Float64[np.ndarray, "N 2"]) -> Float64[np.ndarray, "N 2"]:
        """dz/dx and dz/dy at flat positions, held to 1.2, because skin near the outline does not slide round it."""
        step = 0.01
        east, north = np.array([step, 0.0]), np.array([0.0, step])
        slopes = [(_slices(xy + d, None) - _slices(xy - d, None)) / (2 * step) for d in (east, north)]
        total = np.stack(slopes, 1)
        for bells, weights, (width, _) in zip(self._bells(xy), self._weights, _OCTAVES, strict=True):
            pull = bells @ (weights[:, None] * self._centres) - (bells @ weights)[:, None] * xy
            total += pull / width**2
        return np.clip(total, -1.2, 1.2)

    def positions(self, template: Template) -> Float64[np.ndarray, "V 3"]:
        """The neutral mean face, eyes open."""
        z = self.depth(template.xy, template.fraction)
        opened = np.column_stack(
            [template.xy[:, 0], template.xy[:, 1] + Lids.at(template.xy, template.side).opening, z]
        )
        head = _behind(opened, template.behind)
        # Hair lifts the surface; the lift starts above the outline's landmarks.
        over = height_over_hairline(template.xy, template.behind, head[:, 2], MEAN_HAIRLINE)
        away = head - _SKULL_CENTRE
        lift = _HAIR_LIFT * smooth_ramp(0.02, 0.20, over) / np.linalg.norm(away, axis=1)
        return head + lift[:, None] * away


@dataclass(frozen=True, slots=True, eq=False)
class Lids:
    """The skin around the eyes, by flat position; all arrays are [N] and zero away from the eyes.

    Attributes:
        upper, lower: height of the open upper (depth of the lower) margin at this x.
        near_upper, near_lower: 1 at the upper (lower) margin, fading into the skin above (below).
    """

    upper: Float64[np.ndarray, " N"]
    lower: Float64[np.ndarray, " N"]
    near_upper: Float64[np.ndarray, " N"]
    near_lower: Float64[np.ndarray, " N"]

    @classmethod
    def at(cls, xy: Float64[np.ndarray, "N 2"], side: Int8[np.ndarray, " N"]) -> "Lids":
        outer, inner = EYE_CORNERS
        bow = np.sin(np.pi * np.clip((-np.abs(xy[:, 0]) - outer) / (inner - outer), 0.0, 1.0))
        height = xy[:, 1] - eye_slit_height(xy[:, 0])
        above = (height > 1e-9) | ((np.abs(height) <= 1e-9) & (side >= 0))
        fades = [np.exp(-((height / reach) ** 2) / 2) for reach in _LID_REACH]
        return cls(
            upper=_UPPER_LID * bow**0.7,
            lower=_LOWER_LID * bow**0.8,
            near_upper=np.where(above, fades[0], 0.0),
            near_lower=np.where(above, 0.0, fades[1]),
        )

    @property
    def opening(self) -> Float64[np.ndarray, " N"]:
        """Upward offset of the skin with open eyes from that with closed ones."""
        return self.upper * self.near_upper - self.lower * self.near_lower


def _slices(xy: Float64[np.ndarray, "N 2"], fraction: Float64[np.ndarray, " N"] | None) -> Float64[np.ndarray, " N"]:
    """Half ellipses between the outline and the middle line's profile."""
    width, edge = outline(xy[:, 1])
    if fraction is None:
        fraction = np.clip(xy[:, 0] / width, -1.0, 1.0)
    middle = hermite(xy[:, 1], *_PROFILE[::-1].T)
    return edge + (middle - edge) * np.sqrt(1 - fraction**2)


def _behind(outline_at: Float64[np.ndarray, "N 3"], behind: Float64[np.ndarray, " N"]) -> Float64[np.ndarray, "N 3"]:
    """Points a share `behind` of the way from their place on the outline to the middle of the back.

    Above the jaw they go round the head: to its widest place, and from there along an ellipse.
    Below, they go flat under the jaw, into the neck.
    """
    x, y, z = outline_at.T
    widest, back = (hermite(y, _BACK[:, 0], values) for values in _BACK[:, 1:].T)
    top = np.clip((y - _BACK[-1, 0]) / (_CROWN_Y - _BACK[-1, 0]), 0.0, 1.0)
    vault = (1 - top**_CROWN_POWER) ** (1 / _CROWN_POWER)
    widest, back = vault * widest, _BACK_CENTRE_Z + vault * (back - _BACK_CENTRE_Z)
    side_z = np.minimum(_BACK_CENTRE_Z, z - 0.1)
    # A quarter of the way is the side of the head, the rest its back.
    side = np.clip(behind / 0.35, 0.0, 1.0)
    turn = np.clip((behind - 0.35) / 0.65, 0.0, 1.0) * np.pi / 2
    round_x = np.where(
        behind <= 0.35, np.abs(x) + (widest - np.abs(x)) * (1 - (1 - side) ** 1.5), widest * np.cos(turn)
    )
    round_z = np.where(behind <= 0.35, z + (side_z - z) * side, side_z + np.minimum(back - side_z, 0) * np.sin(turn))
    jaw = smooth_ramp(-0.65, -0.95, y)
    under_x = np.abs(x) * (1 - 0.55 * behind)
    under_y = y + np.maximum(_UNDER_JAW_Y - y, 0.0) * behind
    under_z = z + (_UNDER_JAW_Z - z) * behind
    return np.column_stack(
        [
            np.sign(x) * (round_x + (under_x - round_x) * jaw),
            y + (under_y - y) * jaw,
            round_z + (under_z - round_z) * jaw,
        ]
    )
