"""Temporal Binary Representation: N binary pictures read as one N-bit number."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from snnface.errors import ConfigError
from snnface.events.window import Resolution, TimeWindow
from snnface.jit import jit
from snnface.recording import Recording
from snnface.representations.event_steps import event_steps

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

    Raises:
        ConfigError: if a bin is shorter than 1 us, or N is not in 1..24.
    """

    bin_us: int = 5000
    num_bins: int = 8
    resolution: Resolution = Resolution(height=224, width=224)

    def __post_init__(self) -> None:
        if self.bin_us < 1:
            raise ConfigError(f"bin_us must be at least 1; got {self.bin_us}.")
        if not 1 <= self.num_bins <= MAX_BINS:
            raise ConfigError(f"num_bins must be in 1..{MAX_BINS}, so that float32 is exact; got {self.num_bins}.")


class TemporalBinary:
    """In which of the last N bins each pixel had an event, as one number: [T, 1, H, W].

    Bit i (0 the oldest bin) is 1 where the pixel had at least one event of either
    polarity in bin i. One step of T is N bins, and its value

        sum over i of bit_i * 2^i / (2^N - 1)

    lies in [0, 1]: the newest bin weighs most, an event in every bin gives 1, none 0.

    Source: Innocenti et al. 2020, "Temporal binary representation for event-based action
    recognition", ICPR, arXiv:2010.08946; dt = 5 ms and N = 8, 16 in Berlincioni et al.,
    "Neuromorphic valence and arousal estimation", sec. 4. The texts leave the bit order
    open; the authors' published code gives the newest bin the greatest weight. It divides
    by 2^N or 2^(N - 1), here it is 2^N - 1 so that the range is exactly [0, 1].
    """

    def __init__(self, config: TemporalBinaryConfig) -> None:
        self.config = config

    @property
    def num_channels(self) -> int:
        return 1

    @property
    def resolution(self) -> Resolution:
        return self.config.resolution

    @property
    def step_us(self) -> int:
        return self.config.bin_us * self.config.num_bins

    def __call__(self, recording: Recording, window: TimeWindow) -> Float32[np.ndarray, "T 1 H W"]:
        """The numbers of each whole step of `window`.

        Raises:
            DataError: if the recording has no events.
        """
        num_bins, size = self.config.num_bins, self.resolution
        num_steps = window.num_steps(self.step_us)
        whole = TimeWindow(window.start_us, window.start_us + num_steps * self.step_us)
        bins = event_steps(recording, whole, step_us=self.config.bin_us, resolution=size)
        bits = np.zeros((num_steps, size.num_pixels), np.int32)
        _set_bits(bits, bins.x, bins.y, bins.borders, bins.column, bins.row_start, num_bins)
        # The same memory, read as float32 from here on.
        values = bits.view(np.float32)
        _normalise(values, bits, np.float32(2**num_bins - 1))
        return values.reshape(num_steps, 1, size.height, size.width)


@jit
def _set_bits(bits, x, y, borders, column, row_start, num_bins):  # type: ignore[no-untyped-def]
    for index in range(len(borders) - 1):
        bit = np.int32(1 << (index % num_bins))
        step = index // num_bins
        for event in range(borders[index], borders[index + 1]):
            bits[step, row_start[y[event]] + column[x[event]]] |= bit


@jit
def _normalise(values, bits, largest):  # type: ignore[no-untyped-def]
    for step in range(bits.shape[0]):
        for pixel in range(bits.shape[1]):
            values[step, pixel] = np.float32(bits[step, pixel]) / largest
