"""Sparse coding: a vector as the sum of few atoms."""

import numpy as np
from jaxtyping import Float64

from snnface.jit import jit

__all__ = ["MAX_PASSES", "sparse_codes"]

# A vector is done when no code moved by more than this share of the largest; far below single precision.
TOLERANCE = 1e-10
MAX_PASSES = 10_000
# Between two visits to all codes, those that are not zero are visited this often at most.
PASSES_OVER_ACTIVE = 10


def sparse_codes(
    vectors: Float64[np.ndarray, "N D"],
    atoms: Float64[np.ndarray, "K D"],
    *,
    l1: float,
    l2: float,
    nonnegative: bool = False,
    start: Float64[np.ndarray, "N K"] | None = None,
    max_passes: int = MAX_PASSES,
) -> Float64[np.ndarray, "N K"]:
    """The codes w of every vector v that minimise 1/2 |v - sum_k w_k d_k|^2 + l1 |w|_1 + l2 |w|^2.

    Coordinate descent: one code after the other is set to its optimum, atoms in order, until none
    moves, and between two rounds over all of them some rounds over those that are not zero. No step
    raises the objective. Unused codes are exactly 0.

    Args:
        nonnegative: whether codes below 0 are ruled out.
        start: codes to begin at; zeros by default. Of codes that settle it changes the rounding only.
        max_passes: rounds over all atoms after which a vector is left as it is.

    Source: Friedman, Hastie and Tibshirani 2010, doi:10.18637/jss.v033.i01, covariance updates.
    """
    codes = np.zeros((len(vectors), len(atoms))) if start is None else start.copy()
    gram = atoms @ atoms.T
    # What every atom would still explain by itself; kept up to date.
    remaining = vectors @ atoms.T - codes @ gram
    _descend(gram, remaining, float(l1), 2.0 * l2, nonnegative, max_passes, codes)
    return codes


@jit
def _descend(gram, remaining, l1, twice_l2, nonnegative, max_passes, codes):  # type: ignore[no-untyped-def]
    num_atoms = len(gram)
    for i in range(len(codes)):
        for _ in range(max_passes):
            settled = True
            for inner in range(1 + PASSES_OVER_ACTIVE):
                largest, moved = 0.0, 0.0
                for k in range(num_atoms):
                    old = codes[i, k]
                    if inner and old == 0.0:
                        continue
                    pull = remaining[i, k] + gram[k, k] * old
                    shrunk = max(pull - l1, 0.0)
                    if not nonnegative:
                        shrunk += min(pull + l1, 0.0)
                    curvature = gram[k, k] + twice_l2
                    new = shrunk / curvature if curvature > 0.0 else 0.0
                    if new != old:
                        step = new - old
                        for j in range(num_atoms):
                            remaining[i, j] -= gram[k, j] * step
                        codes[i, k] = new
                        moved = max(moved, abs(step))
                    largest = max(largest, abs(new))
                if moved <= TOLERANCE * largest:
                    break
                settled = False
            if settled:
                break
