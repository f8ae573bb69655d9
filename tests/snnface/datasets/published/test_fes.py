"""FES: boxes and points of faces, by hand and against the text of the tables."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnface.datasets.published.fes import Fes
from snnface.datasets.published.fes_boxes import FACE_BOX, has_points, read_boxes, write_boxes
from snnface.errors import DataError, SubjectLeakageError
from snnface.events.stream import EventStream
from snnface.events.window import Resolution
from snnface.events.writers import write_events

POINTS = [f"{value}" for value in (10, 11, 20, 21, 15, 16, 12, 26, 18, 27)]
EVENTS = EventStream.from_arrays(
    x=[0, 1], y=[0, 1], t_us=[10, 90_000], polarity=[1, 0], resolution=Resolution(height=48, width=64)
)


def row(t_us: int, face: int, command: str, class_id: str, box: str, *, points: bool = True) -> str:
    return "\t".join([str(t_us), str(face), command, class_id, *box.split(), *(POINTS if points else []), "1"]) + "\n"


TWO_FACES = (
    row(0, 0, "BB_CREATE", "0", "1 2 30 40")
    + row(33_333, 0, "BB_MOVE_AND_RESIZE", "", "2.5 3 30 40")
    + row(66_666, 0, "BB_DELETE", "", "3 4 30 40")
    + row(33_333, 1, "BB_CREATE", "0.0", "40 2 10 12")
    + row(66_666, 1, "BB_DELETE", "", "41 2 10 12")
)


def write_take(root: Path, stem: str, text: str = TWO_FACES, *, suffix: str = ".raw") -> Path:
    table = root / "lab" / "bbox_fl_txt" / stem.rpartition("_")[0] / f"{stem}.txt"
    table.parent.mkdir(parents=True, exist_ok=True)
    table.write_text(text)
    write_events(EVENTS, table.with_name(f"{stem}{suffix}"))
    return table


def test_each_face_is_a_clip_with_its_boxes_and_points(tmp_path: Path) -> None:
    write_take(tmp_path, "20210923_0_7")
    first, second = Fes(tmp_path).clips
    assert (first.clip_id, first.recording_id, first.subject) == ("20210923_0_7/face00", "20210923_0_7", "20210923_0")
    assert np.asarray(first.labels["face_box"]).tolist() == [[1, 2, 30, 40], [2.5, 3, 30, 40], [3, 4, 30, 40]]
    assert np.asarray(second.labels["landmarks5"])[0].tolist() == [[10, 11], [20, 21], [15, 16], [12, 26], [18, 27]]
    assert second.label_t_us is not None
    assert second.label_t_us.tolist() == [33_333, 66_666]
    assert (second.window.start_us, second.window.end_us) == (33_333, 66_666 + 33_333)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"t": ("<f8", np.nan)}, "finite corners"),
        ({"track_id": ("<i8", -1)}, "from 0 on"),
        ({"w": ("<f4", -1)}, "from 0 on"),
        ({"x": (("<f4", 2), 0)}, "one number each of t, x, y"),
    ],
)
def test_converted_boxes_that_are_none_are_refused(
    tmp_path: Path, changed: dict[str, tuple[object, float]], message: str
) -> None:
    names = FACE_BOX.names or ()
    boxes = np.ones(2, np.dtype([(name, changed[name][0] if name in changed else FACE_BOX[name]) for name in names]))
    for name, (_, value) in changed.items():
        boxes[name] = value
    np.save(tmp_path / "a_1_bbox.npy", boxes)
    with pytest.raises(DataError, match=message):
        read_boxes(tmp_path / "a_1_bbox.npy")


@given(st.integers(0, 400), st.integers(0, 255))
def test_one_changed_byte_of_converted_boxes_gives_boxes_or_one_of_our_errors(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int
) -> None:
    path = tmp_path_factory.mktemp("hostile") / "a_1_bbox.npy"
    write_boxes(np.zeros(1, FACE_BOX), path)
    data = bytearray(path.read_bytes())
    data[min(place, len(data) - 1)] = byte
    path.write_bytes(data)
    with suppress(DataError):
        assert read_boxes(path).dtype == FACE_BOX


def test_what_a_mac_leaves_beside_a_table_is_no_table(tmp_path: Path) -> None:
    table = write_take(tmp_path, "20210923_0_7")
    table.with_name(f"._{table.name}").write_bytes(b"\0\5\x16\7")
    assert len(Fes(tmp_path).clips) == 2


def test_a_table_without_a_face_is_told(tmp_path: Path) -> None:
    write_take(tmp_path, "20210923_0_7")
    write_take(tmp_path, "20210923_0_8", "")
    with pytest.raises(DataError, match=r"20210923_0_8: there is no face in .*20210923_0_8\.txt"):
        Fes(tmp_path)
    assert set(Fes(tmp_path, on_missing="leave-out").left_out) == {"20210923_0_8"}


def test_the_recording_keeps_the_clock_of_its_file(tmp_path: Path) -> None:
    write_take(tmp_path, "20210923_0_7")
    recording = Fes(tmp_path).recording("20210923_0_7")
    assert recording.required_events().t_us.tolist() == [10, 90_000]


def test_boxes_of_all_faces_are_a_structured_array_by_time(tmp_path: Path) -> None:
    write_take(tmp_path, "20210923_0_7")
    boxes = Fes(tmp_path).boxes("20210923_0_7")
    assert boxes.dtype == FACE_BOX
    assert boxes["t"].tolist() == [0, 33_333, 33_333, 66_666, 66_666]
    assert boxes["track_id"].tolist() == [0, 0, 1, 0, 1]
    assert boxes["w"].tolist() == [30, 30, 10, 30, 10]
    assert boxes["class_id"].tolist() == [0] * 5
    assert boxes["y4"].tolist() == [27] * 5


def test_boxes_come_back_from_their_npy_file_and_stand_for_the_table(tmp_path: Path) -> None:
    table = write_take(tmp_path, "20210923_0_7")
    boxes = read_boxes(table)
    converted = table.with_name("20210923_0_7_bbox.npy")
    write_boxes(boxes, converted)
    np.testing.assert_array_equal(read_boxes(converted), boxes)
    labels = [dict(clip.labels) for clip in Fes(tmp_path).clips]
    table.unlink()
    for one, other in zip(labels, Fes(tmp_path).clips, strict=True):
        np.testing.assert_equal(one, dict(other.labels))


def test_a_table_of_boxes_alone_has_no_points(tmp_path: Path) -> None:
    write_take(tmp_path, "20210923_0_7", row(0, 0, "BB_CREATE", "0", "1 2 3 4", points=False))
    dataset = Fes(tmp_path)
    assert set(dataset.clips[0].labels) == {"face_box"}
    assert not has_points(dataset.boxes("20210923_0_7"))


def test_boxes_of_the_sdk_have_other_names_for_the_same_fields(tmp_path: Path) -> None:
    names = [("ts", "<u8"), ("x", "<f4"), ("y", "<f4"), ("w", "<f4"), ("h", "<f4"), ("class_id", "u1")]
    stored = np.zeros(2, [*names, ("confidence", "<f4"), ("track_id", "<u4")])
    stored["ts"], stored["x"] = [5, 9], [1.5, 2.5]
    np.save(tmp_path / "a_1_bbox.npy", stored)
    boxes = read_boxes(tmp_path / "a_1_bbox.npy")
    assert boxes["t"].tolist() == [5, 9]
    assert boxes["x"].tolist() == [1.5, 2.5]
    assert not has_points(boxes)


@pytest.mark.parametrize("suffix", [".raw", ".dat"])
def test_recordings_may_be_raw_or_dat(tmp_path: Path, suffix: str) -> None:
    write_take(tmp_path, "09_3", suffix=suffix)
    dataset = Fes(tmp_path)
    assert dataset.clips[0].subject == "09"
    assert len(dataset.recording("09_3").required_events()) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TWO_FACES + "1\t2\n", "line 6: 9 or 19 cells were expected; 2 came"),
        (row(0, 0, "BB_JUMP", "0", "1 2 3 4"), "line 1: one of BB_CREATE.*got 'BB_JUMP'"),
        (row(-5, 0, "BB_CREATE", "0", "1 2 3 4"), "line 1: a number from 0"),
        (row(10**17, 0, "BB_CREATE", "0", "1 2 3 4"), r"line 1: a number from 0 to 1e\+15"),
        (row(0, 0, "BB_CREATE", "0", "1 2 -3 4"), "line 1: a number from 0"),
        (row(0, 0, "BB_CREATE", "0", "1 nan 3 4"), "line 1: a number.*got 'nan'"),
        (row(0, 2_000_000, "BB_CREATE", "0", "1 2 3 4"), "to 1e"),
        (row(0, 0, "BB_CREATE", "0", "1 2 3 4") * 2, "face 0 has two at 0 us"),
    ],
)
def test_damaged_tables_are_told_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    write_take(tmp_path, "20210923_0_7", text)
    with pytest.raises(DataError, match=message):
        Fes(tmp_path)


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    write_take(tmp_path, "20210923_0_7").write_bytes(b"0\t0\tBB_CREATE\xff")
    with pytest.raises(DataError, match="UTF-8"):
        Fes(tmp_path)


def test_pickles_and_other_arrays_are_no_boxes(tmp_path: Path) -> None:
    np.save(tmp_path / "a_1_bbox.npy", np.array([{"t": 1}], dtype=object))
    with pytest.raises(DataError, match="it cannot be read"):
        read_boxes(tmp_path / "a_1_bbox.npy")
    np.save(tmp_path / "a_1_bbox.npy", np.zeros(3))
    with pytest.raises(DataError, match="should hold boxes, one number each of t, x, y"):
        read_boxes(tmp_path / "a_1_bbox.npy")
    wrong = np.zeros(1, FACE_BOX)
    wrong["x"] = np.inf
    np.save(tmp_path / "a_1_bbox.npy", wrong)
    with pytest.raises(DataError, match="finite corners"):
        read_boxes(tmp_path / "a_1_bbox.npy")
    with pytest.raises(DataError, match="structured array of FACE_BOX"):
        write_boxes(np.zeros(3), tmp_path / "b_1_bbox.npy")


def test_a_table_without_its_recording_is_told(tmp_path: Path) -> None:
    write_take(tmp_path, "20210923_0_7").with_name("20210923_0_7.raw").unlink()
    write_take(tmp_path, "20210923_0_8")
    with pytest.raises(DataError, match=r"20210923_0_7: there is no recording 20210923_0_7\.raw"):
        Fes(tmp_path)
    assert {clip.recording_id for clip in Fes(tmp_path, on_missing="leave-out").clips} == {"20210923_0_8"}


def test_a_recording_without_a_table_is_told_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    table = write_take(tmp_path, "20210923_0_7")
    write_events(EVENTS, table.with_name("20210923_0_9.raw"))
    Fes(tmp_path)
    assert "1 recordings of FES have no table of boxes, such as 20210923_0_9" in caplog.text


def test_a_name_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    table = write_take(tmp_path, "20210923_0_7")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / table.name).write_text(TWO_FACES)
    with pytest.raises(DataError, match="20210923_0_7 are listed more often"):
        Fes(tmp_path)


def test_the_folders_of_the_authors_are_their_split(tmp_path: Path) -> None:
    for part, stem in (("train", "20210923_0_1"), ("val", "20210927_1_2"), ("test", "09_3")):
        write_take(tmp_path / part, stem)
    dataset = Fes(tmp_path)
    (split,) = dataset.splits()
    found = [{clip.subject for clip in clips} for clips in (split.train, split.validation, split.test)]
    assert found == [{"20210923_0"}, {"20210927_1"}, {"09"}]
    assert "folders train, val and test" in dataset.protocol
    write_take(tmp_path / "test", "20210923_0_2")
    with pytest.raises(SubjectLeakageError, match="20210923_0 are in both train and test"):
        next(Fes(tmp_path).splits())


def test_the_miniature_agrees_with_the_text_of_its_tables(miniature: Callable[[str], Path]) -> None:
    root = miniature("fes")
    dataset = Fes(root)
    for clip in dataset.clips:
        stem, face = clip.clip_id.split("/face")
        (path,) = root.rglob(f"{stem}.txt")
        lines = [line.split("\t") for line in path.read_text().splitlines()]
        mine = [line for line in lines if int(line[1]) == int(face)]
        assert clip.label_t_us is not None
        assert clip.label_t_us.tolist() == [int(line[0]) for line in mine]
        np.testing.assert_allclose(clip.labels["face_box"], [[float(cell) for cell in line[4:8]] for line in mine])
        # Frame k of the drawing was labelled at int(k * 10^6 / 30).
        assert all(int(line[0]) == int(round(int(line[0]) * 30 / 1e6) * 1e6 / 30) for line in mine)
    assert {clip.subject for clip in dataset.clips} == {"20210923_0", "20210927_1", "20211002_0", "09", "11"}
