"""From decoded columns to streams: checked once on the way, or mended where the user asked to recover."""

import logging
from collections import Counter
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64, UInt16

from snnface.errors import DataError, EventOrderError
from snnface.events.stream import EventStream
from snnface.events.window import Resolution
from snnface.jit import jit

__all__ = ["Assembly"]

logger = logging.getLogger(__name__)

Columns = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

OUTSIDE = "events outside the sensor"
BACKWARDS = "events whose time runs backwards"

NOTHING_AHEAD = np.empty(0, np.int64)


class Assembly:
    """One pass through one file, in file order: every format hands its decoded columns to it.

    Strict (the default), the first thing wrong is an error that names the file, the place
    and the cause. Recovering, what is wrong is left out and counted.

    Attributes:
        path, resolution: of the file.
        recover: whether to leave out what is wrong instead of raising.
        latest_us: time of the last event that was handed on; None before the first.
    """

    def __init__(self, path: Path, resolution: Resolution, *, recover: bool = False) -> None:
        self.path = path
        self.resolution = resolution
        self.recover = recover
        self.latest_us: int | None = None
        self._num_seen = 0
        self._losses: Counter[str] = Counter()

    def stream(
        self,
        *,
        x: UInt16[np.ndarray, " N"],
        y: UInt16[np.ndarray, " N"],
        t_us: Int64[np.ndarray, " N"],
        polarity: Bool[np.ndarray, " N"],
        at_byte: int | None = None,
        ahead_us: Int64[np.ndarray, " M"] | None = None,
    ) -> EventStream:
        """The next events of the file as a stream.

        Recovering, events outside the sensor go first; then, if times run backwards, the
        fewest events whose absence puts the rest in order. So of a few events whose time
        was thrown far ahead and many that come after them, the few go; of many and a few,
        the few again. Only events within sight count: those of this call, and `ahead_us`.

        Args:
            at_byte: where in the file the block begins that these events come from.
            ahead_us: times of the events that will come with the next call. A format whose
                blocks are small gives them when recovering; without them a wrong time at
                the end of a block is believed, and the right ones after it are dropped.

        Raises:
            EventOrderError: if time runs backwards, within these events or after the ones before.
            DataError: if an event lies outside the sensor.
        """
        columns: Columns = (x, y, t_us, polarity)
        earliest = np.iinfo(np.int64).min if self.latest_us is None else self.latest_us
        bad = _first_bad(x, y, t_us, self.resolution.width, self.resolution.height, earliest)
        if bad >= 0 and not self.recover:
            raise self._error(x, y, t_us, bad, at_byte)
        ahead = NOTHING_AHEAD if ahead_us is None or not self.recover else ahead_us
        if bad >= 0 or not _in_order(ahead, int(t_us[-1]) if len(t_us) else earliest):
            columns = self._mended(columns, earliest, ahead)
        self._num_seen += len(x)
        if len(columns[2]):
            self.latest_us = int(columns[2][-1])
        return EventStream.of_checked(*columns, self.resolution)

    def damage(self, cause: str, *, dropped: str, count: int = 1, at_byte: int | None = None) -> None:
        """Note something that cannot be read: an error, or a loss when recovering.

        Args:
            cause: what is wrong and what to do, as the rest of a sentence about the file.
            dropped: what is left out, in the plural ("bytes behind the last whole word").
            count: how many of them.
            at_byte: where in the file.

        Raises:
            DataError: unless recovering.
        """
        if not self.recover:
            place = "" if at_byte is None else f" at byte {at_byte}"
            raise DataError(f"{self.path}{place}: {cause}")
        self._losses[dropped] += count

    def losses(self) -> tuple[str, ...]:
        """What was left out so far, a phrase each, and into the log."""
        found = tuple(f"{count} {what}" for what, count in self._losses.items())
        for loss in found:
            logger.warning("%s: left out %s.", self.path, loss)
        return found

    def _error(self, x: np.ndarray, y: np.ndarray, t_us: np.ndarray, bad: int, at_byte: int | None) -> DataError:
        place = "" if at_byte is None else f" (in the block from byte {at_byte})"
        event = f"{self.path}: event {self._num_seen + bad}{place}"
        before = self.latest_us if bad == 0 else int(t_us[bad - 1])
        if before is not None and t_us[bad] < before:
            return EventOrderError(
                f"{event} at {t_us[bad]} us comes after {before} us; event times must not run backwards. "
                "Recover what is in order (recover=True, --recover), or split the recording there."
            )
        return DataError(
            f"{event} lies at x = {x[bad]}, y = {y[bad]}, outside the {self.resolution} sensor. "
            "Give the right sensor size, or recover the rest (recover=True, --recover)."
        )

    def _mended(self, columns: Columns, earliest: int, ahead: np.ndarray) -> Columns:
        x, y, t_us, polarity = columns
        inside = np.flatnonzero((x < self.resolution.width) & (y < self.resolution.height))
        self._lose(OUTSIDE, len(x) - len(inside))
        kept = _longest_in_order(np.concatenate([t_us[inside], ahead]), earliest)
        kept = inside[kept[kept < len(inside)]]
        self._lose(BACKWARDS, len(inside) - len(kept))
        return x[kept], y[kept], t_us[kept], polarity[kept]

    def _lose(self, what: str, count: int) -> None:
        if count:
            self._losses[what] += count


@jit
def _first_bad(x, y, t_us, width, height, earliest):  # type: ignore[no-untyped-def]
    """Index of the first event outside the sensor or before its predecessor; -1 if there is none."""
    # Loops without a branch run on vectors; the exact place is looked for only if there is one.
    greatest_x, greatest_y = np.uint16(0), np.uint16(0)
    for event in range(len(x)):
        greatest_x = max(greatest_x, x[event])
        greatest_y = max(greatest_y, y[event])
    if len(x) == 0 or (greatest_x < width and greatest_y < height and _in_order(t_us, earliest)):
        return -1
    before = earliest
    for event in range(len(t_us)):
        if x[event] >= width or y[event] >= height or t_us[event] < before:
            return event
        before = t_us[event]
    return -1


@jit
def _in_order(t_us, earliest):  # type: ignore[no-untyped-def]
    """Whether no time lies before its predecessor, nor the first before `earliest`."""
    goes_back = False
    for event in range(1, len(t_us)):
        goes_back |= t_us[event] < t_us[event - 1]
    return len(t_us) == 0 or (t_us[0] >= earliest and not goes_back)


@jit
def _longest_in_order(t_us, earliest):  # type: ignore[no-untyped-def]
    """Indices of a longest subsequence of non-decreasing times from `earliest` on.

    Patience sorting: tails[k] is the event with the smallest time that ends a
    subsequence of k + 1 events; O(N log N).
    """
    tails, length = np.empty(len(t_us), np.int64), 0
    previous = np.empty(len(t_us), np.int64)
    for event in range(len(t_us)):
        if t_us[event] < earliest:
            continue
        low, high = 0, length
        while low < high:
            middle = (low + high) // 2
            if t_us[tails[middle]] <= t_us[event]:
                low = middle + 1
            else:
                high = middle
        previous[event] = tails[low - 1] if low else -1
        tails[low] = event
        length = max(length, low + 1)
    kept = np.empty(length, np.int64)
    event = tails[length - 1] if length else -1
    for place in range(length - 1, -1, -1):
        kept[place] = event
        event = previous[event]
    return kept
