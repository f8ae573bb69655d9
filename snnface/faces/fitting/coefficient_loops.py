"""The compiled loops of `fit_coefficients`: weighted ridge regression of each frame, by Cholesky."""

import numpy as np

from snnface.jit import jit

__all__ = ["dual", "primal"]


@jit
def primal(pull, metric, moments, gram, ridge, coefficients):  # type: ignore[no-untyped-def]
    """K unknowns a frame. False for a frame whose matrix is not positive definite.

    Args:
        pull: A^T residual / s^2 of each landmark, [F, 3, L].
        metric: A^T A / s^2, [F, 3, 3].
        moments: centred, weighted basis, [3, L, K].
        gram: basis^T weights basis for each pair of axes, [3, 3, K, K], centred.
        ridge: added to the diagonal, [K].
        coefficients: the answer, [F, K].
    """
    num_frames, num_points, size = len(pull), pull.shape[2], len(ridge)
    solved = np.ones(num_frames, np.bool_)
    system, right = np.empty((size, size)), np.empty(size)
    for f in range(num_frames):
        right[:] = 0.0
        for a in range(3):
            for i in range(num_points):
                force = pull[f, a, i]
                for k in range(size):
                    right[k] += force * moments[a, i, k]
        system[:] = 0.0
        for a in range(3):
            for b in range(3):
                factor = metric[f, a, b]
                for k in range(size):
                    for m in range(k, size):
                        system[k, m] += factor * gram[a, b, k, m]
        for k in range(size):
            system[k, k] += ridge[k]
        solved[f] = _solve(system, right)
        # Written out: numba takes seconds to compile what an assignment to a slice says where lengths differ.
        for k in range(size):
            coefficients[f, k] = right[k]
    return solved


@jit
def dual(residual, linear, root, gram, ridge, multipliers):  # type: ignore[no-untyped-def]
    """D L unknowns a frame, whatever the number of components; the multiplier of each row.

    Args:
        residual: centred, divided by s, [F, D, L].
        linear: A / s, [F, D, 3].
        root: square root of the weight of each row, [D, L].
        gram: basis diag(w) basis^T for each pair of axes, [3, 3, L, L], centred.
        ridge: lambda.
        multipliers: W (residual - Y coefficients) / lambda, the answer, [F, D, L].
    """
    num_frames, size, num_points = residual.shape
    solved = np.ones(num_frames, np.bool_)
    system, right = np.empty((size * num_points, size * num_points)), np.empty(size * num_points)
    for f in range(num_frames):
        for c in range(size):
            for d in range(c, size):
                for i in range(num_points):
                    row = system[c * num_points + i, d * num_points : (d + 1) * num_points]
                    row[:] = 0.0
                    for a in range(3):
                        for b in range(3):
                            factor = linear[f, c, a] * linear[f, d, b] * root[c, i]
                            for j in range(num_points):
                                row[j] += factor * root[d, j] * gram[a, b, i, j]
            for i in range(num_points):
                system[c * num_points + i, c * num_points + i] += ridge
                right[c * num_points + i] = root[c, i] * residual[f, c, i]
        solved[f] = _solve(system, right)
        for c in range(size):
            for i in range(num_points):
                multipliers[f, c, i] = root[c, i] * right[c * num_points + i]
    return solved


@jit
def _solve(system, right):  # type: ignore[no-untyped-def]
    """Cholesky in place on the upper triangle, `right` becomes the answer; False if not positive definite."""
    size = len(right)
    for j in range(size):
        pivot = system[j, j]
        if not pivot > 0:
            return False
        inverse = 1 / np.sqrt(pivot)
        for k in range(j, size):
            system[j, k] *= inverse
        for i in range(j + 1, size):
            factor = system[j, i]
            for k in range(i, size):
                system[i, k] -= factor * system[j, k]
        # The lower triangle's system is solved along the way.
        right[j] *= inverse
        for k in range(j + 1, size):
            right[k] -= system[j, k] * right[j]
    for j in range(size - 1, -1, -1):
        total = right[j]
        for k in range(j + 1, size):
            total -= system[j, k] * right[k]
        right[j] = total / system[j, j]
    return True
