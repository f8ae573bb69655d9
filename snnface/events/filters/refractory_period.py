"""Dead time of pixels."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64, UInt16

from snnface.errors import ConfigError
from snnface.events.filters.causal import CausalFilter
from snnface.events.stream import EventStream
from snnface.events.window import Resolution

__all__ = ["RefractoryConfig", "RefractoryFilter", "with_refractory_period"]


@dataclass(frozen=True, kw_only=True)
class RefractoryConfig:
    """Settings of `RefractoryFilter`.

    Attributes:
        period_us: how long a pixel is silent after an event, in microseconds.

    Raises:
        ConfigError: if it is below 1 us.
    """

    period_us: int = 1000

    def __post_init__(self) -> None:
        if self.period_us < 1:
            raise ConfigError(f"period_us must be at least 1; got {self.period_us}.")


class RefractoryFilter(CausalFilter):
    """After an event that passed, a pixel passes no other for a time.

    An event at time t passes if t - s > period_us, s being the time of the last event of
    its pixel that passed, of either polarity; the first event of a pixel passes. Events
    that are dropped do not lengthen the silence, so a pixel that fires steadily is thinned
    out and not silenced. Applying it twice changes nothing more.
    """

    def __init__(self, config: RefractoryConfig, resolution: Resolution) -> None:
        super().__init__(resolution)
        from snnface.events.filters.kernels import NEVER

        self.config = config
        self._last_us = np.full((resolution.height, resolution.width), NEVER, np.int64)

    def _passes(
        self,
        x: UInt16[np.ndarray, " N"],
        y: UInt16[np.ndarray, " N"],
        t_us: Int64[np.ndarray, " N"],
        polarity: Bool[np.ndarray, " N"],
    ) -> Bool[np.ndarray, " N"]:
        # Compiled loops are imported at the first use: importing this module stays cheap.
        from snnface.events.filters.kernels import is_rested

        return is_rested(x, y, t_us, self._last_us, self.config.period_us)


def with_refractory_period(stream: EventStream, config: RefractoryConfig | None = None) -> EventStream:
    """A whole stream through a `RefractoryFilter`; `config` is the default one if left out.

    >>> from snnface.events import Resolution
    >>> stream = EventStream.from_arrays(
    ...     x=[0, 0, 0, 0], y=[0, 0, 0, 0], t_us=[0, 60, 101, 150], polarity=[1, 0, 1, 1], resolution=Resolution(1, 1)
    ... )
    >>> with_refractory_period(stream, RefractoryConfig(period_us=100)).t_us.tolist()
    [0, 101]
    """
    return RefractoryFilter(config or RefractoryConfig(), stream.resolution).push(stream)
