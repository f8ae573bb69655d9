"""Time surfaces: how long ago each pixel had its last event."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, Int64

from snnface.errors import ConfigError
from snnface.events.window import Resolution
from snnface.jit import jit
from snnface.representations.event_pictures import EventPictures
from snnface.representations.event_steps import BLOCK, EventSteps, find_places
from snnface.representations.slicing import FixedTime, Slicing, checked_step_us

__all__ = ["TimeSurface", "TimeSurfaceConfig"]

# The time of the last event of a pixel that had none: so long ago that every decay gives 0.
NEVER_US = -(1 << 62)
# 30 years; one so slow that 2^62 us do not end it would show events that never were.
MAX_DECAY_MS = 1e12


@dataclass(frozen=True, kw_only=True)
class TimeSurfaceConfig:
    """Settings of `TimeSurface`.

    Attributes:
        step_ms: duration of one step, rounded to whole microseconds.
        decay: how an event fades: "exponential" as exp(-age / decay_ms), "linear" as
            1 - age / decay_ms, down to 0.
        decay_ms: the time constant, or the time after which nothing is left.
        resolution: size of the pictures.
        slicing: which events make one picture.

    Raises:
        ConfigError: if the step or the decay is below 1 us, or the decay above 10^12 ms.
    """

    step_ms: float = 33.0
    decay: Literal["exponential", "linear"] = "exponential"
    decay_ms: float = 33.0
    resolution: Resolution = Resolution(height=64, width=64)
    slicing: Slicing = FixedTime()

    def __post_init__(self) -> None:
        checked_step_us(self.step_ms)
        if not 0.001 <= self.decay_ms <= MAX_DECAY_MS:
            raise ConfigError(f"decay_ms must lie in 0.001..{MAX_DECAY_MS:g}; got {self.decay_ms}.")

    @property
    def step_us(self) -> int:
        return checked_step_us(self.step_ms)


class TimeSurface(EventPictures[TimeSurfaceConfig]):
    """How fresh the last event of each pixel is, ON and OFF apart: [T, 2, H, W], in 0..1.

    The age of an event is the end of the slice less its time, so at least 1 us. Values go
    from nearly 1 (just now) to 0 (too long ago, or no event yet). Channel 0 is ON, channel 1
    OFF. The surface is kept from slice to slice; a window, or a stream, begins without one.
    Where several sensor pixels fall on one pixel of the picture, the last event of them
    all counts. Linear decay over exactly one step is the normalised time of the last event
    of that step.

    Source: Lagorce et al. 2017, "HOTS: a hierarchy of event-based time-surfaces for pattern
    recognition", IEEE TPAMI 39(7), eqs. 2-3, taken at the end of each slice for the
    whole sensor instead of at each event for its neighbourhood.
    """

    def __init__(self, config: TimeSurfaceConfig) -> None:
        super().__init__(config, num_channels=2)

    def new_memory(self) -> Int64[np.ndarray, "2 pixels"]:
        """The time of each pixel's last event."""
        return np.full((2, self.resolution.num_pixels), NEVER_US, np.int64)

    def draw(
        self, pictures: Float32[np.ndarray, "slices C pixels"], steps: EventSteps, memory: np.ndarray | None
    ) -> None:
        rate = 1 / (self.config.decay_ms * 1000)
        times = (steps.t_us, steps.borders, steps.end_us)
        _ages(pictures, memory, steps.x, steps.y, steps.polarity, steps.column, steps.row_start, times, rate)
        if self.config.decay == "exponential":
            np.exp(pictures, out=pictures)
        else:
            pictures += np.float32(1)
            np.maximum(pictures, np.float32(0), out=pictures)


@jit
def _ages(pictures, last_us, x, y, polarity, column, row_start, times, rate):  # type: ignore[no-untyped-def]
    """How long ago each pixel had its last event, in decay times and negative."""
    t_us, borders, end_us = times
    places = np.empty(BLOCK, np.int64)
    last = last_us.reshape(-1)
    for step in range(len(borders) - 1):
        for first in range(borders[step], borders[step + 1], BLOCK):
            part = slice(first, min(first + BLOCK, borders[step + 1]))
            found = find_places(x[part], y[part], polarity[part], column, row_start, last_us.shape[1], places)
            for index in range(len(found)):
                last[found[index]] = t_us[first + index]
        picture = pictures[step].reshape(-1)
        for place in range(len(last)):
            picture[place] = (last[place] - end_us[step]) * rate
