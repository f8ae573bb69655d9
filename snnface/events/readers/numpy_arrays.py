"""Events in files of NumPy: npy with one array, npz with one array or one for each column.

    structured array       fields named t, x, y, p in any order (and the like, see column_names)
    array [N, 4]           t x y p, x y p t or x y t p, whichever alone fits the first rows
    npz                    members named as the fields, or a single array as above

Times that are integers, or floats without fractions, are microseconds; other floats are seconds.
The sensor's size is that of an npz member `frames` [T, H, W], where there is one.

Source: NumPy, "NEP 1: a simple file format for NumPy arrays".
"""

import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np

from snnface.errors import DataError
from snnface.events.readers.assembly import Assembly
from snnface.events.readers.column_names import ORDERS, axes_of_names, orders_that_fit
from snnface.events.readers.pieces import EventColumns, PieceFile
from snnface.events.readers.value_checks import checked_columns
from snnface.events.window import Resolution

__all__ = ["NumpyFile", "holds_arrays"]

NPY_MAGIC = b"\x93NUMPY"
ZIP_MAGIC = b"PK\x03\x04"
PIECE_EVENTS = 1 << 18
SAMPLE_ROWS = 1 << 12
SKIP_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One array of the file.

    Attributes:
        opened: gives the stream of its bytes from the start, as a context.
        start: byte of the stream at which its values begin.
        dtype, shape: as claimed.
    """

    opened: Callable[[], AbstractContextManager[BufferedIOBase]]
    start: int
    dtype: np.dtype
    shape: tuple[int, ...]

    @property
    def row_bytes(self) -> int:
        return int(np.prod(self.shape[1:], dtype=object)) * self.dtype.itemsize

    def rows(self, stream: BufferedIOBase, count: int) -> np.ndarray:
        """The next rows of the stream, fewer at its end."""
        data = stream.read(count * self.row_bytes)
        length = len(data) // self.row_bytes
        return np.frombuffer(data, np.uint8, length * self.row_bytes).view(self.dtype).reshape(length, *self.shape[1:])


# Which source holds an axis, and which field or column of it.
Places = dict[str, tuple[Source, str | int | None]]


class NumpyFile(PieceFile):
    """An npy or npz file of events; nothing in it is unpickled.

    Raises:
        DataError: if no array or columns of events are found, their order cannot be told, the
            sensor's size is neither stated nor given, or the file is damaged.
    """

    def __init__(self, path: Path, *, resolution: Resolution | None = None, recover: bool = False) -> None:
        with _reading(path):
            sources = _sources(path)
            resolution = resolution or _frame_size(sources)
            self._places = _places(path, sources, resolution)
            _check_types(path, self._places)
            self._is_seconds = _is_seconds(*self._places["t"])
        if resolution is None:
            raise DataError(
                f"{path} does not state the sensor's size; give it, as in resolution=Resolution(height=480, width=640)."
            )
        super().__init__(path, resolution, recover=recover)
        self._num_events = min(source.shape[0] for source, _ in self._places.values())

    def _expected(self) -> int:
        return self._num_events

    def _pieces(self, columns: EventColumns, assembly: Assembly, others: list[Any]) -> Iterator[int | None]:
        sources = list(dict.fromkeys(source for source, _ in self._places.values()))
        with ExitStack() as stack:
            streams = {source: stack.enter_context(source.opened()) for source in sources}
            with _reading(self.path):
                for source, stream in streams.items():
                    _skip(stream, source.start)
            for start in range(0, self._num_events, PIECE_EVENTS):
                wanted = min(PIECE_EVENTS, self._num_events - start)
                rows = self._rows(streams, wanted, assembly)
                length = min(map(len, rows.values()))
                if length < wanted:
                    assembly.damage(
                        f"it claims {self._num_events} events but holds {start + length} that can be read: it is "
                        "truncated or damaged. Copy it again, or recover the rest (recover=True, --recover).",
                        dropped="events that cannot be read",
                        count=self._num_events - start - length,
                    )
                axes = {axis: _column(rows[source], part)[:length] for axis, (source, part) in self._places.items()}
                checked = checked_columns(
                    assembly, x=axes["x"], y=axes["y"], t=axes["t"], p=axes["p"], is_seconds=self._is_seconds
                )
                columns.append(**checked)
                yield None
                if length < wanted:
                    return

    def _rows(self, streams: dict[Source, BufferedIOBase], wanted: int, assembly: Assembly) -> dict[Source, np.ndarray]:
        rows = {source: np.empty((0, *source.shape[1:]), source.dtype) for source in streams}
        try:
            with _reading(self.path):
                for source, stream in streams.items():
                    rows[source] = source.rows(stream, wanted)
        except DataError:
            if not self.recover:
                raise
        return rows


def holds_arrays(path: Path, head: bytes) -> bool:
    """Whether the file is npy, or a zip archive with npy members."""
    if head.startswith(NPY_MAGIC):
        return True
    if not head.startswith(ZIP_MAGIC):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(".npy") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except (
        OSError, EOFError, ValueError, TypeError, RuntimeError, SyntaxError, MemoryError, OverflowError, KeyError,
        zlib.error, zipfile.BadZipFile, tokenize.TokenError,
    ) as error:  # fmt: skip
        raise DataError(
            f"{path} is a NumPy file but cannot be read ({error}): it is truncated or damaged. Copy it again, or save "
            "the events anew with numpy.save or numpy.savez."
        ) from error


def _sources(path: Path) -> dict[str, list[Source]]:
    """The arrays by name; one stored column by column is several sources."""
    if not zipfile.is_zipfile(path):
        return {"": _array(lambda: path.open("rb"))}
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".npy")]
    return {name.removesuffix(".npy"): _array(partial(_member, path, name)) for name in names}


@contextmanager
def _member(path: Path, name: str) -> Iterator[BufferedIOBase]:
    with zipfile.ZipFile(path) as archive, archive.open(name) as stream:
        assert isinstance(stream, BufferedIOBase)
        yield stream


def _array(opening: Callable[[], AbstractContextManager[BufferedIOBase]]) -> list[Source]:
    """The sources of one array; none for one that can hold no events (text, objects, single values)."""
    with opening() as stream:
        version = np.lib.format.read_magic(stream)
        reader = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
        if reader is None:
            raise ValueError(f"version {version} of the npy format is not read")
        with warnings.catch_warnings():
            # The syntax of Python 2, which is read, and of damaged headers, which are refused.
            warnings.simplefilter("ignore")
            shape, is_fortran, dtype = reader(stream)
        start = stream.tell()
    if dtype.hasobject or dtype.itemsize == 0 or not shape or min(shape) < 0 or min(shape[1:], default=1) == 0:
        return []
    if dtype.names is None and dtype.kind not in "iubf":
        return []
    if is_fortran and len(shape) == 2 and shape[1] == 4:
        step = shape[0] * dtype.itemsize
        return [Source(opening, start + column * step, dtype, shape[:1]) for column in range(4)]
    return [Source(opening, start, dtype, shape)]


def _places(path: Path, sources: dict[str, list[Source]], resolution: Resolution | None) -> Places:
    columns = {name: found[0] for name, found in sources.items() if len(found) == 1 and len(found[0].shape) == 1}
    names = list(columns)
    axes = axes_of_names(names)
    if axes is not None:
        places: Places = {axis: (columns[names[place]], None) for axis, place in axes.items()}
        lengths = {axis: source.shape[0] for axis, (source, _) in places.items()}
        if len(set(lengths.values())) > 1:
            raise DataError(f"{path}: the columns of events must have one length; they have {lengths}.")
        return places
    tables = {name: found for name, found in sources.items() if _is_table(found)}
    if len(tables) != 1:
        contents = {name: f"{found[0].dtype} {list(found[0].shape)}" for name, found in sources.items() if found}
        raise DataError(
            f"{path} should hold the columns t, x, y, p, or one array of events, structured or [N, 4]; it holds "
            f"{contents}. Save the events with numpy.savez(path, t=t, x=x, y=y, p=p)."
        )
    table = next(iter(tables.values()))
    fields = table[0].dtype.names
    axes = axes_of_names(fields or ())
    if axes is not None and fields:
        return {axis: (table[0], fields[place]) for axis, place in axes.items()}
    order = _order(path, table, resolution)
    if len(table) == 4:
        return {axis: (table[order.index(axis)], None) for axis in "txyp"}
    return {axis: (table[0], order.index(axis)) for axis in "txyp"}


def _check_types(path: Path, places: Places) -> None:
    types = {
        axis: source.dtype[part] if isinstance(part, str) else source.dtype for axis, (source, part) in places.items()
    }
    wrong = {axis: str(dtype) for axis, dtype in types.items() if dtype.kind not in "iubf"}
    if wrong:
        raise DataError(
            f"{path}: the columns of events must hold single numbers; these hold others: {wrong}. Save the events with "
            "numpy.savez(path, t=t, x=x, y=y, p=p)."
        )


def _is_table(found: list[Source]) -> bool:
    if len(found) == 4:
        return True
    if len(found) != 1:
        return False
    dtype, shape = found[0].dtype, found[0].shape
    if dtype.names is None:
        return len(shape) == 2 and shape[1] == 4
    return len(shape) == 1 and axes_of_names(dtype.names) is not None


def _order(path: Path, table: list[Source], resolution: Resolution | None) -> str:
    samples = [_sample(source) for source in table]
    rows = samples[0] if len(samples) == 1 else np.stack([s[: min(map(len, samples))] for s in samples], axis=1)
    fitting = orders_that_fit(rows.astype(np.float64), resolution)
    if not len(rows):
        return ORDERS[0]
    if len(fitting) != 1:
        raise DataError(
            f"{path}: the order of its four columns cannot be told from their values (of {', '.join(ORDERS)} there "
            f"fit: {', '.join(fitting) or 'none'}); save a structured array with the fields t, x, y, p."
        )
    return fitting[0]


def _sample(source: Source) -> np.ndarray:
    with source.opened() as stream:
        _skip(stream, source.start)
        return source.rows(stream, min(SAMPLE_ROWS, source.shape[0]))


def _is_seconds(source: Source, part: str | int | None) -> bool:
    times = _column(_sample(source), part)
    if times.dtype.kind != "f":
        return False
    times = times[np.isfinite(times)]
    return bool((np.rint(times) != times).any())


def _frame_size(sources: dict[str, list[Source]]) -> Resolution | None:
    frames = sources.get("frames")
    if not frames or len(frames[0].shape) != 3:
        return None
    return Resolution(height=frames[0].shape[1], width=frames[0].shape[2])


def _column(rows: np.ndarray, part: str | int | None) -> np.ndarray:
    if part is None:
        return rows
    return rows[part] if isinstance(part, str) else rows[:, part]


def _skip(stream: BufferedIOBase, num_bytes: int) -> None:
    """Go forward; a packed member is unpacked piece by piece on the way."""
    while num_bytes > 0:
        passed = len(stream.read(min(num_bytes, SKIP_BYTES)))
        if not passed:
            raise EOFError("the data end before the array begins")
        num_bytes -= passed
