"""Prophesee EVT3 RAW files: 16-bit words that carry only what changes.

Source: Prophesee, Metavision documentation, "EVT 3.0 format".
"""

import numpy as np

from snnface.events.stream import EventStream
from snnface.events.window import TimeWindow
from snnface.events.writers.base import EncodedWriter
from snnface.events.writers.raw_header import raw_header
from snnface.events.writers.time_base import max_high_words, write_high_words
from snnface.jit import jit

__all__ = ["Evt3Writer"]

ADDR_Y, ADDR_X, VECT_BASE_X, VECT_12, TIME_LOW, TIME_HIGH = (kind << 12 for kind in (0, 2, 3, 4, 6, 8))

# TIME_HIGH counts units of 4096 us in 12 bits.
UNIT_BITS, HIGH_BITS = 12, 12

# Two words are the shortest form of two events in any case; from three on a new vector is shorter.
MIN_VECTOR = 3

# The encoder's state between blocks, as places in one int64 array; -1: nothing written yet.
UNIT, TIME, ROW, NEXT_X, NEXT_ON = range(5)


class Evt3Writer(EncodedWriter):
    """An EVT3 RAW file.

    Conventions:
      * Events keep their order. Neighbours of one time, row and polarity whose columns rise within 12
        pixels become one vector where that is shorter; a vector goes on where the one before ended.
      * VECT_8 is not used: it is no shorter than VECT_12 and leads less far.
      * The time base is 24 bits wide; through gaps and up to a late first event, TIME_HIGH words
        mark every turn of 16.8 s. So times may lie up to 2^45 us (407 days), at 6 bytes a turn.
    """

    format_name = "EVT3"
    max_side = 2048
    times = TimeWindow(0, 1 << 45)

    def _head(self) -> bytes:
        self._state = np.full(5, -1, np.int64)
        return raw_header("EVT3", "3.0", self.resolution)

    def _encoded(self, block: EventStream) -> np.ndarray:
        first, last = max(int(self._state[UNIT]), 0), int(block.t_us[-1]) >> UNIT_BITS
        # One event takes at most a word each for the two parts of the time, the row and the column.
        words = np.empty(4 * len(block) + max_high_words(first, last, HIGH_BITS), np.uint16)
        return words[: _encode(block.x, block.y, block.t_us, block.polarity, self._state, words)]


@jit
def _encode(x, y, t_us, polarity, state, words):  # type: ignore[no-untyped-def]
    """Encode into `words`; returns how many of them there are."""
    unit, time, row = state[UNIT], state[TIME], state[ROW]
    next_x, next_on = state[NEXT_X], state[NEXT_ON]
    event, n = 0, np.int64(0)
    while event < len(t_us):
        if t_us[event] != time:
            time = t_us[event]
            if time >> UNIT_BITS != unit:
                n = write_high_words(words, n, unit, time >> UNIT_BITS, HIGH_BITS, TIME_HIGH)
                unit = time >> UNIT_BITS
            words[n] = TIME_LOW | (time & 0xFFF)
            n, next_x = n + 1, -1
        if y[event] != row:
            row = np.int64(y[event])
            words[n] = ADDR_Y | row
            n, next_x = n + 1, -1
        column, on = np.int64(x[event]), np.int64(polarity[event])
        goes_on = next_x >= 0 and next_on == on and next_x <= column < next_x + 12
        base = next_x if goes_on else column
        bits, stop = 1 << (column - base), event + 1
        while stop < len(t_us) and t_us[stop] == time and y[stop] == row and polarity[stop] == on:
            if not column < x[stop] < base + 12:
                break
            column = np.int64(x[stop])
            bits |= 1 << (column - base)
            stop += 1
        if goes_on or stop - event >= MIN_VECTOR:
            if not goes_on:
                words[n] = VECT_BASE_X | on << 11 | base
                n += 1
            words[n] = VECT_12 | bits
            next_x, next_on, event = base + 12, on, stop
        else:
            words[n] = ADDR_X | on << 11 | base
            next_x, event = -1, event + 1
        n += 1
    state[UNIT], state[TIME], state[ROW] = unit, time, row
    state[NEXT_X], state[NEXT_ON] = next_x, next_on
    return n
