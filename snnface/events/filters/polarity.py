"""Choosing and swapping polarities."""

import numpy as np

from snnface.events.filters.selection import selected
from snnface.events.stream import EventStream

__all__ = ["keep_off", "keep_on", "swap_polarity"]


def keep_on(stream: EventStream) -> EventStream:
    """The ON events only."""
    return selected(stream, lambda piece: np.asarray(piece.polarity))


def keep_off(stream: EventStream) -> EventStream:
    """The OFF events only."""
    return selected(stream, lambda piece: ~np.asarray(piece.polarity))


def swap_polarity(stream: EventStream) -> EventStream:
    """ON becomes OFF and OFF becomes ON; twice is the identity."""
    return EventStream.of_checked(
        x=stream.x,
        y=stream.y,
        t_us=stream.t_us,
        polarity=~np.asarray(stream.polarity),
        resolution=stream.resolution,
    )
