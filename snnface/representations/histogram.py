"""Event counts per pixel and polarity."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from snnface.errors import ConfigError
from snnface.events.window import Resolution, TimeWindow
from snnface.jit import jit
from snnface.recording import Recording
from snnface.representations.event_steps import event_steps

__all__ = ["OFF_CHANNEL", "ON_CHANNEL", "HistogramConfig", "PolarityHistogram"]

ON_CHANNEL, OFF_CHANNEL = 0, 1


@dataclass(frozen=True, kw_only=True)
class HistogramConfig:
    """Settings of `PolarityHistogram`.

    Attributes:
        step_ms: duration of one picture, rounded to whole microseconds.
        resolution: size of the pictures.
        max_count: greater counts are cut to this; None: counts stay as they are.

    Raises:
        ConfigError: if the step is below 1 us or the greatest count below 1.
    """

    step_ms: float = 33.0
    resolution: Resolution = Resolution(height=64, width=64)
    max_count: int | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.step_ms) and round(self.step_ms * 1000) >= 1):
            raise ConfigError(f"step_ms must be at least 0.001; got {self.step_ms}.")
        if self.max_count is not None and self.max_count < 1:
            raise ConfigError(f"max_count must be at least 1, or None for no limit; got {self.max_count}.")


class PolarityHistogram:
    """How many events each pixel had in each step, ON and OFF apart: [T, 2, H, W].

    Channel 0 counts ON events (p = +1), channel 1 OFF events (p = -1). Values are whole
    numbers, exact up to 2^24; a step without events is all zero. Without `max_count` no
    event of a whole step is lost, and the pictures of adjacent windows add up.

    Source: Mastropasqua et al., "Exploring spatial-temporal dynamics in event-based facial
    micro-expression analysis", sec. 4.2, eq. 1; the channels are named in this order there.
    """

    def __init__(self, config: HistogramConfig) -> None:
        self.config = config

    @property
    def num_channels(self) -> int:
        return 2

    @property
    def resolution(self) -> Resolution:
        return self.config.resolution

    @property
    def step_us(self) -> int:
        return round(self.config.step_ms * 1000)

    def __call__(self, recording: Recording, window: TimeWindow) -> Float32[np.ndarray, "T 2 H W"]:
        """The counts of each whole step of `window`.

        Raises:
            DataError: if the recording has no events.
        """
        steps = event_steps(recording, window, step_us=self.step_us, resolution=self.resolution)
        num_steps, size = len(steps.borders) - 1, self.resolution
        counts = np.zeros((num_steps, 2, size.num_pixels), np.float32)
        _count(counts, steps.x, steps.y, steps.polarity, steps.borders, steps.column, steps.row_start)
        if self.config.max_count is not None:
            np.minimum(counts, np.float32(self.config.max_count), out=counts)
        return counts.reshape(num_steps, 2, size.height, size.width)


@jit
def _count(counts, x, y, polarity, borders, column, row_start):  # type: ignore[no-untyped-def]
    for step in range(len(borders) - 1):
        for event in range(borders[step], borders[step + 1]):
            channel = 0 if polarity[event] else 1
            counts[step, channel, row_start[y[event]] + column[x[event]]] += np.float32(1.0)
