"""Prophesee EVT2.1 RAW files: 64-bit words, events of up to 32 neighbouring pixels in each.

One half of a word is laid out as a word of EVT2; the other is a mask: bit k stands for an
event at column + k. In plain files the mask is the lower half; in those whose header says
`endianness=legacy`, the upper one.

Source: Prophesee, Metavision documentation, "EVT 2.1 format".
"""

import numpy as np

from snnface.events.readers.evt2 import (
    CONTINUED,
    EXT_TRIGGER,
    OTHERS,
    REACH_US,
    TIME,
    TIME_BEFORE,
    TIME_BITS,
    TIME_HIGH,
)
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

__all__ = ["Evt21File"]

Place = np.uint64

# The place of the lowest bit of a number that has one: lowest * DE_BRUIJN, upper 5 of 32 bits.
# Source: Leiserson, Prokop, Randall 1998, "Using de Bruijn sequences to index a 1 in a computer word".
DE_BRUIJN = 0x077CB531
PLACE_OF_BIT = np.zeros(32, np.int64)
PLACE_OF_BIT[[(DE_BRUIJN << bit & 0xFFFFFFFF) >> 27 for bit in range(32)]] = np.arange(32)


class Evt21File(PropheseeFile):
    """An EVT2.1 RAW file, in either order of the halves.

    Conventions: as `Evt2File`; the events of one word come in the order of their columns.
    """

    encoding = "EVT21"
    word_type = np.uint64
    byte_orders = ("little", "legacy")

    def _max_events(self, words: np.ndarray) -> int:
        return int(_num_events(words.view(np.uint32), self._mask_half))

    def _decode(self, words: np.ndarray, state: np.ndarray, events: Columns, triggers: Columns) -> int:
        return int(_decode(words.view(np.uint32), self._mask_half, state, *events, *triggers))

    def _new_state(self) -> np.ndarray:
        return np.full(NUM_SHARED + 2, -1, np.int64)

    @property
    def _mask_half(self) -> int:
        return 1 if self._header.byte_order == "legacy" else 0


@jit
def _num_events(halves, mask_half):  # type: ignore[no-untyped-def]
    """How many events are in the words whose halves these are, if the time is known."""
    events = 0
    for index in range(len(halves) // 2):
        head = halves[2 * index + 1 - mask_half]
        bits = halves[2 * index + mask_half] * np.uint32(head >> np.uint32(29) == 0)
        # The number of ones, summed up in pairs, fours and eights of bits.
        bits = np.uint32(bits - ((bits >> 1) & 0x55555555))
        bits = np.uint32((bits & 0x33333333) + ((bits >> 2) & 0x33333333))
        bits = np.uint32((bits + (bits >> 4)) & 0x0F0F0F0F)
        events += int(np.uint32(bits * np.uint32(0x01010101)) >> np.uint32(24))
    return events


@jit
def _decode(halves, mask_half, state, x, y, t_us, polarity, trigger_t_us, channel, rising):  # type: ignore[no-untyped-def]
    """Decode the words whose halves these are; returns the number of events."""
    time, before = state[TIME], state[TIME_BEFORE]
    n, m, one = Place(0), Place(0), Place(1)
    for index in range(len(halves) // 2):
        word = np.int64(halves[2 * index + 1 - mask_half])
        kind = word >> 28
        if kind <= 1:
            mask = halves[2 * index + mask_half] if time >= 0 else np.uint32(0)
            while mask:
                bit = PLACE_OF_BIT[np.uint32((mask & (~mask + np.uint32(1))) * np.uint32(DE_BRUIJN)) >> np.uint32(27)]
                x[n], y[n] = ((word >> 11) & 0x7FF) + bit, word & 0x7FF
                t_us[n], polarity[n] = time | ((word >> 22) & 63), kind
                n += one
                mask &= mask - np.uint32(1)
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
