"""Colours for face models that bring none: by part, and around the 68 points."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8

from snnface.errors import DataError
from snnface.faces.complexion import Complexion
from snnface.faces.curves import smooth_ramp
from snnface.faces.model import PARTS

__all__ = ["painted"]

# In outer-eye distances, from the middle of an eyeball's front.
_IRIS, _PUPIL = 0.068, 0.028
_LIPS = ((48, 49, 50, 51, 52, 53, 54), (64, 63, 62, 61, 60)), ((60, 67, 66, 65, 64), (54, 55, 56, 57, 58, 59, 48))


def painted(
    mean: Float32[np.ndarray, "V 3"],
    landmarks: Mapping[str, np.ndarray],
    part: Int8[np.ndarray, " V"],
    complexion: Complexion | None = None,
) -> Float32[np.ndarray, "V 3"]:
    """Linear reflectance of every vertex: skin, brows, lips, hair, eyes, teeth and mouth of one person.

    Args:
        landmarks: `landmark_vertices` and `landmark_weights` of the mesh.

    Raises:
        DataError: if the outer eye corners are not two points.
    """
    person = complexion or Complexion()
    corners = mean[landmarks["landmark_vertices"]].astype(np.float64)
    marks = (corners * landmarks["landmark_weights"][..., None]).sum(1)
    middle, scale = marks[[36, 45]].mean(0), float(np.linalg.norm(marks[45] - marks[36]))
    if not 0 < scale < np.inf:
        raise DataError("a face is painted by its 68 points; its outer eye corners must be apart, and finite numbers.")
    points, marks = (mean - middle) / scale, (marks - middle) / scale
    colour = np.tile(person.skin_colour, (len(mean), 1))
    is_skin = np.isin(part, [PARTS.index("skin"), PARTS.index("head")])
    front = is_skin & (points[:, 2] > -0.45)
    for indices in (range(17, 22), range(22, 27)):
        distance = _distance_to_line(points, marks[list(indices)])
        cover = smooth_ramp(person.brow_thickness + 0.015, person.brow_thickness - 0.015, distance)
        _blend(colour, person.brow_colour, np.where(front, cover, 0.0))
    for outer, inner in _LIPS:
        edge = marks[[*outer, *inner, outer[0]]]
        depth = _distance_to_line(points, edge) * np.where(_inside(points[:, :2], edge[:-1, :2]), -1, 1)
        inside = smooth_ramp(0.015, -0.015, depth)
        _blend(colour, person.lip_colour, np.where(front, inside, 0.0))
    # The hair line rises over the forehead and runs down behind the temples.
    above = points[:, 1] - (person.hairline - 0.9 * np.clip(-0.1 - points[:, 2], 0.0, 1.0))
    _blend(colour, person.hair_colour, np.where(is_skin, smooth_ramp(0.0, 0.03, above), 0.0))
    _paint_eyes(colour, points, part, person)
    colour[part == PARTS.index("teeth")] = 0.5
    colour[part == PARTS.index("mouth interior")] = (0.12, 0.03, 0.03)
    return colour.astype(np.float32)


def _paint_eyes(
    colour: Float64[np.ndarray, "V 3"], points: Float64[np.ndarray, "V 3"], part: np.ndarray, person: Complexion
) -> None:
    for side in (-1, 1):
        ball = (part == PARTS.index("eyeball")) & (points[:, 0] * side > 0)
        if not ball.any():
            continue
        pole = points[ball][points[ball, 2].argmax()]
        distance = np.linalg.norm(points - pole, axis=1)
        colour[ball] = 0.6
        for radius, paint in ((_IRIS, person.iris_colour), (_PUPIL, np.full(3, 0.02))):
            _blend(colour, paint, np.where(ball, smooth_ramp(radius + 0.008, radius - 0.008, distance), 0.0))
    colour[part == PARTS.index("iris")] = person.iris_colour
    colour[part == PARTS.index("pupil")] = 0.02
    colour[part == PARTS.index("limbus")] = 0.55


def _blend(colour: Float64[np.ndarray, "V 3"], paint: np.ndarray, cover: Float64[np.ndarray, " V"]) -> None:
    colour += (np.asarray(paint) - colour) * cover[:, None]


def _distance_to_line(
    points: Float64[np.ndarray, "V 3"], line: Float64[np.ndarray, "P 3"]
) -> Float64[np.ndarray, " V"]:
    """Distance in the picture plane to a line of points."""
    flat, knots = points[:, :2], line[:, :2]
    start, along = knots[:-1], np.diff(knots, axis=0)
    # Two of the points may be one vertex.
    share = ((flat[:, None] - start) * along).sum(2) / np.maximum((along**2).sum(1), 1e-12)
    nearest = start + np.clip(share, 0, 1)[..., None] * along
    return np.linalg.norm(flat[:, None] - nearest, axis=2).min(1)


def _inside(points: Float64[np.ndarray, "V 2"], outline: Float64[np.ndarray, "P 2"]) -> Bool[np.ndarray, " V"]:
    """True inside a closed outline, by the parity of crossings of a ray to the right."""
    start, end = outline, np.roll(outline, -1, axis=0)
    x, y = points[:, :1], points[:, 1:]
    spans = (start[:, 1] > y) != (end[:, 1] > y)
    rise = np.where(end[:, 1] == start[:, 1], 1.0, end[:, 1] - start[:, 1])
    crosses = x < start[:, 0] + (y - start[:, 1]) / rise * (end[:, 0] - start[:, 0])
    return (spans & crosses).sum(1) % 2 == 1
