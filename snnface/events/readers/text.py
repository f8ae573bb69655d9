"""Events as text: csv and txt files with one event a line.

Columns are named by a line before the first event (`t,x,y,p`, `t_us,x,y,polarity`, `x y p timestamp`, ...);
without names there are four of them, in the order t x y p or x y p t, whichever alone fits the first lines.
Blanks, tabs, commas and semicolons separate them. Lines that begin with # or % are comments.

The sensor's size stands in a comment (`# 640x480`, `%geometry:640,480`) or in a first line of two
numbers, width and height, as e2vid has it.

Source: Mueggler et al. 2017, arXiv:1610.08336, events.txt; Rebecq et al. 2019, arXiv:1906.07165 (e2vid); v2e,
its option --dvs_text; Prophesee, Metavision samples (csv).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from snnface.errors import DataError
from snnface.events.readers.assembly import Assembly
from snnface.events.readers.pieces import EventColumns, PieceFile
from snnface.events.readers.text_head import text_layout
from snnface.events.readers.text_lines import parse_lines
from snnface.events.window import Resolution

__all__ = ["TextFile"]

PIECE_BYTES = 1 << 22


class TextFile(PieceFile):
    """A text file of events.

    Conventions: times whose column is named `.._us` are in microseconds, `.._s` in seconds; else they
    are in seconds if the first one is written with a decimal point or an exponent, and in
    microseconds if it is not. Where such times are whole all the same (`7139845.0`), in the first
    64 kB, they are refused. Seconds are rounded to the nearest microsecond, halves up. Polarity is
    1 (ON), 0 or -1 (OFF).

    Raises:
        DataError: if the columns cannot be told apart, whole times have a decimal point and no unit, the
            sensor's size is neither stated nor given, or (unless recovering) a line is no event.
    """

    def __init__(self, path: Path, *, resolution: Resolution | None = None, recover: bool = False) -> None:
        self._layout = text_layout(path, resolution)
        stated = resolution or self._layout.resolution
        if stated is None:
            raise DataError(
                f"{path} does not state the sensor's size (a first line such as '# 640x480'); give it, as in "
                "resolution=Resolution(height=480, width=640)."
            )
        super().__init__(path, stated, recover=recover)

    def _pieces(self, columns: EventColumns, assembly: Assembly, others: list[Any]) -> Iterator[int | None]:
        layout = self._layout
        axis_of_column = np.full(layout.num_columns, -1, np.int64)
        for number, axis in enumerate("txyp"):
            axis_of_column[layout.axes[axis]] = number
        for data, start in self._lines(assembly):
            # No line of an event is shorter than its columns and what separates them.
            room = columns.space(len(data) // (2 * layout.num_columns) + 1)
            num_events, num_bad, bad_at = parse_lines(data, axis_of_column, 6 if layout.is_seconds else 0, *room)
            if num_bad:
                line = data[bad_at : bad_at + 60].tobytes().split(b"\n")[0]
                assembly.damage(
                    f"the line {line.decode('latin-1')!r} should be an event of {layout.num_columns} columns: whole "
                    "numbers but for times in seconds, coordinates in 0..65535, polarity in -1..1. Mend it, or leave "
                    "such lines out (recover=True, --recover).",
                    dropped="lines that are no events",
                    count=num_bad,
                    at_byte=start + bad_at,
                )
            columns.keep(num_events)
            yield start

    def _lines(self, assembly: Assembly) -> Iterator[tuple[np.ndarray, int]]:
        """Pieces that end with a line, and where they begin."""
        start = self._layout.num_bytes
        with self.path.open("rb") as file:
            file.seek(start)
            rest = b""
            while piece := file.read(PIECE_BYTES):
                data = rest + piece
                end = data.rfind(b"\n") + 1
                if not end and len(data) > PIECE_BYTES:
                    assembly.damage(
                        "a line of more than 4 MB is no event. The file is damaged.",
                        dropped="bytes without a line's end, with all that follows them",
                        count=len(data),
                        at_byte=start,
                    )
                    return
                rest = data[end:]
                yield np.frombuffer(data, np.uint8, end), start
                start += end
            yield np.frombuffer(rest + b"\n", np.uint8), start
