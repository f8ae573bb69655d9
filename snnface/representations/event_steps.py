"""The events of some slices, and the map from sensor to picture, as the loops over events take them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64, UInt16

from snnface.events.stream import EventStream
from snnface.events.window import Resolution
from snnface.jit import jit
from snnface.representations.slicing import Slices

__all__ = ["BLOCK", "EventSteps", "event_steps", "find_places"]

# Loops over events find the places of this many, then write there: where finding and writing take
# turns, the processor waits for each write before it looks at the next event, twice as slow.
BLOCK = 1024


@dataclass(frozen=True, slots=True, eq=False)
class EventSteps:
    """What a loop over events needs; nothing is copied from the stream.

    Attributes:
        x, y: sensor column and row of each event [N].
        t_us: its time.
        polarity: True is ON.
        borders: slice k holds the events borders[k] .. borders[k + 1] - 1.
        start_us, end_us: slice k lasts [start_us[k], end_us[k]).
        column: picture column of each sensor column.
        row_start: place of the first pixel of each sensor row's picture row, in a
            picture stored row by row.
    """

    x: UInt16[np.ndarray, " N"]
    y: UInt16[np.ndarray, " N"]
    t_us: Int64[np.ndarray, " N"]
    polarity: Bool[np.ndarray, " N"]
    borders: Int64[np.ndarray, " borders"]
    start_us: Int64[np.ndarray, " slices"]
    end_us: Int64[np.ndarray, " slices"]
    column: Int64[np.ndarray, " sensor_width"]
    row_start: Int64[np.ndarray, " sensor_height"]


def event_steps(events: EventStream, slices: Slices, resolution: Resolution) -> EventSteps:
    """The events in `slices` and their places in a picture of `resolution`.

    Sensor pixel x goes to column floor(x * W / sensor width), rows likewise.
    """
    sensor = events.resolution
    part = events[: slices.num_events]
    # np.asarray: a memory-mapped column becomes a plain view, which the compiled loops know.
    return EventSteps(
        x=np.asarray(part.x),
        y=np.asarray(part.y),
        t_us=np.asarray(part.t_us),
        polarity=np.asarray(part.polarity),
        borders=slices.borders,
        start_us=slices.start_us,
        end_us=slices.end_us,
        column=_scaled(sensor.width, resolution.width),
        row_start=_scaled(sensor.height, resolution.height) * resolution.width,
    )


def _scaled(sensor_size: int, size: int) -> np.ndarray:
    return np.arange(sensor_size, dtype=np.int64) * size // sensor_size


@jit
def find_places(x, y, polarity, column, row_start, off_start, places):  # type: ignore[no-untyped-def]
    """The place of each of up to BLOCK events in a picture stored in one row, as a part of `places`.

    Args:
        off_start: how much further on the pixels of OFF events lie.
        places: int64 [BLOCK], written to.
    """
    for event in range(len(x)):
        places[event] = row_start[y[event]] + column[x[event]] + (0 if polarity[event] else off_start)
    return places[: len(x)]
