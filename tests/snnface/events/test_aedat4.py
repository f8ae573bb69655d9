"""AEDAT4 files made by hand: streams, order, damage. The real ones are in test_real_recordings."""

import io
import random
import struct
from pathlib import Path

import numpy as np
import pytest

from snnface.errors import DataError, EventOrderError
from snnface.events import Resolution, open_events, read
from snnface.events.readers.aedat4_container import Container, packet_end

Row = tuple[int, int, int, int]  # t, x, y, p


def header(*streams: tuple[str, int, int], xml: str = "") -> bytes:
    """Signature and uncompressed file header; a stream is (type identifier, width, height)."""
    nodes = "".join(
        f'<node name="{index}" path="/out/{index}/">'
        '<attr key="compression" type="string">NONE</attr>'
        f'<attr key="typeIdentifier" type="string">{kind}</attr>'
        f'<node name="info" path="/out/{index}/info/">'
        f'<attr key="sizeX" type="int">{width}</attr><attr key="sizeY" type="int">{height}</attr></node></node>'
        for index, (kind, width, height) in enumerate(streams)
    )
    text = (xml or f'<dv version="2.0"><node name="outInfo" path="/out/">{nodes}</node></dv>').encode("latin-1")
    # A flatbuffer: root offset, identifier, field table (no compression, position, text), fields.
    table = struct.pack("<I4s2x5H4x", 24, b"IOHE", 10, 24, 0, 16, 4) + struct.pack("<iI8xq", 24 - 10, 20, -1)
    body = table + struct.pack("<I", len(text)) + text + b"\0"
    return b"#!AER-DAT4.0\r\n" + struct.pack("<I", len(body)) + body


def packet(stream: int, rows: list[Row]) -> bytes:
    events = b"".join(struct.pack("<qhhB3x", *row) for row in rows)
    body = struct.pack("<I4s3H2xiI4xI", 16, b"EVTS", 6, 8, 4, 8, 8, len(rows)) + events
    return struct.pack("<iiI", stream, len(body) + 4, len(body)) + body


def recording(folder: Path, content: bytes) -> Path:
    path = folder / "a.aedat4"
    path.write_bytes(content)
    return path


DAVIS = ("EVTS", 346, 260)


def test_events_of_all_packets_come_in_order(tmp_path: Path) -> None:
    content = header(DAVIS) + packet(0, [(5, 1, 3, 1), (6, 2, 4, 0)]) + packet(0, [(6, 345, 259, 1)])
    data = read(recording(tmp_path, content))
    assert data.events.t_us.tolist() == [5, 6, 6]
    assert data.events.x.tolist() == [1, 2, 345]
    assert data.events.y.tolist() == [3, 4, 259]
    assert data.events.polarity.tolist() == [True, False, True]
    assert data.events.resolution == Resolution(height=260, width=346)
    assert data.frames is None
    assert data.triggers is None


def test_slices_run_across_packets(tmp_path: Path) -> None:
    content = header(DAVIS) + packet(0, [(0, 0, 0, 0), (7, 1, 0, 0)]) + packet(0, [(10, 2, 0, 0), (31, 3, 0, 0)])
    slices = open_events(recording(tmp_path, content)).slices(10)
    assert [part.x.tolist() for part in slices] == [[0, 1], [2], [], [3]]


def test_a_file_without_packets_is_an_empty_stream(tmp_path: Path) -> None:
    data = read(recording(tmp_path, header(DAVIS, ("TRIG", 0, 0))))
    assert data.events.is_empty
    assert data.triggers is not None
    assert len(data.triggers) == 0


def test_packets_in_the_wrong_order_are_refused(tmp_path: Path) -> None:
    path = recording(tmp_path, header(DAVIS) + packet(0, [(9, 0, 0, 0)]) + packet(0, [(8, 0, 0, 0)]))
    with pytest.raises(
        EventOrderError, match=r"a\.aedat4: event 1 \(in the block from byte 456\) at 8 us comes after 9 us"
    ):
        read(path)
    slices = open_events(path).slices(100)
    with pytest.raises(EventOrderError, match=r"a\.aedat4: event 1 .* at 8 us comes after 9 us"):
        list(slices)


def test_an_event_outside_the_sensor_is_refused(tmp_path: Path) -> None:
    path = recording(tmp_path, header(DAVIS) + packet(0, [(9, 346, 0, 0)]))
    with pytest.raises(DataError, match=r"a\.aedat4: event 0 .* lies at x = 346, y = 0, outside the 346x260 sensor"):
        read(path)
    assert len(read(path, resolution=Resolution(260, 347)).events) == 1


@pytest.mark.parametrize("streams", [(("TRIG", 0, 0),), (DAVIS, DAVIS)])
def test_none_or_several_streams_of_events_are_refused(
    tmp_path: Path, streams: tuple[tuple[str, int, int], ...]
) -> None:
    with pytest.raises(DataError, match=r"should hold one stream of events; it holds (0|2).*Export one camera a file"):
        read(recording(tmp_path, header(*streams)))


