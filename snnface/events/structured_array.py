"""Events as other libraries keep them: one structured NumPy array with the fields x, y, t and p."""

import numpy as np
from jaxtyping import Shaped

from snnface.errors import DataError
from snnface.events.stream import EventStream
from snnface.events.window import Resolution

__all__ = ["stream_from_array"]

FIELDS = ("x", "y", "t", "p")


def stream_from_array(events: Shaped[np.ndarray, "..."], resolution: Resolution) -> EventStream:
    """A structured array of events as a stream; its fields may stand in any order, beside others.

    Polarities 1 and True are ON; 0, -1 and False are OFF. Everything is copied.

    Args:
        events: one axis; t in microseconds; all four fields hold integers (p may be bool).

    Raises:
        DataError: if a field is missing or holds no integers, or an event lies outside the sensor.
        EventOrderError: if time runs backwards.
    """
    names = events.dtype.names or ()
    if events.ndim != 1 or not set(FIELDS) <= set(names):
        raise DataError(
            f"events must be a structured array of one axis with the fields x, y, t and p; got {events.ndim} axes of "
            f"{events.dtype}."
        )
    for name in FIELDS:
        if events[name].dtype.kind not in ("biu" if name == "p" else "iu"):
            raise DataError(
                f"field {name!r} of the events must hold integers; it holds {events[name].dtype}. "
                "Round it, times to whole microseconds."
            )
    return EventStream.from_arrays(
        x=events["x"], y=events["y"], t_us=events["t"], polarity=events["p"] > 0, resolution=resolution
    )
