"""Named arrays in one .npz file, written whole or not at all, read without trust.

Reading never unpickles, and never allocates more than the file really holds: the shape
that each array declares is checked against its bytes first.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from snnface.errors import DataError, DatasetNotFoundError
from snnface.files import atomic_path

__all__ = ["MAX_BYTES", "read_arrays", "write_arrays"]

MAX_BYTES = 4 * 2**30
"""No file of this project comes near; a larger one is taken for a mistake or an attack."""


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write `arrays` to `path`, uncompressed.

    Raises:
        DataError: if an array holds Python objects, which would need pickle.
    """
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise DataError(f"array {name!r} must hold numbers or text; it holds Python objects.")
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Every array of an .npz file.

    Raises:
        DatasetNotFoundError: if the file does not exist.
        DataError: if it is not an .npz file, is damaged, needs pickle, or is larger than 4 GiB.
    """
    if not path.is_file():
        raise DatasetNotFoundError(f"no file {str(path)!r}.")
    try:
        with zipfile.ZipFile(path) as archive:
            total = sum(member.file_size for member in archive.infolist())
            if total > MAX_BYTES:
                raise DataError(f"'{path.name}' unpacks to {total} bytes; at most {MAX_BYTES} are read.")
            return {member.filename.removesuffix(".npy"): _read(archive, member) for member in archive.infolist()}
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"'{path.name}' is not a readable .npz file of plain arrays: {error}") from error


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        reader = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in reader:
            raise DataError(f"array {member.filename!r} has the unknown format version {version}.")
        shape, _, dtype = reader[version](stream)
        if dtype.hasobject:
            raise DataError(f"array {member.filename!r} holds Python objects, which are not read.")
        size = int(np.prod([int(n) for n in shape], dtype=object)) * dtype.itemsize
        if size != member.file_size - stream.tell():
            raise DataError(f"array {member.filename!r} declares {size} bytes; the file holds another number.")
    with archive.open(member) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)
