"""AEDAT 2.0 files of jAER and v2e: pairs of a 32-bit address and a 32-bit time, big endian.

                 DAVIS                 DVS128
    IMU          bits 31, 11, 10
    frames       bit 31, no IMU
    trigger      bit 10                bit 15
    y            bits 22..30           bits 8..14
    x            bits 12..21           bits 1..7
    ON           bit 11 set            bit 0 not set

Both count an event's x and y from the lower right corner of the image; here they count from the upper left.

Source: iniVation, "AEDAT 2.0" file format; jAER (its extractors decide the directions of x and y and
the polarity of DVS128); v2e, its option --dvs_aedat2.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from snnface.errors import DataError
from snnface.events.readers.aedat2_frames import Frame, FrameBuilder
from snnface.events.readers.aedat2_imu import ImuBuilder, imu_samples
from snnface.events.readers.aedat_header import AedatHeader, aedat_header, camera_resolution
from snnface.events.readers.assembly import Assembly
from snnface.events.readers.base import Extras
from snnface.events.readers.frame_collection import collected_frames
from snnface.events.readers.pieces import EventColumns, PieceFile
from snnface.events.sensor_data import SensorData, Triggers
from snnface.events.stream import EventStream
from snnface.events.window import Resolution
from snnface.jit import jit

__all__ = ["Aedat2File"]

logger = logging.getLogger(__name__)

RECORD_BYTES = 8
PIECE_RECORDS = 1 << 16
DVS128 = Resolution(height=128, width=128)

APS, IMU = 1 << 31, 1 << 31 | 3 << 10
FALLING = 1 << 10 | 2


class Others(NamedTuple):
    """What came beside the events in one piece of a file.

    Attributes:
        triggers, triggers_us: addresses uint32 [K], times int64 [K].
        frames: those that became whole.
        imu, imu_us: raw values int16 [M, 7], times int64 [M].
    """

    triggers: np.ndarray
    triggers_us: np.ndarray
    frames: list[Frame]
    imu: np.ndarray
    imu_us: np.ndarray


class Aedat2File(PieceFile):
    """An AEDAT 2.0 file.

    Conventions:
      * The line `# AEChip:` names the camera. Without it the size must be given, and decides:
        128x128 is a DVS128, any other a DAVIS (v2e states no camera and writes DAVIS addresses).
      * A frame (of a DAVIS) that lacks samples is left out: at either end of a recording that is
        normal. A log line tells how many; recovering, so do the losses.
      * The inertial sensor's ranges are not stated; jAER's are taken (4 g, 500 degrees a second).
        Its axes and their signs are the sensor's own. A sample that lacks words is left out.
      * Times are signed; each counts on from the one before by the shorter way round 2^32 us,
        so that the counter's wrap and gaps of up to 35 minutes are bridged.
      * Triggers have channel 0; `rising` is True unless the address states a falling edge, which
        only newer versions of jAER write (DAVIS: 2 in its lowest bits).

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
        num_triggers = num_frames = num_imu_samples = 0
        columns, others = EventColumns(), list[Any]()
        for _ in self._pieces(columns, self._assembly(), others):
            for piece in others:
                num_triggers += len(piece.triggers)
                num_frames += len(piece.frames)
                num_imu_samples += len(piece.imu)
            columns.clear()
            others.clear()
        if self._is_dvs128:
            return Extras(num_triggers=num_triggers)
        return Extras(num_triggers=num_triggers, num_frames=num_frames, num_imu_samples=num_imu_samples)

    def _expected(self) -> int:
        return (self.path.stat().st_size - self._data_start) // RECORD_BYTES

    def _pieces(self, columns: EventColumns, assembly: Assembly, others: list[Any]) -> Iterator[int | None]:
        latest = np.full(1, _UNKNOWN)
        frames, imu = FrameBuilder(self.resolution), ImuBuilder()
        start = self._data_start
        for words in self._words(assembly):
            num_records = len(words) // 2
            space = columns.space(num_records)
            addresses, times = np.empty(num_records, np.uint32), np.empty(num_records, np.int64)
            num_events, num_others, num_foreign = _decode(
                words, latest, self._is_dvs128, self.resolution.width, self.resolution.height, *space, addresses, times
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
            if num_others:
                others.append(_sorted_out(addresses[:num_others], times[:num_others], frames, imu))
            yield start
            start += num_records * RECORD_BYTES
        if frames.num_incomplete:
            self._tell_incomplete(frames.num_incomplete, assembly)

    def _tell_incomplete(self, count: int, assembly: Assembly) -> None:
        what = "frames that lack samples"
        if self.recover:
            assembly.damage("frames lack samples.", dropped=what, count=count)
        else:
            logger.warning("%s: left out %d %s.", self.path, count, what)

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
        pieces: list[Others] = others
        addresses = np.concatenate([np.empty(0, np.uint32), *(piece.triggers for piece in pieces)])
        triggers = Triggers(
            t_us=np.concatenate([np.empty(0, np.int64), *(piece.triggers_us for piece in pieces)]),
            channel=np.zeros(len(addresses), np.uint8),
            rising=addresses != FALLING,
        )
        if self._is_dvs128:
            return SensorData(events=events, triggers=triggers)
        frames = [frame for piece in pieces for frame in piece.frames]
        imu = np.concatenate([np.empty((0, 7), np.int16), *(piece.imu for piece in pieces)])
        imu_us = np.concatenate([np.empty(0, np.int64), *(piece.imu_us for piece in pieces)])
        return SensorData(
            events=events,
            frames=collected_frames(assembly, [frame.pixels for frame in frames], [frame.t_us for frame in frames]),
            triggers=triggers,
            imu=imu_samples(imu, imu_us),
        )


def _sorted_out(addresses: np.ndarray, t_us: np.ndarray, frames: FrameBuilder, imu: ImuBuilder) -> Others:
    """What these addresses (uint32 [N], int64 [N]), none of an event, mean."""
    is_trigger, is_imu = addresses < APS, addresses & IMU == IMU
    is_sample = ~(is_trigger | is_imu)
    return Others(
        addresses[is_trigger],
        t_us[is_trigger],
        frames.push(addresses[is_sample], t_us[is_sample]),
        *imu.push(addresses[is_imu], t_us[is_imu]),
    )


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
def _decode(words, latest, is_dvs128, width, height, x, y, t_us, polarity, others, others_us):  # type: ignore[no-untyped-def]
    """Decode records; there is room for as many events, and as many others.

    Returns:
        the numbers of events, of others, and of addresses that do not fit the layout.
    """
    n, m, num_foreign, now = np.int64(0), np.int64(0), 0, latest[0]
    other_bits = np.int64(1 << 15) if is_dvs128 else np.int64(1 << 31 | 1 << 10)
    for record in range(len(words) // 2):
        address, time = np.int64(_swapped(words[2 * record])), np.int64(np.int32(_swapped(words[2 * record + 1])))
        if is_dvs128 and address >> 16:
            num_foreign += 1
            continue
        now = time if now == _UNKNOWN else now + np.int64(np.int32(time - now))
        if address & other_bits:
            others[m], others_us[m] = address, now
            m += 1
            continue
        if is_dvs128:
            column, row, is_on = address >> 1 & 0x7F, address >> 8 & 0x7F, 1 - (address & 1)
        else:
            column, row, is_on = address >> 12 & 0x3FF, address >> 22 & 0x1FF, address >> 11 & 1
        # A column beyond the sensor wraps to one far outside.
        x[n], y[n], t_us[n], polarity[n] = width - 1 - column, height - 1 - row, now, is_on
        n += 1
    latest[0] = now
    return n, m, num_foreign


@jit
def _swapped(word):  # type: ignore[no-untyped-def]
    return word >> 24 | word >> 8 & 0xFF00 | (word & 0xFF00) << 8 | (word & 0xFF) << 24
