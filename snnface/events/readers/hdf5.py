"""HDF5 files with plain columns: the DSEC layout, which is also the project's own store, and its relatives.

    events/x, y, t, p          DSEC and own: integers, t in microseconds after t_offset (optional, 0 if absent)
    events/xs, ys, ts, ps      e2vid and its data sets: ts in seconds (floats) or microseconds (integers)
    the same names at the root
    events [N, 4]              v2e: integers, columns t in microseconds, x, y, p
    events (t, x, y, p)        a table with named columns

Polarity is 0 or 1, or -1 or 1. The sensor's size stands in the attributes `width` and `height` of the
group `events` (own files), in the attribute `sensor_resolution` (height, width) of the file (e2vid), or
is that of the data set `frame` (v2e). `ms_to_idx` is not read: slices do not need it.

Source: Gehrig et al. 2021, "DSEC: a stereo event camera dataset for driving scenarios", data format
page of the data set; Rebecq et al. 2019, arXiv:1906.07165 (e2vid) and Stoffregen et al. 2020,
arXiv:2003.09078, the layout of their data sets; v2e, its option --dvs_h5.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from snnface.errors import ConfigError, DataError
from snnface.events.readers.assembly import Assembly
from snnface.events.readers.hdf5_dataset import check_dataset, opened, read_rows
from snnface.events.readers.pieces import EventColumns, PieceFile
from snnface.events.readers.value_checks import checked_columns
from snnface.events.window import Resolution

__all__ = ["Hdf5File", "append_rows"]

COLUMNS = ("x", "y", "t", "p")
PLURALS = ("xs", "ys", "ts", "ps")
V2E_ORDER = ("t", "x", "y", "p")
CHUNK_EVENTS = 1 << 20
# Recovering, a block that cannot be read is halved down to this size before it is given up.
SMALLEST_BLOCK = 1 << 12

Places = dict[str, tuple[str, str | int | None]]


class Hdf5File(PieceFile):
    """An HDF5 file with one of the layouts above.

    Raises:
        DataError: if the layout is another one, a column has a wrong type or length, the
            sensor's size is neither stated nor given, or the file is damaged.
    """

    def __init__(self, path: Path, *, resolution: Resolution | None = None, recover: bool = False) -> None:
        with opened(path, recover=recover) as file:
            self._places = _places(path, file)
            self._num_events = _num_events(path, file, self._places)
            self._t_offset = _t_offset(path, file)
            resolution = resolution or _stated_resolution(path, file)
        super().__init__(path, resolution, recover=recover)

    def _expected(self) -> int:
        return self._num_events

    def _pieces(self, columns: EventColumns, assembly: Assembly, others: list[Any]) -> Iterator[int | None]:
        for start in range(0, self._num_events, CHUNK_EVENTS):
            # Opened anew for each chunk: no handle stays open if the caller stops half-way.
            with opened(self.path, recover=self.recover) as file:
                stop = min(start + CHUNK_EVENTS, self._num_events)
                append_rows(file, self._places, start, stop, columns, assembly, t_offset=self._t_offset)
            yield None


def append_rows(
    file: h5py.File,
    places: Places,
    start: int,
    stop: int,
    columns: EventColumns,
    assembly: Assembly,
    *,
    t_offset: int = 0,
) -> None:
    """Append the events [start, stop) to `columns`; recovering, without the blocks that cannot be read.

    Raises:
        DataError: unless recovering, if a chunk is damaged, or a value impossible.
        OSError: if the HDF5 library finds a chunk damaged.
    """
    try:
        stored = {name: read_rows(assembly.path, file[name], start, stop) for name, _ in set(places.values())}
    except (DataError, OSError) as error:
        if not assembly.recover:
            raise
        if stop - start > SMALLEST_BLOCK:
            middle = (start + stop) // 2
            append_rows(file, places, start, middle, columns, assembly, t_offset=t_offset)
            append_rows(file, places, middle, stop, columns, assembly, t_offset=t_offset)
        else:
            assembly.damage(str(error), dropped="events in blocks that cannot be read", count=stop - start)
        return
    x, y, t, p = (_column(stored[name], part) for name, part in (places[axis] for axis in COLUMNS))
    is_seconds = t.dtype.kind == "f"
    columns.append(**checked_columns(assembly, x=x, y=y, t=t, p=p, is_seconds=is_seconds, t_offset=t_offset))


def _column(rows: np.ndarray, part: str | int | None) -> np.ndarray:
    if part is None:
        return rows
    return rows[part] if isinstance(part, str) else rows[:, part]


def _places(path: Path, file: h5py.File) -> Places:
    """Where each of x, y, t, p stands: a data set, and in it a named or a numbered column."""
    for prefix in ("events/", ""):
        for names in (COLUMNS, PLURALS):
            if all(isinstance(file.get(prefix + name), h5py.Dataset) for name in names):
                return {axis: (prefix + name, None) for axis, name in zip(COLUMNS, names, strict=True)}
    table = file.get("events")
    if isinstance(table, h5py.Dataset):
        if set(COLUMNS) <= set(table.dtype.names or ()):
            return {axis: ("events", axis) for axis in COLUMNS}
        if table.ndim == 2 and table.shape[1] == 4 and table.dtype.kind in "iu":
            return {axis: ("events", V2E_ORDER.index(axis)) for axis in COLUMNS}
    raise DataError(
        f"{path} is HDF5 but not in the DSEC layout or one like it: it should hold the columns events/x, events/y, "
        f"events/t and events/p, events/xs .. ps, or a table events of t, x, y, p; it holds {_contents(file)}. "
        "Convert it with snnface.events.write_hdf5."
    )


def _contents(file: h5py.File) -> list[str]:
    found: list[str] = []

    def note(name: str, item: h5py.HLObject) -> bool | None:
        is_dataset = isinstance(item, h5py.Dataset)
        found.append(f"{name} {list(item.shape or ())} {item.dtype}" if is_dataset else f"{name}/")
        return True if len(found) >= 12 else None

    file.visititems(note)
    return found


def _num_events(path: Path, file: h5py.File, places: Places) -> int:
    datasets = {name: file[name] for name, _ in places.values()}
    shapes = {name: dataset.shape for name, dataset in datasets.items()}
    if any(not shape for shape in shapes.values()) or len(set(shapes.values())) > 1:
        raise DataError(f"{path}: the columns of events must have one axis and one length; they have {shapes}.")
    for axis, (name, part) in places.items():
        dtype = datasets[name].dtype[part] if isinstance(part, str) else datasets[name].dtype
        kinds = "iub" if axis == "p" else "iuf" if name.endswith("ts") and axis == "t" else "iu"
        if part is None and datasets[name].ndim != 1:
            raise DataError(f"{path}: the columns of events must have one axis and one length; they have {shapes}.")
        if dtype.kind not in kinds:
            raise DataError(f"{path}: column {axis} (in {name}) must hold integers; it holds {dtype}.")
    for dataset in datasets.values():
        check_dataset(path, dataset)
    return len(datasets[places["t"][0]])


def _t_offset(path: Path, file: h5py.File) -> int:
    if "t_offset" not in file:
        return 0
    value = file["t_offset"]
    if not isinstance(value, h5py.Dataset) or value.size != 1 or value.dtype.kind not in "iu":
        raise DataError(f"{path}: t_offset must be one integer, in microseconds; it is {value}.")
    check_dataset(path, value)
    return int(value[()].item())


def _stated_resolution(path: Path, file: h5py.File) -> Resolution:
    attributes: dict[str, Any] = {**file.attrs, **(file["events"].attrs if "events" in file else {})}
    height, width = attributes.get("height"), attributes.get("width")
    if height is None or width is None:
        height, width = _other_resolution(file, attributes)
    if height is None or width is None:
        raise DataError(
            f"{path} does not state the sensor's size (attributes width and height of the group events); give it, "
            "as in resolution=Resolution(height=480, width=640)."
        )
    try:
        return Resolution(height=int(height), width=int(width))
    except (TypeError, ValueError, ConfigError) as error:
        raise DataError(
            f"{path}: the sensor's stated size, height {height} and width {width}, is no pair of pixel counts."
        ) from error


def _other_resolution(file: h5py.File, attributes: dict[str, Any]) -> tuple[Any, Any]:
    stated = np.ravel(np.asarray(attributes.get("sensor_resolution", ())))
    if len(stated) >= 2:
        return stated[0], stated[1]
    frames = file.get("frame")
    if isinstance(frames, h5py.Dataset) and frames.ndim == 3:
        return frames.shape[1], frames.shape[2]
    return None, None
