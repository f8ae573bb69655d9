"""AEDAT 3.1 files of cAER and jAER: packets of one kind of event each, little endian.

    header of a packet   kind, source (int16); size of an event, place of its time, times' overflow,
                         capacity, number of events, number of valid ones (int32 each)
    polarity (kind 1)    valid 1 bit, ON 1 bit, y 15 bits, x 15 bits; time
    special (kind 0)     valid 1 bit, what 7 bits, data 24 bits; time
    frame (kind 2)       info, four times, width, height, x, y (int32 each), pixels uint16
    imu (kinds 3, 4)     info, time, acceleration x, y, z, rotation x, y, z, temperature (float32 each)

A time has 31 bits; the packet's overflow counts their wraps. (0, 0) is the upper left.

Source: iniVation, "AEDAT 3.1" file format; libcaer, its event headers.
"""

import re
import struct
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from snnface.errors import DataError
from snnface.events.readers.aedat_header import AedatHeader, aedat_header, camera_resolution
from snnface.events.readers.assembly import Assembly
from snnface.events.readers.base import Extras
from snnface.events.readers.frame_collection import collected_frames
from snnface.events.readers.pieces import EventColumns, PieceFile
from snnface.events.sensor_data import ImuSamples, SensorData, Triggers
from snnface.events.stream import EventStream
from snnface.events.window import Resolution
from snnface.jit import jit

__all__ = ["Aedat3File"]

SPECIAL, POLARITY, FRAME, IMU6, IMU9 = range(5)
HEADER = struct.Struct("<hhiiiiii")
# Smallest size of one event of each kind, in bytes.
EVENT_BYTES = {SPECIAL: 8, POLARITY: 8, FRAME: 36, IMU6: 36, IMU9: 48}
MAX_PACKET_BYTES = 1 << 27
PIECE_EVENTS = 1 << 16
# Special events on the three external inputs: code -> (channel, is rising); a pulse counts as rising.
TRIGGERS = {2: (0, 1), 3: (0, 0), 4: (0, 1), 6: (1, 1), 7: (1, 0), 8: (1, 1), 9: (2, 1), 10: (2, 0), 11: (2, 1)}
FRAME_FIELDS = 9


class Packet(NamedTuple):
    """A packet whose header has been checked; `data` holds its events, `size` bytes each."""

    kind: int
    size: int
    overflow: int
    num_events: int
    data: bytes
    at_byte: int


class Frame(NamedTuple):
    """Pixels uint8 [H, W] or [H, W, C], and the middle of the exposure."""

    pixels: np.ndarray
    t_us: int


