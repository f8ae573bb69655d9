"""Statistics of a recording, gathered piece by piece in bounded memory."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int64

from snnface.errors import DataError
from snnface.events.stream import EventStream
from snnface.events.window import Resolution

__all__ = ["EventStatistics", "HotPixel", "PixelCounts"]

MAX_BINS = 2000
FIRST_BIN_US = 1000
# More pixels than any event camera has; two counts of 8 bytes each make 1 GB.
MAX_PIXELS = 1 << 26


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

    @property
    def mean_rate(self) -> float:
        """Events per second from the first to the last; 0 without events."""
        return self.num_events * 1e6 / self.duration_us if self.num_events else 0.0

    @property
    def peak_rate(self) -> float:
        """Events per second in the busiest bin of the rate curve; 0 without events."""
        return float(self._counts.sum(0).max()) * 1e6 / self.bin_us

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


@dataclass(frozen=True, slots=True)
class HotPixel:
    """A pixel that fires far more often than the others."""

    x: int
    y: int
    num_events: int


class PixelCounts:
    """How many events each pixel gave, by polarity.

    Attributes:
        counts: int64 [2, H, W]; row 0 counts ON, row 1 OFF, as `EventStatistics.rates` has them.

    Raises:
        DataError: if the sensor has more than 67 million pixels, which no camera has.
    """

    counts: Int64[np.ndarray, "2 H W"]

    def __init__(self, resolution: Resolution) -> None:
        if resolution.num_pixels > MAX_PIXELS:
            raise DataError(
                f"events are counted for sensors of up to {MAX_PIXELS:,} pixels; this one has {resolution}. "
                "Give the right sensor size (resolution=, --resolution)."
            )
        self.counts = np.zeros((2, resolution.height, resolution.width), np.int64)

    def add(self, events: EventStream) -> None:
        """Count a piece, in any order."""
        _, height, width = self.counts.shape
        row = (~events.polarity).astype(np.int64)
        np.add.at(self.counts.reshape(-1), (row * height + events.y) * width + events.x, 1)

    def hot_pixels(self) -> tuple[HotPixel, ...]:
        """The pixels that `snnface.events.filters.hot_pixels` finds, worst first; ties go by row, then column."""
        from snnface.events.filters.hot_pixel import hot_pixels_from_counts

        total = self.counts.sum(0)
        rows, columns = np.nonzero(hot_pixels_from_counts(total))
        hot = [HotPixel(int(x), int(y), int(total[y, x])) for y, x in zip(rows, columns, strict=True)]
        return tuple(sorted(hot, key=lambda pixel: -pixel.num_events))
