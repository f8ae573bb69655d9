"""What every writer of events does, whatever its format."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

import numpy as np

from snnface.errors import DataError, EventOrderError
from snnface.events.stream import EventStream
from snnface.events.window import Resolution, TimeWindow
from snnface.files import atomic_path, write_refused

__all__ = ["EncodedWriter", "EventWriter"]

# Events are collected and handed to the format in blocks of exactly this many, so that the file
# does not depend on the pieces in which they came.
BLOCK_EVENTS = 1 << 18


class EventWriter(ABC):
    """A file of events that is being written; use it in a `with` block.

        with create_events("face.raw", resolution) as writer:
            for stream in pieces:
                writer.append(stream)

    The file appears under its name, whole, when the block ends well; after an error nothing
    is left behind, and an older file of that name stays. Memory holds one block of events,
    whatever the length of the recording. The pieces in which the events come leave no trace
    in the file.

    A format is a subclass: `_begin` opens the file, `_write` takes one block, `_end` completes it.

    Attributes:
        path, resolution: as given.
        format_name: for messages.
        max_side: the longest side of a sensor whose coordinates the format can hold.
        times: the times that it can hold.

    Raises:
        DataError: if the sensor is larger than the format can hold.
    """

    format_name: ClassVar[str]
    max_side: ClassVar[int] = 65535
    times: ClassVar[TimeWindow] = TimeWindow(-(1 << 62), 1 << 62)

    def __init__(self, path: str | Path, resolution: Resolution) -> None:
        self.path = Path(path)
        self.resolution = resolution
        if max(resolution.width, resolution.height) > self.max_side:
            raise DataError(
                f"{self.path}: {self.format_name} has coordinates for sensors of up to {self.max_side} pixels a side; "
                f"this one is {resolution}. Crop or down-sample the events, or write HDF5."
            )
        self._stack: ExitStack | None = None
        # Times of the first and the last event that was appended.
        self._first_us: int | None = None
        self._latest_us: int | None = None

    @abstractmethod
    def _begin(self, path: Path, stack: ExitStack) -> None:
        """Open the (temporary, empty) file; what must be closed goes onto the stack."""

    @abstractmethod
    def _write(self, block: EventStream) -> None:
        """Write the next events; the block is never empty, and its columns are valid only now."""

    @abstractmethod
    def _end(self) -> None:
        """Write what belongs behind all events, and see to it that everything has reached the disk."""

    def _check(self, stream: EventStream) -> None:  # noqa: B027
        """Refuse a stream, not empty, that the format cannot hold; nothing of it has been written yet."""

    def append(self, stream: EventStream) -> None:
        """Write the next events.

        A stream that is refused leaves no trace: the block may go on with another one.

        Raises:
            EventOrderError: if the stream begins before the last event that was written.
            DataError: if its sensor has another size, its times are none that the format can
                hold, the disk refuses the file, or the writer is not in its `with` block.
        """
        if self._stack is None:
            raise DataError(f"{self.path} is not open for writing; append inside the `with` block.")
        if stream.resolution != self.resolution:
            raise DataError(
                f"{self.path} is written for a sensor of {self.resolution}; a stream of {stream.resolution} came. "
                "Give every stream the same sensor size."
            )
        if stream.is_empty:
            return
        first_us, last_us = int(stream.t_us[0]), int(stream.t_us[-1])
        if self._latest_us is not None and first_us < self._latest_us:
            raise EventOrderError(
                f"{self.path}: events must be appended in order of time; a stream that begins at {first_us} us came "
                f"after an event at {self._latest_us} us. Sort the streams, or write them to files of their own."
            )
        if not (self.times.start_us <= first_us and last_us < self.times.end_us):
            raise DataError(
                f"{self.path}: {self.format_name} has room for times of {self.times.start_us} to "
                f"{self.times.end_us - 1} us; the events lie at {first_us}..{last_us} us. "
                "Shift their time, write parts, or write HDF5."
            )
        self._check(stream)
        self._first_us = first_us if self._first_us is None else self._first_us
        with self._writing():
            self._collect(stream)
        self._latest_us = last_us

    def __enter__(self) -> "EventWriter":
        if self.path.is_dir():
            raise DataError(f"{self.path} is a folder; give the path of a file to write.")
        self._first_us = self._latest_us = None
        self._is_spoilt = False
        dtypes = (np.uint16, np.uint16, np.int64, np.bool_)
        self._held: tuple[np.ndarray, ...] = tuple(np.empty(BLOCK_EVENTS, dtype) for dtype in dtypes)
        self._num_held = 0
        with self._writing(), ExitStack() as stack:
            self._begin(stack.enter_context(atomic_path(self.path)), stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stack, self._stack = self._stack, None
        assert stack is not None
        if kind is not None:
            stack.__exit__(kind, error, trace)
            return
        with self._writing(), stack:
            if self._is_spoilt:
                raise DataError(f"{self.path} was not kept: writing it had failed before. Write it again.")
            self._flush()
            self._end()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Whatever fails in here leaves a file that must not be kept; a disk's refusal becomes one sentence."""
        try:
            yield
        except BaseException as error:
            self._is_spoilt = True
            if isinstance(error, OSError):
                raise write_refused(self.path, error) from error
            raise

    def _collect(self, stream: EventStream) -> None:
        start = 0
        while start < len(stream):
            if not self._num_held and len(stream) - start >= BLOCK_EVENTS:
                stop = start + BLOCK_EVENTS
                self._write(stream[start:stop])
            else:
                stop = min(start + BLOCK_EVENTS - self._num_held, len(stream))
                self._hold(stream[start:stop])
                if self._num_held == BLOCK_EVENTS:
                    self._flush()
            start = stop

    def _hold(self, part: EventStream) -> None:
        end = self._num_held + len(part)
        for place, column in zip(self._held, (part.x, part.y, part.t_us, part.polarity), strict=True):
            place[self._num_held : end] = column
        self._num_held = end

    def _flush(self) -> None:
        if self._num_held:
            x, y, t_us, polarity = (column[: self._num_held] for column in self._held)
            self._num_held = 0
            self._write(EventStream.of_checked(x, y, t_us, polarity, self.resolution))


class EncodedWriter(EventWriter):
    """A format that is one row of bytes: a head and the encoded blocks."""

    @abstractmethod
    def _head(self) -> bytes:
        """What stands before the events; also sets the encoder to its start."""

    @abstractmethod
    def _encoded(self, block: EventStream) -> np.ndarray:
        """The block in the format's own words, as a contiguous array."""

    def _begin(self, path: Path, stack: ExitStack) -> None:
        # Without a buffer of Python's own a failed write cannot fail again when the file is closed.
        self._file = stack.enter_context(path.open("wb", buffering=0))
        self._put(self._head())

    def _write(self, block: EventStream) -> None:
        self._put(self._encoded(block).data)

    def _end(self) -> None:
        os.fsync(self._file.fileno())

    def _put(self, data: Any) -> None:
        rest = memoryview(data).cast("B") if len(data) else memoryview(b"")
        while len(rest):
            rest = rest[self._file.write(rest) :]
