from pathlib import Path

import numpy as np
import pytest

from snnface.errors import ConfigError, DataError, EventOrderError, ShapeError
from snnface.faces.detection import (
    TrackedLandmarks,
    filled_gaps,
    read_tracked_landmarks,
    write_tracked_landmarks,
)


def points_at(*columns: float) -> np.ndarray:
    """A frame a number: points in two rows that begin at that column; NaN is a missing face."""
    base = np.stack([np.arange(68.0), np.arange(68.0) % 2], -1)
    return base + np.array(columns)[:, None, None] * [1, 0]


def track(*columns: float, step_us: int = 10) -> TrackedLandmarks:
    return TrackedLandmarks.of_points(points_at(*columns), np.arange(len(columns)) * step_us)


NONE = float("nan")


def test_missing_faces_are_nan_and_not_valid() -> None:
    tracked = track(0, NONE, 2)
    assert tracked.valid.tolist() == [True, False, True]
    assert np.isnan(tracked.landmarks[1]).all()
    assert np.isnan(tracked.boxes[1]).all()
    assert tracked.scores.tolist() == [1, 0, 1]
    assert tracked.boxes[2].tolist() == [2.5, 0.5, 67, 1]


def test_a_face_with_one_missing_point_counts_as_missing() -> None:
    points = points_at(0, 1)
    points[1, 30, 0] = np.inf
    tracked = TrackedLandmarks.of_points(points, np.arange(2))
    assert tracked.valid.tolist() == [True, False]
    assert np.isnan(tracked.landmarks[1]).all()


def test_arrays_are_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        track(0).landmarks[0] = 0


def test_shapes_must_fit() -> None:
    good = track(0, 1)
    with pytest.raises(ShapeError, match=r"landmarks of as many frames as times must have the axes \[2, 68, 2\]"):
        TrackedLandmarks(
            landmarks=good.landmarks[:1], valid=good.valid, boxes=good.boxes, scores=good.scores, t_us=good.t_us
        )


def test_a_number_in_a_missing_face_is_refused() -> None:
    good = track(0, 1)
    with pytest.raises(DataError, match="NaN where it is missing; frame 1, missing, is not"):
        TrackedLandmarks(
            landmarks=good.landmarks,
            valid=np.array([True, False]),
            boxes=good.boxes,
            scores=good.scores,
            t_us=good.t_us,
        )


def test_times_must_rise() -> None:
    with pytest.raises(EventOrderError, match="frame 2 does not come after"):
        TrackedLandmarks.of_points(points_at(0, 1, 2), np.array([0, 5, 5]))


def test_the_box_track_leaves_missing_faces_out() -> None:
    boxes = track(0, NONE, 2).box_track()
    assert boxes.t_us.tolist() == [0, 20]
    assert boxes.boxes[:, 0].tolist() == [0.5, 2.5]


def test_a_clip_without_any_face_has_no_box_track() -> None:
    with pytest.raises(DataError, match="in at least one frame; none was found in 2"):
        track(NONE, NONE).box_track()


def test_a_gap_is_filled_on_the_straight_line_in_time() -> None:
    tracked = TrackedLandmarks.of_points(points_at(0, NONE, NONE, 10), np.array([0, 30, 50, 100]))
    filled = filled_gaps(tracked, longest_us=100)
    np.testing.assert_allclose(filled.landmarks[:, 0, 0], [0, 3, 5, 10])
    assert filled.valid.all()
    assert filled.scores.tolist() == [1, 0, 0, 1]


def test_longer_gaps_and_both_ends_stay_missing() -> None:
    filled = filled_gaps(track(NONE, 0, NONE, NONE, 3, NONE, 5, NONE), longest_us=20)
    assert filled.valid.tolist() == [False, True, False, False, True, True, True, False]


def test_a_negative_gap_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 0; got -1"):
        filled_gaps(track(0), longest_us=-1)


def test_presence_between_frames_needs_a_face_before_and_after_within_the_gap() -> None:
    tracked = track(0, 1, NONE, NONE, 4, NONE)
    at_us = np.array([-1, 0, 5, 10, 11, 39, 40, 41])
    assert tracked.present_at(at_us, longest_us=10).tolist() == [False, True, True, True, False, False, True, False]
    assert tracked.present_at(at_us, longest_us=30).tolist() == [False, True, True, True, True, True, True, False]
    assert not track(NONE).present_at(at_us, longest_us=1000).any()


def test_writing_then_reading_is_the_identity(tmp_path: Path) -> None:
    tracked = TrackedLandmarks.of_points(points_at(0, NONE, 2.25), np.array([3, 7, 9]), scores=np.array([0.5, 0.9, 1]))
    write_tracked_landmarks(tracked, tmp_path / "a.npz")
    again = read_tracked_landmarks(tmp_path / "a.npz")
    for name in ("landmarks", "valid", "boxes", "scores", "t_us"):
        np.testing.assert_array_equal(getattr(again, name), getattr(tracked, name))


def test_a_file_of_other_types_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", landmarks=np.zeros((1, 68, 2), np.float32), scores=np.ones(1), t_us=np.zeros(1, int))
    with pytest.raises(DataError, match="float64 landmarks and scores and int64 t_us"):
        read_tracked_landmarks(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", landmarks=np.zeros((1, 66, 2)), scores=np.ones(1), t_us=np.zeros(1, int))
    with pytest.raises(ShapeError, match=r"must have the axes \[F, 68, 2\]"):
        read_tracked_landmarks(tmp_path / "b.npz")
