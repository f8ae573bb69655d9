"""VETEX: a manifest, and everything that can be wrong with one."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from snnface.datasets.published.dataset import PublishedDataset
from snnface.datasets.published.vetex import Vetex
from snnface.errors import DataError, DatasetNotFoundError, SubjectLeakageError
from snnface.events.window import TimeWindow

HEADER = "subject,take,au,t_on,t_apex,t_off,events,rgb,rgb_fps,thermal,thermal_fps"


@pytest.fixture(scope="module")
def root(miniature: Callable[[str], Path]) -> Path:
    return miniature("vetex")


def manifest(folder: Path, *lines: str, header: str = HEADER) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "manifest.csv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    (folder / "a.raw").touch()
    return folder


def test_it_is_a_published_data_set(root: Path) -> None:
    dataset = Vetex(root)
    assert isinstance(dataset, PublishedDataset)
    assert dataset.is_synthetic
    assert [name.split()[0] for name in dataset.class_names["action_unit"]] == [
        *("AU1", "AU4", "AU6", "AU9", "AU12", "AU15", "AU26")
    ]
    assert len(dataset.clips) == 10
    assert [{clip.subject for clip in split.test} for split in dataset.splits()] == [{"s01"}, {"s02"}, {"s03"}, {"s04"}]


def test_a_recording_holds_events_and_frames_and_thermal_frames_are_asked_for(root: Path) -> None:
    dataset = Vetex(root)
    recording = dataset.recording("s01/take1")
    assert len(recording.required_events()) > 0
    assert recording.frames is not None
    assert recording.frames.pixels.shape == (16, 64, 64, 3)
    assert recording.frames.t_us[:3].tolist() == [0, 33_333, 66_667]
    assert dataset.thermal("s01/take1").pixels.shape == (16, 32, 32, 1)


def test_lines_become_windows_and_labels(tmp_path: Path) -> None:
    dataset = Vetex(manifest(tmp_path, "p1,t1,12,100,200,300,a.raw,,,,", "p1,t2,AU_4,0,,50,a.raw,,,,"))
    first, second = dataset.clips
    assert not dataset.is_synthetic
    assert (first.clip_id, first.subject, first.window) == ("p1/t1", "p1", TimeWindow(100, 301))
    assert first.labels == {"action_unit": 1, "onset_us": 100, "apex_us": 200, "offset_us": 300}
    assert second.labels == {"action_unit": 0, "onset_us": 0, "offset_us": 50}


def test_a_movement_that_is_listed_twice_is_told(tmp_path: Path) -> None:
    line = "p1,t1,12,100,200,300,a.raw,,,,"
    with pytest.raises(DataError, match=r"line 3: .*manifest.csv, line 2 says the same. Remove one of them"):
        Vetex(manifest(tmp_path, line, line))


def test_a_picture_that_is_missing_in_between_is_told(root: Path, tmp_path: Path) -> None:
    """Pictures after it would have the times of those before."""
    copy = Path(shutil.copytree(root, tmp_path / "copy"))
    (copy / "s01" / "take1" / "rgb" / "0004.jpg").unlink()
    with pytest.raises(DataError, match=r"s01/take1: picture 4 is missing in .*rgb"):
        Vetex(copy)


def test_several_movements_of_one_take_are_numbered(tmp_path: Path) -> None:
    dataset = Vetex(manifest(tmp_path, "p1,t1,12,100,200,300,a.raw,,,,", "p1,t1,4,500,,600,a.raw,,,,"))
    assert [(clip.clip_id, clip.recording_id) for clip in dataset.clips] == [("p1/t1/1", "p1/t1"), ("p1/t1/2", "p1/t1")]


def test_optional_columns_may_be_missing(tmp_path: Path) -> None:
    folder = manifest(tmp_path, "p1,t1,12,100,300,a.raw", header="subject,take,au,t_on,t_off,events")
    dataset = Vetex(folder)
    assert "apex_us" not in dataset.clips[0].labels
    with pytest.raises(DataError, match="'p1/t1' of VETEX has no thermal frames"):
        dataset.thermal("p1/t1")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("p1,t1,12,300,200,100,a.raw,,,,", r"line 2: t_on <= t_apex <= t_off was expected.* got 300, 200 and 100"),
        ("p1,t1,12,100,400,300,a.raw,,,,", "line 2: t_on <= t_apex <= t_off"),
        ("p1,t1,12,100,,100,a.raw,,,,", "line 2: t_on <= t_apex <= t_off"),
        ("p1,t1,12,-1,,100,a.raw,,,,", "line 2: a number from 0"),
        ("p1,t1,12,soon,,100,a.raw,,,,", "line 2: a whole number|line 2: a number"),
        ("p1,t1,99,0,,100,a.raw,,,,", "line 2: there is no action unit 99"),
        ("p1,t1,smile,0,,100,a.raw,,,,", "line 2: a"),
        (",t1,12,0,,100,a.raw,,,,", "line 2: subject and take should be names"),
        ("p1,../t,12,0,,100,a.raw,,,,", "line 2: subject and take should be names without '/'"),
        ("p1,t1,12,0,,100,,,,,", "line 2: a take needs events or rgb"),
        ("p1,t1,12,0,,100,../a.raw,,,,", r"line 2: a path in the folder .*'\.\./a\.raw'"),
        ("p1,t1,12,0,,100,/etc/passwd,,,,", "line 2: a path in the folder"),
        ("p1,t1,12,0,,100,a.raw,rgb,,,", "line 2, rgb_fps: a number"),
        ("p1,t1,12,0,,100,a.raw,rgb,0,,", "line 2, rgb_fps: a number"),
        ("p1,t1,12,0,,100,b.raw,,,,", r"p1/t1: there is no .*b\.raw"),
        ("p1,t1,12,0,,100,a.raw,rgb,30,,", "p1/t1: there are no pictures in .*rgb"),
        ("p1,t1,12", "line 2: 11 cells were expected; 3 came"),
    ],
)
def test_a_wrong_line_is_refused_with_its_number(line: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        Vetex(manifest(tmp_path, line))


def test_one_take_has_one_set_of_files(tmp_path: Path) -> None:
    (tmp_path / "b.raw").touch()
    with pytest.raises(DataError, match=r"line 3: take 'p1/t1' has other files than in .*line 2"):
        Vetex(manifest(tmp_path, "p1,t1,12,0,,100,a.raw,,,,", "p1,t1,4,0,,100,b.raw,,,,"))


def test_one_file_belongs_to_one_subject(tmp_path: Path) -> None:
    with pytest.raises(SubjectLeakageError, match=r"a\.raw belongs to subject 'p2', and in .*line 2 to 'p1'"):
        Vetex(manifest(tmp_path, "p1,t1,12,0,,100,a.raw,,,,", "p2,t1,4,0,,100,a.raw,,,,"))


def test_what_is_missing_can_be_left_out(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root, tmp_path / "vetex")
    (tmp_path / "vetex" / "s02" / "take1" / "events.raw").unlink()
    shutil.rmtree(tmp_path / "vetex" / "s03" / "take1" / "thermal")
    with pytest.raises(DataError, match="2 clips of VETEX cannot be used"):
        Vetex(tmp_path / "vetex")
    dataset = Vetex(tmp_path / "vetex", on_missing="leave-out")
    assert sorted(dataset.left_out) == ["s02/take1", "s03/take1"]
    assert len(dataset.clips) == 8


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="should be the folder of VETEX"):
        Vetex(tmp_path / "none")
    with pytest.raises(DataError, match=r"manifest\.csv with the columns subject,take,au.*it holds nothing"):
        Vetex(tmp_path)
    with pytest.raises(DataError, match="it lacks t_off"):
        Vetex(manifest(tmp_path, "p1,t1,12,0", header="subject,take,au,t_on"))
    with pytest.raises(DataError, match="it has no line"):
        Vetex(manifest(tmp_path))
