"""Prophesee EVT3 RAW files: a stream of 16-bit words that carry only what changes.

Source: Prophesee, Metavision documentation, "EVT 3.0 format".
"""

import logging

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

__all__ = ["Evt3File"]

logger = logging.getLogger(__name__)

# Word types, the upper four bits of a word. CONTINUED_4, OTHERS and CONTINUED_12 carry
# nothing that is read here; the types that are not named are reserved.
ADDR_Y, ADDR_X, VECT_BASE_X, VECT_12, VECT_8, TIME_LOW = 0, 2, 3, 4, 5, 6
CONTINUED_4, TIME_HIGH, EXT_TRIGGER, OTHERS, CONTINUED_12 = 7, 8, 10, 14, 15

# TIME_HIGH counts units of 4096 us in 12 bits.
UNIT_US = 1 << 12
TIME_BITS = 24
REACH_US = 1 << 23

# The decoder's state between blocks, behind what all share. Negative: not yet known.
TIME, BASE, BASE_BEFORE, HIGH_WORD, ROW, BASE_X, BASE_ON, LATEST, NUM_HELD = range(NUM_SHARED, NUM_SHARED + 9)
UNKNOWN = -(1 << 62)

# Numba counts a negative index from the end; an unsigned one saves that question at every access.
Place = np.uint64


class Evt3File(PropheseeFile):
    """An EVT3 RAW file.

    Conventions:
      * Events count from the word on from which time, row and (for vectors) base column
        are known; what comes before, at the start of a cut file, is left out.
      * A new TIME_HIGH sets the lower bits to zero until TIME_LOW follows, as in the maker's
        decoder (a camera always sends TIME_LOW after it).
      * The 24-bit time base wraps every 16.8 s and is counted on; TIME_HIGH, which a
        camera sends every few microseconds, may be missing for up to 8.4 s.
      * A time that steps back by less than 4096 us (one unit of TIME_HIGH, which is
        what a swap of TIME_HIGH and TIME_LOW makes) is held at the last event's time:
        no event is lost, the order of the file stays, and the log tells how often.
        A larger step back is an `EventOrderError`.
    """

    encoding = "EVT3"
    word_type = np.uint16
    # The loop looks up to four words ahead.
    padding = (OTHERS << 12,) * 4

    def _max_events(self, words: np.ndarray) -> int:
        return int(_num_events(words))

    def _decode(self, words: np.ndarray, state: np.ndarray, events: Columns, triggers: Columns) -> int:
        num_events = int(_decode(words, len(words) - len(self.padding), state, *events, *triggers))
        _hold(events[2][:num_events], state)
        return num_events

    def _new_state(self) -> np.ndarray:
        state = np.full(NUM_SHARED + 9, -1, np.int64)
        state[LATEST] = UNKNOWN
        state[NUM_HELD] = 0
        return state

    def _finish(self, state: np.ndarray) -> None:
        if state[NUM_HELD]:
            logger.warning(
                "%s: time stepped back by less than %d us %d times; it was held there.",
                self.path,
                UNIT_US,
                state[NUM_HELD],
            )


@jit
def _num_events(words):  # type: ignore[no-untyped-def]
    """How many events are in `words` if time, row and base are known."""
    events = 0
    # Blocks whose counts fit 16 bits let the loop run on many words at once.
    for start in range(0, len(words), 4096):
        block = words[start : start + 4096]
        in_block = np.uint16(0)
        for index in range(len(block)):
            kind = block[index] >> np.uint16(12)
            bits = block[index] & np.uint16((kind == VECT_12) * 0xFFF | (kind == VECT_8) * 0xFF)
            # The number of ones, summed up in pairs, fours and eights of bits.
            bits = np.uint16(bits - ((bits >> 1) & 0x5555))
            bits = np.uint16((bits & 0x3333) + ((bits >> 2) & 0x3333))
            bits = np.uint16((bits + (bits >> 4)) & 0x0F0F)
            in_block = np.uint16(in_block + (kind == ADDR_X) + ((bits + (bits >> 8)) & 0x1F))
        events += int(in_block)
    return events


@jit
def _decode(words, stop, state, x, y, t_us, polarity, trigger_t_us, channel, rising):  # type: ignore[no-untyped-def]
    """Decode `words` up to `stop`; returns the number of events.

    A single event is usually [TIME_HIGH again] [TIME_LOW] [ADDR_Y] ADDR_X. The loop tries
    that order first and without branches where they would be hard to predict.
    """
    time, base, high_word, row = state[TIME], state[BASE], state[HIGH_WORD], state[ROW]
    before, base_x, base_on = state[BASE_BEFORE], state[BASE_X], state[BASE_ON]
    n, m, index, one = Place(0), Place(0), Place(0), Place(1)
    while index < Place(stop):
        index += Place(np.int64(words[index]) == high_word)
        word = np.int64(words[index])
        if word >> 12 == TIME_LOW:
            time = base + (word & 0xFFF)
            index += one
            word = np.int64(words[index])
        if word >> 12 == ADDR_Y:
            row = word & 0x7FF
            index += one
            word = np.int64(words[index])
        index += one
        kind = word >> 12
        if kind == ADDR_X:
            x[n], y[n], t_us[n], polarity[n] = word & 0x7FF, row, time, (word >> 11) & 1
            n += Place((time | row) >= 0)
        elif kind == TIME_LOW:
            time = base + (word & 0xFFF)
        elif kind == ADDR_Y:
            row = word & 0x7FF
        elif kind == TIME_HIGH:
            if word != high_word:
                before, base = counted_on(before, base, (word & 0xFFF) << 12, TIME_BITS, REACH_US)
                high_word = word
                # The old lower bits would lead up to 4095 us too far ahead.
                if time >= 0:
                    time = base
        elif kind in (VECT_12, VECT_8):
            width = 12 if kind == VECT_12 else 8
            if (time | row | base_x) >= 0:
                for bit in range(width):
                    x[n], y[n], t_us[n], polarity[n] = base_x + bit, row, time, base_on
                    n += Place((word >> bit) & 1)
                # A damaged file could count past 16 bits and come back inside the sensor.
                base_x = min(base_x + width, 0xF000)
        elif kind == VECT_BASE_X:
            base_x, base_on = word & 0x7FF, (word >> 11) & 1
        elif kind == EXT_TRIGGER:
            if time >= 0:
                trigger_t_us[m], channel[m], rising[m] = time, (word >> 8) & 0xF, word & 1
                m += one
        elif kind not in (CONTINUED_4, OTHERS, CONTINUED_12):
            if state[NUM_RESERVED] == 0:
                state[FIRST_RESERVED] = np.int64(index - one)
            state[NUM_RESERVED] += 1
    state[TIME], state[BASE], state[HIGH_WORD], state[ROW] = time, base, high_word, row
    state[BASE_BEFORE], state[BASE_X], state[BASE_ON], state[NUM_TRIGGERS] = before, base_x, base_on, np.int64(m)
    return n


@jit
def _hold(t_us, state):  # type: ignore[no-untyped-def]
    """Hold times that step back by less than one unit at the latest event's time, in place."""
    goes_back = len(t_us) > 0 and t_us[0] < state[LATEST]
    for index in range(1, len(t_us)):
        goes_back |= t_us[index] < t_us[index - 1]
    if goes_back:
        latest = state[LATEST]
        for index in range(len(t_us)):
            back = latest - t_us[index]
            if 0 < back < UNIT_US:
                t_us[index] = latest
                state[NUM_HELD] += 1
            latest = t_us[index]
    if len(t_us):
        state[LATEST] = t_us[-1]
