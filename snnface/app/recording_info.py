"""What a recording holds, in one pass and in bounded memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from snnface.events import Resolution, open_events
from snnface.events.readers.base import Extras
from snnface.events.statistics import EventStatistics, HotPixel, PixelCounts

__all__ = ["RecordingInfo", "recording_info", "resampled", "sparkline"]

LEVELS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RecordingInfo:
    """What `snnface info` tells.

    Attributes:
        format: the name of the file's format.
        statistics: counts, times and the rate curve.
        pixel_counts: events of each pixel, int64 [2, H, W]; row 0 ON, row 1 OFF.
        hot_pixels: worst first.
        extras: numbers of triggers, frames and inertial samples; None where the format has none of the kind.
        losses: what a recovering read left out, a phrase each.
    """

    name: str
    format: str
    resolution: Resolution
    statistics: EventStatistics
    pixel_counts: np.ndarray
    hot_pixels: tuple[HotPixel, ...]
    extras: Extras
    losses: tuple[str, ...]

    @property
    def num_active_pixels(self) -> int:
        """Pixels with at least one event."""
        return int(np.count_nonzero(self.pixel_counts.any(0)))

    def values(self) -> dict[str, Any]:
        """Everything but the map, as JSON-able values."""
        statistics = self.statistics
        seconds, on, off = statistics.rates()
        return {
            "name": self.name,
            "format": self.format,
            "width": self.resolution.width,
            "height": self.resolution.height,
            "num_events": statistics.num_events,
            "num_on": statistics.num_on,
            "on_fraction": statistics.on_fraction,
            "start_us": statistics.start_us,
            "end_us": statistics.end_us,
            "duration_s": statistics.duration_us / 1e6,
            "mean_rate": statistics.mean_rate,
            "peak_rate": statistics.peak_rate,
            "num_active_pixels": self.num_active_pixels,
            "hot_pixels": [{"x": pixel.x, "y": pixel.y, "num_events": pixel.num_events} for pixel in self.hot_pixels],
            "rate": {
                "bin_us": statistics.bin_us,
                "seconds": seconds.tolist(),
                "on_per_s": on.tolist(),
                "off_per_s": off.tolist(),
            },
            **self.extras._asdict(),
            "losses": list(self.losses),
        }


def recording_info(path: str | Path, *, resolution: Resolution | None = None, recover: bool = False) -> RecordingInfo:
    """Go through a recording once, chunk by chunk.

    Args:
        resolution: size of the sensor, where the file does not state it.
        recover: leave out what is damaged, and say what, instead of raising.

    Raises:
        DatasetNotFoundError, DataError: as `snnface.events.open_events` and the reading of its chunks; and
            if the sensor has more pixels than any camera.
    """
    path = Path(path)
    file = open_events(path, resolution=resolution, recover=recover)
    statistics, pixels = EventStatistics(), PixelCounts(file.resolution)
    for events in file.chunks():
        statistics.add(events)
        pixels.add(events)
    losses = file.losses
    return RecordingInfo(
        name=path.name,
        format=file.format_name,
        resolution=file.resolution,
        statistics=statistics,
        pixel_counts=pixels.counts,
        hot_pixels=pixels.hot_pixels(),
        extras=file.extras(),
        losses=losses,
    )


def sparkline(values: Sequence[float] | np.ndarray, *, width: int) -> str:
    """A curve as one line of block characters, each the mean of its share; the lowest block is 0, the highest the peak.

    >>> sparkline([0, 1, 2, 7], width=4)
    '▁▂▃█'
    """
    means = resampled(np.asarray(values, np.float64), width)
    top = means.max(initial=0) or 1.0
    return "".join(LEVELS[round(level)] for level in means / top * (len(LEVELS) - 1))


def resampled(curve: Float64[np.ndarray, " N"], max_points: int) -> Float64[np.ndarray, " M"]:
    """The means of shares of equal length, at most `max_points` of them; the last may be shorter."""
    if not len(curve):
        return curve
    share = -(-len(curve) // max_points)
    borders = np.arange(0, len(curve), share)
    return np.add.reduceat(curve, borders) / np.diff(borders, append=len(curve))
