"""Prophesee's HDF5 files: events in `CD/events`, packed by the ECF codec or plain.

    CD/events            compound (x, y, p, t) [N]; t in microseconds
    EXT_TRIGGER/events   compound (p, t, id) [M]; optional
    attribute geometry   "WIDTHxHEIGHT"

Source: Prophesee, Metavision documentation, "HDF5 event file format"; hdf5_ecf (the codec).
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from snnface.errors import ConfigError, DataError
from snnface.events.readers.assembly import Assembly
from snnface.events.readers.base import Extras
from snnface.events.readers.ecf_codec import CAUSES, MAX_CHUNK_BYTES, MAX_CHUNK_EVENTS, decode_chunk
from snnface.events.readers.hdf5 import append_rows
from snnface.events.readers.hdf5_dataset import check_dataset, filter_codes, opened, read_rows
from snnface.events.readers.pieces import EventColumns, PieceFile, check_memory
from snnface.events.readers.value_checks import MAX_T_US, possible_rows
from snnface.events.sensor_data import SensorData, Triggers
from snnface.events.stream import EventStream
from snnface.events.window import Resolution

__all__ = ["EcfFile"]

EVENTS, TRIGGERS = "CD/events", "EXT_TRIGGER/events"
ECF_FILTER = 0x8ECF
# Chunks that are decoded before their events are handed on, and rows of a plain data set likewise.
PIECE_EVENTS = 1 << 20
# A chunk of 65535 events takes 22 kB at least: three events a byte.
MAX_EVENTS_PER_BYTE = 4


class EcfFile(PieceFile):
    """An HDF5 file of Prophesee's software; its codec is decoded here, without the plugin.

    Times are those of the file; the attribute `offset` of its index is not added.

    Raises:
        DataError: if the layout is another one, the sensor's size is neither stated nor
            given, or more events are claimed than the file can hold.
    """

    def __init__(self, path: Path, *, resolution: Resolution | None = None, recover: bool = False) -> None:
        with opened(path, recover=recover) as file:
            events = _dataset(path, file, EVENTS, ("x", "y", "p", "t"))
            resolution = resolution or _geometry(path, file)
            self._num_events = len(events)
            self._is_packed = filter_codes(events) == [ECF_FILTER]
            self._num_triggers = len(_dataset(path, file, TRIGGERS, ("p", "t", "id"))) if TRIGGERS in file else None
            if self._is_packed:
                _check_claim(path, events)
            else:
                check_dataset(path, events)
        super().__init__(path, resolution, recover=recover)

    def extras(self) -> Extras:
        if self._num_triggers is None:
            return Extras()
        triggers = self._triggers(self._assembly())
        return Extras(num_triggers=0 if triggers is None else len(triggers))

    def _sensor_data(self, events: EventStream, others: list[Any], assembly: Assembly) -> SensorData:
        return SensorData(events=events, triggers=self._triggers(assembly))

    def _expected(self) -> int:
        return self._num_events + (MAX_CHUNK_EVENTS if self._is_packed else 0)

    def _pieces(self, columns: EventColumns, assembly: Assembly, others: list[Any]) -> Iterator[int | None]:
        decode = self._decode_packed if self._is_packed else self._copy_plain
        with opened(self.path, recover=self.recover) as file:
            size = file[EVENTS].chunks[0] if self._is_packed else PIECE_EVENTS
        step = max(PIECE_EVENTS // size, 1) * size
        for start in range(0, self._num_events, step):
            # Opened anew for each piece: no handle stays open if the caller stops half-way.
            with opened(self.path, recover=self.recover) as file:
                at_byte = decode(file[EVENTS], start, min(start + step, self._num_events), columns, assembly)
            yield at_byte

    def _decode_packed(
        self, events: h5py.Dataset, start: int, stop: int, columns: EventColumns, assembly: Assembly
    ) -> int | None:
        size = events.chunks[0]
        # A chunk is decoded whole, the padding of the last one too.
        room = columns.space(stop - start + MAX_CHUNK_EVENTS)
        filled, at_byte = 0, None
        stored = np.empty(MAX_CHUNK_BYTES, np.uint8)
        for first in range(start, stop, size):
            wanted = min(size, self._num_events - first)
            info = events.id.get_chunk_info_by_coord((first,))
            at_byte = info.byte_offset if at_byte is None else at_byte
            places = (column[filled : filled + MAX_CHUNK_EVENTS] for column in room)
            num_events, cause, byte = _decoded(events, first, info, stored, places)
            cause = cause or f"it holds {num_events} events instead of {wanted}"
            if num_events < wanted:
                assembly.damage(
                    f"chunk {first // size} of {EVENTS} cannot be decoded: {cause}. Copy the file again, or recover "
                    "the rest (recover=True, --recover).",
                    dropped="events in damaged chunks",
                    count=wanted,
                    at_byte=None if info.byte_offset is None else info.byte_offset + byte,
                )
            else:
                filled += wanted
        columns.keep(filled)
        return at_byte

    def _copy_plain(
        self, events: h5py.Dataset, start: int, stop: int, columns: EventColumns, assembly: Assembly
    ) -> int | None:
        append_rows(events.file, {axis: (EVENTS, axis) for axis in "xytp"}, start, stop, columns, assembly)
        return None

    def _triggers(self, assembly: Assembly) -> Triggers | None:
        if self._num_triggers is None:
            return None
        try:
            with opened(self.path, recover=self.recover) as file:
                rows = read_rows(self.path, file[TRIGGERS], 0, self._num_triggers)
        except DataError as error:
            if not self.recover:
                raise
            assembly.damage(str(error), dropped="triggers that cannot be read", count=self._num_triggers)
            return None
        bounds = {f"t of {TRIGGERS}": (rows["t"], -MAX_T_US, MAX_T_US), f"id of {TRIGGERS}": (rows["id"], 0, 255)}
        possible = possible_rows(assembly, bounds, dropped="triggers with impossible values")
        if not possible.all():
            rows = rows[possible]
        return Triggers(t_us=rows["t"].astype(np.int64), channel=rows["id"].astype(np.uint8), rising=rows["p"] > 0)


def _decoded(
    events: h5py.Dataset, first: int, info: Any, stored: np.ndarray, places: Iterable[np.ndarray]
) -> tuple[int, str, int]:
    """Decode one chunk into `places`.

    Returns:
        the number of events; or 0, what is wrong with the chunk, and at which of its bytes.
    """
    if info.byte_offset is None:
        return 0, "it is not stored", 0
    if info.size > MAX_CHUNK_BYTES:
        return 0, f"its {info.size} bytes are more than the codec makes", 0
    try:
        skipped, _ = events.id.read_direct_chunk((first,), out=stored[: info.size])
    except OSError as error:
        return 0, str(error), 0
    if skipped:
        return 0, "it was stored without the codec", 0
    num_events, byte = decode_chunk(stored[: info.size], *places)
    return max(num_events, 0), CAUSES.get(num_events, ""), byte


def _dataset(path: Path, file: h5py.File, name: str, fields: tuple[str, ...]) -> h5py.Dataset:
    dataset = file[name]
    if not isinstance(dataset, h5py.Dataset) or dataset.ndim != 1 or not set(fields) <= set(dataset.dtype.names or ()):
        raise DataError(f"{path}: {name} should be a table with the columns {', '.join(fields)}; it is {dataset}.")
    wrong = {field: str(dataset.dtype[field]) for field in fields if dataset.dtype[field].kind not in "iub"}
    if wrong:
        raise DataError(f"{path}: the columns of {name} must hold integers; it has {wrong}.")
    if name == TRIGGERS:
        check_dataset(path, dataset)
        check_memory(path, len(dataset))
    return dataset


def _check_claim(path: Path, events: h5py.Dataset) -> None:
    num_bytes = path.stat().st_size
    if len(events) > MAX_EVENTS_PER_BYTE * num_bytes:
        raise DataError(
            f"{path} claims {len(events)} events in {num_bytes} bytes, more than the codec can pack. "
            "The file is damaged: copy it again."
        )
    if events.chunks[0] > MAX_CHUNK_EVENTS:
        raise DataError(
            f"{path}: the chunks of {EVENTS} should hold up to {MAX_CHUNK_EVENTS} events, as the ECF codec has it; "
            f"they hold {events.chunks[0]}."
        )


def _geometry(path: Path, file: h5py.File) -> Resolution:
    stated = file.attrs.get("geometry", "")
    text = stated.decode("latin-1") if isinstance(stated, bytes) else str(stated)
    width, _, height = text.partition("x")
    try:
        return Resolution(height=int(height), width=int(width))
    except (ValueError, ConfigError) as error:
        raise DataError(
            f"{path} should state the sensor's size in its attribute geometry, as in 1280x720; it states {text!r}. "
            "Give it, as in resolution=Resolution(height=720, width=1280)."
        ) from error
