from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from snnface.errors import ConfigError
from snnface.events.frames import FrameClip
from snnface.faces.detection import (
    FaceBoxes,
    FaceDetector,
    FaceTracker,
    FoundLandmarks,
    LandmarkDetector,
    TrackingConfig,
    track_landmarks,
)
from snnface.faces.landmarks import mean_landmarks

SHAPE = mean_landmarks()[:, :2] * [20, -20]


@dataclass
class OneBox:
    """A face wherever the picture is not black: the box around the bright pixels."""

    calls: list[int] = field(default_factory=list)

    def detect(self, picture: np.ndarray) -> FaceBoxes:
        self.calls.append(1)
        rows, columns = np.nonzero(picture[..., 0])
        if not len(rows):
            return FaceBoxes(np.empty((0, 4)), np.empty(0))
        low = np.array([columns.min(), rows.min()], dtype=np.float64)
        return FaceBoxes(np.array([[*low, np.ptp(columns) + 1, np.ptp(rows) + 1]]), np.ones(1))


@dataclass
class MeanFace:
    """The mean face around the brightest pixel; no face in a dark picture, or far from the box."""

    boxes: list[np.ndarray] = field(default_factory=list)

    def landmarks(self, pictures: Sequence[np.ndarray], boxes: np.ndarray) -> FoundLandmarks:
        self.boxes.append(boxes[0])
        row, column = np.unravel_index(pictures[0][..., 0].argmax(), pictures[0].shape[:2])
        middle = boxes[0, :2] + boxes[0, 2:] / 2
        near = pictures[0].max() > 0 and np.abs(middle - [column, row]).max() < 40
        return FoundLandmarks((SHAPE + np.array([column, row]))[None], np.array([0.9 if near else 0.1]))


def clip_of(*columns: int | None) -> FrameClip:
    pixels = np.zeros((len(columns), 100, 200, 1), np.uint8)
    for frame, column in zip(pixels, columns, strict=True):
        if column is not None:
            frame[40:60, column - 10 : column + 10] = 100
            frame[50, column] = 250
    return FrameClip(pixels=pixels, t_us=np.arange(len(columns)) * 33_000)


def test_the_protocols_are_met() -> None:
    assert isinstance(OneBox(), FaceDetector)
    assert isinstance(MeanFace(), LandmarkDetector)


def test_points_follow_the_face_and_the_picture_is_searched_once() -> None:
    detector = OneBox()
    tracked = track_landmarks(clip_of(60, 63, 66), detector=detector, landmark_detector=MeanFace())
    np.testing.assert_allclose(tracked.landmarks, SHAPE + np.array([[60, 50], [63, 50], [66, 50]])[:, None])
    assert tracked.valid.all()
    assert tracked.t_us.tolist() == [0, 33_000, 66_000]
    assert len(detector.calls) == 1


def test_frames_without_a_face_are_missing_and_the_search_begins_anew() -> None:
    detector = OneBox()
    tracked = track_landmarks(clip_of(60, None, None, 150), detector=detector, landmark_detector=MeanFace())
    assert tracked.valid.tolist() == [True, False, False, True]
    assert np.isnan(tracked.landmarks[1:3]).all()
    assert tracked.scores.tolist() == [0.9, 0, 0, 0.9]
    assert len(detector.calls) == 4


def test_a_clip_without_faces_or_frames_is_no_error() -> None:
    dark = track_landmarks(clip_of(None, None), detector=OneBox(), landmark_detector=MeanFace())
    assert not dark.valid.any()
    none = track_landmarks([], detector=OneBox(), landmark_detector=MeanFace())
    assert len(none) == 0


def test_when_the_likeliest_box_holds_no_face_the_next_is_tried() -> None:
    class TwoBoxes:
        def detect(self, picture: np.ndarray) -> FaceBoxes:
            return FaceBoxes(np.array([[120.0, 0, 80, 80], [50, 40, 20, 20]]), np.ones(2))

    tracked = track_landmarks(clip_of(60), detector=TwoBoxes(), landmark_detector=MeanFace())
    np.testing.assert_allclose(tracked.landmarks[0], SHAPE + np.array([60, 50]))


def test_the_next_box_comes_from_the_points_before() -> None:
    points = MeanFace()
    track_landmarks(clip_of(60, 60), detector=OneBox(), landmark_detector=points)
    assert points.boxes[0].tolist() == [50, 40, 20, 20]
    np.testing.assert_allclose(points.boxes[1][2:], np.ptp(SHAPE, axis=0))


def test_pieces_of_a_stream_give_what_the_whole_gives() -> None:
    clip = clip_of(60, 64, None, 70, 90)
    whole = track_landmarks(clip, detector=OneBox(), landmark_detector=MeanFace())
    tracker = FaceTracker(detector=OneBox(), landmark_detector=MeanFace())
    for picture, points in zip(clip.pixels, whole.landmarks, strict=True):
        found = tracker.step(picture)
        np.testing.assert_array_equal(np.full((68, 2), np.nan) if found is None else found[0], points)


def test_smoothing_does_not_cross_a_gap() -> None:
    config = TrackingConfig(smoothing_ms=100.0)
    clip = clip_of(60, 60, None, 150, 150)
    tracked = track_landmarks(clip, detector=OneBox(), landmark_detector=MeanFace(), config=config)
    np.testing.assert_allclose(tracked.landmarks[[0, 1, 3, 4], 30, 0] - SHAPE[30, 0], [60, 60, 150, 150])


def test_smoothing_calms_the_points() -> None:
    clip = clip_of(60, 62, 60, 62, 60, 62)
    calm = track_landmarks(
        clip, detector=OneBox(), landmark_detector=MeanFace(), config=TrackingConfig(smoothing_ms=60.0)
    )
    assert np.ptp(calm.landmarks[1:-1, 30, 0]) < 1


@pytest.mark.parametrize("wrong", [{"least_score": 1.5}, {"smoothing_ms": -1.0}])
def test_impossible_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(ConfigError):
        TrackingConfig(**wrong)
