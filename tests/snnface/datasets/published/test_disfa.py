"""DISFA: grades, frames and landmarks of the same instants."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from videos import write_video

from snnface.app.dataset_emulation import DatasetConfig, emulate_dataset
from snnface.datasets.published.disfa import ACTION_UNITS, LANDMARKS66, PROTOCOL_ACTION_UNITS, Disfa
from snnface.errors import ConfigError, DataError

NUM_FRAMES = 10


def write_subject(root: Path, subject: str = "SN001", *, num_frames: int = NUM_FRAMES) -> None:
    """Frame k is of grey 10 + 20 k; AU 12 has the grade k mod 6, all others 0."""
    folder = root / "ActionUnit_Labels" / subject
    folder.mkdir(parents=True)
    for code in ACTION_UNITS:
        grades = [(frame % 6 if code == 12 else 0) for frame in range(num_frames)]
        (folder / f"{subject}_au{code}.txt").write_text("".join(f"{k},{g}\n" for k, g in enumerate(grades, 1)))
    path = root / "Video_LeftCamera" / f"LeftVideo{subject}_comp.avi"
    path.parent.mkdir(exist_ok=True)
    pictures = [np.full((32, 32, 3), 10 + 20 * k, np.uint8) for k in range(num_frames)]
    times = [50_000 * k for k in range(num_frames)]
    options = {"codec": "mpeg4", "num_b_frames": 0, "bit_rate": 4_000_000}
    write_video(path, pictures, times, clock=Fraction(1, 20), **options)  # type: ignore[arg-type]


def test_the_published_lists() -> None:
    assert len(ACTION_UNITS) == 12
    assert set(PROTOCOL_ACTION_UNITS) <= set(ACTION_UNITS)
    assert len(LANDMARKS66) == 66
    assert not {60, 64} & set(LANDMARKS66)


def test_clips_hold_the_grades_and_frames_of_the_same_instants(tmp_path: Path) -> None:
    write_subject(tmp_path)
    dataset = Disfa(tmp_path, clip_frames=5)
    first, second = dataset.clips
    assert (first.clip_id, second.clip_id, second.subject) == ("SN001/00000", "SN001/00005", "SN001")
    column = ACTION_UNITS.index(12)
    assert np.asarray(second.labels["action_unit_intensity"])[:, column].tolist() == [5, 0, 1, 2, 3]
    assert second.label_t_us is not None
    assert second.label_t_us.tolist() == [250_000, 300_000, 350_000, 400_000, 450_000]
    assert (second.window.start_us, second.window.end_us) == (250_000, 500_000)
    frames = dataset.recording(second.recording_id).frames
    assert frames is not None
    assert frames.t_us.tolist() == second.label_t_us.tolist()
    np.testing.assert_allclose(frames.pixels.mean(axis=(1, 2, 3)), [110, 130, 150, 170, 190], atol=4)


def test_active_is_grade_two_and_more_of_the_eight_units(tmp_path: Path) -> None:
    write_subject(tmp_path)
    (clip,) = Disfa(tmp_path, clip_frames=NUM_FRAMES).clips
    active = np.asarray(clip.labels["action_unit_active"])
    assert active.shape == (NUM_FRAMES, 8)
    assert active[:, PROTOCOL_ACTION_UNITS.index(12)].tolist() == [k % 6 >= 2 for k in range(NUM_FRAMES)]
    assert active.sum() == sum(k % 6 >= 2 for k in range(NUM_FRAMES))


def test_the_last_clip_begins_earlier_to_be_as_long(tmp_path: Path) -> None:
    write_subject(tmp_path)
    clips = Disfa(tmp_path, clip_frames=4).clips
    assert [clip.clip_id for clip in clips] == ["SN001/00000", "SN001/00004", "SN001/00006"]
    assert {len(np.asarray(clip.labels["action_unit_active"])) for clip in clips} == {4}


def test_clips_longer_than_the_video_are_refused(tmp_path: Path) -> None:
    write_subject(tmp_path)
    with pytest.raises(DataError, match=r"SN001 has 10 frames; clips of 57 are longer. Take shorter clips"):
        Disfa(tmp_path)
    with pytest.raises(ConfigError, match="clip_frames must be at least 1; got 0"):
        Disfa(tmp_path, clip_frames=0)


def test_landmarks_are_numbered_from_zero_and_may_be_lost(tmp_path: Path) -> None:
    write_subject(tmp_path)
    folder = tmp_path / "Landmark_Points" / "SN001" / "tmp_frame_lm"
    folder.mkdir(parents=True)
    for frame in (5, 6, 9):
        scipy.io.savemat(folder / f"SN001_{frame:04d}_lm.mat", {"pts": np.full((66, 2), frame, float)})
    points, present = Disfa(tmp_path, clip_frames=5).landmarks("SN001/00005")
    assert present.tolist() == [True, True, False, False, True]
    assert points[:, 0, 0].tolist() == [5, 6, 0, 0, 9]


def test_landmarks_that_are_numbered_from_one_belong_to_the_frames_before(tmp_path: Path) -> None:
    write_subject(tmp_path)
    folder = tmp_path / "Landmark_Points" / "SN001" / "tmp_frame_lm"
    folder.mkdir(parents=True)
    for number in (1, 2, NUM_FRAMES):
        scipy.io.savemat(folder / f"l{number:05d}_lm.mat", {"pts": np.full((66, 2), number, float)})
    dataset = Disfa(tmp_path, clip_frames=5)
    assert dataset.landmarks("SN001/00000")[0][:, 0, 0].tolist() == [1, 2, 0, 0, 0]
    assert dataset.landmarks("SN001/00005")[0][:, 0, 0].tolist() == [0, 0, 0, 0, NUM_FRAMES]


def test_what_a_mac_leaves_beside_a_video_is_no_video(tmp_path: Path) -> None:
    write_subject(tmp_path)
    (tmp_path / "Video_LeftCamera" / "._LeftVideoSN001_comp.avi").write_bytes(b"\0\5\x16\7")
    assert len(Disfa(tmp_path, clip_frames=5).clips) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"pts": np.zeros((68, 2))}, r"66 points \[66, 2\]; it holds {'pts': \(68, 2\)}"),
        ({"points": np.zeros((66, 2))}, "it holds {'points'"),
        ({"pts": np.full((66, 2), np.nan)}, "landmarks should be finite"),
    ],
)
def test_other_landmarks_are_refused(tmp_path: Path, content: dict[str, np.ndarray], message: str) -> None:
    write_subject(tmp_path)
    (tmp_path / "Landmark_Points" / "SN001").mkdir(parents=True)
    scipy.io.savemat(tmp_path / "Landmark_Points" / "SN001" / "l00002_lm.mat", content)
    with pytest.raises(DataError, match=message):
        Disfa(tmp_path, clip_frames=5).landmarks("SN001/00000")


def test_a_damaged_landmark_file_is_refused(tmp_path: Path) -> None:
    write_subject(tmp_path)
    path = tmp_path / "Landmark_Points" / "SN001" / "l00002_lm.mat"
    path.parent.mkdir(parents=True)
    scipy.io.savemat(path, {"pts": np.zeros((66, 2))})
    path.write_bytes(path.read_bytes()[:150])
    with pytest.raises(DataError, match=r"should be a MATLAB file of landmarks|66 points"):
        Disfa(tmp_path, clip_frames=5).landmarks("SN001/00000")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,0\n2,6\n", "line 2: a number from 0 to 5"),
        ("1,0\n3,0\n", "line 2: frame 2 was expected; got 3"),
        ("1,0\n1,0\n", "line 2: frame 2 was expected; got 1"),
        ("1,0,0\n", "line 1: 2 cells were expected; 3 came"),
        ("1,high\n", "got 'high'"),
        ("1,0.5\n", "a whole number"),
        ("1,0\n", r"should be equally long; they have \[1, 10\] frames"),
    ],
)
def test_damaged_tables_are_told_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    write_subject(tmp_path)
    (tmp_path / "ActionUnit_Labels" / "SN001" / "SN001_au4.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        Disfa(tmp_path, clip_frames=5)


def test_a_missing_table_and_a_missing_video_are_told(tmp_path: Path) -> None:
    write_subject(tmp_path)
    write_subject(tmp_path, "SN002")
    (tmp_path / "Video_LeftCamera" / "LeftVideoSN001_comp.avi").unlink()
    with pytest.raises(DataError, match=r"SN001: there is no video of it in .*Video_LeftCamera"):
        Disfa(tmp_path, clip_frames=5)
    dataset = Disfa(tmp_path, clip_frames=5, on_missing="leave-out")
    assert {clip.subject for clip in dataset.clips} == {"SN002"}
    (tmp_path / "ActionUnit_Labels" / "SN002" / "SN002_au26.txt").unlink()
    with pytest.raises(DataError, match=r"SN002_au26\.txt is not there"):
        Disfa(tmp_path, clip_frames=5)


def test_two_videos_of_one_subject_are_refused(tmp_path: Path) -> None:
    write_subject(tmp_path)
    path = tmp_path / "Video_LeftCamera" / "LeftVideoSN001_comp.avi"
    path.with_name("Copy_SN001.avi").write_bytes(path.read_bytes())
    with pytest.raises(DataError, match=r"one video of SN001; it holds .*Copy_SN001\.avi"):
        Disfa(tmp_path, clip_frames=5)
    with pytest.raises(ConfigError, match="unknown camera of DISFA 'middle'"):
        Disfa(tmp_path, camera="middle")


def test_a_video_shorter_than_its_tables_is_refused_when_it_is_read(tmp_path: Path) -> None:
    write_subject(tmp_path)
    write_subject(tmp_path / "short", "SN001", num_frames=7)
    short = tmp_path / "short" / "Video_LeftCamera" / "LeftVideoSN001_comp.avi"
    (tmp_path / "Video_LeftCamera" / "LeftVideoSN001_comp.avi").write_bytes(short.read_bytes())
    dataset = Disfa(tmp_path, clip_frames=5)
    assert dataset.recording("SN001/00000").frames is not None
    with pytest.raises(DataError, match="should have frames 5 to 9; 3 are missing, the first is 7"):
        dataset.recording("SN001/00005")


def test_clips_of_emulated_events_are_parts_of_the_events_of_the_video(
    miniature: Callable[[str], Path], tmp_path: Path
) -> None:
    root = miniature("disfa")
    outcome = emulate_dataset(root, tmp_path / "events", DatasetConfig(), num_workers=1)
    assert not outcome.outcome.failures
    dataset = Disfa(root, clip_frames=24, events=tmp_path / "events")
    mine = [clip for clip in dataset.clips if clip.subject == "SN002"]
    parts = [dataset.recording(clip.recording_id).required_events() for clip in mine]
    for clip, part in zip(mine, parts, strict=True):
        assert part.is_empty or clip.window.start_us <= part.t_us[0] <= part.t_us[-1] < clip.window.end_us
    from snnface.events import read

    whole = read(tmp_path / "events" / "Video_LeftCamera" / "LeftVideoSN002_comp.h5").events
    assert sum(map(len, parts)) == len(whole) > 0


def test_the_miniature_agrees_with_its_tables(miniature: Callable[[str], Path]) -> None:
    root = miniature("disfa")
    for clip in Disfa(root, clip_frames=24).clips:
        start = int(clip.clip_id.split("/")[1])
        for column, code in enumerate(ACTION_UNITS):
            path = root / "ActionUnit_Labels" / clip.subject / f"{clip.subject}_au{code}.txt"
            table = np.loadtxt(path, delimiter=",", dtype=int)
            np.testing.assert_array_equal(
                np.asarray(clip.labels["action_unit_intensity"])[:, column], table[start : start + 24, 1]
            )
