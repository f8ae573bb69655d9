"""One group of an HDF5 file, read without trust: no links out of it, no surprise in types and sizes."""

from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np

from conversion.array_file import MAX_BYTES
from snnface.errors import DataError

__all__ = ["NetxGroup"]

LARGEST_NUMBER = 1 << 31


class NetxGroup:
    """A group whose every item is checked as it is asked for; errors name the item.

    Attributes:
        place: how errors name the group: the file, and the path inside it.

    Raises:
        DataError: from every method, if the item is missing, a link, of another type or size.
    """

    @classmethod
    def of_file(cls, file: h5py.File, file_name: str) -> "NetxGroup":
        """The root of a file, whose numbers fit into memory all together."""
        sizes: list[int] = []

        def weigh(_: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                sizes.append(int(item.size or 0) * max(int(item.dtype.itemsize), 8))

        file.visititems(weigh)
        if sum(sizes) > MAX_BYTES:
            raise DataError(f"'{file_name}' unpacks to {sum(sizes)} bytes; at most {MAX_BYTES} are read.")
        return cls(file, file_name)

    def __init__(self, group: h5py.Group, file_name: str) -> None:
        self._group = group
        self._file_name = file_name
        self.place = f"'{file_name}', {group.name}" if group.name != "/" else f"'{file_name}'"

    def __contains__(self, name: str) -> bool:
        return name in self._group

    def __len__(self) -> int:
        return len(self._group)

    @property
    def attributes(self) -> Mapping[str, Any]:
        return dict(self._group.attrs)

    def group(self, name: str) -> "NetxGroup":
        item = self._item(name)
        if not isinstance(item, h5py.Group):
            raise DataError(f"{self.place}: {name!r} must be a group.")
        return NetxGroup(item, self._file_name)

    def array(self, name: str) -> np.ndarray:
        """A whole data set, as it stands."""
        item = self._item(name)
        if not isinstance(item, h5py.Dataset) or item.shape is None:
            raise DataError(f"{self.place}: {name!r} must be a data set with numbers or text in it.")
        if item.external or item.is_virtual:
            raise DataError(f"{self.place}: {name!r} lies in other files, which are not read.")
        return np.asarray(item[()])

    def text(self, name: str) -> str:
        """A string, alone or in an array of one."""
        value = self.array(name)
        only = value.reshape(-1)[0] if value.size == 1 else None
        if not isinstance(only, bytes):
            raise DataError(f"{self.place}: {name!r} must be one string; it is {value.dtype} of {value.shape}.")
        return only.decode(errors="replace")

    def floats(self, name: str) -> np.ndarray:
        """Finite numbers, float64."""
        values = self.array(name)
        if values.dtype.kind not in "fiub" or not np.isfinite(values).all():
            raise DataError(f"{self.place}: {name!r} must hold finite numbers; it is {values.dtype}.")
        return values.astype(np.float64)

    def whole_numbers(self, name: str) -> np.ndarray:
        """Whole numbers below 2^31, int64."""
        values = self.floats(name)
        if (values != np.rint(values)).any() or (np.abs(values) >= LARGEST_NUMBER).any():
            raise DataError(f"{self.place}: {name!r} must hold whole numbers below {LARGEST_NUMBER}.")
        return values.astype(np.int64)

    def number(self, name: str, low: int, high: int) -> int:
        """One whole number, alone or in an array of one."""
        return self._within(name, self.whole_numbers(name), low, high)

    def attribute(self, name: str, low: int, high: int) -> int:
        """One whole number among the attributes."""
        value = np.asarray(self.attributes.get(name))
        if value.dtype.kind not in "iu":
            raise DataError(f"{self.place}: the attribute {name!r} must be a whole number; it is {value!r}.")
        return self._within(name, value, low, high)

    def pair(self, name: str, low: int) -> tuple[int, int]:
        """Numbers for rows and columns, or one for both."""
        values = self.whole_numbers(name).reshape(-1)
        if values.size not in (1, 2) or values.min() < low or values.max() > 1 << 16:
            raise DataError(f"{self.place}: {name!r} must be one or two numbers from {low} on; got {values.tolist()}.")
        return int(values[0]), int(values[-1])

    def shape(self) -> tuple[int, ...]:
        """The data set `shape`: (C, H, W) or (N,); of (N, 1, 1) at the end of a flatten layer too."""
        values = self.whole_numbers("shape").reshape(-1)
        if values.size not in (1, 3) or values.min() < 1:
            raise DataError(f"{self.place}: 'shape' must be (C, H, W) or (N,), above 0; it is {values.tolist()}.")
        return tuple(values.tolist())

    def _item(self, name: str) -> Any:
        link = self._group.get(name, getlink=True)
        if link is None:
            raise DataError(f"{self.place}: {name!r} is missing.")
        if not isinstance(link, h5py.HardLink):
            raise DataError(f"{self.place}: {name!r} is a link to other data; links are not followed.")
        return self._group[name]

    def _within(self, name: str, value: np.ndarray, low: int, high: int) -> int:
        if value.size != 1 or not low <= value.reshape(-1)[0] <= high:
            raise DataError(f"{self.place}: {name!r} must be one number of {low}..{high}; it is {value.tolist()}.")
        return int(value.reshape(-1)[0])
