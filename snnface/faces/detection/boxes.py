"""Where faces are in a picture: boxes, and what any detector of faces must offer."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64, UInt8

from snnface.errors import DataError

__all__ = ["FaceBoxes", "FaceDetector", "box_of_points", "overlap", "ranked_boxes"]

_SAME_FACE = 0.2
"""Boxes of one face in two frames share at least this much (intersection over union)."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceBoxes:
    """Faces found in one picture; the surest first.

    Attributes:
        boxes: float64 [N, 4]: left, top, width, height in pixels, where pixel (x, y) is the
            square from (x, y) to (x + 1, y + 1). A box encloses the 68 points, from the brows
            to the chin and from ear to ear; it may reach beyond the picture.
        scores: how sure the detector is, float64 [N]; comparable within one detector only.

    Raises:
        DataError: if lengths differ, or a box is empty or not finite.
    """

    boxes: Float64[np.ndarray, "_ 4"]
    scores: Float64[np.ndarray, "_"]

    def __post_init__(self) -> None:
        if len(self.boxes) != len(self.scores):
            raise DataError(f"{len(self.boxes)} face boxes need as many scores; got {len(self.scores)}.")
        if not np.isfinite(self.boxes).all() or not (self.boxes[:, 2:] > 0).all():
            raise DataError("face boxes must be finite, with width and height above 0.")
        order = np.argsort(-self.scores, kind="stable")
        for name in ("boxes", "scores"):
            view = getattr(self, name)[order]
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    def __len__(self) -> int:
        return len(self.scores)


@runtime_checkable
class FaceDetector(Protocol):
    """Finds faces in a picture."""

    def detect(self, picture: UInt8[np.ndarray, "H W C"]) -> FaceBoxes:
        """The faces in a grey (C = 1) or RGB (C = 3) picture."""
        ...


def ranked_boxes(
    found: FaceBoxes, picture_shape: tuple[int, ...], last: Float64[np.ndarray, " 4"] | None
) -> Float64[np.ndarray, "N 4"]:
    """The boxes found, the likeliest to hold the face that is followed first.

    First those that overlap the last known box, the most first. Then the larger before the
    smaller, each box's side counting less the farther it lies from the middle of the
    picture (by up to half in a corner).

    Args:
        picture_shape: rows, columns, and whatever follows.
        last: None where no face is known yet.
    """
    boxes = np.asarray(found.boxes)
    middle = np.array([picture_shape[1], picture_shape[0]]) / 2
    away = np.linalg.norm(boxes[:, :2] + boxes[:, 2:] / 2 - middle, axis=1) / np.linalg.norm(middle)
    prominence = np.sqrt(boxes[:, 2] * boxes[:, 3]) * (1 - 0.5 * np.clip(away, 0, 1))
    shared = np.array([0.0 if last is None else overlap(box, last) for box in boxes])
    return boxes[np.lexsort((-prominence, -np.where(shared >= _SAME_FACE, shared, 0.0)))]


def overlap(one: Float64[np.ndarray, " 4"], other: Float64[np.ndarray, " 4"]) -> float:
    """Intersection over union of two boxes.

    >>> overlap(np.array([0.0, 0.0, 2.0, 2.0]), np.array([1.0, 0.0, 2.0, 2.0]))
    0.3333333333333333
    """
    shared = np.minimum(one[:2] + one[2:], other[:2] + other[2:]) - np.maximum(one[:2], other[:2])
    area = float(shared.clip(min=0).prod())
    return area / float(one[2:].prod() + other[2:].prod() - area)


def box_of_points(points: Float64[np.ndarray, "*B L 2"]) -> Float64[np.ndarray, "*B 4"]:
    """The smallest box around points given as (column, row) with pixel centres whole; NaN where a point is.

    >>> box_of_points(np.array([[1.0, 2.0], [5.0, 4.0]])).tolist()
    [1.5, 2.5, 4.0, 2.0]
    """
    low, high = points.min(-2), points.max(-2)
    return np.concatenate([low + 0.5, high - low], -1)
