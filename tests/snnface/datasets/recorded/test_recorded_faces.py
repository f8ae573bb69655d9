"""The project's own layout: labels, windows and splits, synthetic or recorded, and what is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from snnface.app.synthesis import synthesise
from snnface.datasets.clip import Clip, FaceDataset
from snnface.datasets.published.dataset import PublishedDataset
from snnface.datasets.recorded.recorded_faces import RecordedFaces
from snnface.datasets.recorded.take_folder import frame_name
from snnface.datasets.samples import ClipSamples, batches
from snnface.datasets.synthesis import takes_of
from snnface.errors import ConfigError, DataError, DatasetNotFoundError, EventOrderError
from snnface.events import EventStream, FrameClip, Resolution, TimeWindow, write_events
from snnface.faces.detection import FaceCrop, TrackedLandmarks
from snnface.representations import HistogramConfig, PolarityHistogram
from tests.support.small_sets import SMALL_SET

SENSOR = Resolution(height=4, width=6)


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("synthetic") / "set"
    synthesise(root, SMALL_SET, num_workers=1)
    return root


@pytest.fixture
def own(synthetic: Path, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    return Path(shutil.copytree(synthetic, tmp_path / "own"))


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Two people as they would be recorded: no truth, no settings; the EVK4 saw one of them."""
    root = tmp_path / "recorded"
    events = EventStream(
        x=np.array([1], np.uint16), y=np.array([2], np.uint16), t_us=np.array([7]), polarity=np.array([True]),
        resolution=SENSOR,
    )  # fmt: skip
    for take in ("p1/AU_12", "p1/AU_45", "p2/AU_12"):
        (root / take).mkdir(parents=True)
        write_events(events, root / take / "davis.aedat4")
    write_events(events, root / "p1" / "AU_12" / "evk4.raw")
    (root / "clips.csv").write_text(
        "subject,au,t_on,t_apex,t_off,lux\n"
        "p1,12,1500000,1600000,1900000,300\np1,45,200000,300000,350000,\np2,12,1000000,1100000,1200000,900\n"
    )
    return root


def a_picture(root: Path) -> bytes:
    return next((root / "synthetic000" / "AU_12" / "davis_frames").iterdir()).read_bytes()


def labels_of(clip: Clip) -> dict[str, object]:
    return {name: value for name, value in clip.labels.items() if not isinstance(value, np.ndarray)}


def test_it_is_a_published_data_set_of_faces(synthetic: Path) -> None:
    faces = RecordedFaces(synthetic)
    assert isinstance(faces, FaceDataset)
    assert isinstance(faces, PublishedDataset)
    assert faces.is_synthetic
    assert faces.name == "recorded faces (small)"
    assert "leave one subject out" in faces.protocol


def test_a_synthetic_clip_has_every_label_in_the_middle_of_every_step(synthetic: Path) -> None:
    faces = RecordedFaces(synthetic)
    assert faces.class_names == {"action_unit": ("AU12 lip corner puller", "AU51 head turn left")}
    clip, take = faces.clips[1], takes_of(SMALL_SET, synthetic)[1]
    asked = take.trajectory.asked[0]
    assert (clip.clip_id, clip.subject, clip.window) == ("synthetic000/AU_51", "synthetic000", TimeWindow(0, 600_000))
    assert labels_of(clip) == {
        "action_unit": 1, "onset_us": asked.onset_us, "apex_us": asked.apex_us, "offset_us": asked.offset_us
    }  # fmt: skip
    t_us, camera = clip.label_t_us, take.cameras["davis"]
    assert t_us is not None
    # Eighteen whole steps of 33 ms are in 600 ms.
    assert t_us.tolist() == [16_500 + 33_000 * step for step in range(18)]
    np.testing.assert_allclose(
        clip.labels["action_unit_intensity"], take.trajectory.intensities(t_us, (12, 51)), atol=2e-3
    )
    np.testing.assert_allclose(clip.labels["valence_arousal"], take.trajectory.valence_arousal(t_us), atol=2e-3)
    points = take.scene.landmarks(take.trajectory, t_us, camera)
    np.testing.assert_allclose(clip.labels["landmarks68"], points, atol=0.05)
    np.testing.assert_allclose(np.asarray(clip.labels["face_box"])[:, :2], points.min(1) + 0.5, atol=0.05)


def test_clips_of_a_set_make_one_batch(synthetic: Path) -> None:
    # However many frames were exposed: labels over time are as many as pictures.
    faces = RecordedFaces(synthetic, label_step_us=40_000)
    pictures = PolarityHistogram(HistogramConfig(step_ms=40, resolution=SENSOR))
    (batch,) = batches(ClipSamples(faces, faces.clips, pictures), batch_size=4)
    assert batch.inputs.shape == (15, 4, 2, 4, 6)
    assert batch.targets["landmarks68"].shape == (4, 15, 68, 2)


