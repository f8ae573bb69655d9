"""Cutting event streams to a box that moves, such as a detector's box around a face."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from snnface.errors import DataError, EventOrderError
from snnface.events.filters.selection import CHUNK_EVENTS
from snnface.events.stream import EventStream
from snnface.events.window import Resolution

__all__ = ["BoxTrack", "crop_to_track"]


@dataclass(frozen=True, slots=True, eq=False)
class BoxTrack:
    """Where a box was at some times, in pixels of the sensor; not necessarily whole ones.

    A box may reach beyond the sensor, where there are no events. Between two times it
    moves and grows linearly; before the first and after the last it rests.

    Attributes:
        t_us: times in microseconds, int64 [N], rising; at least one.
        boxes: float64 [N, 4]: left, top, width, height. Pixel (x, y) is the square from
            (x, y) to (x + 1, y + 1), so that `PixelBox(2, 5, 4, 3)` is the row 2, 5, 4, 3.

    Raises:
        DataError: if there is no box, lengths differ, or a box is empty or not finite.
        EventOrderError: if the times do not rise.
    """

    t_us: Int64[np.ndarray, "_"]
    boxes: Float64[np.ndarray, "_ 4"]

    def __post_init__(self) -> None:
        if not len(self.t_us) or len(self.t_us) != len(self.boxes):
            raise DataError(
                f"a box track needs at least one box and as many times; got {len(self.boxes)} boxes and "
                f"{len(self.t_us)} times."
            )
        bad = np.flatnonzero(~(np.isfinite(self.boxes).all(axis=1) & (self.boxes[:, 2:] > 0).all(axis=1)))
        if bad.size:
            raise DataError(
                "a box must be finite, with width and height above 0; "
                f"box {bad[0]} is {self.boxes[bad[0]].tolist()}. Leave out the times at which nothing was found."
            )
        late = np.flatnonzero(np.diff(self.t_us) <= 0)
        if late.size:
            raise EventOrderError(
                f"the times of boxes must rise; box {late[0] + 1} does not come after the one before."
            )
        for name in ("t_us", "boxes"):
            view = getattr(self, name).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)


def crop_to_track(stream: EventStream, track: BoxTrack, resolution: Resolution) -> EventStream:
    """The events inside the box at their own time, the box scaled to `resolution`.

    With (left, top, width, height) the box at the time of an event, pixel x goes to
    column floor((x - left) * W / width), rows likewise; events whose column or row falls
    outside the picture are dropped. Order, times and polarities stay. A box of whole
    pixels that rests, at its own resolution, gives what `crop` gives.
    """
    from snnface.events.filters.kernels import box_places

    columns, rows, kept = [np.empty(0, np.uint16)], [np.empty(0, np.uint16)], [np.empty(0, np.intp)]
    for start in range(0, len(stream), CHUNK_EVENTS):
        piece = stream[start : start + CHUNK_EVENTS]
        x, y, t_us = map(np.asarray, (piece.x, piece.y, piece.t_us))
        column, row = box_places(x, y, t_us, track.t_us, track.boxes, resolution.height, resolution.width)
        inside = np.flatnonzero((column >= 0) & (row >= 0))
        columns.append(column[inside].astype(np.uint16))
        rows.append(row[inside].astype(np.uint16))
        kept.append(start + inside)
    index = np.concatenate(kept)
    return EventStream.of_checked(
        x=np.concatenate(columns),
        y=np.concatenate(rows),
        t_us=np.asarray(stream.t_us)[index],
        polarity=np.asarray(stream.polarity)[index],
        resolution=resolution,
    )
