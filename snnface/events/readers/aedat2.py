"""AEDAT 2.0 files of jAER and v2e: pairs of a 32-bit address and a 32-bit time, big endian.

                 DAVIS                 DVS128
    not events   bit 31 (APS, IMU)
    trigger      bit 10                bit 15
    y            bits 22..30           bits 8..14
    x            bits 12..21           bits 1..7
    ON           bit 11 set            bit 0 not set

Both count x and y from the lower right corner of the image; here they count from the upper left.

Source: iniVation, "AEDAT 2.0" file format; jAER (its extractors decide the directions of x and y and
the polarity of DVS128); v2e, its option --dvs_aedat2.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from snnface.errors import DataError
from snnface.events.readers.aedat_header import AedatHeader, aedat_header, camera_resolution
from snnface.events.readers.assembly import Assembly
from snnface.events.readers.base import Extras
from snnface.events.readers.pieces import EventColumns, PieceFile
from snnface.events.sensor_data import SensorData, Triggers
from snnface.events.stream import EventStream
from snnface.events.window import Resolution
from snnface.jit import jit

__all__ = ["Aedat2File"]

RECORD_BYTES = 8
PIECE_RECORDS = 1 << 16
DVS128 = Resolution(height=128, width=128)


class Aedat2File(PieceFile):
    """An AEDAT 2.0 file.

    Conventions:
      * The line `# AEChip:` names the camera. Without it the size must be given, and decides:
        128x128 is a DVS128, any other a DAVIS (v2e states no camera and writes DAVIS addresses).
      * The samples of a DAVIS's frames (APS) and of its inertial sensor are left out.
      * Times are signed; each counts on from the one before by the shorter way round 2^32 us,
        so that the counter's wrap and gaps of up to 35 minutes are bridged.
      * Triggers have channel 0; the format does not tell their edges: `rising` is True.

    Raises:
        DataError: if the camera is unknown, its size neither stated nor given, or (unless
            recovering) the data end in the middle of a record.
    """

    def __init__(self, path: Path, *, resolution: Resolution | None = None, recover: bool = False) -> None:
        header = aedat_header(path)
        chip, stated = _camera(path, header, resolution)
        super().__init__(path, stated if resolution is None else resolution, recover=recover)
        self._is_dvs128 = "DVS128" in chip.upper() if chip else self.resolution == DVS128
        self._data_start = header.num_bytes

    def extras(self) -> Extras:
        others: list[Any] = []
        for _ in self._streams(self._assembly(), others):
            pass
        return Extras(num_triggers=sum(map(len, others)))

    def _expected(self) -> int:
        return (self.path.stat().st_size - self._data_start) // RECORD_BYTES

    def _pieces(self, columns: EventColumns, assembly: Assembly, others: list[Any]) -> Iterator[int | None]:
        latest = np.full(1, _UNKNOWN)
        start = self._data_start
        for words in self._words(assembly):
            num_records = len(words) // 2
            space = columns.space(num_records)
            triggers = np.empty(num_records, np.int64)
            num_events, num_triggers, num_foreign = _decode(
                words, latest, self._is_dvs128, self.resolution.width, self.resolution.height, *space, triggers
            )
            if num_foreign:
                assembly.damage(
                    f"{num_foreign} addresses do not fit 16 bits, as those of a DVS128 do: the file is of another "
                    "camera, or damaged. Give the right sensor size, or recover the rest (recover=True, --recover).",
                    dropped="records with impossible addresses",
                    count=num_foreign,
                    at_byte=start,
                )
            columns.keep(num_events)
            others.append(triggers[:num_triggers].copy())
            yield start
            start += num_records * RECORD_BYTES

    def _words(self, assembly: Assembly) -> Iterator[np.ndarray]:
        """Pieces of 32-bit words as they stand in the file; each is valid until the next."""
        buffer = np.empty(2 * PIECE_RECORDS, np.uint32)
        with self.path.open("rb") as file:
            file.seek(self._data_start)
            while num_bytes := file.readinto(buffer.data.cast("B")):
                yield buffer[: num_bytes // RECORD_BYTES * 2]
                if num_bytes % RECORD_BYTES:
                    assembly.damage(
                        "the file ends in the middle of a record of 8 bytes: it is truncated. Copy it again, or "
                        "recover the rest (recover=True, --recover).",
                        dropped="bytes behind the last whole record",
                        count=num_bytes % RECORD_BYTES,
                        at_byte=self.path.stat().st_size,
                    )

    def _sensor_data(self, events: EventStream, others: list[Any], assembly: Assembly) -> SensorData:
        t_us = np.concatenate([np.empty(0, np.int64), *others])
        triggers = Triggers(t_us=t_us, channel=np.zeros(len(t_us), np.uint8), rising=np.ones(len(t_us), np.bool_))
        return SensorData(events=events, triggers=triggers)


def _camera(path: Path, header: AedatHeader, given: Resolution | None) -> tuple[str | None, Resolution]:
    chip = header.value("AEChip")
    stated = None if chip is None else camera_resolution(chip)
    if chip is not None and stated is None:
        raise DataError(
            f"{path} was recorded by the camera {chip!r}, whose addresses are not known here; those of DVS128 and of "
            "the DAVIS cameras are. Convert the file with jAER."
        )
    if given is None and stated is None:
        raise DataError(
            f"{path} does not state its camera (a line '# AEChip: ...' in the header); give the sensor's size, as in "
            "resolution=Resolution(height=260, width=346) for a DAVIS346."
        )
    resolution = given or stated
    assert resolution is not None
    return chip, resolution


_UNKNOWN = np.iinfo(np.int64).min


@jit
def _decode(words, latest, is_dvs128, width, height, x, y, t_us, polarity, triggers):  # type: ignore[no-untyped-def]
    """Decode records; there is room for an event and a trigger each.

    Returns:
        the numbers of events, of triggers, and of addresses that do not fit the layout.
    """
    n, m, num_foreign, now = np.int64(0), np.int64(0), 0, latest[0]
    for record in range(len(words) // 2):
        address, time = np.int64(_swapped(words[2 * record])), np.int64(np.int32(_swapped(words[2 * record + 1])))
        if is_dvs128:
            if address >> 16:
                num_foreign += 1
                continue
            is_trigger, is_on = address >> 15 & 1, 1 - (address & 1)
            column, row = address >> 1 & 0x7F, address >> 8 & 0x7F
        else:
            if address >> 31:
                continue
            is_trigger, is_on = address >> 10 & 1, address >> 11 & 1
            column, row = address >> 12 & 0x3FF, address >> 22 & 0x1FF
        now = time if now == _UNKNOWN else now + np.int64(np.int32(time - now))
        # Written before it is known which of the two it is; a column beyond the sensor wraps to one far outside.
        x[n], y[n], t_us[n], polarity[n] = width - 1 - column, height - 1 - row, now, is_on
        triggers[m] = now
        n += 1 - is_trigger
        m += is_trigger
    latest[0] = now
    return n, m, num_foreign


@jit
def _swapped(word):  # type: ignore[no-untyped-def]
    return word >> 24 | word >> 8 & 0xFF00 | (word & 0xFF00) << 8 | (word & 0xFF) << 24
