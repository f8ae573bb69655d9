"""Event counts per pixel and polarity."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from snnface.errors import ConfigError
from snnface.events.window import Resolution
from snnface.jit import jit
from snnface.representations.event_pictures import EventPictures
from snnface.representations.event_steps import BLOCK, EventSteps, find_places
from snnface.representations.slicing import FixedTime, Slicing, checked_step_us

__all__ = ["OFF_CHANNEL", "ON_CHANNEL", "HistogramConfig", "PolarityHistogram"]

ON_CHANNEL, OFF_CHANNEL = 0, 1


@dataclass(frozen=True, kw_only=True)
class HistogramConfig:
    """Settings of `PolarityHistogram`.

    Attributes:
        step_ms: duration of one step, rounded to whole microseconds.
        resolution: size of the pictures.
        max_count: greater counts are cut to this; None: counts stay as they are.
        slicing: which events make one picture.

    Raises:
        ConfigError: if the step is below 1 us or the greatest count below 1.
    """

    step_ms: float = 33.0
    resolution: Resolution = Resolution(height=64, width=64)
    max_count: int | None = None
    slicing: Slicing = FixedTime()

    def __post_init__(self) -> None:
        checked_step_us(self.step_ms)
        if self.max_count is not None and self.max_count < 1:
            raise ConfigError(f"max_count must be at least 1, or None for no limit; got {self.max_count}.")

    @property
    def step_us(self) -> int:
        return checked_step_us(self.step_ms)


class PolarityHistogram(EventPictures[HistogramConfig]):
    """How many events each pixel had in each slice, ON and OFF apart: [T, 2, H, W].

    Channel 0 counts ON events (p = +1), channel 1 OFF events (p = -1). Values are whole
    numbers, exact up to 2^24; a slice without events is all zero. Without `max_count` no
    event of a whole slice is lost, and the pictures of adjacent windows add up.

    Source: Mastropasqua et al., "Exploring spatial-temporal dynamics in event-based facial
    micro-expression analysis", sec. 4.2, eq. 1; the channels are named in this order there.
    """

    def __init__(self, config: HistogramConfig) -> None:
        super().__init__(config, num_channels=2)

    def draw(
        self, pictures: Float32[np.ndarray, "slices C pixels"], steps: EventSteps, memory: np.ndarray | None
    ) -> None:
        _count(pictures, steps.x, steps.y, steps.polarity, steps.borders, steps.column, steps.row_start)
        if self.config.max_count is not None:
            np.minimum(pictures, np.float32(self.config.max_count), out=pictures)


@jit
def _count(counts, x, y, polarity, borders, column, row_start):  # type: ignore[no-untyped-def]
    places = np.empty(BLOCK, np.int64)
    for step in range(len(borders) - 1):
        picture = counts[step].reshape(-1)
        for first in range(borders[step], borders[step + 1], BLOCK):
            part = slice(first, min(first + BLOCK, borders[step + 1]))
            for place in find_places(x[part], y[part], polarity[part], column, row_start, counts.shape[2], places):
                picture[place] += np.float32(1)
