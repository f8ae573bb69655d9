"""HDF5 files in the DSEC layout, which is also the project's own store.

    events/x, events/y   uint16 [N]
    events/t             integer [N], microseconds after t_offset
    events/p             0 or 1 [N]
    ms_to_idx            [M]: index of the first event at or after each millisecond
    t_offset             microseconds; optional, 0 if absent

The own files add the attributes `width` and `height` to the group `events`.

Source: Gehrig et al. 2021, "DSEC: a stereo event camera dataset for driving scenarios",
data format page of the data set.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from snnface.errors import ConfigError, DataError
from snnface.events.readers.base import EventFile, checked_stream
from snnface.events.sensor_data import SensorData
from snnface.events.stream import EventStream
from snnface.events.window import Resolution

__all__ = ["Hdf5File", "holds"]

COLUMNS = ("x", "y", "t", "p")
CHUNK_EVENTS = 1 << 20


class Hdf5File(EventFile):
    """An HDF5 file with `events/{x,y,t,p}`.

    Raises:
        DataError: if the layout is another one, a column has a wrong type or length, the
            sensor's size is neither stated nor given, or the file is damaged.
    """

    def __init__(self, path: Path, *, resolution: Resolution | None = None, recover: bool = False) -> None:
        with _opened(path) as file:
            self._num_events = _num_events(path, file)
            self._t_offset = _t_offset(path, file)
            resolution = resolution or _stated_resolution(path, file)
        super().__init__(path, resolution, recover=recover)

    def chunks(self) -> Iterator[EventStream]:
        for start in range(0, self._num_events, CHUNK_EVENTS):
            # Opened anew for each chunk: no handle stays open if the caller stops half-way.
            with _opened(self.path) as file:
                chunk = self._stream(file, start, min(start + CHUNK_EVENTS, self._num_events))
            yield chunk

    def read(self) -> SensorData:
        with _opened(self.path) as file:
            return SensorData(events=self._stream(file, 0, self._num_events))

    def _stream(self, file: h5py.File, start: int, stop: int) -> EventStream:
        try:
            x, y, t, p = (file["events"][name][start:stop] for name in COLUMNS)
        except MemoryError as error:
            raise DataError(
                f"{self.path} claims {stop - start} events, more than memory holds; go through it in slices with "
                "open_events(path).slices(step_us)."
            ) from error
        for name, column, lowest, highest in (
            ("x", x, 0, 65535),
            ("y", y, 0, 65535),
            ("p", p, -1, 1),
            # Half of what int64 holds, so that offsets and windows cannot wrap.
            ("t", t, -(2**62), 2**62),
        ):
            if len(column) and not (lowest <= column.min() and column.max() <= highest):
                raise DataError(
                    f"{self.path}: column events/{name} must lie in {lowest}..{highest}; "
                    f"it holds {column.min()}..{column.max()}."
                )
        t_us = t.astype(np.int64, copy=False)
        return checked_stream(
            self.path,
            x=x.astype(np.uint16, copy=False),
            y=y.astype(np.uint16, copy=False),
            t_us=t_us + self._t_offset if self._t_offset else t_us,
            polarity=p > 0,
            resolution=self.resolution,
        )


def holds(path: Path, name: str) -> bool:
    """Whether the file is readable HDF5 with an object of this name."""
    try:
        with _opened(path) as file:
            return name in file
    except DataError:
        return False


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """The open file; whatever HDF5 finds wrong with it becomes one sentence."""
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError) as error:
        raise DataError(
            f"{path} is HDF5 but cannot be read ({error}). If a filter is missing, install and import hdf5plugin; "
            "else the file is truncated or damaged: copy it again."
        ) from error


def _num_events(path: Path, file: h5py.File) -> int:
    columns = {name: file.get(f"events/{name}") for name in COLUMNS}
    if not all(isinstance(column, h5py.Dataset) for column in columns.values()):
        raise DataError(
            f"{path} is HDF5 but not in the DSEC layout: it should hold the columns events/x, events/y, events/t and "
            f"events/p; it holds {sorted(file)}. Convert it with snnface.events.write_hdf5."
        )
    shapes = {name: column.shape for name, column in columns.items()}
    if any(len(shape) != 1 for shape in shapes.values()) or len(set(shapes.values())) > 1:
        raise DataError(f"{path}: the columns of events must have one axis and one length; they have {shapes}.")
    for name, column in columns.items():
        if column.dtype.kind not in ("iub" if name == "p" else "iu"):
            raise DataError(f"{path}: column events/{name} must hold integers; it holds {column.dtype}.")
        if (
            len(column)
            and not column.id.get_storage_size()
            and column.id.get_create_plist().get_layout() != h5py.h5d.COMPACT
        ):
            raise DataError(f"{path}: column events/{name} claims {len(column)} values but stores none of them.")
    return len(columns["t"])


def _t_offset(path: Path, file: h5py.File) -> int:
    if "t_offset" not in file:
        return 0
    value = file["t_offset"]
    if not isinstance(value, h5py.Dataset) or value.size != 1 or value.dtype.kind not in "iu":
        raise DataError(f"{path}: t_offset must be one integer, in microseconds; it is {value}.")
    return int(value[()].item())


def _stated_resolution(path: Path, file: h5py.File) -> Resolution:
    stated = {name: file["events"].attrs.get(name) for name in ("height", "width")}
    if stated["height"] is None or stated["width"] is None:
        raise DataError(
            f"{path} does not state the sensor's size (attributes width and height of the group events); give it, "
            "as in resolution=Resolution(height=480, width=640)."
        )
    try:
        return Resolution(height=int(stated["height"]), width=int(stated["width"]))
    except (TypeError, ValueError, ConfigError) as error:
        raise DataError(f"{path}: the sensor's stated size {stated} is no pair of pixel counts.") from error
