"""HDF5 files and their one-axis data sets, opened and read so that a hostile one costs a sentence, not the memory."""

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from snnface.errors import DataError

if TYPE_CHECKING:
    from typing_extensions import Buffer
else:
    Buffer = Any

__all__ = ["check_dataset", "holds", "opened", "read_rows"]

# Filters of the HDF5 library itself, by number.
DEFLATE, SHUFFLE = 1, 2
MAX_LENGTH = 1 << 43  # within what file systems can seek to
# An unpacked chunk larger than this is refused; what writers choose is a hundred times smaller.
MAX_CHUNK_BYTES = 1 << 24
# The HDF5 library unpacks what a compressed chunk holds, however much that is; deflate gives up to 1032 bytes for one.
MAX_OWN_INFLATION = (1 << 28) // 1032


@contextmanager
def opened(path: Path, *, recover: bool = False) -> Iterator[h5py.File]:
    """The open file; whatever HDF5 finds wrong with it becomes one sentence.

    Args:
        recover: open a file that was cut off too; what is missing fails when it is read.

    Raises:
        DataError: if the file, or what is read from it inside the block, is damaged.
    """
    try:
        if recover:
            with _Endless(path) as raw, h5py.File(raw, "r") as file:
                yield file
        else:
            with h5py.File(path, "r") as file:
                yield file
    except DataError:
        raise
    except (OSError, RuntimeError, LookupError, ValueError, TypeError, OverflowError) as error:
        raise DataError(
            f"{path} is HDF5 but cannot be read ({error}). If a filter is missing, install and import hdf5plugin; "
            "else the file is truncated or damaged: copy it again."
        ) from error


class _Endless(FileIO):
    """A file that claims to be longer than it is: HDF5 opens none that ends before its own note of its length."""

    def seek(self, place: int, origin: int = os.SEEK_SET, /) -> int:
        return super().seek(MAX_LENGTH) if origin == os.SEEK_END else super().seek(place, origin)

    def readinto(self, buffer: Buffer, /) -> int:
        wanted = memoryview(buffer).nbytes
        found = super().readinto(buffer)
        if found < wanted:
            raise OSError(f"the file ends {wanted - found} bytes too early")
        return found


def holds(path: Path, name: str) -> bool:
    """Whether the file is readable HDF5 with an object of this name."""
    try:
        with opened(path, recover=True) as file:
            return name in file
    except DataError:
        return False


