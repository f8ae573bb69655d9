"""Bringing meshes in correspondence into one place, before they are compared."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Float64
from scipy.spatial.transform import Rotation

from snnface.errors import DataError

__all__ = ["aligned_to"]

# Vertices that spread less than this share of their largest spread lie on a line.
FLATNESS = 1e-6


def aligned_to(
    reference: Float[np.ndarray, "V 3"],
    meshes: Sequence[Float[np.ndarray, "_ 3"]],
    *,
    still: Bool[np.ndarray, "_"] | None = None,
) -> Float64[np.ndarray, "N V 3"]:
    """Every mesh turned and shifted to lie as close to the reference as it can: never scaled, never mirrored.

    Size is part of an identity, and of an expression. For offsets of expressions the reference is
    the same subject's neutral face.

    Args:
        still: the vertices to judge by [V], those that no expression moves; None: all.

    Raises:
        DataError: if a mesh or `still` has other vertices than the reference, a coordinate is not
            finite, or the vertices to judge by lie on one line.
    """
    if not np.isfinite(reference).all():
        raise DataError("the coordinates of meshes must be finite numbers; the reference holds others.")
    chosen = np.ones(len(reference), dtype=bool) if still is None else still
    if len(chosen) != len(reference):
        raise DataError(f"still must tell of each of {len(reference)} vertices; it tells of {len(chosen)}.")
    goal = reference[chosen].astype(np.float64)
    middle = goal.mean(0) if len(goal) else np.zeros(3)
    if len(goal) < 3 or _lies_on_a_line(goal - middle):
        raise DataError(
            f"alignment needs three still vertices at least that do not lie on one line; these are {len(goal)}."
        )
    aligned = np.empty((len(meshes), *reference.shape))
    for number, mesh in enumerate(meshes):
        if mesh.shape != reference.shape:
            raise DataError(
                f"mesh {number} has {len(mesh)} vertices and the reference {len(reference)}: they are not in "
                "correspondence. Register them to one topology first."
            )
        if not np.isfinite(mesh).all():
            raise DataError(f"the coordinates of meshes must be finite numbers; mesh {number} holds others.")
        points = mesh.astype(np.float64)
        centre = points[chosen].mean(0)
        if _lies_on_a_line(points[chosen] - centre):
            raise DataError(f"the still vertices of mesh {number} lie on one line; it cannot be aligned by them.")
        turn, _ = Rotation.align_vectors(goal - middle, points[chosen] - centre)
        aligned[number] = turn.apply(points - centre) + middle
    return aligned


def _lies_on_a_line(centred: np.ndarray) -> bool:
    spread = np.linalg.svd(centred, compute_uv=False)
    return bool(spread[1] <= FLATNESS * spread[0])
