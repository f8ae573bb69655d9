"""The camera is found exactly where it can be, by least squares elsewhere, and refused where there is none."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from snnface.errors import DataError
from snnface.faces.fitting import Cameras, estimate_cameras, y_up
from snnface.faces.landmarks import mean_landmarks

SHAPE = mean_landmarks()


def rotations(count: int, *, seed: int = 0, degrees: float = 30) -> np.ndarray:
    angles = np.random.default_rng(seed).uniform(-degrees, degrees, (count, 3))
    return Rotation.from_euler("yxz", angles, degrees=True).as_matrix()


def pictured(turns: np.ndarray, *, scale: float = 100, noise: float = 0, size: int = 2) -> np.ndarray:
    """The mean face under rotations, somewhere in the picture, [F, 68, size]."""
    generator = np.random.default_rng(1)
    points = scale * SHAPE @ turns.transpose(0, 2, 1)[:, :, :size] + generator.uniform(-500, 500, (len(turns), 1, size))
    return points + generator.normal(0, noise, points.shape)


def test_y_up_turns_the_rows_round_and_back_in_double_precision() -> None:
    landmarks = np.array([[[3, 4, 5]]], np.float32)
    assert y_up(landmarks).tolist() == [[[3, -4, 5]]]
    assert y_up(landmarks).dtype == np.float64
    np.testing.assert_array_equal(y_up(y_up(landmarks)), landmarks)


@pytest.mark.parametrize("kind", ["sop", "affine"])
@pytest.mark.parametrize("size", [2, 3])
def test_a_camera_without_noise_is_found_exactly(kind: Any, size: int) -> None:
    turns = rotations(20)
    points = pictured(turns, size=size)
    cameras = estimate_cameras(points, SHAPE, kind=kind)
    np.testing.assert_allclose(cameras.linear, 100 * turns[:, :size], atol=1e-9)
    np.testing.assert_allclose(cameras.project(SHAPE), points, atol=1e-9)
    np.testing.assert_allclose(cameras.scale, 100)


def test_yaw_is_the_turn_to_the_subjects_left() -> None:
    turns = Rotation.from_euler("yxz", [[25, 0, 0], [-40, 10, 0], [15, -20, 30]], degrees=True)
    # yxz in fixed axes: the turn about the vertical comes first, the tilt in the picture last.
    cameras = estimate_cameras(pictured(turns.as_matrix()), SHAPE)
    np.testing.assert_allclose(cameras.yaw_deg, [25, -40, 15], atol=1e-9)


def test_the_affine_camera_is_the_least_squares_map() -> None:
    points = pictured(rotations(5), noise=3)
    cameras = estimate_cameras(points, SHAPE, kind="affine")
    known = np.concatenate([SHAPE, np.ones((68, 1))], 1)
    for frame in range(5):
        answer = np.linalg.lstsq(known, points[frame])[0]
        np.testing.assert_allclose(cameras.linear[frame], answer[:3].T, rtol=1e-10)
        np.testing.assert_allclose(cameras.shift[frame], answer[3], rtol=1e-10)


def squares(scale: float, turn: np.ndarray, points: np.ndarray, weight: float) -> np.ndarray:
    """Residuals of a scaled rotation with its best shift, depth weighted."""
    found = scale * SHAPE @ turn.T
    left_over = points - found[:, : points.shape[1]]
    left_over = left_over - left_over.mean(0)
    return (left_over * np.sqrt([1, 1, weight][: points.shape[1]])).ravel()


@pytest.mark.parametrize(("size", "weight"), [(2, 0.25), (3, 0.25), (3, 1.0)])
def test_the_sop_camera_is_where_a_general_solver_ends(size: int, weight: float) -> None:
    points = pictured(rotations(6), noise=2, size=size)
    cameras = estimate_cameras(points, SHAPE, depth_weight=weight)
    for frame in range(6):
        best = least_squares(
            lambda p, x=points[frame]: squares(p[0], Rotation.from_rotvec(p[1:]).as_matrix(), x, weight),
            [100, 0, 0, 0],
            x_scale=[100, 1, 1, 1],
            xtol=1e-14,
            ftol=1e-14,
            gtol=1e-14,
        )
        across = cameras.linear[frame] / cameras.scale[frame]
        turn = np.stack([*across[:2], np.cross(across[0], across[1])])
        ours = np.square(squares(cameras.scale[frame], turn, points[frame], weight)).sum()
        # Ten rounds come within 0.1 % of the least squares.
        assert 2 * best.cost <= ours * (1 + 1e-9)
        assert ours <= 2 * best.cost * 1.001


def test_a_sop_camera_is_a_scaled_rotation_whatever_the_points() -> None:
    points = np.random.default_rng(2).normal(0, 50, (30, 68, 3))
    linear = estimate_cameras(points, SHAPE).linear
    scale = np.linalg.norm(linear[:, 0], axis=1)
    np.testing.assert_allclose(linear @ linear.transpose(0, 2, 1), scale[:, None, None] ** 2 * np.eye(3), atol=1e-8)
    # A rotation, never a reflection, of depths too.
    np.testing.assert_allclose(np.linalg.det(linear), scale**3)


def test_mirrored_depths_do_not_make_a_reflection() -> None:
    points = pictured(rotations(4), size=3) * (1, 1, -1)
    linear = estimate_cameras(points, SHAPE, depth_weight=1).linear
    assert (np.linalg.det(linear) > 0).all()


def test_depth_of_weight_zero_changes_nothing() -> None:
    points = pictured(rotations(4), noise=3, size=3)
    flat = estimate_cameras(points[..., :2], SHAPE)
    deep = estimate_cameras(points, SHAPE, depth_weight=0)
    np.testing.assert_array_equal(deep.linear[:, :2], flat.linear)


@given(seed=st.integers(0, 1000), degrees=st.floats(-180, 180))
def test_a_turn_of_the_picture_turns_the_camera(seed: int, degrees: float) -> None:
    points = pictured(rotations(1, seed=seed), noise=2)
    turn = Rotation.from_euler("z", degrees, degrees=True).as_matrix()[:2, :2]
    straight, turned = estimate_cameras(points, SHAPE), estimate_cameras(points @ turn.T, SHAPE)
    np.testing.assert_allclose(turned.linear[0], turn @ straight.linear[0], atol=1e-8)


def test_frames_do_not_know_of_one_another() -> None:
    points = pictured(rotations(7), noise=2)
    shapes = SHAPE + np.random.default_rng(3).normal(0, 0.02, (7, 68, 3))
    together = estimate_cameras(points, shapes)
    alone = [estimate_cameras(points[f : f + 1], shapes[f]).linear[0] for f in range(7)]
    np.testing.assert_array_equal(together.linear, alone)


def test_landmarks_out_of_use_have_no_effect_and_may_be_missing() -> None:
    points = pictured(rotations(3), noise=2)
    used = np.arange(68) >= 17
    wanted = estimate_cameras(points[:, 17:], SHAPE[17:])
    points[:, :17] = np.nan
    np.testing.assert_array_equal(estimate_cameras(points, SHAPE, used=used).linear, wanted.linear)


def test_too_few_landmarks_are_refused() -> None:
    with pytest.raises(DataError, match="frame 0: at least 6 landmarks are needed"):
        estimate_cameras(pictured(rotations(1)), SHAPE, used=np.arange(68) < 5)


def test_a_landmark_that_is_no_number_is_refused_with_its_frame() -> None:
    points = pictured(rotations(3))
    points[2, 5, 0] = np.nan
    with pytest.raises(DataError, match="frame 2: landmarks must be finite"):
        estimate_cameras(points, SHAPE)


@pytest.mark.parametrize("kind", ["sop", "affine"])
@pytest.mark.parametrize("flat", [SHAPE * (1, 1, 0), SHAPE * (1, 0, 0), SHAPE * 0])
def test_a_flat_shape_is_refused(kind: Any, flat: np.ndarray) -> None:
    turn = Rotation.from_euler("yxz", [20, 30, 10], degrees=True).as_matrix().T
    with pytest.raises(DataError, match="must span three dimensions"):
        estimate_cameras(pictured(rotations(1)), flat @ turn, kind=kind)


@pytest.mark.parametrize("kind", ["sop", "affine"])
@pytest.mark.parametrize("where", ["point", "line"])
def test_points_on_a_line_are_refused(kind: Any, where: str) -> None:
    along = np.zeros(68) if where == "point" else np.arange(68.0)
    points = np.stack([3 + along, 7 - 2 * along], 1)[None]
    with pytest.raises(DataError, match="must not lie in one point or on a line"):
        estimate_cameras(points, SHAPE, kind=kind)


def test_no_frames_have_no_cameras() -> None:
    assert len(estimate_cameras(np.empty((0, 68, 2)), SHAPE)) == 0


def test_project_takes_one_shape_or_one_a_frame() -> None:
    cameras = Cameras(linear=np.array([[[2.0, 0, 0], [0, 2.0, 0]]]), shift=np.array([[10.0, 20.0]]))
    shape = np.array([[1.0, 2.0, 9.0]])
    assert cameras.project(shape).tolist() == cameras.project(shape[None]).tolist() == [[[12.0, 24.0]]]
