"""Picking events out of a stream."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool

from snnface.events.stream import EventStream

__all__ = ["selected"]

# Events are looked at in pieces of this many, so that a memory-mapped stream larger than
# memory is never pulled in whole.
CHUNK_EVENTS = 1 << 20


def selected(stream: EventStream, wanted: Callable[[EventStream], Bool[np.ndarray, " N"]]) -> EventStream:
    """The events that `wanted` picks, in their order.

    Args:
        wanted: is called for consecutive pieces of the stream and says of each event
            of a piece whether it stays.
    """
    starts = range(0, len(stream), CHUNK_EVENTS)
    kept = [start + np.flatnonzero(wanted(stream[start : start + CHUNK_EVENTS])) for start in starts]
    index = np.concatenate([np.empty(0, np.intp), *kept])
    # np.asarray: the pick from a memory-mapped column is a plain array.
    return EventStream.of_checked(
        x=np.asarray(stream.x)[index],
        y=np.asarray(stream.y)[index],
        t_us=np.asarray(stream.t_us)[index],
        polarity=np.asarray(stream.polarity)[index],
        resolution=stream.resolution,
    )
