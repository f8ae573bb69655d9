"""Events of one sensor, ordered in time."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64, UInt16

from snnface.errors import DataError, EventOrderError
from snnface.events.window import Resolution, TimeWindow

__all__ = ["EventStream"]

# Checks walk over the columns in pieces of this many events, so that a memory-mapped
# stream larger than memory is never pulled in whole.
CHECK_CHUNK = 1 << 22


@dataclass(frozen=True, slots=True, eq=False)
class EventStream:
    """Events of one sensor, ordered in time.

    Columns are stored read-only; every operation returns a new stream, and slices are
    views. Columns may be memory-mapped (`np.memmap`): nothing here copies them whole.

    Attributes:
        x, y: pixel column and row, uint16 [N]; origin top left.
        t_us: time in microseconds, int64 [N], non-decreasing.
        polarity: bool [N]; True is a brightness increase (ON).
        resolution: sensor size in pixels.

    Raises:
        EventOrderError: if time runs backwards; names the first offending index.
        DataError: if lengths differ or a pixel lies outside the sensor.
    """

    # One length is promised, and checked below with a sentence of our own: hence "_", not "N".
    x: UInt16[np.ndarray, "_"]
    y: UInt16[np.ndarray, "_"]
    t_us: Int64[np.ndarray, "_"]
    polarity: Bool[np.ndarray, "_"]
    resolution: Resolution

    def __post_init__(self) -> None:
        columns = {
            "x": (self.x, np.uint16),
            "y": (self.y, np.uint16),
            "t_us": (self.t_us, np.int64),
            "polarity": (self.polarity, np.bool_),
        }
        for name, (column, dtype) in columns.items():
            if column.ndim != 1 or column.dtype != dtype:
                raise DataError(
                    f"event column {name!r} must be one-dimensional {np.dtype(dtype)}; "
                    f"got {column.ndim} axes of {column.dtype}."
                )
            object.__setattr__(self, name, _read_only(column))
        lengths = {name: len(column) for name, (column, _) in columns.items()}
        if len(set(lengths.values())) > 1:
            raise DataError(f"event columns must have one length; got {lengths}.")
        self._check_values()

    def _check_values(self) -> None:
        for start in range(0, len(self), CHECK_CHUNK):
            stop = min(start + CHECK_CHUNK, len(self))
            # One event of overlap, so that a step back at a chunk border is seen too.
            back = np.flatnonzero(np.diff(self.t_us[max(start - 1, 0) : stop]) < 0)
            if back.size:
                index = max(start - 1, 0) + int(back[0]) + 1
                raise EventOrderError(
                    f"event times must not run backwards; event {index} at {self.t_us[index]} us comes after "
                    f"{self.t_us[index - 1]} us. Sort the events, or split the recording there."
                )
            for name, column, size in (
                ("x", self.x, self.resolution.width),
                ("y", self.y, self.resolution.height),
            ):
                outside = np.flatnonzero(column[start:stop] >= size)
                if outside.size:
                    index = start + int(outside[0])
                    raise DataError(
                        f"event {index} has {name} = {column[index]}, outside the {self.resolution} sensor. "
                        "Give the right sensor size."
                    )

    @classmethod
    def empty(cls, resolution: Resolution) -> "EventStream":
        """A stream without events, a valid value everywhere."""
        return cls.from_arrays(x=[], y=[], t_us=[], polarity=[], resolution=resolution)

    @classmethod
    def from_arrays(cls, *, x: Any, y: Any, t_us: Any, polarity: Any, resolution: Resolution) -> "EventStream":
        """Convert any array-likes to the column types.

        Args:
            polarity: above 0 is ON; -1 and 0 are OFF.

        Raises:
            DataError: if a coordinate is negative or does not fit 16 bits, or a coordinate or time is
                not a whole number.
        """
        coordinates = {}
        for name, values in (("x", x), ("y", y)):
            wide = _whole_numbers(name, values)
            if wide.size and (wide.min() < 0 or wide.max() > 65535):
                raise DataError(f"event column {name!r} must lie in 0..65535; got {wide.min()}..{wide.max()}.")
            coordinates[name] = wide.astype(np.uint16)
        return cls(
            x=coordinates["x"],
            y=coordinates["y"],
            t_us=_whole_numbers("t_us", t_us).astype(np.int64),
            polarity=np.asarray(polarity) > 0,
            resolution=resolution,
        )

    @classmethod
    def of_checked(
        cls, x: np.ndarray, y: np.ndarray, t_us: np.ndarray, polarity: np.ndarray, resolution: Resolution
    ) -> "EventStream":
        """Columns that a loop of our own has just checked, without a second look at each event.

        Only for code that can prove order, size and types; all else goes through the constructor.
        """
        stream = object.__new__(cls)
        for name, column in (("x", x), ("y", y), ("t_us", t_us), ("polarity", polarity)):
            object.__setattr__(stream, name, _read_only(column))
        object.__setattr__(stream, "resolution", resolution)
        return stream

    @classmethod
    def joined(cls, parts: Sequence["EventStream"], resolution: Resolution) -> "EventStream":
        """Streams of one sensor in order of time, as one; a single part is handed on without a copy.

        Raises:
            EventOrderError: if a part begins before its predecessor ends.
        """
        filled = [part for part in parts if not part.is_empty]
        if len(filled) == 1:
            return filled[0]
        if not filled:
            return cls.empty(resolution)
        x, y, t_us, polarity = (
            np.concatenate([getattr(part, name) for part in filled]) for name in ("x", "y", "t_us", "polarity")
        )
        # Each part is a stream and thus in order; only the seams are not known to be.
        if any(before.t_us[-1] > after.t_us[0] for before, after in pairwise(filled)):
            return cls(x, y, t_us, polarity, resolution)
        return cls.of_checked(x, y, t_us, polarity, resolution)

    def __len__(self) -> int:
        return len(self.t_us)

    @property
    def is_empty(self) -> bool:
        return len(self) == 0

    @property
    def window(self) -> TimeWindow:
        """The smallest window that holds every event; [0, 0) for the empty stream."""
        if self.is_empty:
            return TimeWindow(0, 0)
        return TimeWindow(int(self.t_us[0]), int(self.t_us[-1]) + 1)

    def between(self, window: TimeWindow) -> "EventStream":
        """The events in `window`, as views (no copy)."""
        start, stop = np.searchsorted(self.t_us, (window.start_us, window.end_us), side="left")
        return self[int(start) : int(stop)]

    def __getitem__(self, index: slice) -> "EventStream":
        """A run of consecutive events, as views; it is in order because the whole is.

        Raises:
            TypeError: for anything but a forward slice of step 1.
        """
        if not isinstance(index, slice) or index.step not in (None, 1):
            raise TypeError("an EventStream is cut with a slice of step 1, as in stream[10:20].")
        return EventStream.of_checked(
            self.x[index], self.y[index], self.t_us[index], self.polarity[index], self.resolution
        )

    def __repr__(self) -> str:
        window = self.window
        return f"EventStream({len(self)} events, {self.resolution}, [{window.start_us}, {window.end_us}) us)"


def _whole_numbers(name: str, values: Any) -> np.ndarray:
    column = np.asarray(values)
    kind = column.dtype.kind
    if kind not in "iubf" or (kind == "f" and not (np.rint(column) == column).all()):
        raise DataError(
            f"event column {name!r} must hold whole numbers; it holds {column.dtype}, not all of them whole. "
            "Round it, times to whole microseconds."
        )
    if column.size and not -(1 << 63) <= column.min() <= column.max() < 1 << 63:
        raise DataError(f"event column {name!r} must fit 63 bits; it holds {column.min()}..{column.max()}.")
    return column


def _read_only(column: np.ndarray) -> np.ndarray:
    """A read-only view; the caller's own array keeps its flag."""
    view = column.view()
    view.flags.writeable = False
    return view
