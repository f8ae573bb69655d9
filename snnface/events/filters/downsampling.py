"""Fewer, larger pixels."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64, UInt16

from snnface.errors import ConfigError
from snnface.events.filters.causal import CausalFilter
from snnface.events.stream import EventStream
from snnface.events.window import Resolution

__all__ = ["SumDownsampler", "SumDownsamplerConfig", "downsample", "downsample_by_sum"]


def downsample(stream: EventStream, factor: int) -> EventStream:
    """Blocks of `factor` x `factor` pixels become one; every event stays.

    Pixel x goes to column x // factor, rows likewise. A sensor side that is no multiple
    of the factor is rounded up, so that its last blocks are narrower.

    Raises:
        ConfigError: if the factor is below 1.
    """
    resolution = _downsampled(stream.resolution, factor)
    # A factor beyond 16 bits is beyond every sensor: all pixels fall into one.
    step = np.uint16(min(factor, 65535))
    return EventStream.of_checked(
        x=np.asarray(stream.x) // step,
        y=np.asarray(stream.y) // step,
        t_us=stream.t_us,
        polarity=stream.polarity,
        resolution=resolution,
    )


@dataclass(frozen=True, kw_only=True)
class SumDownsamplerConfig:
    """Settings of `SumDownsampler`.

    Attributes:
        factor: side of a block in pixels.
        threshold: how many events of one sign make one; None: factor * factor, which
            keeps the contrast threshold, because a block that brightens as a whole then
            gives the events of one pixel.

    Raises:
        ConfigError: if either is below 1.
    """

    factor: int = 2
    threshold: int | None = None

    def __post_init__(self) -> None:
        if self.factor < 1:
            raise ConfigError(f"the factor of down-sampling must be at least 1; got {self.factor}.")
        if self.threshold is not None and self.threshold < 1:
            raise ConfigError(f"threshold must be at least 1, or None for factor * factor; got {self.threshold}.")


class SumDownsampler(CausalFilter):
    """Blocks of pixels become one that integrates and fires: fewer events, less noise.

    Each block adds up its events, ON +1 and OFF -1. The event that brings the sum to
    +threshold or -threshold passes, with its own time and polarity and the block as its
    pixel, and the sum starts again at 0; all others are dropped. Opposite events in a
    block cancel. Blocks and resolution are those of `downsample`.

    Source: the averaging of log luminance over blocks in Gruel et al. 2022, "Event data
    downscaling for embedded computer vision", VISAPP, with all contrast thresholds alike.
    """

    def __init__(self, config: SumDownsamplerConfig, resolution: Resolution) -> None:
        super().__init__(resolution)
        self.config = config
        size = _downsampled(resolution, config.factor)
        self._sums = np.zeros((size.height, size.width), np.int64)

    def _passed(self, stream: EventStream) -> EventStream:
        return downsample(super()._passed(stream), self.config.factor)

    def _passes(
        self,
        x: UInt16[np.ndarray, " N"],
        y: UInt16[np.ndarray, " N"],
        t_us: Int64[np.ndarray, " N"],
        polarity: Bool[np.ndarray, " N"],
    ) -> Bool[np.ndarray, " N"]:
        from snnface.events.filters.kernels import reaches_threshold

        factor = self.config.factor
        threshold = factor * factor if self.config.threshold is None else self.config.threshold
        return reaches_threshold(x, y, polarity, self._sums, factor, threshold)


def downsample_by_sum(stream: EventStream, config: SumDownsamplerConfig | None = None) -> EventStream:
    """A whole stream through a `SumDownsampler`; `config` is the default one if left out."""
    return SumDownsampler(config or SumDownsamplerConfig(), stream.resolution).push(stream)


def _downsampled(resolution: Resolution, factor: int) -> Resolution:
    if factor < 1:
        raise ConfigError(f"the factor of down-sampling must be at least 1; got {factor}.")
    return Resolution(height=-(-resolution.height // factor), width=-(-resolution.width // factor))
