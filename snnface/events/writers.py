"""Writing event streams to disk."""

import os
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snnface.errors import DataError
from snnface.events.stream import EventStream
from snnface.files import atomic_path

if TYPE_CHECKING:
    import h5py

__all__ = ["write_hdf5"]

# Events are copied in blocks of this many, and stored in HDF5 chunks of CHUNK_EVENTS.
BLOCK_EVENTS = 1 << 20
CHUNK_EVENTS = 1 << 16
# The index has one entry a millisecond: this many make 2 GB, for 74 hours.
MAX_INDEX = 1 << 28
# Level 1 of gzip gives nearly the size of higher levels on shuffled columns, much faster.
PACKING: dict[str, Any] = {"compression": "gzip", "compression_opts": 1, "shuffle": True}


def write_hdf5(stream: EventStream, path: str | Path) -> None:
    """Write a stream as HDF5 in the DSEC layout; `read` gives exactly the same stream back.

    Times are stored relative to the first event (`t_offset`), in 32 bits where they fit,
    as DSEC has them. The file appears under its name only when it is complete. A
    memory-mapped stream is copied block by block.

    Raises:
        DataError: if the stream spans more than 74 hours, or the disk refuses the file.
    """
    path = Path(path)
    start_us, end_us = stream.window.start_us, stream.window.end_us
    if (end_us - start_us) // 1000 + 2 > MAX_INDEX:
        raise DataError(
            f"a stream must span less than {MAX_INDEX // 3_600_000} hours to be written with an index by milliseconds; "
            f"this one spans {(end_us - start_us) // 3_600_000_000} hours. Write parts of it."
        )
    import h5py

    try:
        with atomic_path(path) as temporary, _Target(temporary, "r+") as target:
            with h5py.File(target, "w") as file:
                _write(file, stream, start_us, target)
            target.raise_failure()
            os.fsync(target.fileno())
    except OSError as error:
        raise DataError(
            f"{path} could not be written ({error}); nothing half-written was left there. "
            "Make room, or choose another place."
        ) from error


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


def _write(file: "h5py.File", stream: EventStream, start_us: int, target: _Target) -> None:
    events = file.create_group("events")
    events.attrs["height"] = stream.resolution.height
    events.attrs["width"] = stream.resolution.width
    file["t_offset"] = np.int64(start_us)
    is_short = stream.window.duration_us < 1 << 32
    dtypes = {"x": np.uint16, "y": np.uint16, "t": np.uint32 if is_short else np.int64, "p": np.uint8}
    columns = {name: _column(events, name, dtype, len(stream)) for name, dtype in dtypes.items()}
    # Entry m is the first event at or after m ms; the last entry lies behind all events.
    num_entries = (stream.window.duration_us - 1) // 1000 + 2 if len(stream) else 1
    index = _column(file, "ms_to_idx", np.uint64, num_entries)
    entry = 0
    for start in range(0, len(stream), BLOCK_EVENTS):
        block = stream[start : start + BLOCK_EVENTS]
        t_us = block.t_us - start_us
        for name, values in (("x", block.x), ("y", block.y), ("t", t_us), ("p", block.polarity)):
            columns[name][start : start + len(block)] = values
        entry = _write_index(index, entry, start, t_us)
        target.raise_failure()
    index[entry:] = len(stream)


def _column(group: "h5py.Group", name: str, dtype: Any, length: int) -> "h5py.Dataset":
    # HDF5 chunks may not be empty, so an empty column is stored plainly.
    packing = {**PACKING, "chunks": (min(CHUNK_EVENTS, length),)} if length else {}
    return group.create_dataset(name, (length,), dtype, **packing)


def _write_index(index: "h5py.Dataset", entry: int, start: int, t_us: np.ndarray) -> int:
    """Write the entries up to the block's last event, from `entry` on; returns the next entry.

    Only the milliseconds up to the last event of the block are known to begin in it.
    """
    stop = int(t_us[-1]) // 1000 + 1
    for first in range(entry, stop, BLOCK_EVENTS):
        last = min(first + BLOCK_EVENTS, stop)
        milliseconds = np.arange(first, last, dtype=np.int64) * 1000
        index[first:last] = start + np.searchsorted(t_us, milliseconds, side="left").astype(np.uint64)
    return stop
