"""Events to and from tonic: its structured arrays. tonic itself is not needed for that.

tonic's transforms become representations in `snnface.representations.tonic_transform`, and
data sets become tonic data sets in `snnface.datasets.tonic_dataset`.

Source: Lenz et al. 2021, "Tonic: event-based datasets and transformations",
doi:10.5281/zenodo.5079802; the array is that of `tonic.io.events_struct`.
"""

import numpy as np
from jaxtyping import Shaped

from snnface.errors import DataError
from snnface.events.stream import EventStream
from snnface.events.structured_array import stream_from_array
from snnface.events.window import Resolution

__all__ = ["TONIC_EVENT", "from_tonic", "sensor_size", "to_tonic"]

TONIC_EVENT = np.dtype([("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", np.bool_)])
"""One event as tonic's own data sets hold it."""


def to_tonic(stream: EventStream) -> Shaped[np.ndarray, " N"]:
    """The stream as tonic's structured array: x, y, t in microseconds, p True for ON.

    Raises:
        DataError: if the sensor is wider or higher than the 16 signed bits of a coordinate.
    """
    limit = np.iinfo(np.int16).max + 1
    if max(stream.resolution.height, stream.resolution.width) > limit:
        raise DataError(
            f"tonic's coordinates have 15 bits, for sensors of up to {limit} pixels a side; this one is "
            f"{stream.resolution}. Crop or down-sample it."
        )
    events = np.empty(len(stream), TONIC_EVENT)
    events["x"], events["y"], events["t"], events["p"] = stream.x, stream.y, stream.t_us, stream.polarity
    return events


def from_tonic(events: Shaped[np.ndarray, "..."], resolution: Resolution) -> EventStream:
    """A structured array of tonic as a stream. `to_tonic` and back is the identity.

    tonic's arrays do not state the size of the sensor; its data sets do, as `sensor_size`
    (width, height, polarities). Times are taken as microseconds, as tonic's data sets have them.

    Raises:
        DataError, EventOrderError: as `stream_from_array`.
    """
    return stream_from_array(events, resolution)


def sensor_size(resolution: Resolution) -> tuple[int, int, int]:
    """What tonic's transforms call `sensor_size`: width, height, and two polarities.

    >>> sensor_size(Resolution(height=260, width=346))
    (346, 260, 2)
    """
    return resolution.width, resolution.height, 2