def check_dataset(path: Path, dataset: h5py.Dataset) -> None:
    """Refuse a data set that claims more than it stores, or chunks that no writer makes.

    Raises:
        DataError: if chunks are missing or too large.
    """
    if not len(dataset) or dataset.id.get_create_plist().get_layout() == h5py.h5d.COMPACT:
        return
    name = dataset.name.lstrip("/")
    if not dataset.id.get_storage_size():
        raise DataError(f"{path}: {name} claims {len(dataset)} values but stores none of them.")
    if dataset.chunks is None:
        return
    chunk_bytes = _chunk_bytes(dataset)
    if chunk_bytes > MAX_CHUNK_BYTES:
        raise DataError(
            f"{path}: {name} has chunks of {chunk_bytes} bytes; up to {MAX_CHUNK_BYTES} are read. "
            "Rewrite it with smaller chunks (h5repack -l CHUNK)."
        )
    wanted = int(np.prod([-(-n // size) for n, size in zip(dataset.shape, dataset.chunks, strict=True)], dtype=object))
    stored = dataset.id.get_num_chunks()
    if stored < wanted:
        raise DataError(
            f"{path}: {name} claims {len(dataset)} values in {wanted} chunks but stores {stored} of them. "
            "The recording was cut off, or the file is damaged: copy it again."
        )


def read_rows(path: Path, dataset: h5py.Dataset, start: int, stop: int) -> np.ndarray:
    """Rows [start, stop) of a data set that `check_dataset` has passed.

    The HDF5 library would unpack a few kilobytes to any number of gigabytes, if a chunk packed with
    deflate says so. Chunks that could are unpacked here, or refused if other filters come on top.

    Raises:
        DataError: if a chunk holds more or less than it should.
        OSError: if the HDF5 library finds it damaged.
    """
    filters = _filters(dataset)
    if DEFLATE not in filters:
        return np.asarray(dataset[start:stop])
    is_own = set(filters) <= {DEFLATE, SHUFFLE} and dataset.ndim == 1
    suspect = _first_suspect(dataset, start, stop)
    if suspect is None:
        try:
            return np.asarray(dataset[start:stop])
        except OSError:
            # Unpacked once more here, the damaged chunk gets a name.
            if not is_own:
                raise
    elif not is_own:
        raise _chunk_error(path, dataset, suspect, "is missing or may unpack to more than memory holds")
    size = dataset.chunks[0]
    rows = np.empty(stop - start, dataset.dtype)
    for first in range(start // size * size, stop, size):
        chunk = _inflated(path, dataset, first, filters)
        low, high = max(start, first), min(stop, first + size)
        rows[low - start : high - start] = chunk[low - first : high - first]
    return rows


def _filters(dataset: h5py.Dataset) -> list[int]:
    plist = dataset.id.get_create_plist()
    return [plist.get_filter(index)[0] for index in range(plist.get_nfilters())]


def _chunk_bytes(dataset: h5py.Dataset) -> int:
    return int(np.prod(dataset.chunks, dtype=object)) * dataset.dtype.itemsize


def _chunk_info(dataset: h5py.Dataset, first: int) -> Any:
    return dataset.id.get_chunk_info_by_coord((first, *(0,) * (dataset.ndim - 1)))


def _first_suspect(dataset: h5py.Dataset, start: int, stop: int) -> int | None:
    """The first row of the first chunk that is not there, or may unpack to more than 256 MB."""
    size, limit = dataset.chunks[0], min(MAX_OWN_INFLATION, _most_packed_bytes(dataset))
    for first in range(start // size * size, stop, size):
        info = _chunk_info(dataset, first)
        if info.byte_offset is None or info.size > limit:
            return first
    return None


def _most_packed_bytes(dataset: h5py.Dataset) -> int:
    """More than any writer makes of a chunk: packing adds little to what it cannot pack."""
    return 2 * _chunk_bytes(dataset) + 1024


def _inflated(path: Path, dataset: h5py.Dataset, first: int, filters: list[int]) -> np.ndarray:
    """One chunk, unpacked: the filters undone from the last to the first."""
    num_bytes, info = _chunk_bytes(dataset), _chunk_info(dataset, first)
    if info.byte_offset is None or info.size > _most_packed_bytes(dataset):
        raise _chunk_error(path, dataset, first, "is missing or larger than what it packs")
    skipped, data = dataset.id.read_direct_chunk((first,))
    for place, number in reversed(list(enumerate(filters))):
        if skipped >> place & 1:
            continue
        if number == DEFLATE:
            try:
                data = zlib.decompressobj().decompress(data, num_bytes + 1)
            except zlib.error as error:
                raise _chunk_error(path, dataset, first, f"cannot be unpacked ({error})") from error
        elif len(data) == num_bytes:
            data = np.frombuffer(data, np.uint8).reshape(dataset.dtype.itemsize, -1).T.tobytes()
    if len(data) != num_bytes:
        raise _chunk_error(path, dataset, first, f"does not unpack to its {num_bytes} bytes")
    return np.frombuffer(data, dataset.dtype)


def _chunk_error(path: Path, dataset: h5py.Dataset, first: int, cause: str) -> DataError:
    number, name = first // dataset.chunks[0], dataset.name.lstrip("/")
    return DataError(
        f"{path}: chunk {number} of {name} (at byte {_chunk_info(dataset, first).byte_offset}) {cause}. "
        "The file is damaged: copy it again, or recover the rest (recover=True, --recover)."
    )
