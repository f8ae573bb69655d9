"""Tables in Excel workbooks (xlsx), whose header may stand anywhere and be spelt in many ways."""

import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from snnface.errors import DataError, DatasetNotFoundError

__all__ = ["SheetRow", "read_sheet"]

# A table of labels of a million cells is far beyond any published one; a workbook that unpacks to
# more than this is damaged or hostile.
MAX_UNPACKED_BYTES = 1 << 26
MAX_ROWS, MAX_COLUMNS = 20_000, 100
# Some tables begin with a page of explanations.
MAX_HEADER_ROW = 50

# What a damaged archive, or damaged XML in it, makes openpyxl raise.
DAMAGE = (
    *(OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, EOFError, RuntimeError, ParseError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError),
)


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One row of a table.

    Attributes:
        cells: column, by the name that was asked for -> its text, "" if the cell is empty.
        source: file and row, counted from 1 as Excel shows it, for messages.
    """

    cells: Mapping[str, str]
    source: str


def read_sheet(path: Path, columns: Mapping[str, Sequence[str]], *, required: Sequence[str]) -> tuple[SheetRow, ...]:
    """The rows below the first header that has every required column, in the first sheet that has one.

    A header fits a spelling if they agree in letters and digits, whatever their case: "Onset
    Frame" and "OnsetFrame" are one. What fits no spelling as a whole is looked at for one that it
    contains ("Action Units (all)"). Whole numbers lose the ".0" that Excel gives them; formulas
    count as their stored result. Rows in which every column asked for is empty are left out.

    Args:
        columns: name -> its spellings, the likeliest first.
        required: names that a header must have; other columns may be missing, their cells are "".

    Raises:
        DatasetNotFoundError: if there is no such file.
        DataError: if it is no workbook, is damaged, unpacks to more than 64 MiB, has more than
            20,000 rows, or no row is such a header; or if a header fits two columns.
    """
    if not path.is_file():
        raise DatasetNotFoundError(f"{path} should be a workbook of Excel (xlsx); there is no such file.")
    grids = _grids(path)
    spellings = {name: [_plain(text) for text in texts] for name, texts in columns.items()}
    for grid in grids:
        for index, cells in enumerate(grid[:MAX_HEADER_ROW]):
            places = _places(cells, spellings, path, index + 1)
            if all(name in places for name in required):
                return tuple(_rows(path, grid, index + 1, places, columns))
    wanted = ", ".join(columns[name][0] for name in required)
    seen = next(("; ".join(filter(None, cells)) for grid in grids for cells in grid if any(cells)), "nothing")
    raise DataError(
        f"{path} should have a row with the headers {wanted} among its first {MAX_HEADER_ROW}; it has none. "
        f"Its first row is: {seen[:200]}."
    )


def _grids(path: Path) -> list[list[list[str]]]:
    """The cells of every sheet as text."""
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > MAX_UNPACKED_BYTES:
            raise DataError(
                f"{path} unpacks to {unpacked >> 20} MiB; a table of labels takes at most {MAX_UNPACKED_BYTES >> 20}. "
                "It is damaged, or not the table of labels."
            )
        with warnings.catch_warnings():
            # Of styles and extensions that no table needs; a sheet that is not there is noticed for want of a header.
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
            with closing(book):
                return [_grid(path, sheet) for sheet in book.worksheets]
    except (*DAMAGE, InvalidFileException) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{path} should be a workbook of Excel (xlsx); it cannot be read ({error}). Copy it again."
        ) from error


def _grid(path: Path, sheet: Any) -> list[list[str]]:
    # A sheet says how large it is; what it says may be wrong, and rows are padded to it.
    sheet.reset_dimensions()
    rows = islice(sheet.iter_rows(max_col=MAX_COLUMNS, values_only=True), MAX_ROWS + 1)
    grid = [[_text(value) for value in row] for row in rows]
    if len(grid) > MAX_ROWS:
        raise DataError(f"{path} has more than {MAX_ROWS} rows in sheet {sheet.title!r}; a table of labels has fewer.")
    return grid


def _text(value: object) -> str:
    """One line of text; a number as it would be typed."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return " ".join(str(value).split())


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _places(cells: Sequence[str], spellings: Mapping[str, Sequence[str]], path: Path, row: int) -> dict[str, int]:
    """Name -> number of its column, for the names that this row has."""
    plain = [_plain(cell) for cell in cells]
    places: dict[str, int] = {}
    for fits_whole in (True, False):
        for name, texts in spellings.items():
            if name in places:
                continue
            free = [index for index in range(len(plain)) if index not in places.values()]
            for text in texts:
                found = [index for index in free if (text == plain[index] if fits_whole else text in plain[index])]
                if len(found) > 1 and fits_whole:
                    raise DataError(
                        f"{path}, row {row}: two columns are headed {cells[found[0]]!r}; rename one of them."
                    )
                if found:
                    places[name] = found[0]
                    break
    return places


def _rows(
    path: Path,
    grid: Sequence[Sequence[str]],
    start: int,
    places: Mapping[str, int],
    columns: Mapping[str, Sequence[str]],
) -> Iterator[SheetRow]:
    for index, row in enumerate(grid[start:], start + 1):
        cells = {name: row[places[name]] if name in places and places[name] < len(row) else "" for name in columns}
        if any(cells.values()):
            yield SheetRow(cells=cells, source=f"{path}, row {index}")
