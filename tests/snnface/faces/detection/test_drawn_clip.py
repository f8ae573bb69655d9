"""A drawn person before a grey camera: boxes, points and crops against the truth."""

import numpy as np
import pytest

from snnface.events.filters import BoxTrack
from snnface.events.frames import FrameClip
from snnface.events.window import Resolution
from snnface.faces.detection import FaceCrop, TrackedLandmarks, cropped_frames, track_landmarks
from snnface.faces.motion import TrajectoryConfig, drawn_trajectory
from snnface.faces.scene import Person, RgbCamera, Scene, SceneConfig
from snnface.seeding import SeedTree

CLIP_US = 800_000


@pytest.fixture(scope="module")
def take() -> tuple[FrameClip, np.ndarray]:
    """Frames of a smile with some sway of the head, and the true points at their times."""
    seeds = SeedTree(2)
    config = TrajectoryConfig(head_sway_deg=1.5)
    trajectory = drawn_trajectory(12, clip_us=CLIP_US, config=config, generator=seeds.numpy("motion"))
    scene = Scene.drawn(SceneConfig(cell=0.04), Person.drawn(seeds.numpy("person")), seeds.numpy("scene"))
    camera = RgbCamera(resolution=Resolution(height=200, width=260), channels=1)
    clip = scene.frames(trajectory, CLIP_US, camera)
    return clip, scene.landmarks(trajectory, np.asarray(clip.t_us), camera).astype(np.float64)


@pytest.fixture(scope="module")
def tracked(take: tuple[FrameClip, np.ndarray]) -> TrackedLandmarks:
    return track_landmarks(take[0])


def test_every_frame_has_its_points_near_the_truth(
    take: tuple[FrameClip, np.ndarray], tracked: TrackedLandmarks
) -> None:
    truth = take[1]
    eye_distance = np.linalg.norm(truth[:, 36] - truth[:, 45], axis=1)
    errors = np.linalg.norm(tracked.landmarks - truth, axis=2) / eye_distance[:, None]
    assert tracked.valid.all()
    assert errors[:, 17:].mean() < 0.035
    assert errors.mean() < 0.05


def test_the_points_follow_the_smile(take: tuple[FrameClip, np.ndarray], tracked: TrackedLandmarks) -> None:
    """The width of the mouth over time, against the truth."""
    found, truth = (np.linalg.norm(points[:, 54] - points[:, 48], axis=1) for points in (tracked.landmarks, take[1]))
    assert np.corrcoef(found, truth)[0, 1] > 0.8


def test_the_crop_holds_the_face_still_in_its_middle(
    take: tuple[FrameClip, np.ndarray], tracked: TrackedLandmarks
) -> None:
    clip, truth = take
    crop = FaceCrop()
    assert cropped_frames(clip, tracked.box_track(), crop).pixels.shape == (len(clip), 64, 64, 1)
    true_boxes = TrackedLandmarks.of_points(truth, np.asarray(clip.t_us)).box_track()
    assert isinstance(true_boxes, BoxTrack)
    middle = tracked.boxes[:, :2] + tracked.boxes[:, 2:] / 2
    true_middle = np.asarray(true_boxes.boxes)[:, :2] + np.asarray(true_boxes.boxes)[:, 2:] / 2
    assert np.abs(middle - true_middle).max() < 0.05 * true_boxes.boxes[:, 2].mean()
