"""Tables of labels as users have them, and each thing that can be wrong with one."""

from pathlib import Path

import numpy as np
import pytest

from snnface.errors import DataError
from snnface.labels import clip_table, read_clip_labels, read_set_labels


def table(folder: Path, text: str, name: str = "face.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_table_by_time_is_sorted_and_keeps_its_cells(tmp_path: Path) -> None:
    labels = read_clip_labels(table(tmp_path, "time_ms, valence ,mood\n40,0.5,happy\n\n0,,calm\n80.5,-1,\n"))
    assert labels.names == ("valence", "mood")
    assert labels.rows == (("", "calm"), ("0.5", "happy"), ("-1", ""))
    assert labels.t_us(np.array([0])).tolist() == [0, 40_000, 80_500]


@pytest.mark.parametrize(
    ("column", "expected"),
    [("t_us", 3), ("time_us", 3), ("t_ms", 3000), ("time_s", 3_000_000), ("Time", 3_000_000), ("t_s", 3_000_000)],
)
def test_times_are_in_the_unit_of_their_column(tmp_path: Path, column: str, expected: int) -> None:
    labels = read_clip_labels(table(tmp_path, f"{column},valence\n3,1\n"))
    assert labels.t_us(np.array([0])).tolist() == [expected]


def test_frames_have_the_times_of_the_clip(tmp_path: Path) -> None:
    labels = read_clip_labels(table(tmp_path, "frame,valence\n2,7\n0,5\n"))
    assert labels.t_us(np.array([0, 33, 70])).tolist() == [0, 70]
    assert labels.rows == (("5",), ("7",))


def test_a_label_for_a_frame_that_is_not_there_is_refused(tmp_path: Path) -> None:
    # A table that counts frames from 1 ends one behind the last frame.
    labels = read_clip_labels(table(tmp_path, "frame,valence\n1,5\n2,6\n"))
    with pytest.raises(DataError, match=r"labels for frames 1 to 2; the clip has frames 0 to 1. Frames are counted"):
        labels.t_us(np.array([0, 40]))


def test_a_single_row_without_a_time_holds_for_the_whole_clip(tmp_path: Path) -> None:
    labels = read_clip_labels(table(tmp_path, "emotion,subject\nanger,7\n"))
    assert (labels.constants, labels.names) == ({"emotion": "anger", "subject": "7"}, ())


def test_the_layout_of_afew_va_is_read(tmp_path: Path) -> None:
    text = '{"video_id": "1", "frames": {"00001": {"valence": -3, "landmarks": [[1, 2]]}, "00000": {"arousal": 2.5}}}'
    labels = read_clip_labels(table(tmp_path, text, "001.json"))
    assert labels.names == ("arousal", "valence")
    assert labels.rows == (("2.5", ""), ("", "-3"))
    assert (labels.position.tolist(), labels.unit) == ([0, 1], "frame")


def test_a_set_table_is_split_by_clip(tmp_path: Path) -> None:
    text = "file,frame,valence\na/b.mp4,0,1\nc,0,3\na/b.mp4,1,2\n"
    found = read_set_labels(table(tmp_path, text, "labels.csv"))
    assert set(found) == {"a/b.mp4", "c"}
    assert found["a/b.mp4"].rows == (("1",), ("2",))
    assert found["c"].names == ("valence",)


def test_a_set_table_of_constants(tmp_path: Path) -> None:
    found = read_set_labels(table(tmp_path, "clip,emotion\na,joy\nb,fear\n", "labels.csv"))
    assert {clip: labels.constants["emotion"] for clip, labels in found.items()} == {"a": "joy", "b": "fear"}


def test_labels_of_the_clip_go_before_constants_of_the_set(tmp_path: Path) -> None:
    own = read_clip_labels(table(tmp_path, "frame,valence\n0,5\n"))
    both = own.with_constants({"valence": "9", "subject": "3"}, "labels.csv")
    assert (both.names, both.rows, both.constants) == (("valence",), (("5",),), {"subject": "3"})
    assert both.source.endswith("face.csv and labels.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"needs a header .*got \[\]"),
        ("time,time,valence\n", "name of its own for each column"),
        ("frame,valence\n0,1\n1\n", r"line 3: 2 cells were expected, as in the header; 1 came"),
        ("frame,valence\n0.5,1\n", "line 2: the column 'frame' should hold the whole number of a frame; got '0.5'"),
        ("time,valence\nsoon,1\n", "line 2: the column 'time' should hold a time; got 'soon'"),
        ("time,valence\ninf,1\n", "should hold a time; got 'inf'"),
        ("time,frame,valence\n0,0,1\n", "at most one column that says when"),
        ("time\n0\n", "at least one with labels"),
        ("frame;valence\n0;1\n", "cells should be separated by commas; the header is 'frame;valence'"),
        ("frame\tvalence\n0\t1\n", "cells should be separated by commas"),
        ('frame,valence\n0,"1\n1,2\n', "line 3: this is no CSV"),
        ("valence\n0\n1\n", "2 rows for one clip, and no column that says when"),
    ],
)
def test_a_wrong_table_is_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_clip_labels(table(tmp_path, text))


def test_a_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "face.csv").write_bytes(b"\xff\xfe\x00time")
    with pytest.raises(DataError, match="UTF-8"):
        read_clip_labels(tmp_path / "face.csv")


def test_a_set_table_without_clips_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"needs one column 'clip' or 'file'.*got \['frame', 'valence'\]"):
        read_set_labels(table(tmp_path, "frame,valence\n0,1\n"))


def test_json_of_another_layout_holds_no_labels(tmp_path: Path) -> None:
    for text in ('{"fps": 25}', "[1, 2]", "{", "[" * 100_000, '{"frames": {"first": {}}}'):
        path = table(tmp_path, text, "face.json")
        assert clip_table(tmp_path / "face.mp4") is None
        with pytest.raises(DataError, match="layout of AFEW-VA"):
            read_clip_labels(path)


@pytest.mark.parametrize("name", ["face.csv", "face.labels.csv", "face/labels.csv", "face/face.csv"])
def test_the_table_of_a_folder_of_images_is_found(tmp_path: Path, name: str) -> None:
    (tmp_path / "face").mkdir()
    assert clip_table(tmp_path / "face") is None
    path = table(tmp_path, "frame,valence\n0,1\n", name)
    assert clip_table(tmp_path / "face") == path


def test_the_table_beside_a_video_is_found(tmp_path: Path) -> None:
    table(tmp_path, "frame,valence\n0,1\n", "labels.csv")
    assert clip_table(tmp_path / "face.mp4") is None
    path = table(tmp_path, "frame,valence\n0,1\n", "face.csv")
    assert clip_table(tmp_path / "face.mp4") == path
