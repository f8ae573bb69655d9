"""Text tables: cells with their lines, numbers within bounds."""

from collections.abc import Callable
from pathlib import Path

import pytest

from snnface.datasets.layout.tables import csv_rows, finite_number, number_rows, plain_rows, whole_number
from snnface.errors import DataError


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "table.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_rows_come_with_their_lines_and_without_blank_ones(tmp_path: Path) -> None:
    assert plain_rows(written(tmp_path, "\ufeff1, 2\r\n\r\n ,\n3,4\n")) == [(1, ["1", "2"]), (4, ["3", "4"])]


def test_a_quotation_mark_that_stays_open_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 2: this is no table"):
        plain_rows(written(tmp_path, 'a\n"b\n'))


@pytest.mark.parametrize("reader", [plain_rows, lambda path: number_rows(path, num_columns=2)])
def test_what_cannot_be_opened_is_one_of_our_errors(tmp_path: Path, reader: Callable[[Path], object]) -> None:
    (tmp_path / "table.txt").mkdir()
    with pytest.raises(DataError, match=r"table.txt should be a text file; it cannot be read: Is a directory"):
        reader(tmp_path / "table.txt")


def test_a_number_with_an_underscore_is_a_slip() -> None:
    with pytest.raises(DataError, match="got '1_0'"):
        finite_number("1_0", source="a.csv, line 2")


def test_another_encoding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="UTF-8 text file; byte 2 is not"):
        plain_rows(written(tmp_path, b"a,\xff\n"))


def test_a_header_names_the_cells(tmp_path: Path) -> None:
    assert csv_rows(written(tmp_path, "a\tb\n1\t2\n"), delimiter="\t") == (("a", "b"), [(2, {"a": "1", "b": "2"})])


@pytest.mark.parametrize("text", ["", "a,a\n1,2\n", "a,\n1,2\n"])
def test_a_header_needs_a_name_for_each_column(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match="needs a header with a name of its own"):
        csv_rows(written(tmp_path, text))


def test_a_row_of_another_length_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 3: 2 cells were expected; 3 came"):
        csv_rows(written(tmp_path, "a,b\n1,2\n1,2,3\n"))


def test_numbers_as_matlab_writes_them(tmp_path: Path) -> None:
    path = written(tmp_path, "   1.2000000e+01   0.0000000e+00\n\n   2.5000000e+01  -4.0e0\n")
    assert number_rows(path, num_columns=2) == [(1, (12.0, 0.0)), (3, (25.0, -4.0))]


@pytest.mark.parametrize("cell", ["", "x", "nan", "inf", "1e400", "1e16", "-1e16", "1,5", None, True, [1], "9" * 500])
def test_what_is_no_number_of_a_data_set_is_refused(cell: object) -> None:
    with pytest.raises(DataError, match=r"f, line 1: a number from .* was expected; got "):
        finite_number(cell, source="f, line 1")


def test_a_long_cell_is_not_quoted_whole() -> None:
    with pytest.raises(DataError) as caught:
        finite_number("9" * 500, source="f")
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize(("cell", "value"), [("12", 12), ("1.2e1", 12), (3.0, 3), ("0", 0), (7, 7)])
def test_whole_numbers_may_be_written_as_floats(cell: object, value: int) -> None:
    found = whole_number(cell, source="f")
    assert found == value
    assert isinstance(found, int)


@pytest.mark.parametrize(("cell", "message"), [("1.5", "a whole number"), ("-1", "a number from 0"), ("6", "to 5")])
def test_parts_of_numbers_and_numbers_out_of_bounds_are_refused(cell: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        whole_number(cell, source="f", most=5)
