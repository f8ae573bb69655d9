"""Identity modes of the built-in face: how people's heads differ in shape."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from jaxtyping import Float64

from snnface.faces.curves import smooth_ramp
from snnface.faces.procedural.surface import Lids
from snnface.faces.procedural.template import EYE_CORNERS, mouth_slit_height

__all__ = ["IDENTITY_MODES", "IdentityBasis", "identity_basis"]

Points = Float64[np.ndarray, "V 2"]
Offsets = Float64[np.ndarray, "V 3"]


@dataclass(frozen=True, slots=True, eq=False)
class IdentityBasis:
    """The named modes, decorrelated: coefficients drawn independently, each with its spread, give
    the same faces as named modes drawn independently with spread 1.

    Attributes:
        modes: orthonormal offsets, largest spread first.
        spread: standard deviation of each coefficient.
        mixing: named amounts @ mixing = coefficients.
    """

    modes: Float64[np.ndarray, "K V 3"]
    spread: Float64[np.ndarray, " K"]
    mixing: Float64[np.ndarray, "K K"]


def identity_basis(anchors: Points, lids: Lids, follows: Float64[np.ndarray, "V 3"]) -> IdentityBasis:
    """The identity basis of a mesh, from a singular value decomposition of the named modes' offsets.

    Args:
        anchors: flat position that each vertex goes along with.
        follows: how much of the offset at its anchor a vertex takes, in x, y and z; 0 where it stays.
        lids: the lids' openings at the vertices; all zero for vertices that are not skin.
    """
    named = np.stack([mode(anchors, lids) for mode in IDENTITY_MODES.values()]) * follows
    left, spread, rows = np.linalg.svd(named.reshape(len(named), -1), full_matrices=False)
    # The sign of a singular vector is free: its largest entry is made positive.
    signs = np.sign(rows[np.arange(len(rows)), np.abs(rows).argmax(1)])
    return IdentityBasis((rows * signs[:, None]).reshape(named.shape), spread, left * spread * signs)


def _bell(anchors: Points, x: float, y: float, width_x: float, width_y: float) -> Float64[np.ndarray, " V"]:
    """A bell on both halves of the face; one bell where x is 0."""
    across, up = anchors.T
    right = np.exp(-(((across + abs(x)) / width_x) ** 2 + ((up - y) / width_y) ** 2) / 2)
    left = np.exp(-(((across - abs(x)) / width_x) ** 2 + ((up - y) / width_y) ** 2) / 2)
    return right + left if x else right


def _moved(anchors: Points, weight: np.ndarray, outward: float, up: float, forward: float) -> Offsets:
    """(outward, up, forward) times a weight; outward grows smoothly from the middle line."""
    away = np.tanh(anchors[:, 0] / 0.05)
    return np.stack([away * weight * outward, weight * up, weight * forward], 1)


def _local(x: float, y: float, width_x: float, width_y: float, move: tuple[float, float, float]) -> "Mode":
    return lambda anchors, lids: _moved(anchors, _bell(anchors, x, y, width_x, width_y), *move)


def _face_width(anchors: Points, lids: Lids) -> Offsets:
    x = anchors[:, 0]
    return np.stack([0.04 * x * np.abs(x) / 0.8, 0 * x, 0 * x], 1)


def _face_length(anchors: Points, lids: Lids) -> Offsets:
    y = anchors[:, 1]
    return np.stack([0 * y, 0.035 * y * smooth_ramp(0.0, 0.3, np.abs(y)), 0 * y], 1)


def _jaw_width(anchors: Points, lids: Lids) -> Offsets:
    x, y = anchors.T
    weight = smooth_ramp(-0.35, -0.85, y) * np.abs(x) / 0.6
    return np.stack([0.035 * np.sign(x) * weight, 0 * y, 0 * y], 1)


def _eye_size(anchors: Points, lids: Lids) -> Offsets:
    offsets = _about_eyes(anchors, 0.07, 0.0)
    # Little, because lids close by the same amount for everyone.
    offsets[:, 1] += 0.03 * lids.opening
    return offsets


def _eye_tilt(anchors: Points, lids: Lids) -> Offsets:
    return _about_eyes(anchors, 0.0, 0.06)


def _about_eyes(anchors: Points, scale: float, tilt: float) -> Offsets:
    """Stretch along, or tilt of, the eyes about their centres."""
    outward = np.abs(anchors[:, 0]) + (EYE_CORNERS[0] + EYE_CORNERS[1]) / 2
    weight = _bell(anchors, 0.355, 0.0, 0.2, 0.13)
    return _moved(anchors, weight * outward, scale, tilt, 0.0)


def _lip_thickness(anchors: Points, lids: Lids) -> Offsets:
    height = anchors[:, 1] - mouth_slit_height(anchors[:, 0])
    return _moved(anchors, np.tanh(height / 0.06) * _bell(anchors, 0, -0.77, 0.2, 0.13), 0.0, 0.02, 0.0)


def _forehead_slope(anchors: Points, lids: Lids) -> Offsets:
    return _moved(anchors, smooth_ramp(0.3, 1.1, anchors[:, 1]), 0.0, 0.0, 0.07)


def _forehead_height(anchors: Points, lids: Lids) -> Offsets:
    return _moved(anchors, smooth_ramp(0.35, 1.1, anchors[:, 1]), 0.0, 0.07, 0.0)


Mode = Callable[[Points, Lids], Offsets]

IDENTITY_MODES: Mapping[str, Mode] = MappingProxyType(
    {
        "face width": _face_width,
        "face length": _face_length,
        "jaw width": _jaw_width,
        "chin length": _local(0, -1.22, 0.35, 0.13, (0.0, -0.04, 0.0)),
        "chin projection": _local(0, -1.12, 0.25, 0.16, (0.0, 0.0, 0.04)),
        "nose length": _local(0, -0.44, 0.17, 0.12, (0.0, -0.025, 0.0)),
        "nose width": _local(0.14, -0.48, 0.07, 0.10, (0.022, 0.0, 0.0)),
        "nose projection": _local(0, -0.36, 0.09, 0.12, (0.0, 0.0, 0.04)),
        "nose bridge": _local(0, -0.03, 0.07, 0.14, (0.0, 0.0, 0.03)),
        "eye spacing": _local(0.355, 0.02, 0.2, 0.16, (0.015, 0.0, 0.0)),
        "eye height": _local(0.355, 0.02, 0.24, 0.14, (0.0, 0.015, 0.0)),
        "eye size": _eye_size,
        "eye tilt": _eye_tilt,
        "eye depth": _local(0.355, 0.03, 0.2, 0.13, (0.0, 0.0, 0.02)),
        "brow height": _local(0.38, 0.30, 0.25, 0.10, (0.0, 0.025, 0.0)),
        "brow tilt": _local(0.62, 0.24, 0.13, 0.10, (0.0, 0.02, 0.0)),
        "brow ridge": _local(0.33, 0.24, 0.22, 0.08, (0.0, 0.0, 0.02)),
        "lip thickness": _lip_thickness,
        "mouth width": _local(0.28, -0.78, 0.13, 0.12, (0.022, 0.0, 0.0)),
        "mouth height": _local(0, -0.77, 0.35, 0.14, (0.0, 0.02, 0.0)),
        "cheek fullness": _local(0.48, -0.55, 0.18, 0.2, (0.01, 0.0, 0.035)),
        "cheekbones": _local(0.6, -0.2, 0.15, 0.14, (0.02, 0.0, 0.03)),
        "forehead slope": _forehead_slope,
        "forehead height": _forehead_height,
        "temple width": _local(0.8, 0.45, 0.15, 0.3, (0.03, 0.0, 0.0)),
    }
)
"""Named modes, each an offset of about one standard deviation among adults (our estimate)."""
