"""Tables of labels as data sets have them: one beside each clip, or one for the whole set."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Int64

from snnface.errors import DataError
from snnface.files import read_text
from snnface.labels.afew_va_json import read_afew_va

__all__ = ["SET_TABLE", "ClipLabels", "clip_table", "read_clip_labels", "read_set_labels"]

# The table for a whole set lies in its folder under this name.
SET_TABLE = "labels.csv"
CLIP_COLUMNS = ("clip", "file")
FRAME_COLUMN = "frame"
# Column -> microseconds in its unit.
TIME_COLUMNS = {"t_us": 1, "time_us": 1, "t_ms": 1000, "time_ms": 1000} | dict.fromkeys(
    ("t_s", "time_s", "time"), 1_000_000
)
MAX_TIME_US = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClipLabels:
    """Labels of one clip: cells as the table has them, empty where a label is not known.

    Attributes:
        names: columns that change in time.
        rows: one cell for each name; ordered by `position`.
        position: of each row, int64 [L], non-decreasing: its time in microseconds from the clip's
            first frame, or the number of its frame, counted from 0.
        unit: which of the two.
        constants: columns that hold for the whole clip.
        source: the file or files, for messages.
    """

    names: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    position: Int64[np.ndarray, "_"] = field(default_factory=lambda: np.zeros(0, np.int64))
    unit: Literal["us", "frame"] = "us"
    constants: Mapping[str, str] = field(default_factory=dict)
    source: str = ""

    def t_us(self, frame_t_us: Int64[np.ndarray, " T"]) -> Int64[np.ndarray, " L"]:
        """The time of each row, for a clip with frames at these times.

        Raises:
            DataError: if a row names a frame that the clip does not have.
        """
        if self.unit == "us" or not len(self.position):
            return self.position
        if self.position[0] < 0 or self.position[-1] >= len(frame_t_us):
            raise DataError(
                f"{self.source} has labels for frames {self.position[0]} to {self.position[-1]}; the clip has frames "
                f"0 to {len(frame_t_us) - 1}. Frames are counted from 0."
            )
        return frame_t_us[self.position]

    def with_constants(self, constants: Mapping[str, str], source: str) -> "ClipLabels":
        """The same labels and some more that hold for the whole clip; a column that is there already stays."""
        more = {name: value for name, value in constants.items() if name not in {*self.names, *self.constants}}
        both = {**self.constants, **more}
        sources = " and ".join(filter(None, (self.source, source)))
        return ClipLabels(
            names=self.names, rows=self.rows, position=self.position, unit=self.unit, constants=both, source=sources
        )


def clip_table(clip: Path) -> Path | None:
    """The table of labels beside a clip, None if there is none.

    For `face.mp4` and for a folder of images `face`: `face.csv`, `face.labels.csv` or `face.json`
    beside it; for a folder also `labels.csv`, `face.csv` or `face.json` in it. JSON is AFEW-VA's
    layout; another JSON file is none of labels.
    """
    stem = clip.name if clip.is_dir() else clip.stem
    candidates = [clip.parent / f"{stem}{suffix}" for suffix in (".csv", ".labels.csv", ".json")]
    if clip.is_dir():
        candidates += [clip / name for name in (SET_TABLE, f"{stem}.csv", f"{stem}.json")]
    for path in candidates:
        if path.is_file() and (path.suffix == ".csv" or _is_afew_va(path)):
            return path
    return None


def read_clip_labels(path: Path) -> ClipLabels:
    """The table of one clip: CSV with a header, or the JSON of AFEW-VA.

    One column says when: `frame` (a number from 0), or a time from the first frame on, `t_us`,
    `time_us`, `t_ms`, `time_ms`, `t_s`, `time_s` or `time` (in seconds). The other columns are
    labels. A table without such a column has one row, which holds for the whole clip.

    Source of the JSON layout: Kossaifi et al. 2017, AFEW-VA: "frames" -> number -> valence,
    arousal (-10..10); landmarks are left out.

    Raises:
        DataError: if the table cannot be read, names no column of labels, or a row has no number
            where its time or frame should stand.
    """
    if path.suffix == ".json":
        return _from_afew_va(path)
    header, rows = _csv_rows(path)
    return _labels(path, header, rows, ignored=())


def read_set_labels(path: Path) -> dict[str, ClipLabels]:
    """The table of a whole set: as that of a clip, with a column `clip` or `file` that says which clip.

    A clip is named by its path in the set, with or without its suffix. A clip with one row
    and no time has constant labels.

    Returns:
        name, as the table has it -> labels.

    Raises:
        DataError: as `read_clip_labels`; if no column names the clip.
    """
    header, rows = _csv_rows(path)
    names = [name for name in header if name.lower() in CLIP_COLUMNS]
    if len(names) != 1:
        raise DataError(f"{path} needs one column 'clip' or 'file' that says which clip a row is for; got {header}.")
    by_clip: dict[str, list[tuple[int, dict[str, str]]]] = {}
    for line, row in rows:
        by_clip.setdefault(row[names[0]].replace("\\", "/"), []).append((line, row))
    return {clip: _labels(path, header, of_clip, ignored=names) for clip, of_clip in by_clip.items()}


def _csv_rows(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Column names, and (line, cells) of each row; blank lines are left out."""
    text = read_text(path).removeprefix("\ufeff")
    # Strict: a quotation mark that is never closed is an error, not the rest of the file in one cell.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = []
    rows = []
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if not any(stripped):
                continue
            if not header:
                header = stripped
            elif len(stripped) != len(header):
                raise DataError(
                    f"{path}, line {reader.line_num}: {len(header)} cells were expected, as in the header; "
                    f"{len(stripped)} came. Mend that line."
                )
            else:
                rows.append((reader.line_num, dict(zip(header, stripped, strict=True))))
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: this is no CSV ({error}).") from error
    if len(header) == 1 and any(separator in header[0] for separator in ";\t"):
        raise DataError(
            f"{path}: cells should be separated by commas; the header is {header[0]!r}. Save it with commas."
        )
    if not header or len(set(header)) < len(header) or not all(header):
        raise DataError(f"{path} needs a header with a name of its own for each column; got {header}.")
    return header, rows


