"""Shape coefficients from landmarks in closed form: a weighted ridge regression for each frame."""

import numpy as np
from jaxtyping import Bool, Float64, Int64

from snnface.errors import DataError, ShapeError
from snnface.faces.fitting.camera import Cameras
from snnface.faces.fitting.coefficient_loops import dual, primal

__all__ = ["fit_coefficients"]


def fit_coefficients(
    points: Float64[np.ndarray, "F L D"],
    cameras: Cameras,
    *,
    base: Float64[np.ndarray, "L 3"],
    basis: Float64[np.ndarray, "K L 3"],
    component_weights: Float64[np.ndarray, " K"],
    ridge: float,
    weights: Float64[np.ndarray, " L"] | Float64[np.ndarray, "F L"] | None = None,
    depth_weight: float = 0.25,
) -> Float64[np.ndarray, "F K"]:
    """The coefficients that take a base shape to the landmarks of each frame, under known cameras.

        r_i  = l_i - (A S_i + t)        residual of the base shape S
        Y_ik = A C_ik                   an offset has no place: t is no part of it
        min over alpha of  sum_i omega_i |(r_i - sum_k Y_ik alpha_k) / s|^2 + ridge sum_k alpha_k^2 / w_k

    r and Y are centred over the landmarks (weighted mean removed per coordinate), which is the exact
    joint optimum over alpha and t. Rows of depth (D = 3) count `depth_weight` times. With more
    components than rows the dual system is solved, with the same answer.

    The system of a frame is a sum of products of three axes with A^T A, so what depends on the
    basis and the weights alone is made once: a frame costs a Cholesky factorisation.

    Args:
        points: pixels, y up.
        base: S, of all frames. The coefficients are relative to it.
        ridge: lambda, in squared units of the model; it does not change with the size of the picture.
        weights: omega of each landmark, at least 0; None: 1. Landmarks of weight 0 may be NaN.

    Raises:
        ShapeError: if there are not as many points, cameras, weights and base points.
        DataError: if a point in use is not finite, a weight is negative or all of a frame's are zero, or
            the system of a frame has no single solution (lambda is 0 and the basis is not independent).

    Source: Ferrari et al. 2017 (DL-3DMM) for the form; the published objective projects the basis
    together with t and lacks the residual, which this corrects.
    """
    num_frames, num_points, size = points.shape
    omega = np.ones(num_points) if weights is None else weights
    if len(cameras) != num_frames or len(base) != num_points or basis.shape[1] != num_points:
        raise ShapeError(
            f"{num_frames} frames of {num_points} points need as many cameras and shapes of as many points; got "
            f"{len(cameras)} cameras, a base of {len(base)} and a basis of {basis.shape[1]} points."
        )
    _check_weights(omega)
    alpha = np.empty((num_frames, len(basis)))
    importance = np.array([1.0, 1.0, depth_weight])[:size]
    solve = _solve_primal if len(basis) <= size * num_points else _solve_dual
    for omega_of_group, frames in _groups(omega, num_frames):
        _check_finite(points, frames, omega_of_group)
        seen = np.where(omega_of_group[:, None] > 0, points[frames], 0.0)
        members = Cameras(linear=cameras.linear[frames], shift=cameras.shift[frames])
        alpha[frames], solved = solve(
            _residual(seen, members, base, omega_of_group),
            members.linear / members.scale[:, None, None],
            basis - np.average(basis, axis=1, weights=omega_of_group, keepdims=True),
            component_weights,
            ridge,
            omega_of_group,
            importance,
        )
        _check_solved(solved, frames)
    return alpha


def _solve_primal(
    residual: np.ndarray,
    linear: np.ndarray,
    centred: np.ndarray,
    component_weights: np.ndarray,
    ridge: float,
    omega: np.ndarray,
    importance: np.ndarray,
) -> tuple[Float64[np.ndarray, "F K"], Bool[np.ndarray, " F"]]:
    """The coefficients and whether each frame has a single solution; residual, camera and basis in the model's unit."""
    moments = np.ascontiguousarray((centred * omega[:, None]).transpose(2, 1, 0))
    gram = np.einsum("aik,mib->abkm", moments, centred, optimize=True)
    pulled = (linear * importance[:, None]).transpose(0, 2, 1)
    answer = np.empty((len(residual), len(centred)))
    solved = primal(
        np.ascontiguousarray(pulled @ residual),
        pulled @ linear,
        moments,
        np.ascontiguousarray(gram),
        ridge / component_weights,
        answer,
    )
    return answer, solved


def _solve_dual(
    residual: np.ndarray,
    linear: np.ndarray,
    centred: np.ndarray,
    component_weights: np.ndarray,
    ridge: float,
    omega: np.ndarray,
    importance: np.ndarray,
) -> tuple[Float64[np.ndarray, "F K"], Bool[np.ndarray, " F"]]:
    """As `_solve_primal`."""
    weighted = centred * component_weights[:, None, None]
    gram = np.einsum("kia,kjb->abij", weighted, centred, optimize=True)
    root = np.sqrt(importance[:, None] * omega)
    multipliers = np.empty_like(residual)
    solved = dual(residual, linear, root, np.ascontiguousarray(gram), float(ridge), multipliers)
    return np.einsum("kia,fai->fk", weighted, linear.transpose(0, 2, 1) @ multipliers, optimize=True), solved


def _residual(
    points: np.ndarray, cameras: Cameras, base: np.ndarray, omega: np.ndarray
) -> Float64[np.ndarray, "F D L"]:
    """What the base shape leaves over, centred and in units of the model."""
    residual = (points - cameras.project(base)).transpose(0, 2, 1)
    residual -= (residual @ omega / omega.sum())[..., None]
    return np.ascontiguousarray(residual / cameras.scale[:, None, None])


def _groups(omega: np.ndarray, num_frames: int) -> list[tuple[np.ndarray, Int64[np.ndarray, " G"]]]:
    """Each different set of weights, and the frames that have it."""
    if omega.ndim == 1:
        return [(omega, np.arange(num_frames))]
    rows = np.ascontiguousarray(omega)
    first: dict[bytes, int] = {}
    group = np.array([first.setdefault(row.tobytes(), len(first)) for row in rows], np.int64)
    members = [np.flatnonzero(group == number) for number in range(len(first))]
    return [(rows[frames[0]], frames) for frames in members]


def _check_weights(omega: np.ndarray) -> None:
    if not (np.isfinite(omega).all() and (omega >= 0).all() and (omega.sum(-1) > 0).all()):
        raise DataError(
            "weights of landmarks must be finite, at least 0, and not all 0 in a frame; they are not. "
            "Mark a frame without usable landmarks as one without a face."
        )


def _check_finite(points: np.ndarray, frames: np.ndarray, omega: np.ndarray) -> None:
    fine = np.isfinite(points[frames][:, omega > 0]).all((1, 2))
    if not fine.all():
        raise DataError(
            f"landmarks must be finite numbers; frame {int(frames[np.argmin(fine)])} holds others. "
            "Mark it as a frame without a face."
        )


def _check_solved(solved: np.ndarray, frames: np.ndarray) -> None:
    if not solved.all():
        raise DataError(
            f"the coefficients of frame {int(frames[np.argmin(solved)])} are not determined by its landmarks; "
            "use a greater lambda, or fewer components."
        )
