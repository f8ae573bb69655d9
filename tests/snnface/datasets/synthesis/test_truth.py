"""What is known of a take: landmarks at any time agree with the scene; what does not fit is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from snnface.arrays import read_arrays, write_arrays
from snnface.datasets.synthesis import SyntheticTake, Truth, read_truth, takes_of, write_take, write_truth
from snnface.errors import ConfigError, DataError
from tests.support.small_sets import SMALL_SET


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> SyntheticTake:
    # A head turn: pose and projection matter as much as the face.
    take = takes_of(SMALL_SET, tmp_path_factory.mktemp("truth"))[1]
    write_take(take)
    return take


@pytest.fixture(scope="module")
def truth(take: SyntheticTake) -> Truth:
    return read_truth(take.folder.truth)


@pytest.mark.parametrize("camera", ["davis", "davis_frames", "evk4", "rgb"])
def test_landmarks_at_any_millisecond_are_those_of_the_scene(take: SyntheticTake, truth: Truth, camera: str) -> None:
    t_us = np.array([0, 1_000, 77_000, 300_000, 599_000])
    expected = take.scene.landmarks(take.trajectory, t_us, take.cameras[camera])
    np.testing.assert_allclose(truth.landmarks(camera, t_us), expected, atol=1e-4)


def test_points_in_space_are_those_of_the_scene(take: SyntheticTake, truth: Truth) -> None:
    t_us = np.array([0, 250_000, 599_000])
    np.testing.assert_allclose(truth.landmarks3d(t_us), take.scene.landmarks3d(take.trajectory, t_us), atol=1e-6)


def test_between_milliseconds_motion_is_linear_and_after_the_end_it_rests(truth: Truth) -> None:
    before, between, after = truth.landmarks("davis", np.array([300_000, 300_250, 301_000]))
    np.testing.assert_allclose(between, 0.75 * before + 0.25 * after, atol=1e-4)
    last, beyond = truth.landmarks("davis", np.array([599_000, 10_000_000]))
    np.testing.assert_array_equal(last, beyond)


def test_plain_landmarks_stand_at_the_times_of_the_frames(take: SyntheticTake, truth: Truth) -> None:
    np.testing.assert_array_equal(truth.frame_t_us, take.folder.frame_files("rgb")[1])
    np.testing.assert_array_equal(truth.frame_t_us, take.folder.frame_files("davis_frames")[1])
    for name, camera in truth.cameras.items():
        # Frames lie between whole milliseconds, where the derived ones are linear.
        np.testing.assert_allclose(camera.landmarks68, truth.landmarks(name, truth.frame_t_us), atol=0.05)
    arrays = read_arrays(take.folder.truth)
    np.testing.assert_array_equal(arrays["landmarks68"][0], truth.cameras["davis"].landmarks68)
    assert arrays["camera_names"].tolist() == ["davis", "davis_frames", "evk4", "rgb"]


def test_the_box_holds_every_landmark_and_touches_four_of_them(truth: Truth) -> None:
    t_us = np.array([0, 300_000])
    left, top, width, height = truth.boxes("davis", t_us).T
    points = truth.landmarks("davis", t_us)
    np.testing.assert_allclose(points.min(1), np.stack([left, top], 1) - 0.5)
    np.testing.assert_allclose(points.max(1), np.stack([left + width, top + height], 1) - 0.5)


def test_every_contraction_and_its_times_are_known(take: SyntheticTake, truth: Truth) -> None:
    asked = take.trajectory.asked[0]
    assert truth.activation_au[0] == asked.code == 51
    assert truth.activation_us[0].tolist() == [asked.onset_us, asked.apex_us, asked.fall_us, asked.offset_us]
    assert truth.activation_origin[0] == "asked"
    assert "companion" in truth.activation_origin
    column = truth.intensities[:, truth.action_units.index(51)]
    assert column[: asked.onset_us // 1000 + 1].max() == 0
    assert column.max() == pytest.approx(asked.intensity, abs=1e-3)
    # The head follows the unit: 40 degrees at full intensity, beside a sway of a few.
    assert truth.poses[column.argmax(), 0] == pytest.approx(40 * asked.intensity, abs=5)


def test_a_truth_that_is_written_again_has_the_same_bytes(truth: Truth, take: SyntheticTake, tmp_path: Path) -> None:
    write_truth(truth, tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == take.folder.truth.read_bytes()


def test_a_camera_that_was_not_there_is_named(truth: Truth) -> None:
    with pytest.raises(ConfigError, match=r"unknown camera of this take 'evk5'\. Did you mean 'evk4'"):
        truth.landmarks("evk5", np.array([0]))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("poses", np.zeros((3, 6)), "intensities should be"),
        ("poses", np.zeros((600, 5)), "poses should be"),
        ("weights", np.zeros((600, 2), np.float32), "weights should be"),
        ("intensities", np.zeros((600, 29)), "an array of float32 with 2 axes was expected, float64"),
        ("gaze_deg", np.full((600, 2), np.nan, np.float32), "one of its numbers is not finite"),
        ("expression_names", np.zeros(3), "an array of str with 1 axes was expected"),
        ("frame_t_us", np.array([5, 4, 3, 2, 1, 0]), "frame times that rise"),
        ("camera_geometry", np.zeros((4, 4)), "scale must be positive"),
        ("camera_geometry", np.ones((3, 4)), "its cameras are not whole"),
        ("camera_sizes", np.zeros((4, 2), np.int64), "truth.npz should hold what is known"),
        ("activation_us", np.zeros((1, 4), np.int64), "activation_us should be"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    take: SyntheticTake, tmp_path: Path, name: str, value: np.ndarray, message: str
) -> None:
    path = tmp_path / "truth.npz"
    write_arrays(path, {**read_arrays(take.folder.truth), name: value})
    with pytest.raises(DataError, match=message):
        read_truth(path)


def test_a_file_of_pickled_objects_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "truth.npz", poses=np.array([{}], object))
    with pytest.raises(DataError, match="should hold what is known of a synthetic take"):
        read_truth(tmp_path / "truth.npz")


def test_a_missing_array_is_named(take: SyntheticTake, tmp_path: Path) -> None:
    arrays = read_arrays(take.folder.truth)
    del arrays["poses"]
    write_arrays(tmp_path / "truth.npz", arrays)
    with pytest.raises(DataError, match="it lacks poses"):
        read_truth(tmp_path / "truth.npz")


def test_a_truth_without_any_time_is_refused(truth: Truth) -> None:
    empty = {name: getattr(truth, name)[:0] for name in ("intensities", "weights", "poses", "gaze_deg")}
    with pytest.raises(DataError, match="needs at least one millisecond"):
        replace(truth, **empty, valence_arousal=truth.valence_arousal[:0])
