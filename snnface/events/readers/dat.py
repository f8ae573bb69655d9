"""Prophesee DAT files: one record of 64 bits an event, times in its lower half.

    version 2   column 14 bits, row 14 bits, polarity 4 bits (0 or 1)
    version 1   column 9 bits, row 8 bits, polarity 1 bit
    triggers    edge 4 bits (0 or 1), 22 bits unused, channel 6 bits

Between the text header and the records stand two bytes: the type of the records (0 and 12
are events, 14 triggers) and their size, 8.

Source: Prophesee, Metavision documentation, "DAT file format"; OpenEB, `event2d.h` and
`event_ext_trigger.h`.
"""

from pathlib import Path

import numpy as np

from snnface.errors import DataError
from snnface.events.readers.prophesee_file import NUM_SHARED, NUM_TRIGGERS, Columns, PropheseeFile
from snnface.events.readers.prophesee_time import counted_on
from snnface.events.window import Resolution
from snnface.jit import jit

__all__ = ["DatFile"]

EVENT_TYPES = (0, 12)
TRIGGER_TYPE = 14
RECORD_BYTES = 8
# Bits of the column and of the row; the polarity follows.
LAYOUTS = {"1": (9, 8), "2": (14, 14)}

TIME_BITS = 32
# Nine minutes without a record, across a wrap, are damage.
REACH_US = 1 << 29

# The only state: the time of the last record, counted on, and of the one before; negative before the first.
LATEST, BEFORE = NUM_SHARED, NUM_SHARED + 1


class DatFile(PropheseeFile):
    """A DAT file: events or triggers, of either version.

    Conventions: the 32-bit time wraps every 71.6 min and is counted on, across a gap of up
    to 8.9 min without records. A file whose header states no version is of version 2.

    Raises:
        DataError: as `PropheseeFile`; and if the records are of a type, size or version
            that is not read.
    """

    encoding = "DAT"
    word_type = np.uint64

    def __init__(self, path: Path, *, resolution: Resolution | None = None, recover: bool = False) -> None:
        super().__init__(path, resolution=resolution, recover=recover)
        if self._header.version not in LAYOUTS:
            raise DataError(f"{path} is a DAT file of version {self._header.version!r}; read are versions 1 and 2.")
        with path.open("rb") as file:
            file.seek(self._data_start)
            marks = file.read(2)
        if len(marks) < 2 or marks[0] not in (*EVENT_TYPES, TRIGGER_TYPE) or marks[1] != RECORD_BYTES:
            raise DataError(
                f"{path} at byte {self._data_start}: the type and size of a DAT file's records should follow, 0, 12 or "
                f"14 and 8; there is {list(marks)}. The file is damaged or holds records that are not read."
            )
        self._holds_triggers = marks[0] == TRIGGER_TYPE
        self._data_start += len(marks)

    def _max_events(self, words: np.ndarray) -> int:
        return 0 if self._holds_triggers else len(words)

    def _decode(self, words: np.ndarray, state: np.ndarray, events: Columns, triggers: Columns) -> int:
        if self._holds_triggers:
            t_us, channel, rising = (column[: len(words)] for column in triggers)
            _triggers(words, t_us, channel, rising)
            _count_on(t_us, state)
            state[NUM_TRIGGERS] = len(words)
            return 0
        x, y, t_us, polarity = (column[: len(words)] for column in events)
        _events(words, *LAYOUTS[self._header.version], x, y, t_us, polarity)
        _count_on(t_us, state)
        return len(words)

    @property
    def _has_triggers(self) -> bool:
        return self._holds_triggers

    def _new_state(self) -> np.ndarray:
        return np.full(NUM_SHARED + 2, -1, np.int64)


@jit
def _events(words, x_bits, y_bits, x, y, t_us, polarity):  # type: ignore[no-untyped-def]
    """The events in the records, their times as they stand there; one loop without a branch."""
    x_mask, y_mask, t_mask = np.uint64((1 << x_bits) - 1), np.uint64((1 << y_bits) - 1), np.uint64(0xFFFFFFFF)
    x_from, y_from, polarity_from = np.uint64(32), np.uint64(32 + x_bits), np.uint64(32 + x_bits + y_bits)
    for index in range(len(x)):
        word = words[index]
        x[index] = (word >> x_from) & x_mask
        y[index] = (word >> y_from) & y_mask
        t_us[index] = word & t_mask
        polarity[index] = (word >> polarity_from) & np.uint64(1)


@jit
def _triggers(words, t_us, channel, rising):  # type: ignore[no-untyped-def]
    for index in range(len(t_us)):
        word = words[index]
        t_us[index] = word & np.uint64(0xFFFFFFFF)
        channel[index] = word >> np.uint64(58)
        rising[index] = (word >> np.uint64(32)) & np.uint64(1)


@jit
def _count_on(t_us, state):  # type: ignore[no-untyped-def]
    """Make the counter's values in `t_us` whole times, following those of the block before."""
    if len(t_us) == 0:
        return
    goes_back = False
    for index in range(1, len(t_us)):
        goes_back |= t_us[index] < t_us[index - 1]
    # Nearly always no counter wraps within a block: one offset serves all.
    before, latest = counted_on(state[BEFORE], state[LATEST], t_us[0], TIME_BITS, REACH_US)
    if goes_back or t_us[-1] - t_us[0] >= 1 << (TIME_BITS - 1):
        before, latest = state[BEFORE], state[LATEST]
        for index in range(len(t_us)):
            before, latest = counted_on(before, latest, t_us[index], TIME_BITS, REACH_US)
            t_us[index] = latest
    else:
        offset = latest - t_us[0]
        if offset:
            for index in range(len(t_us)):
                t_us[index] += offset
        if len(t_us) > 1:
            before = t_us[-2]
    state[BEFORE], state[LATEST] = before, t_us[-1]
