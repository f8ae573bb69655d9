"""A .nir file as nodes and edges, read without trust, and the time step it was made for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np

from conversion.array_file import MAX_BYTES
from conversion.nir_weights import require_numbers
from snnface.errors import ConversionError, DataError, DatasetNotFoundError

__all__ = ["read_nodes", "time_step"]

_BROKEN = (OSError, KeyError, ValueError, TypeError, AttributeError, IndexError, AssertionError, RuntimeError)


def read_nodes(path: Path) -> nir.NIRGraph:
    """Everything in a .nir file, unchecked but for its form.

    Raises:
        DatasetNotFoundError: if the file does not exist.
        DataError: if it is no NIR file, is damaged, links to other files, or holds more than 4 GiB.
    """
    if not path.is_file():
        raise DatasetNotFoundError(f"no file {str(path)!r}.")
    try:
        _require_harmless(path)
        nodes = nir.read(str(path), type_check=False)
    except _BROKEN as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"'{path.name}' is not a readable NIR file: {error!r}") from error
    if not isinstance(nodes, nir.NIRGraph):
        raise DataError(f"'{path.name}' must hold a NIRGraph; it holds a {type(nodes).__name__}.")
    return nodes


def time_step(metadata: Mapping[str, Any], dt_s: float | None) -> float:
    """The length of a step in seconds: the file's own ("dt"), or the one given; never a guess.

    Raises:
        ConversionError: if there is none, or two that differ, or it is not positive.
    """
    stored = metadata.get("dt")
    if stored is not None:
        require_numbers("the file's metadata", "dt", stored)
        stored = float(stored)
    if stored is None and dt_s is None:
        raise ConversionError(
            "NIR has time constants but no time step, and this file names none. Pass dt_s, the step in seconds that "
            "the network was made for."
        )
    if stored is not None and dt_s is not None and not np.isclose(stored, dt_s, rtol=1e-9, atol=0):
        raise ConversionError(f"the file was made for a step of {stored} s; dt_s = {dt_s} was given. Leave dt_s out.")
    step = stored if dt_s is None else dt_s
    assert step is not None
    if not (np.isfinite(step) and step > 0):
        raise ConversionError(f"the time step must be positive; got {step} s.")
    return step


def _require_harmless(path: Path) -> None:
    """No links out of the file, and no more data than a network can have."""
    with h5py.File(path, "r") as file:
        sizes: list[int] = []
        links: list[str] = []

        def weigh(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                sizes.append(int(item.size or 0) * int(item.dtype.itemsize))

        def note(name: str, link: Any) -> None:
            if not isinstance(link, h5py.HardLink):
                links.append(name)

        # h5py's callbacks must not raise, so both only collect.
        file.visititems_links(note)
        if links:
            raise DataError(f"'{path.name}' links to other data at {links[0]!r}; links are not followed.")
        file.visititems(weigh)
        if sum(sizes) > MAX_BYTES:
            raise DataError(f"'{path.name}' unpacks to {sum(sizes)} bytes; at most {MAX_BYTES} are read.")
