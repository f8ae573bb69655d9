"""The closed form against its own objective, against SciPy, and against everything that must not matter."""

from typing import Any

import numpy as np
import pytest
from fitted_faces import drawn_cameras, drawn_model, pictures_of
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import check_grad, lsq_linear

from snnface.errors import DataError, ShapeError
from snnface.faces.fitting import Cameras, LandmarkModel, fit_coefficients

MODEL = drawn_model()
WEIGHTS = np.where(np.arange(68) < 17, 0.25, 1.0)
RIDGE = 1.3e-4


def fitted(points: np.ndarray, cameras: Cameras, model: LandmarkModel = MODEL, **options: Any) -> np.ndarray:
    settings: dict[str, Any] = {"ridge": RIDGE, "weights": WEIGHTS} | options
    return fit_coefficients(
        points,
        cameras,
        base=model.template,
        basis=model.expression,
        component_weights=model.expression_weights,
        **settings,
    )


def drawn_alpha(frames: int, count: int = 20, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.5, (frames, count))


def objective(
    alpha: np.ndarray, shift: np.ndarray, points: np.ndarray, linear: np.ndarray, ridge: float, depth_weight: float
) -> float:
    """As it is written: squares of what is left over in units of the model, any shift, and the penalty."""
    scale = np.sqrt(np.square(linear[:2]).sum() / 2)
    left_over = (points - (MODEL.template + np.tensordot(alpha, MODEL.expression, 1)) @ linear.T - shift) / scale
    rows = WEIGHTS[:, None] * np.array([1, 1, depth_weight])[: points.shape[1]]
    return float((rows * left_over**2).sum() + ridge * (alpha**2 / MODEL.expression_weights).sum())


def stacked(points: np.ndarray, linear: np.ndarray, depth_weight: float) -> tuple[np.ndarray, np.ndarray]:
    """The same objective as one tall system over (alpha, shift), for a general solver."""
    size = points.shape[1]
    scale = np.sqrt(np.square(linear[:2]).sum() / 2)
    root = np.sqrt(WEIGHTS[:, None] * np.array([1, 1, depth_weight])[:size])
    columns = [(root * (offset @ linear.T) / scale).ravel() for offset in MODEL.expression]
    columns += [(root * np.eye(size)[axis]).ravel() for axis in range(size)]
    penalty = np.concatenate([np.diag(np.sqrt(RIDGE / MODEL.expression_weights)), np.zeros((20, size))], 1)
    right = (root * (points - MODEL.template @ linear.T) / scale).ravel()
    return np.concatenate([np.stack(columns, 1), penalty]), np.concatenate([right, np.zeros(20)])


def test_the_base_shape_itself_has_coefficients_of_zero() -> None:
    cameras = drawn_cameras(10)
    assert np.abs(fitted(pictures_of(MODEL, np.zeros((10, 20)), cameras), cameras)).max() < 1e-10


@pytest.mark.parametrize("size", [2, 3])
def test_coefficients_come_back_without_noise_under_a_known_camera(size: int) -> None:
    alpha, cameras = drawn_alpha(10), drawn_cameras(10, size=size)
    assert np.abs(fitted(pictures_of(MODEL, alpha, cameras), cameras, ridge=1e-13) - alpha).max() < 1e-6


@pytest.mark.parametrize("size", [2, 3])
def test_the_answer_is_that_of_a_general_least_squares_solver(size: int) -> None:
    cameras = drawn_cameras(5, size=size)
    points = pictures_of(MODEL, drawn_alpha(5), cameras, noise=2)
    for frame, alpha in enumerate(fitted(points, cameras)):
        wanted = lsq_linear(*stacked(points[frame], cameras.linear[frame], 0.25)).x[:20]
        np.testing.assert_allclose(alpha, wanted, atol=1e-8)


