"""Events as text: one line each, with the sensor's size and the names of the columns before them.

# 640x480
t_us,x,y,polarity
1000,12,34,1
"""

import numpy as np

from snnface.events.stream import EventStream
from snnface.events.window import TimeWindow
from snnface.events.writers.base import EncodedWriter
from snnface.jit import jit

__all__ = ["CsvWriter"]

# A line holds at most a sign, 18 + 5 + 5 + 1 digits, three commas and the line's end.
MAX_LINE = 34
COMMA, NEWLINE, MINUS, ZERO = b",\n-0"


class CsvWriter(EncodedWriter):
    """A text file. Times are whole microseconds; polarity is 1 (ON) or 0."""

    format_name = "csv"
    # Eighteen digits: what any reader of 64-bit numbers takes, and 31,000 years.
    times = TimeWindow(1 - 10**18, 10**18)

    def _head(self) -> bytes:
        return f"# {self.resolution}\nt_us,x,y,polarity\n".encode("ascii")

    def _encoded(self, block: EventStream) -> np.ndarray:
        text = np.empty(MAX_LINE * len(block), np.uint8)
        return text[: _encode(block.x, block.y, block.t_us, block.polarity, text)]


@jit
def _encode(x, y, t_us, polarity, text):  # type: ignore[no-untyped-def]
    """Write the lines into `text`; returns how many bytes they have."""
    n = 0
    for event in range(len(t_us)):
        if t_us[event] < 0:
            text[n] = MINUS
            n += 1
        n = _write_number(text, n, abs(t_us[event]), COMMA)
        n = _write_number(text, n, np.int64(x[event]), COMMA)
        n = _write_number(text, n, np.int64(y[event]), COMMA)
        n = _write_number(text, n, np.int64(polarity[event]), NEWLINE)
    return n


@jit
def _write_number(text, n, number, end):  # type: ignore[no-untyped-def]
    """Write a number that is not negative, and the byte behind it, after the first `n` bytes."""
    stop, rest = n + 1, number // 10
    while rest:
        stop, rest = stop + 1, rest // 10
    text[stop] = end
    for place in range(stop - 1, n - 1, -1):
        text[place] = ZERO + number % 10
        number //= 10
    return stop + 1
