"""Removing the events that pixels give without cause."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64, UInt16

from snnface.errors import ConfigError
from snnface.events.filters.causal import CausalFilter
from snnface.events.stream import EventStream
from snnface.events.window import Resolution

__all__ = ["BackgroundActivityConfig", "BackgroundActivityFilter", "without_background_activity"]


@dataclass(frozen=True, kw_only=True)
class BackgroundActivityConfig:
    """Settings of `BackgroundActivityFilter`.

    Attributes:
        support_us: how long an event supports its neighbours, in microseconds.

    Raises:
        ConfigError: if it is below 1 us.
    """

    support_us: int = 10_000

    def __post_init__(self) -> None:
        if self.support_us < 1:
            raise ConfigError(f"support_us must be at least 1; got {self.support_us}.")


class BackgroundActivityFilter(CausalFilter):
    """An event passes only if one of its 8 neighbours had an event shortly before.

    An event at time t passes if t - s < support_us, s being the time of the last event, of
    either polarity, of any of the pixels around its own. Its own pixel does not count, so that a pixel
    which fires on and on by itself is silenced. Every event supports its neighbours,
    whether it passed or not; the first event of a moving edge is therefore lost.

    Source: Delbruck 2008, "Frame-free dynamic digital vision", Proc. Intl. Symp. on
    Secure-Life Electronics, p. 21-26, background activity filter.
    """

    def __init__(self, config: BackgroundActivityConfig, resolution: Resolution) -> None:
        super().__init__(resolution)
        from snnface.events.filters.kernels import NEVER

        self.config = config
        # A margin of one pixel: those at the border need no case of their own.
        self._last_us = np.full((resolution.height + 2, resolution.width + 2), NEVER, np.int64)

    def _passes(
        self,
        x: UInt16[np.ndarray, " N"],
        y: UInt16[np.ndarray, " N"],
        t_us: Int64[np.ndarray, " N"],
        polarity: Bool[np.ndarray, " N"],
    ) -> Bool[np.ndarray, " N"]:
        from snnface.events.filters.kernels import has_neighbour

        return has_neighbour(x, y, t_us, self._last_us, self.config.support_us)


def without_background_activity(stream: EventStream, config: BackgroundActivityConfig | None = None) -> EventStream:
    """A whole stream through a `BackgroundActivityFilter`; `config` is the default one if left out."""
    return BackgroundActivityFilter(config or BackgroundActivityConfig(), stream.resolution).push(stream)
