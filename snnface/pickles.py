"""Pickles of others, read without running anything: plain values and arrays, all else is refused.

Python's pickle can call any function when a file is opened. Here only stand-ins for
numpy's constructors and for the names that the caller lists can be called, none of them can be
changed by the file, and no number in it makes room for what is not there. Nothing of ours is ever
written so.
"""

import pickle
import pickletools
import re
from collections.abc import Callable, Mapping
from io import SEEK_END, BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np

from snnface.errors import ConfigError, DataError

__all__ = ["PlainValues", "StandIn", "read_pickle", "read_pickled_array"]

PlainValues = Mapping[tuple[str, str], Any]
"""(module, name) in the file -> what is called in its place."""


class StandIn:
    """An object that is rebuilt in the place of another and gives way to its `value` in the end."""

    def __init__(self, *ignored: object) -> None:
        self.value: Any = None

    def __setstate__(self, state: Any) -> None:
        """Takes what the file says about the object. There must be one: pickle's own sets any attribute."""
        raise pickle.UnpicklingError(f"it says more about a {type(self).__name__.strip('_')} than is read")


class _Call:
    """A function that a file may call, and may not give other attributes."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("it wants to change a function")


class _Dtype:
    """Stands in for a numpy.dtype: a byte order and one of numpy's plain types."""

    def __init__(self, name: str, *flags: object) -> None:
        if PLAIN_DTYPE.fullmatch(str(name)) is None:
            raise pickle.UnpicklingError(f"it holds array elements of the type {name!r}")
        self.name, self.order = name, "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] not in ("<", ">", "|", "=") or any(part is not None for part in state[2:5]):
            raise pickle.UnpicklingError("it holds arrays of records")
        self.order = state[1]

    def array(self, data: Any, shape: tuple[int, ...], order: str) -> np.ndarray:
        if self.name.startswith("O"):
            if not isinstance(data, list):
                raise pickle.UnpicklingError("it holds objects of an array that are no list")
            values = _objects(data)
        else:
            # Python 2 wrote the bytes of an array as text.
            raw = data.encode("latin1") if isinstance(data, str) else data
            # A number would become so many zeros.
            if not isinstance(raw, bytes | bytearray):
                raise pickle.UnpicklingError("it holds the elements of an array as something else than bytes")
            values = np.frombuffer(raw, np.dtype(self.name).newbyteorder(self.order))  # type: ignore[arg-type]
        return values.reshape(shape, order="F" if order == "F" else "C")


def _objects(items: list[Any]) -> np.ndarray:
    """One element an item; numpy would take items of one length apart."""
    values = np.empty(len(items), dtype=object)
    for place, item in enumerate(items):
        values[place] = item
    return values


