from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnface.errors import ConfigError, ShapeError
from snnface.faces.detection import LANDMARKS68_OF_FACE_MESH, five_points, landmarks_of_face_mesh, mirrored_landmarks
from snnface.faces.landmarks import MIRROR68, mean_landmarks

CANONICAL = Path(__file__).resolve().parents[5] / "shared" / "data" / "face_model" / "mediapipe_canonical.npz"


def flat_face() -> np.ndarray:
    return mean_landmarks()[:, :2] * [30, -30] + [49.5, 40]


def test_a_symmetric_face_in_the_middle_is_its_own_mirror_image() -> None:
    np.testing.assert_allclose(mirrored_landmarks(flat_face(), width=100), flat_face())


@given(st.integers(1, 5000), st.integers(0, 2**32 - 1))
def test_mirroring_twice_changes_nothing(width: int, seed: int) -> None:
    points = np.random.default_rng(seed).uniform(-100, 2000, (3, 68, 2))
    np.testing.assert_allclose(mirrored_landmarks(mirrored_landmarks(points, width=width), width=width), points)


def test_the_right_corner_of_the_mouth_stays_the_subjects_right() -> None:
    points = flat_face()
    points[48] = [3.0, 60.0]
    mirrored = mirrored_landmarks(points, width=100)
    assert mirrored[54].tolist() == [96.0, 60.0]


def test_a_picture_without_width_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1 pixel wide; got 0"):
        mirrored_landmarks(flat_face(), width=0)


def test_the_five_points_are_eye_centres_nose_tip_and_mouth_corners() -> None:
    points = np.zeros((68, 2))
    points[36:42, 0] = [0, 1, 2, 3, 2, 1]
    points[42:48, 0] = 10
    points[30], points[48], points[54] = [5, 1], [3, 2], [7, 2]
    assert five_points(points).tolist() == [[1.5, 0], [10, 0], [5, 1], [3, 2], [7, 2]]


@pytest.mark.parametrize("count", [468, 478])
def test_the_mesh_is_mapped_by_its_table(count: int) -> None:
    mesh = np.arange(count, dtype=np.float64)[None, :, None].repeat(2, 2)
    assert landmarks_of_face_mesh(mesh)[0, :, 0].tolist() == list(LANDMARKS68_OF_FACE_MESH)


def test_other_meshes_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"468 points, or 478 with the irises; got an array of \[10, 2\]"):
        landmarks_of_face_mesh(np.zeros((10, 2)))


def test_each_mesh_point_stands_for_one_landmark() -> None:
    assert len({*LANDMARKS68_OF_FACE_MESH}) == 68


@pytest.mark.data
def test_the_table_is_that_of_the_canonical_model_and_mirror_symmetric_there() -> None:
    if not CANONICAL.is_file():
        pytest.skip("the canonical face mesh (../shared/data/face_model) is not on this machine")
    with np.load(CANONICAL) as file:
        vertices, table = file["vertices"].astype(np.float64), file["landmarks68"]
    assert table.tolist() == list(LANDMARKS68_OF_FACE_MESH)
    points = landmarks_of_face_mesh(vertices)
    np.testing.assert_allclose(points[list(MIRROR68)] * [-1, 1, 1], points, atol=1e-4)
    # The subject's right is at negative x, and the chin is the lowest point.
    assert points[36, 0] < points[45, 0]
    assert points[:, 1].argmin() == 8
