"""The events of a time window, cut into steps and mapped to the pixels of a picture."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int32, Int64, UInt16

from snnface.errors import DataError
from snnface.events.window import Resolution, TimeWindow
from snnface.recording import Recording

__all__ = ["EventSteps", "event_steps"]


@dataclass(frozen=True, slots=True, eq=False)
class EventSteps:
    """What a loop over events needs; nothing is copied from the stream.

    Attributes:
        x, y: sensor column and row of each event [N].
        polarity: True is ON.
        borders: step k holds the events borders[k] .. borders[k + 1] - 1.
        column: picture column of each sensor column.
        row_start: place of the first pixel of each sensor row's picture row, in a
            picture stored row by row.
    """

    x: UInt16[np.ndarray, " N"]
    y: UInt16[np.ndarray, " N"]
    polarity: Bool[np.ndarray, " N"]
    borders: Int64[np.ndarray, " borders"]
    column: Int32[np.ndarray, " sensor_width"]
    row_start: Int32[np.ndarray, " sensor_height"]


def event_steps(recording: Recording, window: TimeWindow, *, step_us: int, resolution: Resolution) -> EventSteps:
    """Cut the events of `window` into whole steps; the rest at the end is left out.

    Args:
        resolution: of the picture; sensor pixel x goes to column floor(x * W / sensor width), rows likewise.

    Raises:
        DataError: if the recording has no events.
        ConfigError: if the step is not positive.
    """
    events = recording.events
    if events is None:
        raise DataError(
            f"recording {recording.recording_id!r} holds frames only; this representation needs events. "
            "Emulate them first, or choose a representation of frames."
        )
    times = window.start_us + np.arange(window.num_steps(step_us) + 1, dtype=np.int64) * step_us
    borders = np.searchsorted(events.t_us, times, side="left").astype(np.int64)
    part = events[int(borders[0]) : int(borders[-1])]
    sensor = events.resolution
    # np.asarray: a memory-mapped column becomes a plain view, which the compiled loops know.
    return EventSteps(
        x=np.asarray(part.x),
        y=np.asarray(part.y),
        polarity=np.asarray(part.polarity),
        borders=borders - borders[0],
        column=_scaled(sensor.width, resolution.width),
        row_start=_scaled(sensor.height, resolution.height) * np.int32(resolution.width),
    )


def _scaled(sensor_size: int, size: int) -> np.ndarray:
    return (np.arange(sensor_size, dtype=np.int64) * size // sensor_size).astype(np.int32)
