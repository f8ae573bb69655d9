"""Identity components: how neutral faces differ, by principal component analysis."""

import numpy as np
from jaxtyping import Float

from snnface.errors import DataError
from snnface.faces.components.components import Components

__all__ = ["identity_components"]

# Spreads below this share of the largest are rounding of the float32 coordinates.
RANK_TOLERANCE = 1e-6


def identity_components(neutrals: Float[np.ndarray, "N V 3"], num_components: int | None = None) -> Components:
    """An ID-3DMM: the principal components of neutral faces in correspondence.

    The template is the mean face; the basis is orthonormal over all coordinates, largest spread
    first, each with its largest entry positive; weights are variances, S^2 / (n - 1).

    Args:
        num_components: how many; None: all that there are. n faces differ in n - 1 directions at
            most: the paper's 22nd component of 22 actors is an arbitrary direction without spread.

    Raises:
        DataError: if a value is not finite, a face has no vertex, or the faces do not differ in so
            many directions.

    Source: Becattini et al. 2024, "Neuromorphic Facial Analysis with Cross-Modal Supervision", sec. 5.1.
    """
    if not np.isfinite(neutrals).all():
        broken = int(np.flatnonzero(~np.isfinite(neutrals).all((1, 2)))[0])
        raise DataError(f"the coordinates of neutral faces must be finite numbers; face {broken} holds others.")
    if len(neutrals) < 2 or not neutrals.size:
        raise DataError(
            f"identity components need two neutral faces at least; got {len(neutrals)} of {neutrals.shape[1]} vertices."
        )
    rows = neutrals.reshape(len(neutrals), -1).astype(np.float64)
    template = rows.mean(0)
    spread, right = np.linalg.svd(rows - template, full_matrices=False)[1:]
    scale = max(float(spread[0]), float(np.abs(rows).max()))
    rank = min(len(neutrals) - 1, int((spread > RANK_TOLERANCE * scale).sum()))
    wanted = rank if num_components is None else num_components
    if not 1 <= wanted <= rank:
        raise DataError(
            f"{len(neutrals)} neutral faces differ in {rank} directions here; {wanted} components were asked for. "
            f"Ask for 1..{rank}, or add other faces."
        )
    basis = right[:wanted] * np.sign(right[np.arange(wanted), np.abs(right[:wanted]).argmax(1)])[:, None]
    return Components(
        basis=basis.reshape(wanted, *neutrals.shape[1:]).astype(np.float32),
        weights=spread[:wanted] ** 2 / (len(neutrals) - 1),
        kind="identity",
        template=template.reshape(neutrals.shape[1:]).astype(np.float32),
    )
