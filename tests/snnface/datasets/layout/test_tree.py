"""Finding one's way in folders that others laid out."""

import logging
from pathlib import Path

import pytest

from snnface.datasets.layout.tree import (
    Absences,
    folders_in,
    inside,
    known_recording,
    last_integer,
    require_root,
    require_unique,
    sorted_by_integer,
    wrong_layout,
)
from snnface.errors import ConfigError, DataError, DatasetNotFoundError


def test_a_root_that_is_a_file_is_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "data.zip"
    path.write_bytes(b"PK")
    with pytest.raises(DatasetNotFoundError, match="folder of FES, which holds tables; there is a file"):
        require_root(path, "FES", "tables")


def test_a_wrong_layout_names_some_of_what_is_there_and_counts_the_rest(tmp_path: Path) -> None:
    for name in "abcdefg":
        (tmp_path / name).mkdir()
    (tmp_path / ".hidden").write_text("")
    error = wrong_layout(tmp_path, "FES", "tables")
    assert "it holds a/, b/, c/, d/, e/ and 2 more. Give the folder" in str(error)


def test_an_empty_folder_holds_nothing(tmp_path: Path) -> None:
    assert "it holds nothing." in str(wrong_layout(tmp_path, "FES", "tables"))


@pytest.mark.parametrize(
    ("name", "number"), [("img12.jpg", 12), ("006_1_2_00034.jpg", 34), ("frame_7_10.11.12.png", 12), ("a3b.v2", 3)]
)
def test_the_last_integer_is_of_the_name_without_its_suffix(name: str, number: int) -> None:
    assert last_integer(name) == number


@pytest.mark.parametrize("name", ["face.png", "x.12", "1" * 30 + ".png"])
def test_a_name_without_a_number_cannot_be_sorted(name: str) -> None:
    with pytest.raises(DataError, match="should have a number in its name"):
        last_integer(name)


def test_files_sort_by_number_and_not_by_letter() -> None:
    paths = [Path(f"img{number}.jpg") for number in (10, 9, 100, 1)] + [Path("._img3.jpg")]
    assert [path.name for path in sorted_by_integer(paths)] == ["img1.jpg", "img9.jpg", "img10.jpg", "img100.jpg"]


def test_two_files_of_one_number_are_refused() -> None:
    with pytest.raises(DataError, match=r"img1\.jpg and img01\.jpg have the same number 1|img01\.jpg and img1\.jpg"):
        sorted_by_integer([Path("img1.jpg"), Path("img01.jpg")])


def test_folders_match_whole_names(tmp_path: Path) -> None:
    for name in ("001", "0012", "001_cropped", "x001"):
        (tmp_path / name).mkdir()
    (tmp_path / "002").write_text("a file")
    assert [folder.name for folder in folders_in(tmp_path, "[0-9]{3}")] == ["001"]


@pytest.mark.parametrize("name", ["a/b.png", "a\\b.png", "./a/b.png"])
def test_paths_in_tables_lie_in_the_folder(name: str) -> None:
    assert inside(Path("root"), name, source="table").parts[:3] == ("root", "a", "b.png")


@pytest.mark.parametrize(
    "name", ["", "../b", "a/../../b", "/etc/passwd", "C:\\b", "\\\\server\\b", "a\\..\\b", "a/C:\\b", "a\0b"]
)
def test_paths_in_tables_cannot_lead_out(name: str) -> None:
    with pytest.raises(DataError, match="table, line 3: a path in the folder of the data set was expected"):
        inside(Path("root"), name, source="table, line 3")


def test_clips_that_are_listed_twice_are_named() -> None:
    with pytest.raises(DataError, match="each clip of FES should be listed once; b are listed more often"):
        require_unique("FES", ["a", "b", "c", "b"])


def test_an_unknown_recording_tells_its_neighbours() -> None:
    with pytest.raises(DataError, match=r"unknown recording of FES 'take1'. Did you mean 'take2'"):
        known_recording("FES", {"take2": 1, "other": 2}, "take1")


def test_absent_clips_are_told_all_at_once_or_left_out_with_a_word(caplog: pytest.LogCaptureFixture) -> None:
    strict, lenient = Absences("FES", "error"), Absences("FES", "leave-out")
    for absences in (strict, lenient):
        for number in range(7):
            absences.note(f"clip{number}", "there is no file")
            absences.note(f"clip{number}", "a second reason")
    with pytest.raises(DataError, match=r"7 clips of FES cannot be used .clip0: there is no file; .*and 2 more.*leave"):
        strict.settled()
    with caplog.at_level(logging.WARNING):
        left_out = lenient.settled()
    assert left_out == {f"clip{number}": "there is no file" for number in range(7)}
    assert "7 clips of FES are left out (clip0: there is no file" in caplog.text


def test_nothing_absent_is_nothing_said(caplog: pytest.LogCaptureFixture) -> None:
    assert Absences("FES", "error").settled() == {}
    assert not caplog.text


def test_a_third_way_with_absent_clips_is_refused() -> None:
    with pytest.raises(ConfigError, match="on_missing must be 'error' or 'leave-out'; got 'skip'"):
        Absences("FES", "skip")