def _labels(
    path: Path, header: Sequence[str], rows: Sequence[tuple[int, dict[str, str]]], *, ignored: Sequence[str]
) -> ClipLabels:
    when = [name for name in header if name.lower() in (*TIME_COLUMNS, FRAME_COLUMN)]
    names = tuple(name for name in header if name not in ignored and name not in when)
    if len(when) > 1 or not names:
        raise DataError(
            f"{path} needs at most one column that says when ({FRAME_COLUMN}, {', '.join(TIME_COLUMNS)}), and at least "
            f"one with labels; got {', '.join(header)}."
        )
    if not when:
        if len(rows) > 1:
            raise DataError(
                f"{path} has {len(rows)} rows for one clip, and no column that says when each of them holds. "
                f"Add one of {FRAME_COLUMN}, {', '.join(TIME_COLUMNS)}."
            )
        return ClipLabels(constants={name: row[name] for _, row in rows for name in names}, source=str(path))
    scale = TIME_COLUMNS.get(when[0].lower(), 1)
    unit: Literal["us", "frame"] = "frame" if when[0].lower() == FRAME_COLUMN else "us"
    places = np.array([_position(path, line, when[0], row[when[0]], scale, unit) for line, row in rows], np.int64)
    order = np.argsort(places, kind="stable")
    cells = tuple(tuple(rows[index][1][name] for name in names) for index in order)
    return ClipLabels(names=names, rows=cells, position=places[order], unit=unit, source=str(path))


def _position(path: Path, line: int, column: str, cell: str, scale: int, unit: str) -> int:
    try:
        value = float(cell) * scale
    except ValueError:
        value = math.nan
    if not abs(value) < MAX_TIME_US or (unit == "frame" and value != int(value)):
        wanted = "the whole number of a frame" if unit == "frame" else "a time"
        raise DataError(f"{path}, line {line}: the column {column!r} should hold {wanted}; got {cell!r}.")
    return round(value)


def _is_afew_va(path: Path) -> bool:
    try:
        read_afew_va(path)
    except DataError:
        return False
    return True


def _from_afew_va(path: Path) -> ClipLabels:
    frames = read_afew_va(path).frames
    plain = [{n: v for n, v in values.items() if isinstance(v, str | int | float)} for _, values in frames.values()]
    names = tuple(dict.fromkeys(name for values in plain for name in values))
    return ClipLabels(
        names=names,
        rows=tuple(tuple(str(values.get(name, "")) for name in names) for values in plain),
        position=np.array(list(frames), np.int64),
        unit="frame",
        source=str(path),
    )
