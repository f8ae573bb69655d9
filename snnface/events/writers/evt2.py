"""Prophesee EVT2 RAW files: one 32-bit word an event, and one for the upper part of the time.

Source: Prophesee, Metavision documentation, "EVT 2.0 format".
"""

import numpy as np

from snnface.events.stream import EventStream
from snnface.events.window import TimeWindow
from snnface.events.writers.base import EncodedWriter
from snnface.events.writers.raw_header import raw_header
from snnface.events.writers.time_base import max_high_words, write_high_words
from snnface.jit import jit

__all__ = ["Evt2Writer"]

TIME_HIGH = 8 << 28

# TIME_HIGH counts units of 64 us in 28 bits.
UNIT_BITS, HIGH_BITS = 6, 28


class Evt2Writer(EncodedWriter):
    """An EVT2 RAW file.

    Conventions: the time base is 34 bits wide; through gaps and up to a late first event,
    TIME_HIGH words mark every turn of 4.8 hours. So times may lie up to 2^54 us, at 12 bytes
    a turn.
    """

    format_name = "EVT2"
    max_side = 2048
    times = TimeWindow(0, 1 << 54)

    def _head(self) -> bytes:
        self._unit = -1
        return raw_header("EVT2", "2.0", self.resolution)

    def _encoded(self, block: EventStream) -> np.ndarray:
        before, last = self._unit, int(block.t_us[-1]) >> UNIT_BITS
        words = np.empty(2 * len(block) + max_high_words(max(before, 0), last, HIGH_BITS), np.uint32)
        self._unit = last
        return words[: _encode(block.x, block.y, block.t_us, block.polarity, before, words)]


@jit
def _encode(x, y, t_us, polarity, unit, words):  # type: ignore[no-untyped-def]
    """Encode into `words` behind a TIME_HIGH of `unit`; returns how many of them there are."""
    n = np.int64(0)
    for event in range(len(t_us)):
        time = t_us[event]
        if time >> UNIT_BITS != unit:
            n = write_high_words(words, n, unit, time >> UNIT_BITS, HIGH_BITS, TIME_HIGH)
            unit = time >> UNIT_BITS
        column, row, on = np.int64(x[event]), np.int64(y[event]), np.int64(polarity[event])
        words[n] = on << 28 | (time & 0x3F) << 22 | column << 11 | row
        n += 1
    return n