def test_a_packet_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    start = header(DAVIS) + packet(0, [(5, 1, 3, 1)])
    path = recording(tmp_path, start + packet(0, [(6, 2, 4, 0)])[:-3])
    with pytest.raises(DataError, match=rf"a\.aedat4 at byte {len(start)}: a packet cannot be decoded.* Copy it again"):
        read(path)


def test_what_comes_before_a_damaged_packet_is_recovered(tmp_path: Path) -> None:
    good, bad = packet(0, [(5, 1, 3, 1), (6, 2, 4, 0)]), bytearray(packet(0, [(7, 2, 4, 0)]))
    bad[12:16] = b"\xff\xff\xff\x7f"
    path = recording(tmp_path, header(DAVIS) + good + bytes(bad) + good)
    data = read(path, recover=True)
    assert data.events.t_us.tolist() == [5, 6]
    assert data.losses == ("1 damaged packet, with all that follows it",)
    slices = open_events(path, recover=True)
    assert [part.t_us.tolist() for part in slices.slices(10)] == [[5, 6]]
    assert slices.losses == data.losses


def test_a_file_cut_at_any_byte_of_its_packets_is_refused_or_recovered(tmp_path: Path) -> None:
    packets = [packet(0, [(k, 1, 3, 1)]) for k in range(3)]
    start, size = len(header(DAVIS)), len(packets[0])
    whole = header(DAVIS) + b"".join(packets)
    for end in range(start, len(whole)):
        path = recording(tmp_path, whole[:end])
        found = len(open_events(path, recover=True).read().events)
        assert found == (end - start) // size
        if (end - start) % size:
            with pytest.raises(DataError, match=r"a\.aedat4 at byte \d+: a packet cannot be decoded"):
                read(path)


LZ4_BOMB = struct.pack("<IBBB", 0x184D2204, 0x60, 0x70, 0) + (struct.pack("<I", 16_500) + bytes(16_500)) * 50


def zstd_of_runs(num_blocks: int) -> bytes:
    """A frame of Zstandard in which blocks of 4 bytes stand for 128 kB each."""
    block = (1 << 17 << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    return struct.pack("<IBB", 0xFD2FB528, 0, 0x58) + block * num_blocks


@pytest.mark.parametrize(
    ("compression", "frame"), [(1, LZ4_BOMB), (2, LZ4_BOMB), (3, zstd_of_runs(2000)), (4, zstd_of_runs(2000))]
)
def test_a_packet_that_would_unpack_to_gigabytes_is_refused(compression: int, frame: bytes) -> None:
    file = io.BytesIO(struct.pack("<ii", 0, len(frame)) + frame)
    layout = Container(data_start=0, data_end=8 + len(frame), compression=compression)
    with pytest.raises(DataError, match=r"it may unpack to 2\d{8} bytes; packets have up to 134217728"):
        packet_end(layout, file, 0)
    assert packet_end(Container(data_start=0, data_end=8 + len(frame), compression=0), file, 0) == 8 + len(frame)


def test_a_long_packet_that_unpacks_to_little_is_accepted() -> None:
    block = struct.pack("<I", 1 << 31 | 60_000) + bytes(60_000)
    frame = struct.pack("<IBBB", 0x184D2204, 0x60, 0x40, 0) + block * 20 + bytes(4)
    file = io.BytesIO(struct.pack("<ii", 0, len(frame)) + frame)
    layout = Container(data_start=0, data_end=8 + len(frame), compression=1)
    assert packet_end(layout, file, 0) == 8 + len(frame)


@pytest.mark.parametrize(
    "content",
    [
        b"#!AER-DAT4.0\r\n",
        b"#!AER-DAT4.0\r\n\xff\xff\xff\xff",
        header(DAVIS)[:100],
        header(xml="<dv><node></dv>"),
        header(xml="<dv \xc5\xff>"),
        header(xml="\xff" * 50),
        header(),
        header(DAVIS).replace(struct.pack("<I", 24), struct.pack("<I", 1 << 31), 1),
    ],
)
def test_a_damaged_header_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(
        DataError, match=r"a\.aedat4( begins like an AEDAT4 file but cannot|: the AEDAT4 header claims)"
    ):
        read(recording(tmp_path, content))


def test_flipped_bytes_are_read_or_refused_but_never_crash(tmp_path: Path) -> None:
    good = header(DAVIS) + packet(0, [(t, t, t, 1) for t in range(50)])
    draw = random.Random(1)
    refused = 0
    for _ in range(150):
        bad = bytearray(good)
        for _ in range(draw.choice([1, 1, 4, 20])):
            bad[draw.randrange(13, len(bad))] = draw.randrange(256)
        try:
            read(recording(tmp_path, bytes(bad)))
        except DataError:
            refused += 1
    assert 0 < refused < 150


def test_columns_have_the_types_of_a_stream(tmp_path: Path) -> None:
    events = read(recording(tmp_path, header(DAVIS) + packet(0, [(5, 1, 3, 1)]))).events
    dtypes = (events.x.dtype, events.y.dtype, events.t_us.dtype, events.polarity.dtype)
    assert dtypes == (np.uint16, np.uint16, np.int64, np.bool_)
