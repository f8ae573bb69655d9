"""Temporal Binary Representation: N binary pictures read as one N-bit number."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, Int64

from snnface.errors import ConfigError
from snnface.events.window import Resolution
from snnface.jit import jit
from snnface.representations.event_pictures import EventPictures
from snnface.representations.event_steps import BLOCK, EventSteps, find_places
from snnface.representations.slicing import FixedTime, Slicing

__all__ = ["TemporalBinary", "TemporalBinaryConfig"]

# float32 holds whole numbers exactly up to 24 bits.
MAX_BINS = 24


@dataclass(frozen=True, kw_only=True)
class TemporalBinaryConfig:
    """Settings of `TemporalBinary`.

    Attributes:
        bin_us: duration of one binary picture, in microseconds.
        num_bins: N, how many of them make one number.
        resolution: size of the pictures.
        heaviest_bin: the bin whose bit is the highest.
        divisor: of the N-bit number; 2^N - 1 makes the range exactly [0, 1].
        slicing: which events make one picture.

    Raises:
        ConfigError: if a bin is shorter than 1 us, or N is not in 1..24.
    """

    bin_us: int = 5000
    num_bins: int = 8
    resolution: Resolution = Resolution(height=224, width=224)
    heaviest_bin: Literal["newest", "oldest"] = "newest"
    divisor: Literal["2^N - 1", "2^N"] = "2^N - 1"
    slicing: Slicing = FixedTime()

    def __post_init__(self) -> None:
        if self.bin_us < 1:
            raise ConfigError(f"bin_us must be at least 1; got {self.bin_us}.")
        if not 1 <= self.num_bins <= MAX_BINS:
            raise ConfigError(f"num_bins must be in 1..{MAX_BINS}, so that float32 is exact; got {self.num_bins}.")

    @property
    def step_us(self) -> int:
        return self.bin_us * self.num_bins


class TemporalBinary(EventPictures[TemporalBinaryConfig]):
    """In which of the N bins of its slice each pixel had an event, as one number: [T, 1, H, W].

    Bit i (0 the oldest bin, where the newest is the heaviest) is 1 where the pixel had at
    least one event of either polarity in bin i; the value of a pixel is

        sum over i of bit_i * 2^i / (2^N - 1), or / 2^N.

    A step of time is N bins of `bin_us`. A slice that lasts otherwise (a fixed count, a
    grown one) is cut into N equal parts of its time, borders rounded up.

    Source: Innocenti et al. 2020, "Temporal binary representation for event-based action
    recognition", ICPR, arXiv:2010.08946; dt = 5 ms and N = 8, 16 in Berlincioni et al.,
    "Neuromorphic valence and arousal estimation", sec. 4. The texts leave order and range
    open. Code published with that representation gives the newest bin the highest bit and
    divides by 2^N (or 2^(N - 1)); Bina-Rep (Barchid et al. 2022, arXiv:2202.13662), the
    same idea, gives it to the oldest and divides by 2^N - 1.
    """

    def __init__(self, config: TemporalBinaryConfig) -> None:
        super().__init__(config, num_channels=1)

    def draw(
        self, pictures: Float32[np.ndarray, "slices C pixels"], steps: EventSteps, memory: np.ndarray | None
    ) -> None:
        num_bins = self.config.num_bins
        # The same memory, written as whole numbers first.
        bits = pictures.view(np.int32)[:, 0]
        order = np.arange(num_bins)
        weights = (1 << (order if self.config.heaviest_bin == "newest" else order[::-1])).astype(np.int32)
        borders = _bin_borders(steps, num_bins)
        _set_bits(bits, steps.x, steps.y, steps.polarity, borders, steps.column, steps.row_start, weights)
        divisor = 2**num_bins - (self.config.divisor == "2^N - 1")
        _normalise(pictures[:, 0], bits, np.float32(divisor))


def _bin_borders(steps: EventSteps, num_bins: int) -> Int64[np.ndarray, "slices borders"]:
    """Where in the events each bin of each slice begins, and the last ends."""
    duration = (steps.end_us - steps.start_us)[:, None]
    inner = steps.start_us[:, None] - (-np.arange(1, num_bins) * duration) // num_bins
    first, last = steps.borders[:-1, None], steps.borders[1:, None]
    # The next slice may begin at the same time (a fixed count cuts between ties); its events stay its own.
    found = np.minimum(np.searchsorted(steps.t_us, inner, side="left"), last)
    return np.concatenate([first, found, last], axis=1)


@jit
def _set_bits(bits, x, y, polarity, borders, column, row_start, weights):  # type: ignore[no-untyped-def]
    places = np.empty(BLOCK, np.int64)
    for step in range(borders.shape[0]):
        picture = bits[step]
        for index in range(len(weights)):
            bit = weights[index]
            for first in range(borders[step, index], borders[step, index + 1], BLOCK):
                part = slice(first, min(first + BLOCK, borders[step, index + 1]))
                for place in find_places(x[part], y[part], polarity[part], column, row_start, np.int64(0), places):
                    picture[place] |= bit


@jit
def _normalise(values, bits, divisor):  # type: ignore[no-untyped-def]
    for step in range(bits.shape[0]):
        for pixel in range(bits.shape[1]):
            values[step, pixel] = np.float32(bits[step, pixel]) / divisor
