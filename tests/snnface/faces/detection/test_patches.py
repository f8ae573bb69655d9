import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnface.errors import DataError
from snnface.faces.detection.patches import (
    PATCH,
    face_frames,
    face_patch,
    frames_of_boxes,
    from_patches,
    grey,
    to_patches,
)
from snnface.faces.landmarks import mean_landmarks

FRAMES = st.tuples(st.floats(-50, 300), st.floats(-50, 300), st.floats(5, 400), st.floats(-3, 3)).map(
    lambda values: np.array([values])
)


def mean_face(scale: float = 60.0, column: float = 150.0, row: float = 120.0, roll_deg: float = 0.0) -> np.ndarray:
    flat = mean_landmarks()[:, :2] * [1, -1] * scale
    turn = np.deg2rad(roll_deg)
    return flat @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + [column, row]


def test_grey_of_rgb_is_luma_and_of_grey_itself() -> None:
    assert grey(np.full((2, 3, 1), 7, np.uint8)).tolist() == [[7] * 3] * 2
    assert grey(np.array([[[255, 0, 0], [0, 255, 0]]], np.uint8)).tolist() == [[76, 150]]


@pytest.mark.parametrize("shape", [(2, 3, 4), (0, 3, 1), (2, 3, 0)])
def test_what_is_no_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"1 \(grey\) or 3 \(RGB\), and not empty; got uint8"):
        grey(np.zeros(shape, np.uint8))


@given(FRAMES, st.integers(0, 2**32 - 1))
def test_to_the_patch_and_back_is_the_identity(frames: np.ndarray, seed: int) -> None:
    points = np.random.default_rng(seed).uniform(-100, 300, (1, 68, 2))
    np.testing.assert_allclose(from_patches(to_patches(points, frames), frames), points, atol=1e-8)


def test_the_edges_of_a_level_frame_are_at_one() -> None:
    frame = np.array([[10.0, 20.0, 8.0, 0.0]])
    corners = from_patches(np.array([[[-1.0, -1.0], [1.0, 1.0], [0.0, 0.0]]]), frame)[0]
    assert corners.tolist() == [[6, 16], [14, 24], [10, 20]]


def test_a_box_becomes_a_level_square_around_its_middle() -> None:
    frame = frames_of_boxes(np.array([[10.0, 20.0, 30.0, 50.0]]))[0]
    np.testing.assert_allclose(frame, [24.5, 44.5, 70.0, 0.0])


@pytest.mark.parametrize("roll_deg", [-40.0, 0.0, 25.0])
def test_a_tilted_face_becomes_level_and_alike_in_its_frame(roll_deg: float) -> None:
    level = to_patches(mean_face()[None], face_frames(mean_face()[None]))
    tilted = mean_face(scale=33.0, column=80.0, row=50.0, roll_deg=roll_deg)[None]
    frame = face_frames(tilted)
    assert np.rad2deg(frame[0, 3]) == pytest.approx(roll_deg)
    np.testing.assert_allclose(to_patches(tilted, frame), level, atol=1e-9)


@pytest.mark.parametrize(("side", "roll"), [(60.0, 0.3), (96.0, 0.0), (150.0, -0.5), (400.0, 0.2), (500.0, 0.0)])
def test_a_dot_in_the_picture_appears_where_its_point_is_in_the_patch(side: float, roll: float) -> None:
    frame = np.array([300.3, 280.8, side, roll])
    dot = np.array([300.0 + 0.2 * side, 281.0 - 0.11 * side])
    rows, columns = np.indices((600, 620))
    wide = max(side / PATCH, 1.0) * 2.5
    picture = (250 * np.exp(-((columns - dot[0]) ** 2 + (rows - dot[1]) ** 2) / (2 * wide**2))).astype(np.uint8)
    patch = face_patch(picture, frame).astype(np.float64)
    assert patch.shape == (PATCH, PATCH)
    place = np.array([(patch.sum(0) @ np.arange(PATCH)), (patch.sum(1) @ np.arange(PATCH))]) / patch.sum()
    expected = to_patches(dot[None, None], frame[None])[0, 0]
    np.testing.assert_allclose((2 * place + 1) / PATCH - 1, expected, atol=0.25 * 2 / PATCH)


def test_a_patch_beyond_the_picture_shows_the_colour_of_its_edge() -> None:
    picture = np.full((40, 40), 90, np.uint8)
    for frame in ([200.0, -100.0, 30.0, 0.4], [500.0, 500.0, 600.0, 0.0]):
        assert (face_patch(picture, np.array(frame)) == 90).all()


def test_a_much_finer_picture_is_averaged_and_not_sampled() -> None:
    stripes = np.tile(np.array([0, 200], np.uint8), (960, 480))
    patch = face_patch(stripes, np.array([479.5, 479.5, 960.0, 0.0]))
    assert abs(patch.astype(int) - 100).max() <= 3
