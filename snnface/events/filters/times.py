"""Moving a recording in time."""

import numpy as np

from snnface.errors import DataError
from snnface.events.stream import EventStream

__all__ = ["shift_time", "start_at_zero"]


def shift_time(stream: EventStream, shift_us: int) -> EventStream:
    """Every event `shift_us` later (earlier if negative).

    Raises:
        DataError: if a time would no longer fit 64 bits.
    """
    if stream.is_empty:
        return stream
    first_us, last_us = int(stream.t_us[0]) + shift_us, int(stream.t_us[-1]) + shift_us
    limits = np.iinfo(np.int64)
    if not limits.min <= first_us <= last_us <= limits.max:
        raise DataError(
            f"event times are 64-bit integers; shifted by {shift_us} us they would reach from {first_us} to "
            f"{last_us} us. Shift by less."
        )
    return EventStream.of_checked(
        x=stream.x,
        y=stream.y,
        t_us=np.asarray(stream.t_us) + np.int64(shift_us),
        polarity=stream.polarity,
        resolution=stream.resolution,
    )


def start_at_zero(stream: EventStream) -> EventStream:
    """The first event at time 0. Of a whole recording: each piece of one would begin at 0 of its own."""
    return stream if stream.is_empty else shift_time(stream, -int(stream.t_us[0]))