def test_landmarks_are_those_of_the_camera_that_is_chosen(synthetic: Path) -> None:
    take = takes_of(SMALL_SET, synthetic)[0]
    clip = RecordedFaces(synthetic, events=None, frames="rgb").clips[0]
    assert clip.label_t_us is not None
    seen = take.scene.landmarks(take.trajectory, clip.label_t_us, take.cameras["rgb"])
    np.testing.assert_allclose(clip.labels["landmarks68"], seen, atol=0.05)


def test_a_recording_has_what_the_chosen_cameras_saw(synthetic: Path) -> None:
    both = RecordedFaces(synthetic, frames="davis_frames").recording("synthetic001/AU_12")
    assert both.frames is not None
    assert both.frames.pixels.shape == (6, 24, 32, 1)
    assert both.required_events().resolution == SMALL_SET.davis
    only = RecordedFaces(synthetic, events=None, frames="rgb").recording("synthetic001/AU_12")
    assert only.events is None
    assert only.frames is not None
    assert only.frames.pixels.shape == (6, 30, 40, 3)


def test_people_whom_a_camera_did_not_see_have_no_clips_of_it(synthetic: Path) -> None:
    faces = RecordedFaces(synthetic, events="evk4")
    assert {clip.subject for clip in faces.clips} == {"synthetic000"}
    assert faces.left_out == {}
    assert faces.recording("synthetic000/AU_12").required_events().resolution == SMALL_SET.evk4


def test_the_face_lies_where_the_truth_has_it(synthetic: Path) -> None:
    faces = RecordedFaces(synthetic)
    track = faces.face_track("synthetic000/AU_12", "rgb")
    np.testing.assert_array_equal(track.t_us, faces.truth("synthetic000/AU_12").frame_t_us)
    left, top, width, height = track.boxes[0]
    assert 0 < left < left + width < 40
    assert 0 < top < top + height < 30


def test_a_crop_cuts_events_frames_and_labels_alike(synthetic: Path) -> None:
    crop = FaceCrop(size=16, is_moving=False)
    whole, cut = (RecordedFaces(synthetic, frames="davis_frames", crop=some) for some in (None, crop))
    recording = cut.recording("synthetic000/AU_12")
    assert recording.required_events().resolution == Resolution(height=16, width=16)
    # Little but the face moves, so the crop may keep all.
    assert 0 < len(recording.required_events()) <= len(whole.recording("synthetic000/AU_12").required_events())
    assert recording.frames is not None
    assert recording.frames.pixels.shape == (6, 16, 16, 1)
    points, boxes = (np.asarray(cut.clips[0].labels[name]) for name in ("landmarks68", "face_box"))
    # The median place, in the largest size: the face fills 1 / 1.3 of it, in the middle.
    assert boxes[:, 2:].max() == pytest.approx(16 / 1.3, abs=0.1)
    np.testing.assert_allclose(np.median(boxes[:, :2] + boxes[:, 2:] / 2, axis=0), [8, 8], atol=0.1)
    np.testing.assert_allclose(points.min(1) + 0.5, boxes[:, :2], atol=1e-3)
    np.testing.assert_allclose(points.max(1) + 0.5, (boxes[:, :2] + boxes[:, 2:]), atol=1e-3)


