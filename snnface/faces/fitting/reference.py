"""Which landmarks of a clip show the subject's neutral face."""

import numpy as np
from jaxtyping import Float64, Int64

from snnface.errors import DataError
from snnface.faces.fitting.camera import Cameras
from snnface.faces.fitting.frame_fit import FittingConfig, find_cameras

__all__ = ["neutral_reference"]


def neutral_reference(
    points: Float64[np.ndarray, "F 68 D"],
    frames: Int64[np.ndarray, " F"],
    template: Float64[np.ndarray, "68 3"],
    config: FittingConfig,
) -> Float64[np.ndarray, "68 D"]:
    """The landmarks of the reference frame, or the median of the most neutral frames as in one of them.

    Of "median": each frame is laid over the template by its camera; what is left over, in the model's
    scale and upright, is what the face is and does, without the head's motion. The clip's median of it
    is taken for neutral, as a face is at rest most of the time. The frames that move least against it
    are the most neutral ones, and the median of what they have left over is put back into the camera of
    the best of them.

    Args:
        points: of the frames with a face, pixels, y up.
        frames: the index of each in the clip.

    Raises:
        DataError: if the frame that was asked for has no face.
    """
    if isinstance(config.reference, int):
        row = np.flatnonzero(frames == config.reference)
        if not row.size:
            raise DataError(
                f"frame {config.reference} is to be the neutral reference, but no face was found in it (or the clip "
                f"is shorter). Choose another frame; the first with a face is {int(frames[0])}."
            )
        return points[int(row[0])]
    if config.reference == "first":
        return points[0]
    used = np.repeat(config.landmark_weights[None] > 0, len(points), 0)
    cameras = find_cameras(points, template, used, config)
    upright = _upright_axes(cameras)
    left_over = ((points - cameras.project(template)) @ upright) / cameras.scale[:, None, None]
    left_over[:, ~used[0]] = 0
    motion = np.square(left_over - np.median(left_over, 0)).sum((1, 2))
    # Ties go to the earlier frame.
    order = np.argsort(motion, kind="stable")[: config.num_neutral]
    best = int(order[0])
    neutral = np.median(left_over[np.sort(order)], 0)
    found = cameras.project(template)[best] + cameras.scale[best] * neutral @ upright[best].T
    return np.where(used[0][:, None], found, points[best])


def _upright_axes(cameras: Cameras) -> Float64[np.ndarray, "F D D"]:
    """Rotations in the picture, [F, D, D]: a row vector times one is as if the head were not tilted."""
    axes = np.repeat(np.eye(cameras.linear.shape[1])[None], len(cameras), 0)
    # Where the model's up points in the picture.
    up = cameras.linear[:, :2, 1]
    sine, cosine = (up / np.linalg.norm(up, axis=1)[:, None]).T
    axes[:, 0, 0] = axes[:, 1, 1] = cosine
    axes[:, 0, 1], axes[:, 1, 0] = sine, -sine
    return axes
