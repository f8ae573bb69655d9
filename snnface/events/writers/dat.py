"""Prophesee DAT files, version 2: two 32-bit words an event.

Source: Prophesee, Metavision documentation, "DAT file format".
"""

import numpy as np

from snnface.errors import DataError
from snnface.events.stream import EventStream
from snnface.events.window import TimeWindow
from snnface.events.writers.base import EncodedWriter
from snnface.jit import jit

__all__ = ["DatWriter"]

# Events of contrast detection, of eight bytes each.
EVENT_TYPE, EVENT_BYTES = 12, 8
TURN_US = 1 << 32
MAX_GAP_US = 1 << 29


class DatWriter(EncodedWriter):
    """A DAT file.

    Conventions: its times are 32 bits wide, and a reader counts their wraps every 71.6 minutes
    from one event to the next. The project's own does so over up to 8.9 minutes without events.

    Raises:
        DataError: if the first event comes after 71.6 minutes, or two neighbours lie more than 8.9
            minutes apart.
    """

    format_name = "DAT"
    max_side = 1 << 14
    times = TimeWindow(0, 1 << 62)

    def _head(self) -> bytes:
        text = (
            "% Data file containing CD events\n% Version 2\n"
            f"% Width {self.resolution.width}\n% Height {self.resolution.height}\n"
        )
        return text.encode("ascii") + bytes([EVENT_TYPE, EVENT_BYTES])

    def _check(self, stream: EventStream) -> None:
        if self._latest_us is None and stream.t_us[0] >= TURN_US:
            raise DataError(
                f"{self.path}: DAT has no more than 32 bits for the time of the first event, which lies at "
                f"{stream.t_us[0]} us. Shift the time, or write HDF5."
            )
        before_us = int(stream.t_us[0]) if self._latest_us is None else self._latest_us
        gap_us = _longest_gap(stream.t_us, before_us)
        if gap_us > MAX_GAP_US:
            raise DataError(
                f"{self.path}: DAT counts time in 32 bits and cannot tell a gap without events of "
                f"{gap_us // 60_000_000} minutes; up to 8 can be written. Write the parts to files of their own, or "
                "write HDF5."
            )

    def _encoded(self, block: EventStream) -> np.ndarray:
        words = np.empty((len(block), 2), np.uint32)
        _encode(block.x, block.y, block.t_us, block.polarity, words)
        return words


@jit
def _longest_gap(t_us, before_us):  # type: ignore[no-untyped-def]
    longest = np.int64(0)
    for event in range(len(t_us)):
        longest = max(longest, t_us[event] - before_us)
        before_us = t_us[event]
    return longest


@jit
def _encode(x, y, t_us, polarity, words):  # type: ignore[no-untyped-def]
    for event in range(len(t_us)):
        column, row, on = np.int64(x[event]), np.int64(y[event]), np.int64(polarity[event])
        words[event, 0] = t_us[event] & (TURN_US - 1)
        words[event, 1] = column | row << 14 | on << 28