@pytest.mark.parametrize("size", [2, 3])
def test_the_gradient_of_the_objective_vanishes_at_the_answer(size: int) -> None:
    cameras = drawn_cameras(1, size=size)
    points = pictures_of(MODEL, drawn_alpha(1), cameras, noise=2)[0]
    alpha = fitted(points[None], cameras)[0]
    linear, scale = cameras.linear[0], cameras.scale[0]
    left_over = points - (MODEL.template + np.tensordot(alpha, MODEL.expression, 1)) @ linear.T
    shift = np.average(left_over, axis=0, weights=WEIGHTS)

    def gradient(alpha: np.ndarray) -> np.ndarray:
        left_over = points - (MODEL.template + np.tensordot(alpha, MODEL.expression, 1)) @ linear.T - shift
        rows = WEIGHTS[:, None] * np.array([1, 1, 0.25])[:size] * left_over / scale**2
        pull = np.einsum("id,kid->k", rows, MODEL.expression @ linear.T)
        return -2 * pull + 2 * RIDGE * alpha / MODEL.expression_weights

    def value(alpha: np.ndarray) -> float:
        return objective(alpha, shift, points, linear, RIDGE, 0.25)

    start = drawn_alpha(1, seed=6)[0]
    assert check_grad(value, gradient, start, seed=0) < 1e-4 * np.linalg.norm(gradient(start))
    assert np.abs(gradient(alpha)).max() < 1e-10
    # The shift is at its optimum too, so no other pair does better.
    for axis in range(size):
        moved = shift + 1e-3 * np.eye(size)[axis]
        assert objective(alpha, moved, points, linear, RIDGE, 0.25) > value(alpha)


@given(right=st.floats(-1000, 1000), up=st.floats(-1000, 1000))
def test_a_shift_of_the_picture_changes_nothing(right: float, up: float) -> None:
    cameras = drawn_cameras(3)
    points = pictures_of(MODEL, drawn_alpha(3), cameras, noise=2)
    way = np.array([right, up])
    moved = Cameras(linear=cameras.linear, shift=cameras.shift + way)
    np.testing.assert_allclose(fitted(points + way, moved), fitted(points, cameras), atol=1e-9)
    # The camera's own shift does not matter either: the best one is part of the answer.
    np.testing.assert_allclose(fitted(points + way, cameras), fitted(points, cameras), atol=1e-9)


@given(factor=st.floats(0.01, 100))
def test_the_size_of_the_picture_changes_nothing(factor: float) -> None:
    cameras = drawn_cameras(3)
    points = pictures_of(MODEL, drawn_alpha(3), cameras, noise=2)
    larger = Cameras(linear=factor * cameras.linear, shift=factor * cameras.shift)
    np.testing.assert_allclose(fitted(factor * points, larger), fitted(points, cameras), atol=1e-9)


def test_a_greater_lambda_gives_smaller_coefficients_and_a_greater_error() -> None:
    cameras = drawn_cameras(1)
    points = pictures_of(MODEL, drawn_alpha(1), cameras, noise=2)
    sizes, errors = [], []
    for ridge in np.geomspace(1e-8, 10, 30):
        alpha = fitted(points, cameras, ridge=float(ridge))
        sizes.append((alpha**2 / MODEL.expression_weights).sum())
        left_over = points - cameras.project(MODEL.template + np.tensordot(alpha, MODEL.expression, 1))
        left_over -= np.average(left_over, axis=1, weights=WEIGHTS)[:, None]
        errors.append((WEIGHTS[:, None] * left_over[0] ** 2).sum())
    assert (np.diff(sizes) < 0).all()
    assert (np.diff(errors) > 0).all()


@pytest.mark.parametrize("count", [20, 150])
def test_landmarks_of_weight_zero_have_no_effect_and_may_be_missing(count: int) -> None:
    model, cameras = drawn_model(count), drawn_cameras(4)
    points = pictures_of(model, drawn_alpha(4, count), cameras, noise=2)
    weights = WEIGHTS * (np.arange(68) >= 17)
    wanted = fitted(points, cameras, model, weights=weights)
    moved = points.copy()
    moved[:, :17] += 50
    np.testing.assert_array_equal(fitted(moved, cameras, model, weights=weights), wanted)
    moved[:, :17] = np.nan
    np.testing.assert_array_equal(fitted(moved, cameras, model, weights=weights), wanted)


