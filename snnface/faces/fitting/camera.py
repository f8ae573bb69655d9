"""Scaled orthographic and affine cameras from 68 points of a picture and of a shape."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float64

from snnface.errors import DataError
from snnface.faces.fitting.camera_loops import (
    FEW_POINTS,
    FLAT_SHAPE,
    NOT_FINITE,
    POINTS_ON_A_LINE,
    estimate,
)

__all__ = ["CameraKind", "Cameras", "estimate_cameras", "y_up"]

CameraKind = Literal["sop", "affine"]

_REASONS = {
    FEW_POINTS: "at least 6 landmarks are needed; there are fewer in use",
    NOT_FINITE: "landmarks must be finite numbers; some are not",
    FLAT_SHAPE: "the landmarks of the shape must span three dimensions; they lie in a plane or on a line",
    POINTS_ON_A_LINE: "the landmarks in the picture must not lie in one point or on a line; they do",
}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Cameras:
    """x = linear X + shift, one camera a frame; x in pixels with y up.

    Attributes:
        linear: float64 [F, D, 3]; row 0 gives columns, row 1 heights (minus rows), and row 2, where D
            is 3, depth towards the camera. Of a "sop" camera it is s times the first rows of a rotation.
        shift: float64 [F, D], in pixels.
    """

    linear: Float64[np.ndarray, "F D 3"]
    shift: Float64[np.ndarray, "F D"]

    def __len__(self) -> int:
        return len(self.linear)

    @property
    def scale(self) -> Float64[np.ndarray, " F"]:
        """Pixels in a unit of the model, s = sqrt(tr(A A^T) / 2) over columns and heights."""
        return np.sqrt((self.linear[:, :2] ** 2).sum((1, 2)) / 2)

    @property
    def yaw_deg(self) -> Float64[np.ndarray, " F"]:
        """The head's turn to the subject's left, of the rotation nearest to the camera."""
        across, up = self.linear[:, 0], self.linear[:, 1]
        forward = np.cross(across, up) / self.scale[:, None]
        return np.degrees(np.arctan2(-forward[:, 0], forward[:, 2]))

    def project(self, shapes: Float64[np.ndarray, "*F L 3"]) -> Float64[np.ndarray, "F L D"]:
        """Points of one shape, or of one shape a frame, in the pictures; y up."""
        return shapes @ self.linear.transpose(0, 2, 1) + self.shift[:, None]


def y_up(landmarks: Float[np.ndarray, "*F L D"]) -> Float64[np.ndarray, "*F L D"]:
    """Landmarks with rows counted downwards to y upwards, or back; in double precision."""
    flipped = landmarks.astype(np.float64)
    flipped[..., 1] *= -1
    return flipped


def estimate_cameras(
    points: Float64[np.ndarray, "F L D"],
    shapes: Float64[np.ndarray, "L 3"] | Float64[np.ndarray, "F L 3"],
    *,
    kind: CameraKind = "sop",
    used: Bool[np.ndarray, " L"] | Bool[np.ndarray, "F L"] | None = None,
    depth_weight: float = 0.25,
) -> Cameras:
    """The camera of each frame that takes the shape nearest to its points.

    Both sets are centred over the landmarks in use; A is the least-squares map between them. An
    "affine" camera keeps A, which has shear and unequal scales. "sop" (scaled orthographic) takes the
    nearest scaled rotation rows, s the mean singular value of A, and improves them in at most 10
    rounds: each point gets the depth that the camera predicts, then the similarity in three
    dimensions is solved (Procrustes, without reflection). The shift is one vector a frame.

    Points with depth (D = 3) pull with `depth_weight`: the depth of a round is the given one by that
    part and the predicted one by the rest, which is descent on the weighted squares. At 1 it is the
    similarity in three dimensions, at 0 the camera of the two other coordinates.

    Args:
        points: pixels, y up (see `y_up`); depth grows towards the camera and has no fixed zero.
        shapes: of all frames, or one a frame; x to the subject's left, y up, z forward.
        used: landmarks that count; None: all. Those that do not may be NaN.
        depth_weight: 0..1.

    Raises:
        DataError: naming the frame, if fewer than 6 landmarks are in use, one of them is not finite,
            the shape is flat (rank below 3), or the points lie on a line.

    Source: Umeyama 1991 (similarity without reflection); the alternation over unknown depths is
    the majorisation of the 2-D problem, as in "iterative Procrustes" pose estimation.
    """
    num_frames, num_points, size = points.shape
    every = np.ones(num_points, np.bool_) if used is None else used
    linear, shift = np.empty((num_frames, size, 3)), np.empty((num_frames, size))
    status = np.zeros(num_frames, np.int64)
    # Copies: numba compiles anew for every layout of the memory, which costs more than any copy.
    estimate(
        np.array(points, order="C"),
        np.array(np.broadcast_to(shapes, (num_frames, num_points, 3)), order="C"),
        np.array(np.broadcast_to(every, (num_frames, num_points)), order="C"),
        kind == "affine",
        float(depth_weight) if size == 3 else 0.0,
        linear,
        shift,
        status,
    )
    wrong = np.flatnonzero(status)
    if wrong.size:
        frame = int(wrong[0])
        raise DataError(
            f"no camera can be found for frame {frame}: {_REASONS[int(status[frame])]}. "
            "Mark the frame as one without a face, or use other landmarks."
        )
    return Cameras(linear=linear, shift=shift)
