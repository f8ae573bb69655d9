"""Square, upright patches of faces, and the way from patch coordinates back to the picture.

A frame (column, row, side, roll) is a square in the picture: its centre with pixel centres
whole, its side in pixels, and by how much it is turned, in radians; a positive roll turns
the patch's columns towards higher rows.
"""

import numpy as np
from jaxtyping import Float64, UInt8

from snnface.errors import DataError
from snnface.events.video.source import luma

__all__ = ["PATCH", "face_frames", "face_patch", "frames_of_boxes", "from_patches", "grey", "to_patches"]

PATCH = 96
"""Rows and columns of a patch."""

# The square's side, as a multiple of the longer side of the box around the 68 points.
_MARGIN = 1.4
_RIGHT_EYE, _LEFT_EYE = slice(36, 42), slice(42, 48)

Points = Float64[np.ndarray, "N L 2"]
Frames = Float64[np.ndarray, "N 4"]


def grey(picture: UInt8[np.ndarray, "H W C"]) -> UInt8[np.ndarray, "H W"]:
    """Luma of a grey or RGB picture.

    Raises:
        DataError: if it is empty, or has other than 1 or 3 channels.
    """
    if picture.ndim != 3 or picture.shape[2] not in (1, 3) or not picture.size or picture.dtype != np.uint8:
        raise DataError(
            "a picture must be uint8 [H, W, C] with C = 1 (grey) or 3 (RGB), and not empty; "
            f"got {picture.dtype} {list(picture.shape)}."
        )
    return np.ascontiguousarray(picture[..., 0]) if picture.shape[2] == 1 else luma(np.ascontiguousarray(picture))


def frames_of_boxes(boxes: Float64[np.ndarray, "N 4"]) -> Frames:
    """Level frames around boxes that enclose the 68 points (left, top, width, height)."""
    centre = boxes[:, :2] + boxes[:, 2:] / 2 - 0.5
    side = _MARGIN * boxes[:, 2:].max(1)
    return np.column_stack([centre, side, np.zeros(len(boxes))])


def face_frames(points: Float64[np.ndarray, "N 68 2"]) -> Frames:
    """Frames around faces whose points are known, turned so that the eyes are level."""
    across = points[:, _LEFT_EYE].mean(1) - points[:, _RIGHT_EYE].mean(1)
    roll = np.arctan2(across[:, 1], across[:, 0])
    level = np.einsum("nij,nlj->nli", _turns(-roll), points)
    low, high = level.min(1), level.max(1)
    centre = np.einsum("nij,nj->ni", _turns(roll), (low + high) / 2)
    return np.column_stack([centre, _MARGIN * (high - low).max(1), roll])


def from_patches(points: Points, frames: Frames) -> Points:
    """Points in patches, -1..1 from edge to edge, to (column, row) in the pictures."""
    turned = np.einsum("nij,nlj->nli", _turns(frames[:, 3]), points)
    return frames[:, None, :2] + turned * frames[:, None, 2:3] / 2


def to_patches(points: Points, frames: Frames) -> Points:
    """The inverse of `from_patches`."""
    return np.einsum("nij,nlj->nli", _turns(-frames[:, 3]), points - frames[:, None, :2]) * 2 / frames[:, None, 2:3]


def face_patch(picture: UInt8[np.ndarray, "H W"], frame: Float64[np.ndarray, " 4"]) -> UInt8[np.ndarray, "S S"]:
    """The part of a grey picture inside a frame, `PATCH` pixels a side.

    Bilinear; pictures that are much finer than the patch are first reduced by area averages.
    Beyond its edge the picture goes on in the colour of the edge.
    """
    import cv2

    column, row, side, roll = (float(value) for value in frame)
    step = side / PATCH
    factor = int(step)
    if factor >= 2:
        reach = int(side * 0.75) + 2
        top, left = max(0, int(row) - reach), max(0, int(column) - reach)
        part = picture[top : max(top, int(row) + reach), left : max(left, int(column) + reach)]
        height, width = part.shape[0] // factor, part.shape[1] // factor
        if height and width:
            picture = cv2.resize(
                part[: height * factor, : width * factor], (width, height), interpolation=cv2.INTER_AREA
            )
            column, row = (column - left + 0.5) / factor - 0.5, (row - top + 0.5) / factor - 0.5
            step /= factor
    turn = step * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    start = np.array([column, row]) - turn @ np.full(2, (PATCH - 1) / 2)
    return cv2.warpAffine(
        np.ascontiguousarray(picture),
        np.column_stack([turn, start]),
        (PATCH, PATCH),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _turns(angle: Float64[np.ndarray, " N"]) -> Float64[np.ndarray, "N 2 2"]:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
