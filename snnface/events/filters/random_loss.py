"""Losing events at random, to augment training data."""

import numpy as np

from snnface.errors import ConfigError
from snnface.events.filters.selection import selected
from snnface.events.stream import EventStream

__all__ = ["drop_events"]


def drop_events(stream: EventStream, *, fraction: float, generator: np.random.Generator) -> EventStream:
    """Each event is lost with probability `fraction`, independent of all others.

    One number is drawn an event, in order: pieces of a stream, dropped from one after the
    other with the same generator, lose the same events as the whole.

    Raises:
        ConfigError: if the fraction is not in 0..1.
    """
    if not 0 <= fraction <= 1:
        raise ConfigError(f"the fraction of dropped events must lie in 0..1; got {fraction}.")
    return selected(stream, lambda piece: generator.random(len(piece)) >= fraction)
