"""`clips.csv`: what a set of recordings in the project's own layout holds, one line a clip."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from snnface.datasets.layout.tables import csv_rows, finite_number, whole_number
from snnface.errors import DataError, DatasetNotFoundError
from snnface.faces.action_units import ACTION_UNITS

__all__ = ["CLIP_TABLE", "ClipRow", "clip_table_text", "read_clip_rows"]

CLIP_TABLE = "clips.csv"

REQUIRED = ("subject", "au", "t_on", "t_apex", "t_off", "lux")
FURTHER = ("take", "t_start", "t_end")
EMOTION = "emotion"
# Folders of a data set: no separators, nothing that leads out of it.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
WORD = re.compile(r"[A-Za-z](?:[A-Za-z0-9_ -]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipRow:
    """One clip; times in microseconds of the recording's clock.

    Attributes:
        subject, take: the folders that hold its recording, `<subject>/<take>`.
        au: code of the action unit that was asked for; None where none was.
        on_us, apex_us, off_us: where it begins, is strongest, ends; all three or none known.
        lux: illuminance at the face; None where it is not known.
        emotion: that was asked for; None where none was.
        start_us, end_us: the clip is [start_us, end_us) of the recording; both or none given.

    Raises:
        DataError: if a name is none of a folder, the unit is unknown, or times do not rise.
    """

    subject: str
    take: str
    au: int | None = None
    on_us: int | None = None
    apex_us: int | None = None
    off_us: int | None = None
    lux: float | None = None
    emotion: str | None = None
    start_us: int | None = None
    end_us: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("subject", self.subject), ("take", self.take)):
            if not NAME.fullmatch(value):
                raise DataError(f"{name} must be the name of a folder (letters, digits, '_', '-', '.'); got {value!r}.")
        if self.emotion is not None and not WORD.fullmatch(self.emotion):
            raise DataError(f"emotion must be a word (a letter, then digits too); got {self.emotion!r}.")
        if self.au is not None and self.au not in ACTION_UNITS:
            known = ", ".join(map(str, ACTION_UNITS))
            raise DataError(f"au must be the code of a known action unit ({known}); got {self.au}.")
        on, apex, off, start, end = self.on_us, self.apex_us, self.off_us, self.start_us, self.end_us
        phases = [time for time in (on, apex, off) if time is not None]
        if len(phases) not in (0, 3) or phases != sorted(phases) or (phases and phases[0] == phases[2]):
            raise DataError(f"t_on <= t_apex <= t_off are given together and differ; got {_listed(on, apex, off)}.")
        if (start is None) != (end is None) or (start is not None and end is not None and start >= end):
            raise DataError(f"t_start < t_end are given together; got {_listed(start, end)}.")
        if not phases and start is None:
            raise DataError("a clip needs t_on, t_apex and t_off, or t_start and t_end; all are empty.")

    @property
    def recording_id(self) -> str:
        return f"{self.subject}/{self.take}"


def clip_table_text(rows: Sequence[ClipRow]) -> str:
    """The table as CSV; what is not known is an empty cell.

    Columns take, t_start and t_end are there only if a row needs them, and so is emotion.
    """
    is_plain = all(row.take == f"AU_{row.au}" and row.start_us is None for row in rows)
    has_emotions = any(row.emotion is not None for row in rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*REQUIRED, *(() if is_plain else FURTHER), *((EMOTION,) if has_emotions else ())))
    for row in rows:
        cells = (row.subject, row.au, row.on_us, row.apex_us, row.off_us, row.lux)
        further = () if is_plain else (row.take, row.start_us, row.end_us)
        felt = (row.emotion,) if has_emotions else ()
        writer.writerow("" if cell is None else cell for cell in (*cells, *further, *felt))
    return text.getvalue()


def read_clip_rows(path: Path) -> tuple[ClipRow, ...]:
    """The clips of a table, in its order.

    Columns subject, au, t_on, t_apex, t_off, lux, in any order; times in microseconds of the
    recording's clock. Further: take (else `AU_<au>`), t_start and t_end (the clip's own window), emotion.
    Other columns are passed over; cells may be empty where a value is not known.

    Raises:
        DatasetNotFoundError: if there is no such file.
        DataError: if it is no such table, or a row is wrong; names the line.
    """
    if not path.is_file():
        raise DatasetNotFoundError(
            f"{path} should list the clips, with columns {', '.join(REQUIRED)}; there is no such file."
        )
    header, rows = csv_rows(path)
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise DataError(
            f"{path} needs the columns {', '.join(REQUIRED)}; it lacks {', '.join(missing)} and has "
            f"{', '.join(header)}."
        )
    if not rows:
        raise DataError(f"{path} should list at least one clip; it has none.")
    return tuple(_row(f"{path}, line {line}", cells) for line, cells in rows)


def _row(source: str, cells: Mapping[str, str]) -> ClipRow:
    whole = {
        name: whole_number(cells[name], source=f"{source}, {name}") if cells.get(name) else None
        for name in ("au", "t_on", "t_apex", "t_off", "t_start", "t_end")
    }
    lux = finite_number(cells["lux"], source=f"{source}, lux", least=0) if cells["lux"] else None
    try:
        return ClipRow(
            subject=cells["subject"],
            take=cells.get("take") or f"AU_{cells['au']}",
            au=whole["au"],
            on_us=whole["t_on"],
            apex_us=whole["t_apex"],
            off_us=whole["t_off"],
            lux=lux,
            emotion=cells.get(EMOTION) or None,
            start_us=whole["t_start"],
            end_us=whole["t_end"],
        )
    except DataError as error:
        raise DataError(f"{source}: {error}") from error


def _listed(*values: int | None) -> str:
    return ", ".join("nothing" if value is None else str(value) for value in values)