@pytest.mark.parametrize("size", [2, 3])
def test_the_dual_system_has_the_answer_of_the_primal_one(size: int) -> None:
    # More components than rows: the dual. The primal answer is worked out here, in full.
    count, cameras = 68 * size + 14, drawn_cameras(3, size=size)
    model = drawn_model(count)
    points = pictures_of(model, drawn_alpha(3, count) / 10, cameras, noise=2)
    rows = (WEIGHTS[:, None] * np.array([1, 1, 0.25])[:size]).ravel()
    for frame, alpha in enumerate(fitted(points, cameras, model)):
        linear, scale = cameras.linear[frame], cameras.scale[frame]
        basis = model.expression @ linear.T / scale
        basis -= np.average(basis, axis=1, weights=WEIGHTS)[:, None]
        left_over = (points[frame] - model.template @ linear.T) / scale
        left_over -= np.average(left_over, axis=0, weights=WEIGHTS)
        flat = basis.reshape(count, -1)
        gram = (flat * rows) @ flat.T + RIDGE * np.diag(1 / model.expression_weights)
        np.testing.assert_allclose(alpha, np.linalg.solve(gram, (flat * rows) @ left_over.ravel()), atol=1e-8)


def test_a_batch_is_its_frames_one_by_one() -> None:
    cameras = drawn_cameras(6)
    points = pictures_of(MODEL, drawn_alpha(6), cameras, noise=2)
    weights = np.where(np.arange(6)[:, None] % 2 == 0, WEIGHTS, 1.0)
    together = fitted(points, cameras, weights=weights)
    for frame in range(6):
        one = Cameras(linear=cameras.linear[frame : frame + 1], shift=cameras.shift[frame : frame + 1])
        alone = fitted(points[frame : frame + 1], one, weights=weights[frame])[0]
        np.testing.assert_allclose(alone, together[frame], atol=1e-12)


def test_depth_of_weight_zero_changes_nothing() -> None:
    cameras = drawn_cameras(3, size=3)
    points = pictures_of(MODEL, drawn_alpha(3), cameras, noise=2)
    flat = Cameras(linear=cameras.linear[:, :2], shift=cameras.shift[:, :2])
    np.testing.assert_allclose(fitted(points, cameras, depth_weight=0.0), fitted(points[..., :2], flat), atol=1e-12)


def test_no_frames_have_no_coefficients() -> None:
    assert fitted(np.empty((0, 68, 2)), drawn_cameras(0)).shape == (0, 20)


def test_a_landmark_that_is_no_number_is_refused_with_its_frame() -> None:
    cameras = drawn_cameras(3)
    points = pictures_of(MODEL, drawn_alpha(3), cameras)
    points[1, 40, 1] = np.inf
    with pytest.raises(DataError, match="frame 1 holds others"):
        fitted(points, cameras)


@pytest.mark.parametrize("weights", [np.zeros(68), np.full(68, -1.0), np.full(68, np.nan)])
def test_weights_that_are_none_are_refused(weights: np.ndarray) -> None:
    cameras = drawn_cameras(1)
    with pytest.raises(DataError, match="must be finite, at least 0, and not all 0"):
        fitted(pictures_of(MODEL, drawn_alpha(1), cameras), cameras, weights=weights)


def test_an_undetermined_system_is_refused() -> None:
    cameras = drawn_cameras(1)
    still = LandmarkModel(
        template=MODEL.template,
        identity=MODEL.identity,
        identity_weights=MODEL.identity_weights,
        expression=0 * MODEL.expression,
        expression_weights=MODEL.expression_weights,
    )
    with pytest.raises(DataError, match="frame 0 are not determined"):
        fitted(pictures_of(MODEL, drawn_alpha(1), cameras), cameras, still, ridge=0.0)


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match="2 frames of 68 points need as many cameras"):
        fitted(np.zeros((2, 68, 2)), drawn_cameras(3))
