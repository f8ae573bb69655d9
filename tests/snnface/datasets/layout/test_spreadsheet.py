"""Workbooks: headers wherever and however they are written, and files that are none."""

import io
import zipfile
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnface.datasets.fixtures.workbook import write_workbook
from snnface.datasets.layout import spreadsheet
from snnface.datasets.layout.spreadsheet import read_sheet
from snnface.errors import DataError, DatasetNotFoundError

COLUMNS = {
    "who": ("Subject",),
    "first": ("Onset Frame", "Onset"),
    "last": ("Offset Frame", "Offset"),
    "units": ("AUs",),
}
REQUIRED = ("who", "first", "last")


def book(path: Path, rows: list[list[str | int | None]]) -> Path:
    write_workbook(path, rows, title="codes")
    return path


def test_columns_are_found_whatever_their_order_case_and_blanks(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", [["OFFSETFRAME", "subject ", "onset_frame", "AUs"], [9, "s1", 3, "4+12"]])
    (row,) = read_sheet(path, COLUMNS, required=REQUIRED)
    assert row.cells == {"who": "s1", "first": "3", "last": "9", "units": "4+12"}


def test_a_header_may_stand_below_a_page_of_text_and_rows_keep_the_numbers_that_excel_shows(tmp_path: Path) -> None:
    above: list[list[str | int | None]] = [["the subject of this table"], *[[None]] * 12]
    path = book(tmp_path / "a.xlsx", [*above, ["Subject", "Onset", "Offset"], [None], ["s1", 1, 2]])
    (row,) = read_sheet(path, COLUMNS, required=REQUIRED)
    assert row.source == f"{path}, row 16"
    assert row.cells["units"] == ""


def test_a_header_that_contains_a_spelling_counts_where_none_is_one(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", [["Subject no.", "Onset", "Offset", "all AUs (FACS)"], ["s1", 1, 2, "4"]])
    assert read_sheet(path, COLUMNS, required=(*REQUIRED, "units"))[0].cells["units"] == "4"


def test_numbers_are_written_as_they_would_be_typed(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    sheets = openpyxl.Workbook()
    for cells in (["Subject", "Onset", "Offset"], [7.0, 2.5, " a \n b "]):
        sheets.worksheets[0].append(cells)
    sheets.save(path)
    assert list(read_sheet(path, COLUMNS, required=REQUIRED)[0].cells.values()) == ["7", "2.5", "a b", ""]


def test_the_first_sheet_with_such_a_header_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    sheets = openpyxl.Workbook()
    sheets.worksheets[0].append(["about"])
    for cells in (["Subject", "Onset", "Offset"], ["s1", 1, 2]):
        if len(sheets.worksheets) == 1:
            sheets.create_sheet("codes")
        sheets.worksheets[1].append(cells)
    sheets.save(path)
    assert read_sheet(path, COLUMNS, required=REQUIRED)[0].cells["who"] == "s1"


def test_a_workbook_without_the_columns_is_refused_with_what_it_has(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", [["Subject", "Begin"], ["s1", 1]])
    with pytest.raises(
        DataError, match=r"headers Subject, Onset Frame, Offset Frame .* Its first row is: Subject; Begin"
    ):
        read_sheet(path, COLUMNS, required=REQUIRED)


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", [["Subject", "Onset", "onset", "Offset"], ["s1", 1, 2, 3]])
    with pytest.raises(DataError, match="row 1: two columns are headed 'Onset'"):
        read_sheet(path, COLUMNS, required=REQUIRED)


def test_what_is_no_workbook_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="there is no such file"):
        read_sheet(tmp_path / "none.xlsx", COLUMNS, required=REQUIRED)
    for name, content in {
        "text": b"Subject,Onset",
        "empty": b"",
        "old": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
    }.items():
        path = tmp_path / f"{name}.xlsx"
        path.write_bytes(content)
        with pytest.raises(DataError, match="should be a workbook of Excel"):
            read_sheet(path, COLUMNS, required=REQUIRED)
    path = tmp_path / "zip.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no workbook")
    with pytest.raises(DataError, match="should be a workbook of Excel"):
        read_sheet(path, COLUMNS, required=REQUIRED)


def test_an_archive_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", bytes(65 << 20))
    assert path.stat().st_size < 1 << 17
    with pytest.raises(DataError, match="unpacks to 65 MiB"):
        read_sheet(path, COLUMNS, required=REQUIRED)


def test_a_row_a_million_rows_down_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheet, "MAX_ROWS", 50)
    path = tmp_path / "a.xlsx"
    sheets = openpyxl.Workbook()
    sheets.worksheets[0].append(["Subject", "Onset", "Offset"])
    sheets.worksheets[0].cell(row=1_000_000, column=1, value="s1")
    sheets.save(path)
    with pytest.raises(DataError, match="more than 50 rows"):
        read_sheet(path, COLUMNS, required=REQUIRED)


@pytest.fixture(scope="module")
def good_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = book(
        tmp_path_factory.mktemp("book") / "a.xlsx", [["Subject", "Onset", "Offset"], ["s1", 1, 2], ["s2", 3, 4]]
    )
    return path.read_bytes()


@given(data=st.data())
def test_a_damaged_workbook_gives_its_rows_or_a_typed_error(
    data: st.DataObject, good_bytes: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    damaged = bytearray(good_bytes)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.xlsx"
    path.write_bytes(bytes(damaged[: data.draw(st.integers(0, len(damaged)))] if data.draw(st.booleans()) else damaged))
    try:
        rows = read_sheet(path, COLUMNS, required=REQUIRED)
    except DataError:
        return
    assert len(rows) <= 2


@settings(max_examples=60)
@given(data=st.data())
def test_damaged_xml_inside_gives_rows_or_a_typed_error(
    data: st.DataObject, good_bytes: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged-inside.xlsx"
    with zipfile.ZipFile(io.BytesIO(good_bytes)) as source, zipfile.ZipFile(path, "w") as target:
        chosen = data.draw(st.sampled_from(sorted(source.namelist())))
        for name in source.namelist():
            content = bytearray(source.read(name))
            if name == chosen:
                content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
            target.writestr(name, bytes(content))
    try:
        read_sheet(path, COLUMNS, required=REQUIRED)
    except DataError:
        return
