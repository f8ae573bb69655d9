"""Named arrays in one file: npz without pickles, the same bytes for the same arrays."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from snnface.errors import DataError
from snnface.files import atomic_path

__all__ = ["read_arrays", "write_arrays"]

MAX_BYTES = 1 << 32
"""A file that unpacks to more is refused before it is unpacked."""


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as a compressed npz file, whole or not at all. Text goes in as an array of `str`.

    Raises:
        DataError: if an array holds Python objects, or the disk refuses the file.
    """
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise DataError(
                f"array {name!r} holds Python objects, which no file of ours does; make it numbers or text."
            )
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def read_arrays(path: Path, *, required: Sequence[str] = (), what: str = "arrays") -> dict[str, np.ndarray]:
    """Read every array of an npz file; nothing in it is unpickled.

    Args:
        required: names that must be there.
        what: what the file should hold, for the messages.

    Raises:
        DataError: if it is no such file, is damaged, holds Python objects or unpacks to more than
            4 GiB, or if a required name is missing.
    """
    if not path.is_file():
        raise DataError(f"{path} should be a file of {what} (npz); there is no such file.")
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > MAX_BYTES:
            raise DataError(
                f"{path} unpacks to {unpacked / 2**30:.1f} GiB; files of {what} hold at most {MAX_BYTES >> 30}."
            )
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: _array(file[name], name) for name in file.files}
    except DataError:
        raise
    except Exception as error:  # zipfile and numpy raise whatever the damage happens to cause
        raise DataError(
            f"{path} should hold {what} (npz, without Python objects); it cannot be read: {error}"
        ) from error
    missing = [name for name in required if name not in arrays]
    if missing:
        raise DataError(
            f"{path} should hold {what}, named {', '.join(required)}; it lacks {', '.join(missing)} and has "
            f"{', '.join(arrays) or 'none'}."
        )
    return arrays


def _array(member: object, name: str) -> np.ndarray:
    """The member, if it is an array; numpy gives the bytes of any other file as they are."""
    if not isinstance(member, np.ndarray):
        raise ValueError(f"{name} is no array of numpy.")
    # Elements of no size make an array of any length out of no bytes.
    if member.size and not member.itemsize:
        raise ValueError(f"the elements of {name} have no size.")
    return member
