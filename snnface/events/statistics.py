"""Statistics of a recording, gathered piece by piece in bounded memory."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int64

from snnface.events.stream import EventStream

__all__ = ["EventStatistics"]

MAX_BINS = 2000
FIRST_BIN_US = 1000


@dataclass(slots=True)
class EventStatistics:
    """What is known of the events added so far.

    The rate curve has at most MAX_BINS bins: it starts with bins of 1 ms, and whenever the
    recording outgrows it, neighbouring bins are joined.

    Attributes:
        start_us, end_us: time of the first event, and one past the last.
        bin_us: duration of a bin of the rate curve.
    """

    num_events: int = 0
    num_on: int = 0
    start_us: int = 0
    end_us: int = 0
    bin_us: int = FIRST_BIN_US
    _counts: Int64[np.ndarray, "2 N"] = field(default_factory=lambda: np.zeros((2, MAX_BINS), np.int64))

    def add(self, events: EventStream) -> None:
        """Count a piece; pieces come in the order of time."""
        if events.is_empty:
            return
        if not self.num_events:
            self.start_us = events.window.start_us
        self.num_events += len(events)
        self.num_on += int(np.count_nonzero(events.polarity))
        self.end_us = events.window.end_us
        while self.duration_us > self.bin_us * MAX_BINS:
            self._join_bins()
        bins = (events.t_us - self.start_us) // self.bin_us
        for row, wanted in enumerate((events.polarity, ~events.polarity)):
            self._counts[row] += np.bincount(bins[wanted], minlength=MAX_BINS)

    @property
    def duration_us(self) -> int:
        return self.end_us - self.start_us

    @property
    def on_fraction(self) -> float | None:
        """Share of ON events; None without events."""
        return self.num_on / self.num_events if self.num_events else None

    def rates(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Start of each bin in seconds from the first event; ON and OFF events per second in it."""
        used = -(-self.duration_us // self.bin_us)
        seconds = np.arange(used) * self.bin_us / 1e6
        on, off = self._counts[:, :used] * 1e6 / self.bin_us
        return seconds, on, off

    def _join_bins(self) -> None:
        joined = self._counts.reshape(2, -1, 2).sum(2)
        self._counts = np.concatenate([joined, np.zeros_like(joined)], axis=1)
        self.bin_us *= 2
