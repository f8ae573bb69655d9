"""Formats whose events come piece by piece: columns that grow, and the two passes over them."""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from snnface.errors import DataError
from snnface.events.readers.assembly import Assembly
from snnface.events.readers.base import EventFile
from snnface.events.sensor_data import SensorData
from snnface.events.stream import EventStream

__all__ = ["EventColumns", "PieceFile", "check_memory"]

Columns = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

DTYPES = (np.uint16, np.uint16, np.int64, np.bool_)
SMALLEST_SPACE = 1 << 12
EVENT_BYTES = 13
# A whole read of more than this many bytes must be backed by a file that is not a thousand times smaller.
FREE_BYTES = 1 << 28
MAX_INFLATION = 200


class EventColumns:
    """Places for decoded events, filled from the front: x, y, time, polarity.

    Args:
        num_events: how many are expected; more find room too.
        is_whole: whether all events of a file come here, one piece behind another.
    """

    def __init__(self, num_events: int = 0, *, is_whole: bool = False) -> None:
        self._arrays = _allocated(num_events)
        self._length = 0
        self._is_whole = is_whole

    def __len__(self) -> int:
        return self._length

    def space(self, num_events: int, *, progress: float = 1.0) -> Columns:
        """Room for the next events; what `keep` then counts is theirs.

        Args:
            progress: which part of the file is read with them, above 0; lets a whole file grow in few steps.
        """
        needed = self._length + num_events
        if needed > len(self._arrays[0]):
            grown = self._grown(needed, progress)
            for old, new in zip(self._arrays, grown, strict=True):
                new[: self._length] = old[: self._length]
            self._arrays = grown
        x, y, t_us, polarity = (array[self._length : needed] for array in self._arrays)
        return x, y, t_us, polarity

    def _grown(self, needed: int, progress: float) -> Columns:
        enough = max(needed, 2 * self._length, SMALLEST_SPACE)
        if self._is_whole and progress < 1:
            # Places that are never used cost no memory; hence half as many more, where that is not refused.
            with suppress(DataError):
                return _allocated(max(enough, int(1.5 * needed / progress)))
        return _allocated(enough)

    def keep(self, num_events: int) -> None:
        """The first `num_events` places of the last `space` are filled."""
        self._length += num_events

    def append(self, *, x: np.ndarray, y: np.ndarray, t_us: np.ndarray, polarity: np.ndarray) -> None:
        """Copy columns in; a coordinate or time must fit its type, a polarity is ON where it is above zero."""
        to_x, to_y, to_t_us, to_polarity = self.space(len(x))
        to_x[:], to_y[:], to_t_us[:] = x, y, t_us
        np.greater(polarity, 0, out=to_polarity)
        self.keep(len(x))

    def taken(self, start: int = 0) -> Columns:
        """The events from `start` on, as views."""
        x, y, t_us, polarity = (array[start : self._length] for array in self._arrays)
        return x, y, t_us, polarity

    def clear(self) -> None:
        """Begin anew, in other memory: what was taken stays as it is."""
        self._arrays, self._length = _allocated(0), 0


