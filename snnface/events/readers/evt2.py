"""Prophesee EVT2 RAW files: one 32-bit word an event.

    bits 28..31   type: 0 OFF event, 1 ON event, 8 TIME_HIGH, 10 EXT_TRIGGER, 14 OTHERS, 15 CONTINUED
    an event      bits 22..27 time bits 0..5, bits 11..21 column, bits 0..10 row
    TIME_HIGH     bits 0..27 time bits 6..33
    EXT_TRIGGER   bits 22..27 time bits 0..5, bits 8..12 channel, bit 0 edge

Source: Prophesee, Metavision documentation, "EVT 2.0 format".
"""

import numpy as np

from snnface.events.readers.prophesee_file import (
    FIRST_RESERVED,
    NUM_RESERVED,
    NUM_SHARED,
    NUM_TRIGGERS,
    Columns,
    PropheseeFile,
)
from snnface.events.readers.prophesee_time import counted_on
from snnface.jit import jit

__all__ = [
    "CONTINUED",
    "EXT_TRIGGER",
    "OTHERS",
    "REACH_US",
    "TIME",
    "TIME_BEFORE",
    "TIME_BITS",
    "TIME_HIGH",
    "Evt2File",
]

TIME_HIGH, EXT_TRIGGER, OTHERS, CONTINUED = 8, 10, 14, 15
TIME_BITS = 34
# A camera sends TIME_HIGH all the time; half an hour without it, across a wrap, is damage.
REACH_US = 1 << 31

# The only state: the time that TIME_HIGH said, counted on, and the one before; negative before the first.
TIME, TIME_BEFORE = NUM_SHARED, NUM_SHARED + 1

Place = np.uint64


class Evt2File(PropheseeFile):
    """An EVT2 RAW file.

    Conventions: events before the first TIME_HIGH, at the start of a cut file, are left
    out. The 34-bit time wraps every 4.8 h and is counted on, where TIME_HIGH is missing for
    no more than 36 min.
    """

    encoding = "EVT2"
    word_type = np.uint32

    def _max_events(self, words: np.ndarray) -> int:
        return len(words)

    def _decode(self, words: np.ndarray, state: np.ndarray, events: Columns, triggers: Columns) -> int:
        return int(_decode(words, state, *events, *triggers))

    def _new_state(self) -> np.ndarray:
        return np.full(NUM_SHARED + 2, -1, np.int64)


@jit
def _decode(words, state, x, y, t_us, polarity, trigger_t_us, channel, rising):  # type: ignore[no-untyped-def]
    """Decode `words`; returns the number of events."""
    time, before = state[TIME], state[TIME_BEFORE]
    n, m, one = Place(0), Place(0), Place(1)
    for index in range(len(words)):
        word = np.int64(words[index])
        kind = word >> 28
        if kind <= 1:
            x[n], y[n] = (word >> 11) & 0x7FF, word & 0x7FF
            t_us[n], polarity[n] = time | ((word >> 22) & 63), kind
            n += Place(time >= 0)
        elif kind == TIME_HIGH:
            before, time = counted_on(before, time, (word & 0xFFFFFFF) << 6, TIME_BITS, REACH_US)
        elif kind == EXT_TRIGGER:
            if time >= 0:
                trigger_t_us[m], channel[m] = time | ((word >> 22) & 63), (word >> 8) & 31
                rising[m] = word & 1
                m += one
        elif kind not in (OTHERS, CONTINUED):
            if state[NUM_RESERVED] == 0:
                state[FIRST_RESERVED] = index
            state[NUM_RESERVED] += 1
    state[TIME], state[TIME_BEFORE], state[NUM_TRIGGERS] = time, before, np.int64(m)
    return n