class Aedat3File(PieceFile):
    """An AEDAT 3.1 file with the events of one camera.

    Conventions: events whose bit `valid` is not set are left out. A frame's time is the middle of
    its exposure; its pixels are the upper 8 of 16 bits. Recovering, what stands before the first
    damaged packet is kept: nothing marks where the next one begins.

    Raises:
        DataError: if the version or format is another one, the camera's size is neither known nor
            given, the file holds events of several cameras, or it is damaged.
    """

    def __init__(self, path: Path, *, resolution: Resolution | None = None, recover: bool = False) -> None:
        header = aedat_header(path)
        resolution = resolution or _stated_resolution(path, header)
        super().__init__(path, resolution, recover=recover)
        self._data_start = header.num_bytes

    def extras(self) -> Extras:
        counts = dict.fromkeys(EVENT_BYTES, 0)
        for packet in self._packets(self._assembly()):
            rows = np.frombuffer(packet.data, np.uint8).reshape(packet.num_events, packet.size)
            valid = rows[:, 0] & 1 == 1
            if packet.kind == SPECIAL:
                valid &= np.isin(rows[:, 0] >> 1, list(TRIGGERS))
            counts[packet.kind] += int(np.count_nonzero(valid))
        return Extras(
            num_triggers=counts[SPECIAL], num_frames=counts[FRAME], num_imu_samples=counts[IMU6] + counts[IMU9]
        )

    def _pieces(self, columns: EventColumns, assembly: Assembly, others: list[Any]) -> Iterator[int | None]:
        waiting, start = 0, None
        for packet in self._packets(assembly):
            if packet.kind == FRAME:
                others.extend(_frames(packet, assembly))
                continue
            if packet.kind != POLARITY:
                others.append(packet)
                continue
            start = packet.at_byte if start is None else start
            words = np.frombuffer(packet.data, np.uint32).reshape(packet.num_events, packet.size // 4)
            num_events = _decode(words, packet.overflow, *columns.space(packet.num_events))
            columns.keep(num_events)
            waiting += num_events
            # Packets are small: they go on together.
            if waiting >= PIECE_EVENTS:
                yield start
                waiting, start = 0, None
        if waiting:
            yield start

    def _packets(self, assembly: Assembly) -> Iterator[Packet]:
        source: int | None = None
        with self.path.open("rb") as file:
            file_bytes = file.seek(0, 2)
            start = file.seek(self._data_start)
            while start < file_bytes:
                packet, packet_source = _packet(file, start, file_bytes, assembly)
                if packet is None:
                    return
                if packet.kind == POLARITY:
                    source = packet_source if source is None else source
                    if packet_source != source:
                        raise DataError(
                            f"{self.path} holds events of the sources {source} and {packet_source}; one camera a "
                            "file is read. Export each by itself."
                        )
                # The events of an empty packet may have any size, zero too.
                if packet.kind in EVENT_BYTES and packet.num_events:
                    yield packet
                start += HEADER.size + packet.num_events * packet.size

    def _sensor_data(self, events: EventStream, others: list[Any], assembly: Assembly) -> SensorData:
        frames = [other for other in others if isinstance(other, Frame)]
        packets = [other for other in others if isinstance(other, Packet)]
        return SensorData(
            events=events,
            frames=collected_frames(assembly, [frame.pixels for frame in frames], [frame.t_us for frame in frames]),
            triggers=_triggers([packet for packet in packets if packet.kind == SPECIAL]),
            imu=_imu([packet for packet in packets if packet.kind in (IMU6, IMU9)]),
        )


def _stated_resolution(path: Path, header: AedatHeader) -> Resolution:
    form = header.value("Format")
    if form not in (None, "RAW"):
        raise DataError(f"{path} is an AEDAT 3.1 file in the format {form}; RAW is read. Convert it with jAER or DV.")
    sources = [line for line in header.lines if re.match(r"#\s*Source\s+\d+:", line)]
    sizes = {camera_resolution(line) for line in sources}
    if len(sizes) != 1 or None in sizes:
        raise DataError(
            f"{path} does not name one known camera in its header (it has {sources}); give the sensor's size, as in "
            "resolution=Resolution(height=260, width=346)."
        )
    resolution = sizes.pop()
    assert resolution is not None
    return resolution


def _packet(file: BufferedIOBase, start: int, file_bytes: int, assembly: Assembly) -> tuple[Packet | None, int]:
    head = file.read(HEADER.size)
    if len(head) < HEADER.size:
        return _damaged(assembly, start, f"the last {len(head)} bytes are no whole packet header")
    kind, source, size, _, overflow, capacity, num_events, num_valid = HEADER.unpack(head)
    num_bytes = num_events * size
    if (
        min(kind, size, overflow, num_events) < 0
        or not num_valid <= num_events <= capacity
        or (num_events and size < EVENT_BYTES.get(kind, 1))
        or size % 4
    ):
        return _damaged(assembly, start, f"a packet header holds impossible values ({HEADER.unpack(head)})")
    if num_bytes > MAX_PACKET_BYTES or num_bytes > file_bytes - start - HEADER.size:
        return _damaged(assembly, start, f"a packet claims {num_bytes} bytes, more than the file holds or packets have")
    if kind not in EVENT_BYTES:
        file.seek(num_bytes, 1)
        return Packet(kind, size, overflow, num_events, b"", start), source
    return Packet(kind, size, overflow, num_events, file.read(num_bytes), start), source


def _damaged(assembly: Assembly, start: int, cause: str) -> tuple[None, int]:
    assembly.damage(
        f"{cause}. The file is truncated or damaged: copy it again, or keep what comes before "
        "(recover=True, --recover).",
        dropped="damaged packet, with all that follows it",
        at_byte=start,
    )
    return None, 0


@jit
def _decode(words, overflow, x, y, t_us, polarity):  # type: ignore[no-untyped-def]
    """Decode the valid ones of `words` [N, at least 2]; there is room for all. Returns their number."""
    n = np.int64(0)
    for event in range(len(words)):
        data = np.int64(words[event, 0])
        x[n], y[n], polarity[n] = data >> 17, data >> 2 & 0x7FFF, data >> 1 & 1
        t_us[n] = np.int64(overflow) << 31 | np.int64(words[event, 1]) & 0x7FFFFFFF
        n += data & 1
    return n


def _times(packet: Packet, times: np.ndarray) -> np.ndarray:
    return (packet.overflow << 31) + (times.astype(np.int64) & 0x7FFFFFFF)


def _triggers(packets: list[Packet]) -> Triggers:
    found: list[tuple[int, int, int]] = []
    for packet in packets:
        words = np.frombuffer(packet.data, np.uint32).reshape(packet.num_events, packet.size // 4)
        for data, t_us in zip(words[:, 0].tolist(), _times(packet, words[:, 1]).tolist(), strict=True):
            if data & 1 and (data >> 1 & 0x7F) in TRIGGERS:
                found.append((t_us, *TRIGGERS[data >> 1 & 0x7F]))
    t_us, channel, rising = np.array(found, np.int64).reshape(-1, 3).T
    return Triggers(t_us=t_us, channel=channel.astype(np.uint8), rising=rising.astype(np.bool_))


def _imu(packets: list[Packet]) -> ImuSamples:
    t_us, values = [np.empty(0, np.int64)], [np.empty((0, 7), np.float32)]
    for packet in packets:
        words = np.frombuffer(packet.data, np.uint32).reshape(packet.num_events, packet.size // 4)
        valid = words[words[:, 0] & 1 == 1]
        t_us.append(_times(packet, valid[:, 1]))
        values.append(valid[:, 2:9].copy().view(np.float32))
    samples = np.concatenate(values)
    return ImuSamples(
        t_us=np.concatenate(t_us),
        acceleration_g=samples[:, :3].copy(),
        rotation_deg_s=samples[:, 3:6].copy(),
        temperature_c=samples[:, 6].copy(),
    )


def _frames(packet: Packet, assembly: Assembly) -> Iterator[Frame]:
    """The valid frames of a packet."""
    for event in range(packet.num_events):
        at = event * packet.size
        info, _, _, begin, end, width, height, _, _ = np.frombuffer(packet.data, np.int32, FRAME_FIELDS, at).tolist()
        if not info & 1:
            continue
        channels = info >> 1 & 7
        num_pixels = width * height * channels
        if channels not in (1, 3, 4) or min(width, height) < 1 or 4 * FRAME_FIELDS + 2 * num_pixels > packet.size:
            assembly.damage(
                f"a frame of {width}x{height} pixels with {channels} channels does not fit its {packet.size} bytes. "
                "The file is damaged: copy it again, or recover the rest (recover=True, --recover).",
                dropped="damaged frames",
                at_byte=packet.at_byte,
            )
            continue
        pixels = np.frombuffer(packet.data, np.uint16, num_pixels, at + 4 * FRAME_FIELDS) >> 8
        shape = (height, width) if channels == 1 else (height, width, channels)
        middle = ((begin & 0x7FFFFFFF) + (end & 0x7FFFFFFF)) // 2
        yield Frame(pixels.astype(np.uint8).reshape(shape), (packet.overflow << 31) + middle)
