"""HDF5 files and their one-axis data sets, opened and read so that a hostile one costs a sentence, not the memory."""

import os
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import FileIO
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from snnface.errors import DataError

if TYPE_CHECKING:
    from typing_extensions import Buffer
else:
    Buffer = Any

__all__ = ["check_dataset", "filter_codes", "holds", "opened", "read_rows"]

# Filters of the HDF5 library itself, by number.
DEFLATE, SHUFFLE, FLETCHER32 = 1, 2, 3
CHECK_SUM_BYTES = 4
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
        with ExitStack() as stack:
            yield stack.enter_context(_opened_endless(path, stack) if recover else h5py.File(path, "r"))
    except DataError:
        raise
    except (OSError, RuntimeError, LookupError, ValueError, TypeError, OverflowError) as error:
        raise DataError(
            f"{path} is HDF5 but cannot be read ({error}). If a filter is missing, install and import hdf5plugin; "
            "else the file is truncated or damaged: copy it again."
        ) from error


def _opened_endless(path: Path, stack: ExitStack) -> h5py.File:
    """A sound file is opened as when it is not recovered, and so read the same."""
    try:
        return h5py.File(path, "r")
    except OSError:
        return h5py.File(stack.enter_context(_Endless(path)), "r")


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
    """Refuse a data set that claims more than it stores, chunks that no writer makes, values of another file.

    Raises:
        DataError: if values lie elsewhere, or chunks are missing or too large.
    """
    name, plist = dataset.name.lstrip("/"), dataset.id.get_create_plist()
    if plist.get_layout() == h5py.h5d.VIRTUAL or plist.get_external_count():
        # They could be those of any file that the user may read, or of a device without end.
        raise DataError(
            f"{path}: {name} does not store its values but points to other files, which are not read. "
            "Put them into one file (h5repack)."
        )
    if not dataset.size or plist.get_layout() == h5py.h5d.COMPACT:
        return
    if not dataset.id.get_storage_size():
        raise DataError(f"{path}: {name} claims {dataset.size} values but stores none of them.")
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
    deflate says so, and would read beyond one that unpacks to too little. Such chunks are unpacked
    here. With other filters, chunks that show it by their size are refused; the filters are trusted.

    Raises:
        DataError: if a chunk holds more or less than it should.
        OSError: if the HDF5 library finds it damaged.
    """
    filters = filter_codes(dataset)
    places = _chunk_places(dataset, start, stop) if filters else iter(())
    if DEFLATE not in filters or not set(filters) <= {DEFLATE, SHUFFLE, FLETCHER32}:
        for place in places:
            _check_size(path, dataset, place, filters)
        return np.asarray(dataset[start:stop])
    size = dataset.chunks[0]
    first = start // size * size
    rows = np.empty((-(-(stop - first) // size) * size, *dataset.shape[1:]), dataset.dtype)
    for place in places:
        corner = (place[0] - first, *place[1:])
        target = rows[tuple(slice(low, low + length) for low, length in zip(corner, dataset.chunks, strict=True))]
        # The last chunk of an axis may reach beyond it.
        target[...] = _inflated(path, dataset, place, filters)[tuple(map(slice, target.shape))]
    # What unpacks to its size is safe with the library, which compares the check sums.
    return np.asarray(dataset[start:stop]) if FLETCHER32 in filters else rows[start - first : stop - first]


def filter_codes(dataset: h5py.Dataset) -> list[int]:
    """The codes of the filters that each chunk went through, in order."""
    plist = dataset.id.get_create_plist()
    return [plist.get_filter(index)[0] for index in range(plist.get_nfilters())]


def _chunk_bytes(dataset: h5py.Dataset) -> int:
    return int(np.prod(dataset.chunks, dtype=object)) * dataset.dtype.itemsize


def _chunk_places(dataset: h5py.Dataset, start: int, stop: int) -> Iterator[tuple[int, ...]]:
    """The first index of each chunk that holds some of the rows [start, stop)."""
    size = dataset.chunks[0]
    others = (range(0, length, step) for length, step in zip(dataset.shape[1:], dataset.chunks[1:], strict=True))
    return product(range(start // size * size, stop, size), *others)


def _most_packed_bytes(dataset: h5py.Dataset) -> int:
    """More than any writer makes of a chunk: packing adds little to what it cannot pack."""
    return 2 * _chunk_bytes(dataset) + 1024


def _check_size(path: Path, dataset: h5py.Dataset, place: tuple[int, ...], filters: list[int]) -> None:
    """Refuse a chunk whose stored size shows that it is not there, or may unpack to too much or too little."""
    info = dataset.id.get_chunk_info_by_coord(place)
    limit = min(MAX_OWN_INFLATION, _most_packed_bytes(dataset)) if DEFLATE in filters else _most_packed_bytes(dataset)
    is_bare_and_short = info.filter_mask and info.size < _chunk_bytes(dataset)
    if info.byte_offset is None or info.size > limit or is_bare_and_short:
        raise _chunk_error(path, dataset, place, "is missing, too short, or may unpack to more than memory holds")


def _inflated(path: Path, dataset: h5py.Dataset, place: tuple[int, ...], filters: list[int]) -> np.ndarray:
    """One chunk, unpacked: the filters undone from the last to the first."""
    num_bytes, info = _chunk_bytes(dataset), dataset.id.get_chunk_info_by_coord(place)
    if info.byte_offset is None or info.size > _most_packed_bytes(dataset):
        raise _chunk_error(path, dataset, place, "is missing or larger than what it packs")
    skipped, data = dataset.id.read_direct_chunk(place)
    for index, number in reversed(list(enumerate(filters))):
        if skipped >> index & 1:
            continue
        if number == FLETCHER32:
            data = data[:-CHECK_SUM_BYTES]
        elif number == DEFLATE:
            try:
                data = zlib.decompressobj().decompress(data, num_bytes + CHECK_SUM_BYTES + 1)
            except zlib.error as error:
                raise _chunk_error(path, dataset, place, f"cannot be unpacked ({error})") from error
        elif len(data) == num_bytes:
            data = _unshuffled(data, dataset.dtype.itemsize)
    if len(data) != num_bytes:
        raise _chunk_error(path, dataset, place, f"does not unpack to its {num_bytes} bytes")
    return np.frombuffer(data, dataset.dtype).reshape(dataset.chunks)


def _unshuffled(data: bytes, item_bytes: int) -> memoryview:
    """All first bytes of the items, then all second ones, ... put together again."""
    items = np.empty((len(data) // item_bytes, item_bytes), np.uint8)
    for index, plane in enumerate(np.frombuffer(data, np.uint8).reshape(item_bytes, -1)):
        items[:, index] = plane
    return items.reshape(-1).data


def _chunk_error(path: Path, dataset: h5py.Dataset, place: tuple[int, ...], cause: str) -> DataError:
    number, name = place[0] // dataset.chunks[0], dataset.name.lstrip("/")
    return DataError(
        f"{path}: chunk {number} of {name} (at byte {dataset.id.get_chunk_info_by_coord(place).byte_offset}) {cause}. "
        "The file is damaged: copy it again, or recover the rest (recover=True, --recover)."
    )
