"""Removing the events of lamps that flicker with the mains."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64, UInt16

from snnface.errors import ConfigError
from snnface.events.filters.causal import CausalFilter
from snnface.events.stream import EventStream
from snnface.events.window import Resolution

__all__ = ["FlickerConfig", "FlickerFilter", "without_flicker"]


@dataclass(frozen=True, kw_only=True)
class FlickerConfig:
    """Settings of `FlickerFilter`.

    The default band holds 100 and 120 Hz: a lamp flickers at twice the 50 or 60 Hz of the mains.

    Attributes:
        min_hz, max_hz: the band of frequencies that are removed, both ends in it.
        num_periods: how many periods in a row must lie in the band before a pixel is silenced.

    Raises:
        ConfigError: if the band is empty or not positive, or no period is asked for.
    """

    min_hz: float = 90.0
    max_hz: float = 130.0
    num_periods: int = 3

    def __post_init__(self) -> None:
        if not (math.isfinite(self.max_hz) and 0 < self.min_hz < self.max_hz):
            raise ConfigError(f"a flicker band needs 0 < min_hz < max_hz; got {self.min_hz} to {self.max_hz} Hz.")
        if self.num_periods < 1:
            raise ConfigError(f"num_periods must be at least 1; got {self.num_periods}.")


class FlickerFilter(CausalFilter):
    """Silences a pixel while it switches on with the period of a flickering lamp.

    An onset of a pixel is an ON event whose predecessor at that pixel was OFF, or that is
    the pixel's first. Each pixel counts its periods: at an onset, with T the time since
    the onset before,

        count = count + 1   if 1e6 / max_hz <= T <= 1e6 / min_hz,       else 0

    and at any other event count = 0 if the last onset is longer ago than 1e6 / min_hz.
    After that an event passes if count < num_periods. So the first num_periods periods of
    a flicker pass, the rest does not, ON and OFF alike; one period that is too short or
    too long, or a pause, opens the pixel again.

    Source: the principle (per-pixel periods of one kind of transition, several alike in a
    band) is that of the anti-flicker functions of Prophesee's sensors and software, whose
    algorithm is not published; this one is stated above in full.
    """

    def __init__(self, config: FlickerConfig, resolution: Resolution) -> None:
        super().__init__(resolution)
        from snnface.events.filters.kernels import NEVER

        self.config = config
        shape = (resolution.height, resolution.width)
        self._memory = np.full(shape, NEVER, np.int64), np.zeros(shape, np.bool_), np.zeros(shape, np.int32)

    def _passes(
        self,
        x: UInt16[np.ndarray, " N"],
        y: UInt16[np.ndarray, " N"],
        t_us: Int64[np.ndarray, " N"],
        polarity: Bool[np.ndarray, " N"],
    ) -> Bool[np.ndarray, " N"]:
        from snnface.events.filters.kernels import is_out_of_rhythm

        onset_us, was_on, num_in_band = self._memory
        shortest_us, longest_us = 1e6 / self.config.max_hz, 1e6 / self.config.min_hz
        return is_out_of_rhythm(
            x, y, t_us, polarity, onset_us, was_on, num_in_band, shortest_us, longest_us, self.config.num_periods
        )


def without_flicker(stream: EventStream, config: FlickerConfig | None = None) -> EventStream:
    """A whole stream through a `FlickerFilter`; `config` is the default one if left out."""
    return FlickerFilter(config or FlickerConfig(), stream.resolution).push(stream)
