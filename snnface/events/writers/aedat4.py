"""AEDAT4 files of iniVation, version 4.0, uncompressed.

    "#!AER-DAT4.0\\r\\n"
    header      flatbuffer IOHE: compression, place of the table, a description in XML
    packets     stream number and size (int32 each), flatbuffer EVTS: a vector of events
    table       flatbuffer FTAB: where each packet lies, how many events it holds, their times

Each flatbuffer has its size before it. They are written by hand, since of each kind there is
only one form, with every field in its place; places below count from that size.

Source: iniVation, "AEDAT 4.0 file format", and the schemas of its dv-processing (ioheader,
event_base, file_data_table).
"""

import struct

import numpy as np

from snnface.events.stream import EventStream
from snnface.events.window import Resolution
from snnface.events.writers.base import EncodedWriter

__all__ = ["Aedat4Writer"]

SIGNATURE = b"#!AER-DAT4.0\r\n"
PACKET_EVENTS = 1 << 14

# Size, root (at 28), identifier, field table (at 18), then the root: no compression, text (at 48), place of the table.
HEADER = struct.Struct("<II4s6x5H iiiq I")
TABLE_PLACE = len(SIGNATURE) + 40

# Stream and size of a packet; size, root (at 20), identifier, field table (at 14), then the root: events (at 28).
PACKET = struct.Struct("<ii II4s2x3H iI I")
PACKET_HEAD = 8
EVENT = np.dtype(
    {"names": ["t", "x", "y", "on"], "formats": ["<i8", "<i2", "<i2", "?"], "offsets": [0, 8, 10, 12], "itemsize": 16}
)

# Size, root (at 24), identifier, field table (at 18), then the root: rows (at 32).
TABLE = struct.Struct("<II4s6x3H iI I")
ROW_FIELDS = struct.Struct("<7H")
ROW = np.dtype(
    [
        ("to_fields", "<i4"),
        ("stream", "<i4"),
        ("size", "<i4"),
        ("at_byte", "<i8"),
        ("num_events", "<i8"),
        ("first_us", "<i8"),
        ("last_us", "<i8"),
        ("padding", "<i4"),
    ]
)


class Aedat4Writer(EncodedWriter):
    """An AEDAT4 file with one stream of events.

    Conventions: packets of 16,384 events; no compression; the table of packets is always there.
    Written without dv-processing, which ends the whole process when the disk is full.
    """

    format_name = "AEDAT4"
    max_side = 1 << 15

    def _head(self) -> bytes:
        self._rows: list[tuple[int, ...]] = []
        head = SIGNATURE + _header(self.resolution)
        self._position = len(head)
        return head

    def _encoded(self, block: EventStream) -> np.ndarray:
        parts = [block[start : start + PACKET_EVENTS] for start in range(0, len(block), PACKET_EVENTS)]
        data = np.zeros(len(parts) * PACKET.size + len(block) * EVENT.itemsize, np.uint8)
        start = 0
        for part in parts:
            start += self._encode_packet(part, data[start:])
        return data

    def _encode_packet(self, part: EventStream, data: np.ndarray) -> int:
        num_bytes = PACKET.size + len(part) * EVENT.itemsize
        size = num_bytes - PACKET_HEAD
        data[: PACKET.size] = np.frombuffer(
            PACKET.pack(0, size, size - 4, 16, b"EVTS", 6, 8, 4, 6, 4, len(part)), np.uint8
        )
        events = data[PACKET.size : num_bytes].view(EVENT)
        for name, column in (("t", part.t_us), ("x", part.x), ("y", part.y), ("on", part.polarity)):
            events[name] = column
        first_us, last_us = int(part.t_us[0]), int(part.t_us[-1])
        self._rows.append((0, 0, size, self._position + PACKET_HEAD, len(part), first_us, last_us, 0))
        self._position += num_bytes
        return num_bytes

    def _end(self) -> None:
        self._put(_table(self._rows))
        self._file.seek(TABLE_PLACE)
        self._put(struct.pack("<q", self._position))
        super()._end()


def _header(resolution: Resolution) -> bytes:
    text = f"""<dv version="2.0">
    <node name="outInfo" path="/outInfo/">
        <node name="0" path="/outInfo/0/">
            <attr key="compression" type="string">NONE</attr>
            <attr key="originalModuleName" type="string">snnface</attr>
            <attr key="originalOutputName" type="string">events</attr>
            <attr key="typeDescription" type="string">Array of events (polarity ON/OFF).</attr>
            <attr key="typeIdentifier" type="string">EVTS</attr>
            <node name="info" path="/outInfo/0/info/">
                <attr key="sizeX" type="int">{resolution.width}</attr>
                <attr key="sizeY" type="int">{resolution.height}</attr>
                <attr key="source" type="string">snnface</attr>
            </node>
        </node>
    </node>
</dv>
""".encode("ascii")
    # A text in a flatbuffer ends with a zero; -1 stands for a table that is not there (yet).
    size = HEADER.size + len(text) + 1
    return HEADER.pack(size - 4, 24, b"IOHE", 10, 20, 4, 12, 8, 10, 0, 12, -1, len(text)) + text + b"\0"


def _table(rows: list[tuple[int, ...]]) -> bytes:
    count = len(rows)
    fields_at = TABLE.size + 4 * count
    # The 64-bit fields of a row begin 12 bytes into it, and must lie at multiples of 8.
    rows_at = fields_at + ROW_FIELDS.size
    rows_at += (4 - rows_at) % 8
    places = rows_at + ROW.itemsize * np.arange(count)
    table = np.array(rows, ROW)
    table["to_fields"] = places - fields_at
    data = bytearray(rows_at)
    TABLE.pack_into(data, 0, rows_at + table.nbytes - 4, 20, b"FTAB", 6, 8, 4, 6, 4, count)
    data[TABLE.size : fields_at] = (places - TABLE.size - 4 * np.arange(count)).astype("<u4").tobytes()
    ROW_FIELDS.pack_into(data, fields_at, ROW_FIELDS.size, 44, 12, 4, 20, 28, 36)
    return bytes(data) + table.tobytes()
