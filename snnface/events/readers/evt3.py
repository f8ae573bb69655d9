"""Prophesee EVT3 RAW files: a stream of 16-bit words that carry only what changes.

Source: Prophesee, Metavision documentation, "EVT 3.0 format".
"""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from snnface.errors import DataError
from snnface.events.readers.base import EventFile, Extras, checked_stream
from snnface.events.readers.prophesee_header import prophesee_header
from snnface.events.sensor_data import SensorData, Triggers
from snnface.events.stream import EventStream
from snnface.events.window import Resolution
from snnface.jit import jit

__all__ = ["Evt3File"]

logger = logging.getLogger(__name__)

HEAD_BYTES = 1 << 16
# A chunk of words gives at most 12 events a word: 80 MB of columns in the worst case.
CHUNK_WORDS = 1 << 19

# Word types, the upper four bits of a word; all others (CONTINUED_4, CONTINUED_12, OTHERS
# and the reserved ones) carry nothing that is read here.
ADDR_Y, ADDR_X, VECT_BASE_X, VECT_12, VECT_8, TIME_LOW, TIME_HIGH, EXT_TRIGGER = 0, 2, 3, 4, 5, 6, 8, 10

# The loop looks up to four words ahead; behind a chunk stand words of type OTHERS.
PADDING = np.full(4, 0xE000, np.uint16)
# A vector's places are written before it is known whether they are used.
SLACK = 12

# TIME_HIGH counts units of 4096 us in 12 bits. A step back of up to JITTER_UNITS across
# the wrap from 4095 to 0 is jitter; the maker's decoder has the same bound.
UNIT_US = 1 << 12
TURN_US = 1 << 24
JITTER_UNITS = 10

# The decoder's state between chunks, as places in one int64 array. Negative: not yet known.
TIME, BASE, HIGH_WORD, ROW, BASE_X, BASE_ON, LATEST, NUM_HELD = range(8)
UNKNOWN = -(1 << 62)


class Evt3File(EventFile):
    """An EVT3 RAW file.

    Conventions:
      * Events count from the word on from which time, row and (for vectors) base column
        are known; what comes before, at the start of a cut file, is left out.
      * A new TIME_HIGH sets the lower bits to zero until TIME_LOW follows, as in the maker's
        decoder (a camera always sends TIME_LOW after it).
      * The 24-bit time base wraps every 16.8 s and is counted on; a gap of up to 8.4 s
        without events is bridged across a wrap.
      * A time that steps back by less than 4096 us (one unit of TIME_HIGH, which is
        what a swap of TIME_HIGH and TIME_LOW makes) is held at the last event's time:
        no event is lost, the order of the file stays, and the log tells how often.
        A larger step back is an `EventOrderError`.

    Raises:
        DataError: if the sensor's size is neither stated nor given, or the data end in
            the middle of a word.
    """

    def __init__(self, path: Path, *, resolution: Resolution | None = None, recover: bool = False) -> None:
        with path.open("rb") as file:
            header = prophesee_header(path, file.read(HEAD_BYTES))
            size = file.seek(0, 2)
        if header is None or header.encoding != "EVT3":
            raise DataError(f"{path} should begin with the text header of an EVT3 RAW file; it does not.")
        resolution = resolution or header.resolution
        if resolution is None:
            raise DataError(
                f"{path}: the header does not state the sensor's size; give it, as in "
                "resolution=Resolution(height=720, width=1280)."
            )
        if (size - header.num_bytes) % 2:
            raise DataError(
                f"{path} ends in the middle of a 16-bit word, at byte {size}: it is truncated. "
                "Copy it again, or cut off the last byte to keep what is there."
            )
        super().__init__(path, resolution, recover=recover)
        self._data_start = header.num_bytes

    def chunks(self) -> Iterator[EventStream]:
        state = _new_state()
        for words in self._words():
            columns = _Columns(*_counts(words))
            columns.decode(words, state)
            yield columns.events(self.path, self.resolution)
        self._report(state)

    def read(self) -> SensorData:
        counts = [_counts(words) for words in self._words()]
        columns = _Columns(sum(events for events, _ in counts), sum(triggers for _, triggers in counts))
        state = _new_state()
        for words in self._words():
            columns.decode(words, state)
        self._report(state)
        return SensorData(events=columns.events(self.path, self.resolution), triggers=columns.triggers())

    def extras(self) -> Extras:
        state, num_triggers = _new_state(), 0
        for words in self._words():
            columns = _Columns(*_counts(words))
            columns.decode(words, state)
            num_triggers += len(columns.triggers())
        return Extras(num_triggers=num_triggers)

    def _words(self) -> Iterator[np.ndarray]:
        """Chunks of words with PADDING behind them, all in one buffer: each is valid until the next."""
        buffer = np.empty(CHUNK_WORDS + len(PADDING), np.uint16)
        with self.path.open("rb") as file:
            file.seek(self._data_start)
            while num_bytes := file.readinto(buffer[:CHUNK_WORDS].data.cast("B")):
                stop = num_bytes // 2 + len(PADDING)
                buffer[stop - len(PADDING) : stop] = PADDING
                yield buffer[:stop]

    def _report(self, state: np.ndarray) -> None:
        if state[NUM_HELD]:
            logger.warning(
                "%s: time stepped back by less than %d us %d times; it was held there.",
                self.path,
                UNIT_US,
                state[NUM_HELD],
            )