class PieceFile(EventFile):
    """A format that decodes its events in pieces of a size that it chooses.

    What is no event (frames, triggers, samples) goes into a list of others, as the format
    likes; `_sensor_data` makes of it what `read` returns, and slices forget it.
    """

    def chunks(self) -> Iterator[EventStream]:
        assembly = self._assembly()
        yield from self._streams(assembly)
        self.losses = assembly.losses()

    def frames(self) -> Iterator[tuple[UInt8[np.ndarray, "H W C"], int]]:
        assembly, others, latest_us = self._assembly(), list[Any](), np.iinfo(np.int64).min
        nothing = EventStream.empty(self.resolution)
        for _ in chain(self._streams(assembly, others), (nothing,)):
            clip = self._sensor_data(nothing, others, assembly).frames
            others.clear()
            for picture, t_us in () if clip is None else zip(clip.pixels, clip.t_us.tolist(), strict=True):
                if t_us <= latest_us:
                    assembly.damage(
                        f"frame times must rise; the frame at {t_us} us comes after one at {latest_us} us.",
                        dropped="frames whose time does not rise",
                    )
                    continue
                latest_us = t_us
                yield picture, t_us
        self.losses = assembly.losses()

    def read(self) -> SensorData:
        check_memory(self.path, self._expected())
        assembly = self._assembly()
        others: list[Any] = []
        if self.recover:
            events = EventStream.joined(list(self._streams(assembly, others)), self.resolution)
        else:
            events = self._whole(assembly, others)
        data = self._sensor_data(events, others, assembly)
        self.losses = assembly.losses()
        return replace(data, losses=self.losses)

    @abstractmethod
    def _pieces(self, columns: EventColumns, assembly: Assembly, others: list[Any]) -> Iterator[int | None]:
        """Decode the next piece behind `columns`, then yield where in the file it began; until the end."""

    def _sensor_data(self, events: EventStream, others: list[Any], assembly: Assembly) -> SensorData:
        """What `read` returns, but for the losses."""
        return SensorData(events=events)

    def _expected(self) -> int:
        """An upper bound of the number of events, where the file tells; 0 where it does not."""
        return 0

    def _assembly(self) -> Assembly:
        return Assembly(self.path, self.resolution, recover=self.recover)

    def _streams(self, assembly: Assembly, others: list[Any] | None = None) -> Iterator[EventStream]:
        """Piece by piece, each in memory of its own; recovering, one piece is seen ahead."""
        columns, kept = EventColumns(), [] if others is None else others
        waiting: tuple[Columns, int | None] | None = None
        for at_byte in self._pieces(columns, assembly, kept):
            piece = columns.taken()
            columns.clear()
            if others is None:
                kept.clear()
            if not self.recover:
                yield _stream(assembly, piece, at_byte)
            elif len(piece[2]):
                if waiting is not None:
                    yield _stream(assembly, *waiting, ahead_us=piece[2])
                waiting = piece, at_byte
        if waiting is not None:
            yield _stream(assembly, *waiting)

    def _whole(self, assembly: Assembly, others: list[Any]) -> EventStream:
        """All events, decoded to their final place and checked piece by piece."""
        columns = EventColumns(self._expected(), is_whole=True)
        start = 0
        for at_byte in self._pieces(columns, assembly, others):
            _stream(assembly, columns.taken(start), at_byte)
            start = len(columns)
        return EventStream.of_checked(*columns.taken(), self.resolution)


def check_memory(path: Path, num_events: int) -> None:
    """Refuse to hold more events at once than the file's size makes credible.

    Raises:
        DataError: if they take more than 256 MB, and 200 times what the file has.
    """
    num_bytes = num_events * EVENT_BYTES
    if num_bytes > FREE_BYTES and num_bytes > MAX_INFLATION * path.stat().st_size:
        raise DataError(
            f"{path} claims {num_events} events in {path.stat().st_size} bytes; reading it whole would take "
            f"{num_bytes / 1e9:.1f} GB. If that is meant, go through it in slices with "
            "open_events(path).slices(step_us); else the file is damaged."
        )


def _stream(assembly: Assembly, piece: Columns, at_byte: int | None, ahead_us: np.ndarray | None = None) -> EventStream:
    x, y, t_us, polarity = piece
    return assembly.stream(x=x, y=y, t_us=t_us, polarity=polarity, at_byte=at_byte, ahead_us=ahead_us)


def _allocated(num_events: int) -> Columns:
    try:
        x, y, t_us, polarity = (np.empty(num_events, dtype) for dtype in DTYPES)
    except MemoryError as error:
        raise DataError(
            f"{num_events} events need {num_events * EVENT_BYTES / 1e9:.1f} GB, more than memory holds; go through the "
            "recording in slices with open_events(path).slices(step_us)."
        ) from error
    return x, y, t_us, polarity
