"""HDF5 in the DSEC layout, with an index by milliseconds; the reader of that layout describes it."""

import os
from contextlib import ExitStack
from io import FileIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from snnface.errors import DataError
from snnface.events.stream import EventStream
from snnface.events.writers.base import EventWriter

__all__ = ["Hdf5Writer"]

CHUNK_EVENTS = 1 << 16
# The index is written in pieces of this many entries, so that a gap of hours needs no more memory than one event.
INDEX_PIECE = 1 << 20
# It has one entry a millisecond: this many make 2 GB, for 74 hours.
MAX_INDEX = 1 << 28
# Level 1 of gzip gives nearly the size of higher levels on shuffled columns, much faster.
PACKING: dict[str, Any] = {"compression": "gzip", "compression_opts": 1, "shuffle": True}


class Hdf5Writer(EventWriter):
    """An HDF5 file in the DSEC layout, compressed.

    Times are stored relative to the first event (`t_offset`), in 32 bits as DSEC has them, and
    in 64 from the block on in which they no longer fit.

    Raises:
        DataError: if the events span more than 74 hours.
    """

    format_name = "HDF5"

    def _begin(self, path: Path, stack: ExitStack) -> None:
        self._target = stack.enter_context(_Target(path, "r+"))
        self._h5 = stack.enter_context(h5py.File(self._target, "w"))
        events = self._h5.create_group("events")
        events.attrs["height"] = self.resolution.height
        events.attrs["width"] = self.resolution.width
        dtypes = {"x": np.uint16, "y": np.uint16, "t": np.uint32, "p": np.uint8}
        self._columns = {name: _column(events, name, dtype) for name, dtype in dtypes.items()}
        # Entry m is the first event at or after m ms; the last entry lies behind all events.
        self._index = _column(self._h5, "ms_to_idx", np.uint64)
        self._start_us: int | None = None
        self._num_events = 0

    def _check(self, stream: EventStream) -> None:
        start_us = int(stream.t_us[0]) if self._first_us is None else self._first_us
        span_us = int(stream.t_us[-1]) - start_us
        if span_us // 1000 + 2 > MAX_INDEX:
            raise DataError(
                f"{self.path}: a stream must span less than {MAX_INDEX // 3_600_000} hours to be written with an index "
                f"by milliseconds; this one spans {span_us // 3_600_000_000} hours. Write parts of it."
            )

    def _write(self, block: EventStream) -> None:
        assert self._first_us is not None
        t_us = block.t_us - self._first_us
        if t_us[-1] >= 1 << 32 and self._columns["t"].dtype == np.uint32:
            self._widen_times()
        stop = self._num_events + len(block)
        for name, values in (("x", block.x), ("y", block.y), ("t", t_us), ("p", block.polarity)):
            self._columns[name].resize((stop,))
            self._columns[name][self._num_events :] = values
        self._write_index(t_us)
        self._num_events = stop
        self._target.raise_failure()

    def _write_index(self, t_us: np.ndarray) -> None:
        """Only the milliseconds up to the last event of a block are known to begin in it."""
        stop = int(t_us[-1]) // 1000 + 1
        for first in range(len(self._index), stop, INDEX_PIECE):
            last = min(first + INDEX_PIECE, stop)
            milliseconds = np.arange(first, last, dtype=np.int64) * 1000
            self._index.resize((last,))
            self._index[first:] = self._num_events + np.searchsorted(t_us, milliseconds, side="left").astype(np.uint64)
            self._target.raise_failure()

    def _widen_times(self) -> None:
        events = self._h5["events"]
        short, wide = self._columns["t"], _column(events, "t_wide", np.int64)
        wide.resize(short.shape)
        for start in range(0, len(short), CHUNK_EVENTS):
            wide[start : start + CHUNK_EVENTS] = short[start : start + CHUNK_EVENTS]
        del events["t"]
        events.move("t_wide", "t")
        self._columns["t"] = wide

    def _end(self) -> None:
        self._index.resize((len(self._index) + 1,))
        self._index[-1] = self._num_events
        self._h5["t_offset"] = np.int64(self._first_us or 0)
        self._h5.close()
        self._target.raise_failure()
        os.fsync(self._target.fileno())


class _Target(FileIO):
    """A file for HDF5 to write to, which seems to accept everything.

    After a failed write the HDF5 library is left in a state in which closing this file,
    or a later one, crashes the process. So a failure is kept here until HDF5 is done.
    """

    _failure: OSError | None = None

    def write(self, data: Any) -> int:
        rest = memoryview(data).cast("B")
        size = len(rest)
        while len(rest) and self._failure is None:
            try:
                rest = rest[super().write(rest) :]
            except OSError as error:
                self._failure = error
        return size

    def truncate(self, size: int | None = None) -> int:
        try:
            return super().truncate(size)
        except OSError as error:
            self._failure = self._failure or error
            return size or 0

    def raise_failure(self) -> None:
        """Raise the first failure, if there was one."""
        if self._failure is not None:
            raise self._failure


def _column(group: h5py.Group, name: str, dtype: Any) -> h5py.Dataset:
    return group.create_dataset(name, (0,), dtype, maxshape=(None,), chunks=(CHUNK_EVENTS,), **PACKING)
