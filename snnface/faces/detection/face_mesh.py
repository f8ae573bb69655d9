"""From the 468-point face mesh to the 68 points."""

import numpy as np
from jaxtyping import Float

from snnface.errors import ShapeError
from snnface.faces.landmarks import NUM_LANDMARKS

__all__ = ["LANDMARKS68_OF_FACE_MESH", "landmarks_of_face_mesh"]

# fmt: off
LANDMARKS68_OF_FACE_MESH: tuple[int, ...] = (
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,  # jaw
    71, 63, 105, 66, 107, 336, 296, 334, 293, 301,  # brows
    168, 197, 5, 4, 75, 97, 2, 326, 305,  # nose
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,  # eyes
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,  # outer lip
    78, 82, 13, 312, 308, 317, 14, 87,  # inner lip
)
# fmt: on
"""The mesh point that stands for each of the 68; mirror symmetric.

The two sets mean slightly different places: after a similarity fit of the mean heads they differ
by 0.05 (eyes) to 0.1 (jaw) of the outer-eye distance. Train and test on one of them.

Source: the customary choice on the canonical face model of MediaPipe (Apache-2.0).
"""

_NUM_POINTS = (468, 478)


def landmarks_of_face_mesh(points: Float[np.ndarray, "*B M D"]) -> Float[np.ndarray, "*B 68 D"]:
    """The 68 points of a mesh of 468 points, or of 478, of which the last ten are the irises.

    Raises:
        ShapeError: if there are not so many.
    """
    if points.ndim < 2 or points.shape[-2] not in _NUM_POINTS:
        raise ShapeError(f"a face mesh has 468 points, or 478 with the irises; got an array of {list(points.shape)}.")
    assert len(LANDMARKS68_OF_FACE_MESH) == NUM_LANDMARKS
    return points[..., LANDMARKS68_OF_FACE_MESH, :]
