"""What an AEDAT4 file says of itself before its packets are decoded: its header, and how much a packet unpacks to.

The `aedat` package decodes, but it aborts the whole process on some damaged headers, and it unpacks
a packet however large that gets. So both are looked at here first.

    signature          14 bytes
    header             size (uint32), then a flatbuffer: compression, position of the table of packets, XML text
    packets            stream and size (int32 each), then the packet, compressed as a frame of LZ4 or Zstandard
    table of packets   optional, at the end

Source: iniVation, "AEDAT 4.0" file format; the frame formats of LZ4 and of Zstandard (RFC 8878).
"""

import struct
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from xml.etree import ElementTree

from snnface.errors import DataError

__all__ = ["Container", "container", "packet_end"]

SIGNATURE_BYTES = 14  # "#!AER-DAT4.0\r\n"
PACKET_HEADER_BYTES = 8
MAX_HEADER_BYTES = 1 << 24
# The largest packets are frames; one of 4096 x 4096 pixels in colour has 2^26 bytes.
MAX_PACKET_BYTES = 1 << 27

NONE, LZ4, LZ4_HIGH, ZSTD, ZSTD_HIGH = range(5)
# LZ4 makes at most 255 bytes of one.
LZ4_RATIO = 255
ZSTD_MAGIC, ZSTD_MAX_BLOCK = 0xFD2FB528, 1 << 17
ZSTD_RAW, ZSTD_RUN = 0, 1


@dataclass(frozen=True, slots=True)
class Container:
    """Attributes:
    data_start, data_end: byte places of the first packet and behind the last one.
    compression: of each packet.
    """

    data_start: int
    data_end: int
    compression: int


def container(path: Path) -> Container:
    """Read the header.

    Raises:
        Exception: any, if an offset, the text or the XML is invalid.
    """
    with path.open("rb") as file:
        file.seek(SIGNATURE_BYTES)
        size = struct.unpack("<I", file.read(4))[0]
        if size > MAX_HEADER_BYTES:
            raise DataError(f"{path}: the AEDAT4 header claims {size} bytes; it is damaged. Copy the file again.")
        header = file.read(size)
        file_bytes = file.seek(0, 2)
    table = _unpacked("<I", header, 0)
    fields = table - _unpacked("<i", header, table)
    # The decoder aborts the whole process on a text that is not UTF-8.
    text = table + _unpacked("<H", header, fields + 8)
    text += _unpacked("<I", header, text)
    length = _unpacked("<I", header, text)
    xml = header[text + 4 : text + 4 + length]
    if len(xml) < length:
        raise ValueError("the header's text is cut off")
    ElementTree.fromstring(xml.decode("utf-8"))
    compression, position = _unpacked("<H", header, fields + 4), _unpacked("<H", header, fields + 6)
    data_end = _unpacked("<q", header, table + position) if position else -1
    return Container(
        data_start=SIGNATURE_BYTES + 4 + size,
        data_end=data_end if data_end > 0 else file_bytes,
        compression=_unpacked("<i", header, table + compression) if compression else NONE,
    )


def packet_end(layout: Container, file: BufferedIOBase, start: int) -> int:
    """Where the packet at `start` ends.

    Raises:
        DataError: if it is cut off, or would unpack to more than any packet holds.
    """
    file.seek(start)
    head = file.read(PACKET_HEADER_BYTES)
    size = _unpacked("<i", head, 4) if len(head) == PACKET_HEADER_BYTES else -1
    end = start + PACKET_HEADER_BYTES + size
    if size < 0 or end > min(layout.data_end, file.seek(0, 2)):
        raise DataError(f"it claims {max(size, 0)} bytes, which the file does not hold")
    if size > MAX_PACKET_BYTES:
        raise DataError(f"it claims {size} bytes; packets have up to {MAX_PACKET_BYTES}")
    file.seek(start + PACKET_HEADER_BYTES)
    if layout.compression in (LZ4, LZ4_HIGH) and size * LZ4_RATIO > MAX_PACKET_BYTES:
        unpacked = _lz4_bytes(file.read(size))
    elif layout.compression in (ZSTD, ZSTD_HIGH):
        unpacked = _zstd_bytes(file.read(size))
    else:
        unpacked = size
    if unpacked > MAX_PACKET_BYTES:
        raise DataError(f"it may unpack to {unpacked} bytes; packets have up to {MAX_PACKET_BYTES}")
    return end


def _lz4_bytes(frame: bytes) -> int:
    """An upper bound of what a frame of LZ4 unpacks to; 0 for what is none, which the decoder then refuses."""
    if len(frame) < 7:
        return 0
    flags, max_block = frame[4], 1 << 8 + 2 * (frame[5] >> 4 & 7)
    at = 7 + (8 if flags & 8 else 0) + (4 if flags & 1 else 0)
    total = 0
    while at + 4 <= len(frame):
        block = _unpacked("<I", frame, at)
        size = block & 0x7FFFFFFF
        if not block:
            break
        total += min(size if block >> 31 else size * LZ4_RATIO, max_block)
        at += 4 + size + (4 if flags & 16 else 0)
    return total


def _zstd_bytes(frame: bytes) -> int:
    """As `_lz4_bytes`, for Zstandard."""
    if len(frame) < 5 or _unpacked("<I", frame, 0) != ZSTD_MAGIC:
        return 0
    flags = frame[4]
    is_single = flags >> 5 & 1
    at = 5 + (1 - is_single) + (0, 1, 2, 4)[flags & 3] + (is_single, 2, 4, 8)[flags >> 6]
    total = 0
    while at + 3 <= len(frame):
        block = int.from_bytes(frame[at : at + 3], "little")
        kind, size = block >> 1 & 3, block >> 3
        total += size if kind in (ZSTD_RAW, ZSTD_RUN) else ZSTD_MAX_BLOCK
        at += 3 + (1 if kind == ZSTD_RUN else size)
        if block & 1:
            break
    return total


def _unpacked(form: str, data: bytes, offset: int) -> int:
    if offset < 0:
        raise ValueError("an offset in the header points before its start")
    return int(struct.unpack_from(form, data, offset)[0])