class _Columns:
    """Places for decoded events and triggers, filled from the front."""

    def __init__(self, max_events: int, max_triggers: int) -> None:
        self._events = (
            np.empty(max_events + SLACK, np.uint16),
            np.empty(max_events + SLACK, np.uint16),
            np.empty(max_events + SLACK, np.int64),
            np.empty(max_events + SLACK, np.bool_),
        )
        self._triggers = (
            np.empty(max_triggers, np.int64),
            np.empty(max_triggers, np.uint8),
            np.empty(max_triggers, np.bool_),
        )
        self._num_events = 0
        self._num_triggers = 0

    def decode(self, words: np.ndarray, state: np.ndarray) -> None:
        """Decode one chunk of words behind what is there."""
        start = self._num_events
        self._num_events, self._num_triggers = _decode(
            words, state, *self._events, self._num_events, *self._triggers, self._num_triggers
        )
        _hold(self._events[2][start : self._num_events], state)

    def events(self, path: Path, resolution: Resolution) -> EventStream:
        x, y, t_us, polarity = (column[: self._num_events] for column in self._events)
        return checked_stream(path, x=x, y=y, t_us=t_us, polarity=polarity, resolution=resolution)

    def triggers(self) -> Triggers:
        t_us, channel, rising = (column[: self._num_triggers] for column in self._triggers)
        return Triggers(t_us=t_us, channel=channel, rising=rising)


def _new_state() -> np.ndarray:
    state = np.full(8, -1, np.int64)
    state[[BASE, LATEST]] = UNKNOWN
    state[NUM_HELD] = 0
    return state


@jit
def _counts(words):  # type: ignore[no-untyped-def]
    """Upper bounds of the events and triggers in `words`: a vector counts as full."""
    events, triggers = 0, 0
    # Blocks whose counts fit 16 bits let the loop run on 16 words at once.
    for start in range(0, len(words), 4096):
        block = words[start : start + 4096]
        in_block, triggers_in_block = np.uint16(0), np.uint16(0)
        for index in range(len(block)):
            kind = block[index] >> np.uint16(12)
            in_block = np.uint16(in_block + (kind == ADDR_X) + 12 * (kind == VECT_12) + 8 * (kind == VECT_8))
            triggers_in_block = np.uint16(triggers_in_block + (kind == EXT_TRIGGER))
        events += int(in_block)
        triggers += int(triggers_in_block)
    return events, triggers


@jit
def _decode(words, state, x, y, t_us, polarity, n, trigger_t_us, channel, rising, m):  # type: ignore[no-untyped-def]
    """Decode `words` behind the first `n` events and `m` triggers; returns the new numbers of both.

    A single event is usually [TIME_HIGH again] [TIME_LOW] [ADDR_Y] ADDR_X. The loop tries
    that order first and without branches where they would be hard to predict.
    """
    time, base, high_word, row = state[TIME], state[BASE], state[HIGH_WORD], state[ROW]
    base_x, base_on = state[BASE_X], state[BASE_ON]
    index, stop = 0, len(words) - len(PADDING)
    while index < stop:
        index += np.int64(words[index]) == high_word
        word = np.int64(words[index])
        if word >> 12 == TIME_LOW:
            time = base + (word & 0xFFF)
            index += 1
            word = np.int64(words[index])
        if word >> 12 == ADDR_Y:
            row = word & 0x7FF
            index += 1
            word = np.int64(words[index])
        index += 1
        kind = word >> 12
        if kind == ADDR_X:
            if (time | row) >= 0:
                x[n] = word & 0x7FF
                y[n] = row
                t_us[n] = time
                polarity[n] = (word >> 11) & 1
                n += 1
        elif kind == TIME_LOW:
            time = base + (word & 0xFFF)
        elif kind == ADDR_Y:
            row = word & 0x7FF
        elif kind == TIME_HIGH:
            if word != high_word:
                base = _advanced(base, word & 0xFFF)
                high_word = word
                # The old lower bits would lead up to 4095 us too far ahead.
                if time >= 0:
                    time = base
        elif kind in (VECT_12, VECT_8):
            width = 12 if kind == VECT_12 else 8
            if (time | row | base_x) >= 0:
                for bit in range(width):
                    x[n] = base_x + bit
                    y[n] = row
                    t_us[n] = time
                    polarity[n] = base_on
                    n += (word >> bit) & 1
                # A damaged file could count past 16 bits and come back inside the sensor.
                base_x = min(base_x + width, 0xF000)
        elif kind == VECT_BASE_X:
            base_x, base_on = word & 0x7FF, (word >> 11) & 1
        elif kind == EXT_TRIGGER and time >= 0:
            trigger_t_us[m], channel[m], rising[m] = time, (word >> 8) & 0xF, word & 1
            m += 1
    state[TIME], state[BASE], state[HIGH_WORD], state[ROW] = time, base, high_word, row
    state[BASE_X], state[BASE_ON] = base_x, base_on
    return n, m


@jit
def _advanced(base, high):  # type: ignore[no-untyped-def]
    """The time base after a new TIME_HIGH: whole turns of the 24-bit counter plus its upper half.

    The counter is cyclic, so a new value lies ahead or back. A smaller one is ahead (it
    wrapped) if that way is the shorter one; a larger one is back only within the jitter.
    """
    if base < 0:
        return high << 12
    before = (base >> 12) & 0xFFF
    turn = base & ~np.int64(TURN_US - 1)
    if high < before and before - high > 2048:
        turn += TURN_US
    elif high > before and before + 4096 - high <= JITTER_UNITS:
        # In the first turn there is nothing before zero.
        return max(turn - TURN_US | (high << 12), 0)
    return turn | (high << 12)


@jit
def _hold(t_us, state):  # type: ignore[no-untyped-def]
    """Hold times that step back by less than one unit at the latest event's time, in place."""
    latest = state[LATEST]
    for index in range(len(t_us)):
        back = latest - t_us[index]
        if 0 < back < UNIT_US:
            t_us[index] = latest
            state[NUM_HELD] += 1
        latest = t_us[index]
    state[LATEST] = latest
