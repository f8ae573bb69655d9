"""AFEW-VA: what the files say arrives, and damage is told."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snnface.app.dataset_emulation import DatasetConfig, emulate_dataset
from snnface.app.emulation import EmulationConfig
from snnface.datasets.fixtures.images import write_pictures
from snnface.datasets.published.afew_va import AfewVa
from snnface.errors import ConfigError, DataError, DatasetNotFoundError
from snnface.labels import read_clip_labels

POINTS = [[float(index), 2.0 * index] for index in range(68)]


def frame(valence: float = 0, arousal: float = 0, **more: Any) -> dict[str, Any]:
    return {"valence": valence, "arousal": arousal, "landmarks": POINTS} | more


def write_clip(
    root: Path, clip_id: str, frames: list[dict[str, Any]], *, actor: str = "A", num_pictures: int | None = None
) -> Path:
    """A clip of 4x4 pictures whose grey value is the number of the frame."""
    folder = root / clip_id
    num_pictures = len(frames) if num_pictures is None else num_pictures
    pixels = np.repeat(np.arange(num_pictures, dtype=np.uint8), 48).reshape(num_pictures, 4, 4, 3)
    folder.mkdir(parents=True)
    write_pictures([folder / f"{index:05d}.png" for index in range(num_pictures)], pixels)
    content = {"video_id": clip_id, "actor": actor, "frames": {f"{k:05d}": value for k, value in enumerate(frames)}}
    (folder / f"{clip_id}.json").write_text(json.dumps(content))
    return folder


def test_values_are_tenths_and_frames_have_the_times_of_the_rate(tmp_path: Path) -> None:
    write_clip(tmp_path, "001", [frame(-10, 10), frame(0, 3), frame(7, -4)], actor="Jane Doe")
    dataset = AfewVa(tmp_path, fps=20.0)
    (clip,) = dataset.clips
    assert (clip.clip_id, clip.recording_id, clip.subject) == ("001", "001", "Jane Doe")
    np.testing.assert_allclose(clip.labels["valence_arousal"], [[-1, 1], [0, 0.3], [0.7, -0.4]], rtol=1e-6)
    np.testing.assert_array_equal(clip.labels["landmarks68"], np.array([POINTS] * 3))
    assert clip.label_t_us is not None
    assert clip.label_t_us.tolist() == [0, 50_000, 100_000]
    assert (clip.window.start_us, clip.window.end_us) == (0, 150_000)
    assert "landmarks68_present" not in clip.labels


def test_a_frame_with_an_absurd_number_is_a_missing_picture(tmp_path: Path) -> None:
    folder = write_clip(tmp_path, "001", [frame()])
    (folder / "001.json").write_text(json.dumps({"frames": {"999999999": frame()}}))
    with pytest.raises(DataError, match=r"001: 999999999 pictures are missing, such as 00001\.png"):
        AfewVa(tmp_path)


def test_labels_that_were_saved_with_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    path = write_clip(tmp_path, "001", [frame(5, -5)]) / "001.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    (clip,) = AfewVa(tmp_path).clips
    np.testing.assert_allclose(clip.labels["valence_arousal"], [[0.5, -0.5]])


def test_pictures_count_whatever_the_case_of_their_suffix(tmp_path: Path) -> None:
    folder = write_clip(tmp_path, "001", [frame()] * 2)
    (folder / "00001.png").rename(folder / "00001.PNG")
    assert len(AfewVa(tmp_path).clips) == 1


def test_the_recording_holds_the_frames_in_order_and_colour(tmp_path: Path) -> None:
    write_clip(tmp_path, "001", [frame()] * 12)
    frames = AfewVa(tmp_path).recording("001").frames
    assert frames is not None
    assert frames.pixels.shape == (12, 4, 4, 3)
    assert frames.pixels[:, 0, 0, 0].tolist() == list(range(12))
    assert frames.t_us.tolist() == [40_000 * index for index in range(12)]


def test_frames_without_landmarks_or_values_are_masked_or_left_out(tmp_path: Path) -> None:
    frames = [frame(1, 1), frame(2, 2, landmarks=[]), frame(3, 3), {"landmarks": POINTS}]
    write_clip(tmp_path, "001", frames)
    (clip,) = AfewVa(tmp_path).clips
    assert np.asarray(clip.labels["landmarks68_present"]).tolist() == [True, False, True]
    assert not np.asarray(clip.labels["landmarks68"])[1].any()
    np.testing.assert_allclose(np.asarray(clip.labels["valence_arousal"])[:, 0], [0.1, 0.2, 0.3], rtol=1e-6)


def test_cropped_copies_are_passed_over(tmp_path: Path) -> None:
    folder = write_clip(tmp_path, "001", [frame()] * 3)
    write_clip(tmp_path, "001_cropped", [frame()] * 3)
    for path in list(folder.glob("*.png")):
        path.with_name(f"{path.stem}_cropped.png").write_bytes(path.read_bytes())
    dataset = AfewVa(tmp_path)
    assert [clip.clip_id for clip in dataset.clips] == ["001"]
    frames = dataset.recording("001").frames
    assert frames is not None
    assert len(frames) == 3


def test_clips_may_lie_in_the_folders_of_their_archives(tmp_path: Path) -> None:
    write_clip(tmp_path / "01", "001", [frame()])
    write_clip(tmp_path / "02", "051", [frame()])
    assert [clip.clip_id for clip in AfewVa(tmp_path).clips] == ["001", "051"]


def test_a_clip_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    write_clip(tmp_path / "01", "001", [frame()])
    write_clip(tmp_path / "02", "001", [frame()])
    with pytest.raises(DataError, match="listed once; 001 are listed more often"):
        AfewVa(tmp_path)


def test_no_actor_is_in_two_folds(tmp_path: Path) -> None:
    for number in range(12):
        write_clip(tmp_path, f"{number:03d}", [frame()], actor=f"actor {number // 2}")
    splits = list(AfewVa(tmp_path, num_folds=3).splits(seed=1))
    assert [len(split.test) for split in splits] == [4, 4, 4]
    assert {clip.clip_id for split in splits for clip in split.test} == {f"{number:03d}" for number in range(12)}


def test_an_unnamed_actor_is_a_subject_of_its_own(tmp_path: Path) -> None:
    write_clip(tmp_path, "001", [frame()], actor="")
    assert AfewVa(tmp_path).clips[0].subject == "001"


@pytest.mark.parametrize("missing", [0, 2, 3])
def test_missing_pictures_stop_the_loader_or_leave_the_clip_out(tmp_path: Path, missing: int) -> None:
    (write_clip(tmp_path, "001", [frame()] * 4) / f"{missing:05d}.png").unlink()
    write_clip(tmp_path, "002", [frame()])
    with pytest.raises(DataError, match=rf"001: 1 pictures are missing, such as {missing:05d}\.png.*leave-out"):
        AfewVa(tmp_path)
    dataset = AfewVa(tmp_path, on_missing="leave-out")
    assert [clip.clip_id for clip in dataset.clips] == ["002"]
    assert list(dataset.left_out) == ["001"]


def test_a_clip_without_annotation_or_pictures_is_told(tmp_path: Path) -> None:
    (write_clip(tmp_path, "001", [frame()]) / "001.json").unlink()
    write_clip(tmp_path, "002", [], num_pictures=0)
    with pytest.raises(DataError, match=r"2 clips.*001: there is no 001\.json; 002: there are no pictures in"):
        AfewVa(tmp_path)


def test_pictures_beyond_the_annotation_are_frames_without_labels(tmp_path: Path) -> None:
    write_clip(tmp_path, "001", [frame()] * 2, num_pictures=5)
    (clip,) = AfewVa(tmp_path).clips
    assert clip.label_t_us is not None
    assert len(clip.label_t_us) == 2
    assert clip.window.end_us == 200_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"frames": {"00000": {"valence": 1,\n "arousal" 2}}}', r"line 2 is no JSON"),
        ("[1, 2]", "it holds something else"),
        ('{"frames": {"x": {}}}', "it holds something else"),
        ('{"frames": {"1": {}, "01": {}}}', "1 frames are there twice"),
        ('{"frames": {"1": {}, "1": {}}}', "the key '1' is there twice"),
        ('{"frames": {"00000": {"valence": 11, "arousal": 0}}}', r"frame '00000': a number from -10 to 10.*got 11"),
        ('{"frames": {"00000": {"valence": NaN, "arousal": 0}}}', "a number from -10 to 10"),
        ('{"frames": {"00000": {"valence": "high", "arousal": 0}}}', "got 'high'"),
        ('{"frames": {"00000": {"valence": 0, "arousal": 0, "landmarks": [[1, 2]]}}}', "68 pairs"),
        ('{"frames": {"00000": {"valence": 0, "arousal": 0, "landmarks": {"a": 1}}}}', "68 pairs"),
        ("[" * 100_000, "it cannot be read"),
    ],
)
def test_damaged_annotations_are_told_with_their_place(tmp_path: Path, text: str, message: str) -> None:
    (write_clip(tmp_path, "001", [frame()]) / "001.json").write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        AfewVa(tmp_path)
    assert "001.json" in str(caught.value)


def test_huge_landmarks_and_other_encodings_are_refused(tmp_path: Path) -> None:
    folder = write_clip(tmp_path, "001", [frame(landmarks=[[1e300, 0.0]] * 68)])
    with pytest.raises(DataError, match="68 pairs"):
        AfewVa(tmp_path)
    (folder / "001.json").write_bytes(b'{"actor": "Ren\xe9"}')
    with pytest.raises(DataError, match="UTF-8"):
        AfewVa(tmp_path)


def test_the_reader_of_label_tables_sees_the_same_values(miniature: Callable[[str], Path]) -> None:
    root = miniature("afew-va")
    for clip in AfewVa(root).clips:
        table = read_clip_labels(root / clip.clip_id / f"{clip.clip_id}.json")
        columns = [table.names.index(name) for name in ("valence", "arousal")]
        values = np.array([[float(row[column]) for column in columns] for row in table.rows])
        np.testing.assert_allclose(np.asarray(clip.labels["valence_arousal"]) * 10, values, atol=1e-6)
        assert clip.label_t_us is not None
        assert table.t_us(clip.label_t_us).tolist() == clip.label_t_us.tolist()


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory, miniature: Callable[[str], Path]) -> tuple[Path, Path]:
    """The miniature, and what `snnface emulate` makes of it at 25 frames/s."""
    folder = tmp_path_factory.mktemp("emulated")
    root = miniature("afew-va")
    outcome = emulate_dataset(
        root, folder / "events", DatasetConfig(emulation=EmulationConfig(fps=25.0)), num_workers=1
    )
    assert not outcome.outcome.failures
    return root, folder / "events"


def test_frames_and_emulated_events_make_one_recording(emulated: tuple[Path, Path]) -> None:
    root, events = emulated
    dataset = AfewVa(root, events=events)
    recording = dataset.recording("003")
    assert recording.frames is not None
    assert recording.required_events().resolution == recording.frames.resolution
    assert len(recording.required_events()) > 0
    assert recording.required_events().window.end_us <= dataset.clips[2].window.end_us


def test_events_can_be_read_without_the_frames(emulated: tuple[Path, Path]) -> None:
    root, events = emulated
    dataset = AfewVa(root, events=events, has_frames=False)
    recording = dataset.recording("003")
    assert recording.frames is None
    pieces = list(dataset.event_pieces("003"))
    assert sum(map(len, pieces)) == len(recording.required_events())
    with pytest.raises(ConfigError, match="recordings need pictures or events"):
        AfewVa(root, has_frames=False)
    with pytest.raises(ConfigError, match="AFEW-VA was opened without events"):
        next(AfewVa(root).event_pieces("003"))


def test_events_of_another_frame_rate_would_drift_and_are_refused(emulated: tuple[Path, Path]) -> None:
    root, events = emulated
    with pytest.raises(DataError, match=r"emulated at 25\.0 frames/s, and the frames are to be read at 24\.0"):
        AfewVa(root, fps=24.0, events=events)


def test_events_of_other_frames_are_refused(emulated: tuple[Path, Path], tmp_path: Path) -> None:
    _, events = emulated
    write_clip(tmp_path, "001", [frame()] * 3)
    with pytest.raises(DataError, match=r"001\.h5 was made of 12 frames; the data set has 3 for it"):
        AfewVa(tmp_path, events=events).recording("001")


def test_clips_without_their_events_are_told(emulated: tuple[Path, Path], tmp_path: Path) -> None:
    _, events = emulated
    write_clip(tmp_path, "555", [frame()])
    with pytest.raises(DataError, match=r"555: there is no .*555\.h5"):
        AfewVa(tmp_path, events=events)


def test_a_folder_that_the_emulator_did_not_write_is_refused(tmp_path: Path) -> None:
    write_clip(tmp_path / "set", "001", [frame()])
    with pytest.raises(DatasetNotFoundError, match=r"there is none\. Make it with: snnface emulate"):
        AfewVa(tmp_path / "set", events=tmp_path / "absent")
    with pytest.raises(DataError, match=r"and emulation\.json; it holds no such file"):
        AfewVa(tmp_path / "set", events=tmp_path)
    (tmp_path / "emulation.json").write_text("{}")
    with pytest.raises(DataError, match="should be the settings of an emulation"):
        AfewVa(tmp_path / "set", events=tmp_path)
