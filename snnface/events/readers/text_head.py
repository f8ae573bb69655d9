"""What the first lines of a text file of events say: its columns, the unit of its times, the sensor's size."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from snnface.errors import ConfigError, DataError
from snnface.events.readers.column_names import axes_of_names, orders_that_fit
from snnface.events.window import Resolution

__all__ = ["TextLayout", "looks_like_text_events", "text_layout"]

HEAD_BYTES = 1 << 16
COMMENTS = ("#", "%")
SEPARATOR = re.compile(r"[ \t]*[,;][ \t]*|[ \t]+")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
SIZE = re.compile(r"^[#%]\s*(?:geometry|resolution|size)?\s*[:=]?\s*(\d+)\s*[x, ]\s*(\d+)\s*$", re.IGNORECASE)
# Lines from which the order of unnamed columns is told.
SAMPLE_LINES = 1000


@dataclass(frozen=True, slots=True)
class TextLayout:
    """What the first lines say.

    Attributes:
        axes: place of each of t, x, y, p among the columns.
        num_columns: in every line.
        is_seconds: whether times are seconds; else they are microseconds.
        resolution: the sensor's size, where it is stated.
        num_bytes: up to the first event.
    """

    axes: dict[str, int]
    num_columns: int
    is_seconds: bool
    resolution: Resolution | None
    num_bytes: int


def text_layout(path: Path, given: Resolution | None) -> TextLayout:
    """Read the first lines.

    Args:
        given: the sensor's size, where the caller knows it.

    Raises:
        DataError: if the columns or the unit of the times cannot be told, or an impossible size is stated.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    resolution = _stated_size(path, head)
    rows = [(start, row) for start, row in _first_lines(head) if row]
    if rows and len(rows[0][1]) == 2 and _are_numbers(rows[0][1]):
        resolution = _size(path, *rows.pop(0)[1])
    axes = axes_of_names(rows[0][1]) if rows else None
    names: list[str] = []
    if axes is not None:
        names = rows.pop(0)[1]
    if axes is None:
        axes = _axes_by_value(path, [row for _, row in rows[:SAMPLE_LINES]], given or resolution)
    unit = names[axes["t"]].lower().rpartition("_")[2] if names else ""
    return TextLayout(
        axes=axes,
        num_columns=len(names) if names else 4,
        is_seconds=unit == "s" if unit in ("s", "us") else _are_seconds(path, [row for _, row in rows], axes["t"]),
        resolution=resolution,
        num_bytes=rows[0][0] if rows else len(head),
    )


def looks_like_text_events(head: bytes) -> bool:
    """Whether the first bytes of a file are text whose first lines can be events."""
    if re.search(rb"[^\t\n\r\x20-\x7e\x80-\xff]", head):
        return False
    lines = list(_first_lines(head))
    rows = [row for _, row in lines if row]
    if rows and len(rows[0]) == 2 and _are_numbers(rows[0]):
        rows = rows[1:]
    return bool(rows) and (axes_of_names(rows[0]) is not None or (len(rows[0]) == 4 and _are_numbers(rows[0])))


def _first_lines(head: bytes) -> Iterator[tuple[int, list[str]]]:
    """Where each whole line begins, and its columns; none for a comment or an empty line."""
    start = 0
    text = head if len(head) < HEAD_BYTES else head[: head.rfind(b"\n") + 1]
    for line in text.splitlines(keepends=True):
        content = line.decode("latin-1").strip()
        yield start, [] if not content or content.startswith(COMMENTS) else SEPARATOR.split(content)
        start += len(line)


def _are_numbers(row: list[str]) -> bool:
    return all(NUMBER.fullmatch(cell) for cell in row)


def _axes_by_value(path: Path, rows: list[list[str]], resolution: Resolution | None) -> dict[str, int]:
    whole = [row for row in rows if len(row) == 4 and _are_numbers(row)]
    fitting = orders_that_fit(np.array(whole, np.float64).reshape(-1, 4), resolution)
    if len(fitting) > 1 and "." in "".join(row[0] for row in whole):
        # Only a time is written with a decimal point.
        fitting = [order for order in fitting if order[0] == "t"]
    fitting = [order for order in fitting if order != "xytp"]
    if not whole or len(fitting) != 1:
        raise DataError(
            f"{path}: the order of its columns cannot be told from their values (t x y p and x y p t "
            f"{'both' if fitting else 'neither'} fit); put a line with their names before the first event, such as "
            "'t,x,y,p'."
        )
    return {axis: fitting[0].index(axis) for axis in "txyp"}


def _are_seconds(path: Path, rows: list[list[str]], column: int) -> bool:
    """Whether times are seconds: the first one, which decides, has a decimal point or an exponent."""
    written = [row[column] for row in rows if len(row) > column and NUMBER.fullmatch(row[column])]
    if not written or not re.search(r"[.eE]", written[0]):
        return False
    times = np.array(written, np.float64)
    # Zeros are as good in either unit; the fractions of seconds may come later.
    if times.any() and (np.rint(times) == times).all():
        raise DataError(
            f"{path}: its times are whole numbers written with a decimal point or an exponent, such as {written[0]}, "
            "which may be seconds or microseconds; name their column t_s or t_us in a line before the first event, "
            "such as 't_us,x,y,p'."
        )
    return True


def _stated_size(path: Path, head: bytes) -> Resolution | None:
    for line in head.splitlines():
        found = SIZE.match(line.decode("latin-1").strip())
        if found:
            return _size(path, found[1], found[2])
        if not line.strip().startswith((b"#", b"%")):
            return None
    return None


def _size(path: Path, width: str, height: str) -> Resolution:
    try:
        return Resolution(height=int(height), width=int(width))
    except (ValueError, ConfigError) as error:
        raise DataError(f"{path}: the sensor's stated size {width} x {height} is no pair of pixel counts.") from error