def test_without_truth_the_face_is_found_in_the_frames_of_the_same_pixels(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = []

    def found(frames: FrameClip) -> TrackedLandmarks:
        looked_at.append(frames.pixels.shape)
        points = np.random.default_rng(0).uniform(4, 20, (len(frames), 68, 2))
        return TrackedLandmarks.of_points(points, frames.t_us, scores=np.ones(len(frames)))

    monkeypatch.setattr("snnface.faces.detection.tracking.track_landmarks", found)
    for path in own.rglob("truth.npz"):
        path.unlink()
    faces = RecordedFaces(own, crop=FaceCrop(size=8))
    for _ in range(2):
        assert faces.recording("synthetic000/AU_12").required_events().resolution == Resolution(height=8, width=8)
    # Looked at once: finding faces takes longer than anything else.
    assert looked_at == [(6, 24, 32, 1)]
    kept = own.parent / "kept"
    for _ in range(2):
        RecordedFaces(own, crop=FaceCrop(size=8), tracks=kept).recording("synthetic000/AU_12")
    assert len(looked_at) == 2
    # Frames that came or went since are looked at again.
    (own / "synthetic000" / "AU_12" / "davis_frames" / frame_name(9, 10_000_000)).write_bytes(a_picture(own))
    RecordedFaces(own, crop=FaceCrop(size=8), tracks=kept).recording("synthetic000/AU_12")
    assert looked_at[2:] == [(7, 24, 32, 1)]
    with pytest.raises(DataError, match="does not tell where the face is in the picture of evk4"):
        RecordedFaces(own, events="evk4", crop=FaceCrop()).recording("synthetic000/AU_12")


def test_the_miniature_is_read_as_recordings_of_people(miniature: Callable[[str], Path]) -> None:
    root = miniature("micro-expression")
    faces = RecordedFaces(root, frames="rgb")
    assert faces.is_synthetic
    assert len(faces.clips) == 16
    assert all(clip.label_t_us is None and set(labels_of(clip)) == set(clip.labels) for clip in faces.clips)
    assert len(faces.recording(faces.clips[3].recording_id).required_events()) > 1000
    assert {clip.subject for clip in RecordedFaces(root, events="evk4").clips} == {
        f"synthetic{number:03d}" for number in range(3)
    }


def test_one_subject_is_left_out_at_a_time(synthetic: Path) -> None:
    splits = list(RecordedFaces(synthetic).splits())
    assert [{clip.subject for clip in split.test} for split in splits] == [{"synthetic000"}, {"synthetic001"}]


def test_recordings_without_truth_have_their_unit_and_its_times(recorded: Path) -> None:
    faces = RecordedFaces(recorded)
    assert not faces.is_synthetic
    assert faces.class_names["action_unit"] == ("AU12 lip corner puller", "AU45 blink")
    assert [labels_of(clip)["action_unit"] for clip in faces.clips] == [0, 1, 0]
    assert all(clip.label_t_us is None for clip in faces.clips)
    # A second before and after, and not before the beginning.
    assert [clip.window for clip in faces.clips[:2]] == [TimeWindow(500_000, 2_900_000), TimeWindow(0, 1_350_000)]
    assert len(faces.recording("p2/AU_12").required_events()) == 1
    assert [clip.clip_id for clip in RecordedFaces(recorded, events="evk4").clips] == ["p1/AU_12"]


def test_several_clips_of_one_take_have_names_of_their_own(recorded: Path) -> None:
    with (recorded / "clips.csv").open("a") as table:
        table.write("p2,12,5000000,5100000,5200000,900\n")
    ids = [clip.clip_id for clip in RecordedFaces(recorded).clips]
    assert ids == ["p1/AU_12", "p1/AU_45", "p2/AU_12@1000000", "p2/AU_12@5000000"]


def test_a_clip_that_is_listed_twice_is_refused(recorded: Path) -> None:
    with (recorded / "clips.csv").open("a") as table:
        table.write("p2,12,1000000,1100000,1200000,900\n")
    with pytest.raises(DataError, match="should be listed once; p2/AU_12@1000000"):
        RecordedFaces(recorded)


def test_takes_that_are_not_there_are_named_or_left_out(recorded: Path) -> None:
    shutil.rmtree(recorded / "p1" / "AU_45")
    (recorded / "p2" / "AU_12" / "davis.aedat4").unlink()
    with pytest.raises(DataError, match=r"p1/AU_45: there is no such folder; p2/AU_12: neither davis\.aedat4 nor"):
        RecordedFaces(recorded)
    faces = RecordedFaces(recorded, on_missing="leave-out")
    assert [clip.clip_id for clip in faces.clips] == ["p1/AU_12"]
    assert set(faces.left_out) == {"p1/AU_45", "p2/AU_12"}


def test_frames_that_are_not_there_are_named(recorded: Path) -> None:
    with pytest.raises(DataError, match="p1/AU_12: the folder rgb is not there"):
        RecordedFaces(recorded, frames="rgb")


def test_a_camera_that_recorded_nothing_is_refused(recorded: Path) -> None:
    (recorded / "p1" / "AU_12" / "evk4.raw").unlink()
    with pytest.raises(DataError, match="should have takes with evk4; none of 3 clips has"):
        RecordedFaces(recorded, events="evk4")


def test_a_folder_without_a_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="should list the clips"):
        RecordedFaces(tmp_path)
    with pytest.raises(DatasetNotFoundError, match="should be the folder of recorded faces, which holds clips"):
        RecordedFaces(tmp_path / "nothing")


def test_a_recording_without_a_camera_is_refused(synthetic: Path) -> None:
    with pytest.raises(ConfigError, match="need a camera"):
        RecordedFaces(synthetic, events=None)
    with pytest.raises(ConfigError, match="label_step_us must be at least 1; got 0"):
        RecordedFaces(synthetic, label_step_us=0)
    with pytest.raises(DataError, match="unknown recording of this set 'x'"):
        RecordedFaces(synthetic).recording("x")


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("notes.txt", DataError, "should hold pictures named frame_<number>_<microseconds>.png .* it has notes.txt"),
        ("frame_7_2.png", EventOrderError, "frame_7_2.png should come after frame_000005_"),
    ],
)
def test_frames_whose_names_tell_no_time_are_refused(
    own: Path, name: str, error: type[Exception], message: str
) -> None:
    (own / "synthetic000" / "AU_12" / "rgb" / name).write_bytes(b"")
    with pytest.raises(error, match=message):
        RecordedFaces(own, frames="rgb").recording("synthetic000/AU_12")


def test_damaged_events_are_named(own: Path) -> None:
    path = own / "synthetic000" / "AU_12" / "davis.aedat4"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match=r"davis\.aedat4"):
        RecordedFaces(own).recording("synthetic000/AU_12")


@pytest.mark.parametrize("text", ["{", "[]", json.dumps("x")])
def test_a_damaged_set_file_is_named(own: Path, text: str) -> None:
    (own / "set.json").write_text(text)
    with pytest.raises(DataError, match=r"set\.json should be"):
        RecordedFaces(own)
