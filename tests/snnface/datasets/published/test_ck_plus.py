"""CK+: codes, emotions and landmarks from text that MATLAB wrote."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from snnface.app.dataset_emulation import DatasetConfig, emulate_dataset
from snnface.app.emulation import EmulationConfig
from snnface.datasets.fixtures.images import write_pictures
from snnface.datasets.published.ck_plus import ACTION_UNITS, EMOTIONS, CkPlus
from snnface.errors import DataError


def write_sequence(
    root: Path, subject: str, sequence: str, *, facs: str | None, emotion: str | None = None, num_frames: int = 3
) -> None:
    names = [f"{subject}_{sequence}_{number:08d}" for number in range(1, num_frames + 1)]
    folder = root / "cohn-kanade-images" / subject / sequence
    pixels = np.repeat(np.arange(num_frames, dtype=np.uint8), 16).reshape(num_frames, 4, 4)
    write_pictures([folder / f"{name}.png" for name in names], pixels)
    for kind, text in (("FACS", facs), ("Emotion", emotion)):
        place = root / kind / subject / sequence
        place.mkdir(parents=True)
        if text is not None:
            (place / f"{names[-1]}_{kind.lower()}.txt").write_text(text)
    place = root / "Landmarks" / subject / sequence
    place.mkdir(parents=True)
    for index, name in enumerate(names):
        lines = (f"   {index + k:.7e}   {2 * k:.7e}\n" for k in range(68))
        (place / f"{name}_landmarks.txt").write_text("".join(lines))


FACS = "   1.2000000e+01   3.0000000e+00\n   2.5000000e+01   0.0000000e+00\n"


def labelled(root: Path) -> dict[str, object]:
    (clip,) = CkPlus(root).clips
    return dict(clip.labels)


def test_graded_and_ungraded_units_at_the_apex(tmp_path: Path) -> None:
    write_sequence(tmp_path, "S005", "001", facs=FACS, emotion="   5.0000000e+00\n")
    dataset = CkPlus(tmp_path)
    (clip,) = dataset.clips
    names = dataset.class_names["action_unit_active"]
    twelve, twenty_five = names.index("AU12"), names.index("AU25")
    active = np.asarray(clip.labels["action_unit_active"])
    assert np.flatnonzero(active).tolist() == [twelve, twenty_five]
    assert np.asarray(clip.labels["action_unit_intensity"])[[twelve, twenty_five]].tolist() == [3, 0]
    present = np.asarray(clip.labels["action_unit_intensity_present"])
    assert np.flatnonzero(~present).tolist() == [twenty_five]
    assert EMOTIONS[int(clip.labels["emotion"])] == "happiness"
    assert (clip.clip_id, clip.subject, clip.window.end_us) == ("S005/001", "S005", 100_000)


def test_what_was_not_coded_is_left_out(tmp_path: Path) -> None:
    write_sequence(tmp_path, "S005", "001", facs=None)
    assert labelled(tmp_path) == {}


def test_a_sequence_graded_throughout_needs_no_mask(tmp_path: Path) -> None:
    write_sequence(tmp_path, "S005", "001", facs="   1.2000000e+01   3.0000000e+00\n")
    assert set(labelled(tmp_path)) == {"action_unit_active", "action_unit_intensity"}


def test_an_empty_table_is_a_face_at_rest(tmp_path: Path) -> None:
    write_sequence(tmp_path, "S005", "001", facs="\n")
    assert not np.asarray(labelled(tmp_path)["action_unit_active"]).any()


def test_units_beyond_those_of_the_paper_come_after_them(tmp_path: Path) -> None:
    write_sequence(tmp_path, "S005", "001", facs="6.4000000e+01 2.0\n3.0000000e+01 1.0\n")
    names = CkPlus(tmp_path).class_names["action_unit_active"]
    assert names == (*(f"AU{code}" for code in ACTION_UNITS), "AU30", "AU64")
    assert len(ACTION_UNITS) == 30


def test_a_picture_that_is_missing_in_between_is_told(tmp_path: Path) -> None:
    write_sequence(tmp_path, "S005", "001", facs=FACS, num_frames=5)
    (tmp_path / "cohn-kanade-images" / "S005" / "001" / "S005_001_00000003.png").unlink()
    with pytest.raises(DataError, match="S005/001: picture 3 is missing in"):
        CkPlus(tmp_path)


def test_landmarks_of_each_frame_or_a_mask(tmp_path: Path) -> None:
    write_sequence(tmp_path, "S005", "001", facs=FACS)
    (tmp_path / "Landmarks" / "S005" / "001" / "S005_001_00000002_landmarks.txt").unlink()
    points, present = CkPlus(tmp_path).landmarks("S005/001")
    assert present.tolist() == [True, False, True]
    assert points[2, :3].tolist() == [[2, 0], [3, 2], [4, 4]]
    assert not points[1].any()


def test_frames_are_in_order(tmp_path: Path) -> None:
    write_sequence(tmp_path, "S005", "001", facs=FACS, num_frames=11)
    frames = CkPlus(tmp_path, fps=10.0).recording("S005/001").frames
    assert frames is not None
    assert frames.pixels[:, 0, 0, 0].tolist() == list(range(11))
    assert frames.t_us[-1] == 1_000_000


def test_labels_may_lie_in_the_folders_of_their_archives(tmp_path: Path) -> None:
    write_sequence(tmp_path, "S005", "001", facs=FACS, emotion="1.0")
    expected = labelled(tmp_path)
    for name, archive in (("FACS", "FACS_labels"), ("Emotion", "Emotion_labels"), ("Landmarks", "moved")):
        (tmp_path / archive).mkdir()
        (tmp_path / name).rename(tmp_path / archive / name)
    (tmp_path / "moved").rename(tmp_path / "Landmarks")
    np.testing.assert_equal(labelled(tmp_path), expected)
    assert CkPlus(tmp_path).landmarks("S005/001")[1].all()


def test_one_split_a_subject(tmp_path: Path) -> None:
    for subject in ("S010", "S005", "S999"):
        write_sequence(tmp_path, subject, "001", facs=FACS)
        write_sequence(tmp_path, subject, "002", facs=FACS)
    splits = list(CkPlus(tmp_path).splits())
    assert [{clip.subject for clip in split.test} for split in splits] == [{"S005"}, {"S010"}, {"S999"}]


@pytest.mark.parametrize(
    ("facs", "emotion", "message"),
    [
        ("1.2e+01\n", None, r"_facs\.txt, line 1: 2 cells were expected; 1 came"),
        ("twelve 1.0\n", None, "got 'twelve'"),
        ("12.5 1.0\n", None, "a whole number from 1 to 99"),
        ("1.2e+01 6.0\n", None, "a number from 0 to 5"),
        ("1.2e+300 1.0\n", None, r"got '1\.2e\+300'"),
        ("12 1\n12 2\n", None, "line 2: AU 12 is there twice"),
        (FACS, "8.0\n", r"_emotion\.txt, line 1: a number from 0 to 7"),
        (FACS, "1.0\n2.0\n", "should hold one number, that of an emotion; it holds 2"),
        (FACS, "\n", "it holds 0 lines"),
    ],
)
def test_damaged_labels_are_told_with_their_line(tmp_path: Path, facs: str, emotion: str | None, message: str) -> None:
    write_sequence(tmp_path, "S005", "001", facs=facs, emotion=emotion)
    with pytest.raises(DataError, match=message):
        CkPlus(tmp_path)


def test_landmarks_of_another_number_are_refused(tmp_path: Path) -> None:
    write_sequence(tmp_path, "S005", "001", facs=FACS)
    (tmp_path / "Landmarks" / "S005" / "001" / "S005_001_00000002_landmarks.txt").write_text("1.0 2.0\n" * 67)
    with pytest.raises(DataError, match="should hold 68 lines 'x y'; it holds 67"):
        CkPlus(tmp_path).landmarks("S005/001")


def test_two_label_files_for_one_sequence_are_refused(tmp_path: Path) -> None:
    write_sequence(tmp_path, "S005", "001", facs=FACS)
    (tmp_path / "FACS" / "S005" / "001" / "S005_001_00000002_facs.txt").write_text(FACS)
    with pytest.raises(DataError, match=r"should hold one file \*_facs\.txt; it holds S005_001_00000002"):
        CkPlus(tmp_path)


def test_sequences_without_pictures_are_told(tmp_path: Path) -> None:
    write_sequence(tmp_path, "S005", "001", facs=FACS)
    (tmp_path / "cohn-kanade-images" / "S005" / "002").mkdir()
    with pytest.raises(DataError, match="S005/002: there are no pictures"):
        CkPlus(tmp_path)
    assert len(CkPlus(tmp_path, on_missing="leave-out").clips) == 1


def test_pictures_without_any_labels_are_a_wrong_layout(tmp_path: Path) -> None:
    write_sequence(tmp_path / "set", "S005", "001", facs=FACS)
    for name in ("FACS", "Emotion", "Landmarks"):
        (tmp_path / "set" / name).rename(tmp_path / name)
    with pytest.raises(DataError, match="None of the folders of labels is there"):
        CkPlus(tmp_path / "set")


def test_the_miniature_agrees_with_numpy_on_its_text(miniature: Callable[[str], Path]) -> None:
    root = miniature("ck-plus")
    dataset = CkPlus(root)
    names = dataset.class_names["action_unit_active"]
    for clip in dataset.clips:
        (path,) = (root / "FACS" / clip.clip_id).glob("*")
        table = np.loadtxt(path, ndmin=2)
        active = np.asarray(clip.labels["action_unit_active"])
        assert [names[index] for index in np.flatnonzero(active)] == [f"AU{code:.0f}" for code in sorted(table[:, 0])]
        intensity = np.asarray(clip.labels["action_unit_intensity"])
        assert {f"AU{code:.0f}": grade for code, grade in table} == {
            names[index]: intensity[index] for index in np.flatnonzero(active)
        }
        points, present = dataset.landmarks(clip.clip_id)
        files = sorted((root / "Landmarks" / clip.clip_id).glob("*"))
        np.testing.assert_allclose(points, [np.loadtxt(file) for file in files], rtol=1e-6)
        assert present.all()


def test_frames_and_emulated_events_make_one_recording(miniature: Callable[[str], Path], tmp_path: Path) -> None:
    root = miniature("ck-plus")
    settings = DatasetConfig(emulation=EmulationConfig(fps=30.0))
    assert not emulate_dataset(root, tmp_path / "events", settings, num_workers=1).outcome.failures
    recording = CkPlus(root, events=tmp_path / "events").recording("S010/003")
    assert recording.frames is not None
    assert recording.required_events().resolution == recording.frames.resolution
    assert len(recording.required_events()) > 0
    (tmp_path / "events" / "cohn-kanade-images" / "S010" / "003.h5").unlink()
    with pytest.raises(DataError, match=r"S010/003: there is no .*003\.h5"):
        CkPlus(root, events=tmp_path / "events")
