"""The mean shape of the built-in face: depth over the flat template, and the open eyes."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int8

from snnface.faces.landmarks import mean_landmarks
from snnface.faces.procedural.curves import hermite, smooth_ramp
from snnface.faces.procedural.template import EYE_CORNERS, Template, eye_slit_height, outline

__all__ = ["Lids", "SkinSurface"]

# Depth of the face's middle line by height, without nose and lips.
_PROFILE = np.array(
    [
        (1.25, -0.70), (1.20, -0.50), (1.10, -0.27), (1.00, -0.13), (0.90, -0.03), (0.80, 0.05), (0.70, 0.11),
        (0.60, 0.16), (0.50, 0.19), (0.40, 0.22), (0.30, 0.24), (0.20, 0.24), (0.10, 0.21), (-0.10, 0.18),
        (-0.30, 0.21), (-0.50, 0.24), (-0.60, 0.27), (-0.80, 0.28), (-0.90, 0.27), (-1.00, 0.26), (-1.10, 0.265),
        (-1.20, 0.24), (-1.235, 0.21),
    ]
)  # fmt: skip

# (x, y, z) of points beside the 68 that a face needs: orbits, nose flanks, cheeks, chin.
# Rounded to 0.01; measured like the landmarks on the mean head of ICT-FaceKit.
_ANCHORS = np.array(
    [
        (0.10, 0.00, 0.19), (0.10, -0.10, 0.26), (0.10, -0.20, 0.34), (0.11, -0.30, 0.42), (0.11, -0.40, 0.43),
        (0.20, -0.10, 0.13), (0.20, -0.20, 0.18), (0.20, -0.30, 0.22), (0.20, -0.40, 0.27), (0.20, -0.50, 0.24),
        (0.10, 0.10, 0.20), (0.20, 0.10, 0.15), (0.30, 0.12, 0.13), (0.40, 0.12, 0.12), (0.50, 0.10, 0.10),
        (0.60, 0.10, 0.03), (0.60, 0.00, -0.03), (0.70, 0.00, -0.15), (0.70, 0.20, -0.12),
        (0.10, 0.20, 0.24), (0.20, 0.20, 0.23), (0.30, 0.20, 0.20), (0.40, 0.20, 0.17), (0.50, 0.20, 0.12),
        (0.30, -0.12, 0.10), (0.40, -0.12, 0.09), (0.50, -0.12, 0.05), (0.60, -0.12, -0.03),
        (0.30, -0.20, 0.12), (0.40, -0.20, 0.10), (0.50, -0.20, 0.06), (0.60, -0.20, 0.00), (0.70, -0.20, -0.10),
        (0.30, -0.30, 0.16), (0.40, -0.30, 0.12), (0.50, -0.30, 0.08), (0.60, -0.30, 0.03), (0.70, -0.32, -0.10),
        (0.30, -0.40, 0.17), (0.40, -0.40, 0.14), (0.50, -0.42, 0.08), (0.62, -0.42, -0.01), (0.70, -0.45, -0.14),
        (0.30, -0.50, 0.17), (0.40, -0.50, 0.14), (0.50, -0.55, 0.08), (0.60, -0.60, -0.05), (0.20, -0.60, 0.26),
        (0.30, -0.62, 0.20), (0.40, -0.65, 0.15), (0.50, -0.70, 0.06), (0.60, -0.75, -0.10), (0.40, -0.80, 0.14),
        (0.50, -0.85, 0.01), (0.30, -0.92, 0.18), (0.40, -0.95, 0.08), (0.20, -0.97, 0.22), (0.10, -0.97, 0.27),
        (0.00, -0.97, 0.27), (0.15, -1.08, 0.24), (0.30, -1.05, 0.14), (0.00, -1.10, 0.27), (0.00, -0.43, 0.50),
    ]
)  # fmt: skip

# Two octaves of Gaussians: the wide one fills between points, the narrow one meets them.
_WIDTHS = (0.25, 0.10)
_RIDGE = 8e-4

# Shell columns behind the outline: share of the extra half width, and depth behind the outline.
_SHELL_WIDTH = np.array([0.0, 0.6, 1.0, 0.8])
_SHELL_DEPTH = np.array([0.0, 0.18, 0.42, 0.75])
_EXTRA_WIDTH = np.array(
    [(-1.23, -0.05), (-1.1, 0.0), (-0.9, 0.04), (-0.2, 0.03), (0.2, 0.06), (0.6, 0.07), (1.25, 0.14)]
)

# Height of the open lids over their meeting line, and how far into the skin their bunching reaches.
_UPPER_LID, _LOWER_LID = 0.0733, 0.0331
_LID_REACH = (0.09, 0.08)


class SkinSurface:
    """Depth of the mean face: half-elliptic slices plus signed Gaussians.

    The Gaussians stand at the landmarks and at further anchors; their weights are the
    ridge solution of meeting those points' depths, in closed form and so the same on
    every machine up to rounding.
    """

    def __init__(self) -> None:
        marks = mean_landmarks()
        # The meeting line of each slit takes the mean of both margins.
        for upper, lower in ((37, 41), (38, 40), (44, 46), (43, 47), (61, 67), (62, 66), (63, 65)):
            marks[[upper, lower]] = (marks[upper] + marks[lower]) / 2
        mirrored = _ANCHORS[_ANCHORS[:, 0] > 0] * [-1, 1, 1]
        points = np.concatenate([marks, _ANCHORS, mirrored])
        self._centres = points[:, :2]
        features = self._features(self._centres)
        missing = points[:, 2] - _slices(self._centres, None)
        gram = features @ features.T + _RIDGE * np.eye(len(points))
        self._weights = features.T @ np.linalg.solve(gram, missing)

    def _features(self, xy: Float64[np.ndarray, "N 2"]) -> Float64[np.ndarray, "N M"]:
        square = ((xy[:, None] - self._centres) ** 2).sum(2)
        return np.concatenate([np.exp(-square / (2 * width**2)) for width in _WIDTHS], 1)

    def depth(
        self, xy: Float64[np.ndarray, "N 2"], fraction: Float64[np.ndarray, " N"] | None = None
    ) -> Float64[np.ndarray, " N"]:
        """z at flat positions; `fraction` is x over the outline's half width where that is known."""
        return _slices(xy, fraction) + self._features(xy) @ self._weights

    def slope(self, xy: Float64[np.ndarray, "N 2"]) -> Float64[np.ndarray, "N 2"]:
        """dz/dx and dz/dy at flat positions, held to a slope of 2 near the outline."""
        step = 0.01
        east, north = np.array([step, 0.0]), np.array([0.0, step])
        slopes = np.stack([self.depth(xy + d) - self.depth(xy - d) for d in (east, north)], 1) / (2 * step)
        return np.clip(slopes, -2.0, 2.0)

    def positions(self, template: Template) -> Float64[np.ndarray, "V 3"]:
        """The neutral mean face, eyes open."""
        x, y = template.xy.T
        behind = template.behind
        # Under the jaw there is no room for a deep shell.
        room = 0.25 + 0.75 * smooth_ramp(-1.0, -0.3, y)
        z = self.depth(template.xy, template.fraction) - room * _SHELL_DEPTH[behind]
        extra = _SHELL_WIDTH[behind] * hermite(y, *_EXTRA_WIDTH.T)
        lids = Lids.at(template.xy, template.side)
        return np.stack([x + np.sign(x) * extra, y + lids.opening, z], 1)


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
