"""Events to and from Prophesee's Metavision SDK, and files read through it where it is installed.

The SDK is not on the package index, so nothing here needs it but `MetavisionFile`: arrays
and iterators are known by their fields and methods.

Source: Prophesee, Metavision SDK documentation, "Event I/O" (EventsIterator) and "SDK Base
Python bindings" (EventCD, EventExtTrigger).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Shaped

from snnface.errors import BackendUnavailableError, ConfigError, DataError, DatasetNotFoundError
from snnface.events.readers.base import EventFile
from snnface.events.sensor_data import SensorData, Triggers
from snnface.events.stream import EventStream
from snnface.events.structured_array import stream_from_array
from snnface.events.window import Resolution

__all__ = ["EVENT_CD", "EventSource", "MetavisionFile", "from_metavision", "streams_from_iterator", "to_metavision"]

EVENT_CD = np.dtype(
    {"names": ["x", "y", "p", "t"], "formats": ["<u2", "<u2", "<i2", "<i8"], "offsets": [0, 2, 4, 8], "itemsize": 16}
)
"""One event as the SDK holds it; its compiled functions ask for exactly these bytes."""

CHUNK_EVENTS = 1 << 20


@runtime_checkable
class EventSource(Protocol):
    """What an `EventsIterator` offers, and the other sources of the SDK that are used like it."""

    def __iter__(self) -> Iterator[np.ndarray]: ...

    def get_size(self) -> tuple[int | None, int | None]:
        """Height and width of the sensor."""
        ...


def to_metavision(stream: EventStream) -> Shaped[np.ndarray, " N"]:
    """The stream as an array of EventCD: x, y, p (1 is ON, 0 OFF), t in microseconds."""
    events = np.zeros(len(stream), EVENT_CD)
    events["x"], events["y"], events["p"], events["t"] = stream.x, stream.y, stream.polarity, stream.t_us
    return events


def from_metavision(events: Shaped[np.ndarray, "..."], resolution: Resolution) -> EventStream:
    """An array of EventCD as a stream; a copy, since the SDK may use its buffers again.

    `to_metavision` and back is the identity.

    Raises:
        DataError, EventOrderError: as `stream_from_array`.
    """
    return stream_from_array(events, resolution)


def streams_from_iterator(source: EventSource, resolution: Resolution | None = None) -> Iterator[EventStream]:
    """The buffers of an `EventsIterator` as streams, one for one; empty ones stay empty streams.

        for events in streams_from_iterator(EventsIterator("face.raw", delta_t=33_000)):
            ...

    Args:
        resolution: of the sensor; asked of the source if left out.

    Raises:
        ConfigError: if the source does not know its size and none is given.
        DataError, EventOrderError: as `stream_from_array`, when that buffer is reached.
    """
    size = resolution or _size(source)
    return (from_metavision(events, size) for events in source)


class MetavisionFile(EventFile):
    """A recording that the Metavision SDK reads: RAW of any sensor it knows, DAT, HDF5.

    For encodings that `open_events` does not read, and to compare. The SDK tells the format
    by the file's suffix (.raw, .dat, .hdf5) and moves the times of a RAW file so that it
    begins near 0. Events come in file order, in pieces of bounded size.

    Raises:
        BackendUnavailableError: if the SDK is not installed.
        DatasetNotFoundError: if there is no such file.
        ConfigError: if the SDK does not know the sensor's size and none is given.
        DataError: if the SDK cannot read the file.
    """

    def __init__(self, path: str | Path, *, resolution: Resolution | None = None, recover: bool = False) -> None:
        path = Path(path)
        if not path.is_file():
            raise DatasetNotFoundError(f"there is no file {path}; check the path of the recording.")
        super().__init__(path, resolution or _size(_opened(path)), recover=recover)

    def chunks(self) -> Iterator[EventStream]:
        yield from self._streams(_opened(self.path))

    def read(self) -> SensorData:
        """The whole file, with its external triggers where the SDK has them for this format."""
        source = _opened(self.path)
        events = EventStream.joined(list(self._streams(source)), self.resolution)
        return SensorData(events=events, triggers=_triggers(source), losses=self.losses)

    def _streams(self, source: EventSource) -> Iterator[EventStream]:
        # Compiled loops are imported at the first use: importing this module stays cheap.
        from snnface.events.readers.assembly import Assembly

        assembly = Assembly(self.path, self.resolution, recover=self.recover)
        buffers = iter(source)
        while True:
            try:
                events = next(buffers, None)
            except (OSError, RuntimeError) as error:
                raise _unreadable(self.path, error) from error
            if events is None:
                break
            yield assembly.stream(
                x=events["x"].astype(np.uint16),
                y=events["y"].astype(np.uint16),
                t_us=events["t"].astype(np.int64),
                polarity=events["p"] > 0,
            )
        self.losses = assembly.losses()


def _opened(path: Path) -> Any:
    try:
        from metavision_core.event_io import EventsIterator
    except ImportError as error:
        raise BackendUnavailableError(
            f"reading {path} through the Metavision SDK needs its Python package metavision_core, which cannot be "
            f"imported ({error}). Install the SDK or OpenEB from Prophesee, or read the file with "
            "snnface.events.open_events."
        ) from error
    try:
        return EventsIterator(input_path=str(path), mode="n_events", n_events=CHUNK_EVENTS)
    except (OSError, RuntimeError, ValueError) as error:
        raise _unreadable(path, error) from error


def _size(source: EventSource) -> Resolution:
    height, width = source.get_size()
    if not height or not width:
        raise ConfigError(
            f"{source!r} does not know the sensor's size; give it, as in resolution=Resolution(height=480, width=640)."
        )
    return Resolution(height=int(height), width=int(width))


def _triggers(source: Any) -> Triggers | None:
    try:
        edges = source.get_ext_trigger_events()
    except RuntimeError:
        # So the SDK says that this kind of file has none.
        return None
    return Triggers(
        t_us=edges["t"].astype(np.int64), channel=edges["id"].astype(np.uint8), rising=edges["p"].astype(np.int8) > 0
    )


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(
        f"the Metavision SDK cannot read {path}: {error}. Check that the file is whole and its suffix right, or read "
        "it with snnface.events.open_events."
    )
