"""Text tables as data sets have them: cells with the line they stand on, and numbers that are checked."""

import csv
import io
import math
from pathlib import Path

from snnface.errors import DataError
from snnface.files import read_text

__all__ = ["csv_rows", "finite_number", "number_rows", "plain_rows", "require_cells", "whole_number"]

# A number beyond this is no pixel, time or label of any data set.
LARGEST = 1e15


def plain_rows(path: Path, *, delimiter: str = ",") -> list[tuple[int, list[str]]]:
    """(line, cells) of each row of a table without a header; blank lines are left out.

    Raises:
        DataError: if it is not UTF-8, or a quotation mark is not closed.
    """
    # Strict: a quotation mark that is never closed is an error, not the rest of the file in one cell.
    text = _text(path)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    rows = []
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                rows.append((reader.line_num, stripped))
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: this is no table ({error}). Mend that line.") from error
    return rows


def csv_rows(path: Path, *, delimiter: str = ",") -> tuple[tuple[str, ...], list[tuple[int, dict[str, str]]]]:
    """The names of the columns, and (line, name -> cell) of each row below them.

    Raises:
        DataError: as `plain_rows`; if names are missing or there twice, or a row has not as many cells.
    """
    rows = plain_rows(path, delimiter=delimiter)
    header = tuple(rows[0][1]) if rows else ()
    if not header or len(set(header)) < len(header) or not all(header):
        raise DataError(f"{path} needs a header with a name of its own for each column; got {list(header)}.")
    for line, cells in rows[1:]:
        require_cells(path, line, cells, len(header))
    return header, [(line, dict(zip(header, cells, strict=True))) for line, cells in rows[1:]]


def require_cells(path: Path, line: int, cells: list[str], *counts: int) -> None:
    """Make sure that a row has one of these numbers of cells.

    Raises:
        DataError: names file and line.
    """
    if len(cells) not in counts:
        wanted = " or ".join(map(str, counts))
        raise DataError(f"{path}, line {line}: {wanted} cells were expected; {len(cells)} came. Mend that line.")


def number_rows(path: Path, *, num_columns: int) -> list[tuple[int, tuple[float, ...]]]:
    """(line, numbers) of each row of numbers set apart by blanks, such as "   1.2000000e+01   0.0000000e+00".

    Raises:
        DataError: if a row has another number of columns, or a cell is no finite number.
    """
    rows = []
    for line, text in enumerate(_text(path).splitlines(), start=1):
        cells = text.split()
        if cells:
            require_cells(path, line, cells, num_columns)
            source = f"{path}, line {line}"
            rows.append((line, tuple(finite_number(cell, source=source) for cell in cells)))
    return rows


def finite_number(cell: object, *, source: str, least: float = -LARGEST, most: float = LARGEST) -> float:
    """A number within bounds, from text or from a value of JSON.

    Args:
        source: file and line, for the message.

    Raises:
        DataError: if it is no number, not finite, or out of bounds.
    """
    value = math.nan
    # Python takes "1_0" for 10; in a table it is a slip.
    if isinstance(cell, str | int | float) and not isinstance(cell, bool) and "_" not in str(cell):
        try:
            value = float(cell)
        except (ValueError, OverflowError):
            value = math.nan
    # NaN fails the comparison.
    if not least <= value <= most:
        raise DataError(f"{source}: a number from {least:g} to {most:g} was expected; got {_shown(cell)}.")
    return value


def whole_number(cell: object, *, source: str, least: int = 0, most: int = int(LARGEST)) -> int:
    """A whole number within bounds; "12.0" and "1.2e1" are 12.

    Raises:
        DataError: if it is not whole, no number, or out of bounds.
    """
    value = finite_number(cell, source=source, least=least, most=most)
    if value != int(value):
        raise DataError(f"{source}: a whole number from {least} to {most} was expected; got {_shown(cell)}.")
    return int(value)


def _text(path: Path) -> str:
    try:
        return read_text(path).removeprefix("\ufeff")
    except FileNotFoundError as error:
        raise DataError(f"{path} should be a table of text; there is no such file.") from error


def _shown(cell: object) -> str:
    text = repr(cell)
    return text if len(text) <= 60 else f"{text[:57]}..."