class _Array(StandIn):
    """For a numpy.ndarray: its own __setstate__ trusts the file too much."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        shape, dtype, is_fortran, data = state[-4:]
        self.value = dtype.array(data, shape, "F" if is_fortran else "C")


def _from_buffer(data: Any, dtype: _Dtype, shape: tuple[int, ...], order: str) -> np.ndarray:
    return dtype.array(data, shape, order)


def _scalar(dtype: _Dtype, data: Any) -> Any:
    return dtype.array(data, (1,), "C")[0]


def _latin1(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it holds bytes in the encoding {encoding!r}")
    return text.encode("latin1")


def _mentioned(*arguments: object) -> None:
    raise pickle.UnpicklingError("it wants to call a class that is only mentioned")


class _Plain:
    """Replaces every stand-in in a value, and refuses what is neither plain nor replaced.

    A part that stands in a file once and is mentioned often is replaced once: nested lists that
    hold the one before twice would else take for ever.
    """

    def __init__(self) -> None:
        # What was replaced is kept beside its replacement, so that its id stays its own.
        self._known: dict[int, tuple[object, Any]] = {}

    def __call__(self, value: Any) -> Any:
        if value is None or isinstance(value, PLAIN):
            return value
        if id(value) not in self._known:
            self._known[id(value)] = value, self._replaced(value)
        return self._known[id(value)][1]

    def _replaced(self, value: Any) -> Any:
        if isinstance(value, StandIn):
            return self(value.value)
        if isinstance(value, dict):
            return {self(key): self(item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return type(value)(self(item) for item in value)
        if isinstance(value, np.ndarray):
            if not value.dtype.hasobject:
                return value
            return _objects([self(item) for item in value.flat]).reshape(value.shape)
        raise pickle.UnpicklingError(f"it holds a {type(value).__name__.strip('_')}, which is no plain value")


PLAIN = (bool, int, float, complex, str, bytes, bytearray, np.generic)
PLAIN_DTYPE = re.compile(r"[biufcSUVO?]\d{0,9}")
_PLAIN: dict[tuple[str, str], Any] = {
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Array for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _from_buffer for core in ("core", "_core")},
    ("numpy", "ndarray"): _mentioned,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _latin1,
    ("collections", "OrderedDict"): dict,
}


class _PlainUnpickler(pickle.Unpickler):
    def __init__(self, file: BufferedIOBase, values: PlainValues) -> None:
        # Python 2 wrote text and bytes alike; latin1 keeps every byte.
        super().__init__(file, encoding="latin1")
        self._values = values

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._values:
            raise pickle.UnpicklingError(f"it wants to call {module}.{name}")
        found = self._values[module, name]
        return found if isinstance(found, type) else _Call(found)


def read_pickle(path: Path, *, allow_pickle: bool, values: PlainValues | None = None) -> Any:
    """The object in a pickle file: dicts, lists, text, numbers, numpy arrays, and what `values` stands in for.

    Args:
        allow_pickle: must be True; who calls takes the responsibility.
        values: further names that the file may call, and our stand-ins.

    Raises:
        ConfigError: if `allow_pickle` is False.
        DataError: if the file is missing or damaged, or wants to call anything else.
    """
    _require_consent(path, allow_pickle)
    try:
        with path.open("rb") as file:
            return _unpickled(file, values)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    except DataError as error:
        raise DataError(f"{path} {error}") from error.__cause__


def read_pickled_array(file: BufferedIOBase, name: str, *, allow_pickle: bool) -> Any:
    """What a .npy stream of Python objects holds: an object array, or the object if there is but one.

    Arrays of numbers are read as they are, and need no consent.

    Args:
        name: of the file, for messages.

    Raises:
        ConfigError, DataError: as `read_pickle`.
    """
    start = file.tell()
    try:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        dtype = read_header(file)[2]
        if not dtype.hasobject:
            file.seek(start)
            return np.lib.format.read_array(file, allow_pickle=False)
    except Exception as error:  # numpy raises whatever the damage happens to cause
        raise DataError(f"{name} should be an array of numpy (npy); it cannot be read: {error}") from error
    _require_consent(Path(name), allow_pickle)
    try:
        array = _unpickled(file, None)
    except DataError as error:
        raise DataError(f"{name} {error}") from error.__cause__
    return array.item() if isinstance(array, np.ndarray) and array.shape == () else array


def _require_consent(path: Path, allow_pickle: bool) -> None:
    if not allow_pickle:
        raise ConfigError(
            f"{path} is a pickle, a format that can hide programs; it is read only if you allow it "
            "(allow_pickle=True, or --allow-pickle). Even then only plain values and arrays are accepted."
        )


def _unpickled(file: BufferedIOBase, values: PlainValues | None) -> Any:
    try:
        _require_modest_memo(file)
        return _Plain()(_PlainUnpickler(file, {**_PLAIN, **(values or {})}).load())
    except Exception as error:  # a damaged pickle can fail in any step of rebuilding, with whatever error
        raise DataError(
            f"is refused: {error or type(error).__name__}. Only plain values and numpy arrays are read."
        ) from error


def _require_modest_memo(file: BufferedIOBase) -> None:
    """A pickle numbers its parts; the unpickler makes room for as many as the highest number, told in a few bytes."""
    start = file.tell()
    end = file.seek(0, SEEK_END)
    file.seek(start)
    operations = pickletools.genops(file)  # type: ignore[arg-type]  # all that it needs is a stream of bytes
    for code, argument, _ in operations:
        if code.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(argument or 0) > end - start:
            raise pickle.UnpicklingError(f"it numbers a part {argument}, more than it can have")
    file.seek(start)
