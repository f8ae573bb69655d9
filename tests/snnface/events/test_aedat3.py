"""AEDAT 3.1 files made by hand: every kind of packet, overflow of times, damage."""

import contextlib
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnface.errors import DataError, EventOrderError
from snnface.events import Resolution, open_events, read
from snnface.events.readers import aedat3

START = b"#Start-Time: 2016-01-01 10:00:00 (TZ+0100)\r\n"
HEADER = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DAVIS346\r\n" + START + b"#!END-HEADER\r\n"
SPECIAL, POLARITY, FRAME, IMU6, IMU9 = range(5)


def packet(kind: int, size: int, events: list[bytes], *, overflow: int = 0, source: int = 1) -> bytes:
    head = struct.pack("<hhiiiiii", kind, source, size, 4, overflow, len(events), len(events), len(events))
    return head + b"".join(events)


def polarity(t: int, x: int, y: int, on: int, valid: int = 1) -> bytes:
    return struct.pack("<Ii", valid | on << 1 | y << 2 | x << 17, t)


def special(t: int, code: int, valid: int = 1) -> bytes:
    return struct.pack("<Ii", valid | code << 1, t)


def frame(times: tuple[int, int], pixels: np.ndarray, *, channels: int = 1, valid: int = 1) -> bytes:
    height, width = pixels.shape[:2]
    head = struct.pack("<I8i", valid | channels << 1, 0, 0, *times, width, height, 0, 0)
    return head + pixels.astype("<u2").tobytes()


def recording(folder: Path, *packets: bytes, header: bytes = HEADER) -> Path:
    path = folder / "a.aedat"
    path.write_bytes(header + b"".join(packets))
    return path


def test_polarity_events_of_all_packets_come_in_order(tmp_path: Path) -> None:
    path = recording(
        tmp_path,
        packet(POLARITY, 8, [polarity(5, 1, 3, 1), polarity(6, 2, 4, 0)]),
        packet(POLARITY, 8, [polarity(6, 345, 259, 1)]),
    )
    events = read(path).events
    assert (events.t_us.tolist(), events.x.tolist(), events.y.tolist()) == ([5, 6, 6], [1, 2, 345], [3, 4, 259])
    assert events.polarity.tolist() == [True, False, True]
    assert events.resolution == Resolution(height=260, width=346)
    assert [part.x.tolist() for part in open_events(path).slices(1)] == [[1], [2, 345]]


def test_events_that_are_not_valid_are_left_out(tmp_path: Path) -> None:
    path = recording(tmp_path, packet(POLARITY, 8, [polarity(5, 1, 3, 1, valid=0), polarity(6, 2, 4, 0)]))
    assert read(path).events.t_us.tolist() == [6]


def test_the_overflow_of_a_packet_counts_the_wraps_of_31_bits(tmp_path: Path) -> None:
    path = recording(
        tmp_path,
        packet(POLARITY, 8, [polarity(2**31 - 1, 0, 0, 0)]),
        packet(POLARITY, 8, [polarity(3, 0, 0, 0)], overflow=1),
        packet(POLARITY, 8, [polarity(4, 0, 0, 0)], overflow=7),
    )
    assert read(path).events.t_us.tolist() == [2**31 - 1, 2**31 + 3, 7 * 2**31 + 4]


def test_external_inputs_are_triggers_and_other_special_events_are_not(tmp_path: Path) -> None:
    codes = [special(1, 14), special(2, 2), special(3, 3), special(4, 6), special(5, 10), special(6, 2, valid=0)]
    path = recording(tmp_path, packet(SPECIAL, 8, codes, overflow=1))
    triggers = read(path).triggers
    assert triggers is not None
    assert (triggers.t_us - 2**31).tolist() == [2, 3, 4, 5]
    assert triggers.channel.tolist() == [0, 0, 1, 2]
    assert triggers.rising.tolist() == [True, False, True, False]
    assert open_events(path).extras().num_triggers == 4


def test_frames_have_the_middle_of_their_exposure_and_their_upper_eight_bits(tmp_path: Path) -> None:
    pixels = np.arange(6).reshape(2, 3) * 256 + 255
    path = recording(
        tmp_path,
        packet(FRAME, 36 + 12, [frame((10, 20), pixels), frame((0, 0), pixels, valid=0), frame((30, 41), pixels)]),
    )
    frames = read(path).frames
    assert frames is not None
    assert frames.t_us.tolist() == [15, 35]
    assert frames.pixels[0, :, :, 0].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert open_events(path).extras().num_frames == 2


def test_colour_frames_keep_their_three_channels(tmp_path: Path) -> None:
    pixels = np.arange(24).reshape(2, 4, 3) * 256
    frames = read(recording(tmp_path, packet(FRAME, 36 + 48, [frame((10, 20), pixels, channels=3)]))).frames
    assert frames is not None
    np.testing.assert_array_equal(frames.pixels[0], pixels >> 8)


@pytest.mark.parametrize(("kind", "size"), [(IMU6, 36), (IMU9, 48)])
def test_the_inertial_sensor_is_read_in_its_units(tmp_path: Path, kind: int, size: int) -> None:
    values = [0.5, -1.0, 0.25, 10.0, 20.0, -30.0, 25.5]
    sample = struct.pack("<Ii7f", 1, 77, *values).ljust(size, b"\0")
    path = recording(tmp_path, packet(kind, size, [sample]))
    imu = read(path).imu
    assert imu is not None
    assert imu.t_us.tolist() == [77]
    assert imu.acceleration_g.tolist() == [values[:3]]
    assert imu.rotation_deg_s.tolist() == [values[3:6]]
    assert imu.temperature_c.tolist() == [25.5]
    assert open_events(path).extras().num_imu_samples == 1


def test_packets_of_other_kinds_are_passed(tmp_path: Path) -> None:
    path = recording(tmp_path, packet(12, 8, [b"12345678"]), packet(POLARITY, 8, [polarity(5, 1, 3, 1)]))
    assert len(read(path).events) == 1


@pytest.mark.parametrize("kind", range(5))
def test_an_empty_packet_may_state_a_size_of_zero(tmp_path: Path, kind: int) -> None:
    path = recording(tmp_path, packet(kind, 0, []), packet(POLARITY, 8, [polarity(5, 1, 3, 1)]))
    assert read(path).events.t_us.tolist() == [5]
    assert open_events(path).extras() == (0, 0, 0)


def test_events_of_two_cameras_are_refused(tmp_path: Path) -> None:
    one, other = (packet(POLARITY, 8, [polarity(5, 1, 3, 1)], source=source) for source in (1, 2))
    with pytest.raises(DataError, match="holds events of the sources 1 and 2; one camera a file is read"):
        read(recording(tmp_path, one, other))


@pytest.mark.parametrize("source", [b"", b"#Source 0: Thing\r\n", b"#Source 0: DVS128\r\n#Source 1: DAVIS346\r\n"])
def test_a_camera_that_is_not_known_asks_for_its_size(tmp_path: Path, source: bytes) -> None:
    header = b"#!AER-DAT3.1\r\n" + source + b"#!END-HEADER\r\n"
    path = recording(tmp_path, packet(POLARITY, 8, [polarity(5, 1, 3, 1)]), header=header)
    with pytest.raises(DataError, match=r"does not name one known camera.*resolution=Resolution"):
        read(path)
    assert len(read(path, resolution=Resolution(128, 128)).events) == 1


def test_a_compressed_format_is_refused(tmp_path: Path) -> None:
    header = HEADER.replace(b"RAW", b"SerializedTS,PNGFrames")
    with pytest.raises(DataError, match="in the format SerializedTS,PNGFrames; RAW is read"):
        read(recording(tmp_path, header=header))


def test_backward_times_are_refused(tmp_path: Path) -> None:
    path = recording(tmp_path, packet(POLARITY, 8, [polarity(5, 1, 3, 1), polarity(4, 1, 3, 1)]))
    with pytest.raises(EventOrderError, match=r"a\.aedat: event 1 .* at 4 us comes after 5 us"):
        read(path)


@pytest.mark.parametrize(
    "changes",
    [{"size": 0}, {"size": -8}, {"size": 6}, {"number": -1}, {"number": 10**9}, {"overflow": -1}, {"kind": -1}],
)
def test_an_impossible_packet_is_refused_and_what_comes_before_recovered(
    tmp_path: Path, changes: dict[str, int]
) -> None:
    good = packet(POLARITY, 8, [polarity(5, 1, 3, 1)])
    size, number, overflow, kind = (
        changes.get(k, v) for k, v in (("size", 8), ("number", 1), ("overflow", 0), ("kind", 1))
    )
    bad = struct.pack("<hhiiiiii", kind, 1, size, 4, overflow, max(number, 1), number, min(number, 1)) + bytes(8)
    path = recording(tmp_path, good, bad, good)
    with pytest.raises(DataError, match=rf"a\.aedat at byte {len(HEADER) + len(good)}: a packet.*copy it again"):
        read(path)
    data = read(path, recover=True)
    assert len(data.events) == 1
    assert data.losses == ("1 damaged packet, with all that follows it",)


def test_a_frame_larger_than_its_packet_is_left_out_when_recovering(tmp_path: Path) -> None:
    bad = bytearray(frame((1, 2), np.zeros((2, 3))))
    bad[20:24] = struct.pack("<i", 1 << 30)
    path = recording(tmp_path, packet(FRAME, 48, [bytes(bad), frame((5, 7), np.zeros((2, 3)))]))
    with pytest.raises(DataError, match=r"a\.aedat at byte \d+: a frame of 1073741824x2 pixels .* does not fit"):
        read(path)
    data = read(path, recover=True)
    assert data.frames is not None
    assert data.frames.t_us.tolist() == [6]
    assert data.losses == ("1 damaged frames",)


def test_a_file_cut_at_any_byte_is_refused_or_ends_with_a_whole_packet(tmp_path: Path) -> None:
    packets = [packet(POLARITY, 8, [polarity(k, 1, 3, 1)]) for k in range(3)]
    whole = recording(tmp_path, *packets).read_bytes()
    path = tmp_path / "cut.aedat"
    borders = 0
    for end in range(len(HEADER), len(whole)):
        path.write_bytes(whole[:end])
        try:
            read(path)
            borders += 1
        except DataError:
            assert len(open_events(path, recover=True).read().events) == (end - len(HEADER)) // 36
    assert borders == 3


@given(
    events=st.lists(st.tuples(st.integers(0, 345), st.integers(0, 259), st.booleans()), max_size=40),
    step=st.integers(1, 9),
)
def test_packets_and_pieces_of_any_size_give_the_same_events(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[int, int, bool]], step: int
) -> None:
    rows = [polarity(t_us, x, y, int(on)) for t_us, (x, y, on) in enumerate(events)]
    packets = [packet(POLARITY, 8, rows[k : k + step]) for k in range(0, len(rows), step)]
    path = recording(tmp_path_factory.mktemp("aedat3"), *packets)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aedat3, "PIECE_EVENTS", 2 * step)
        found = read(path).events
        parts = list(open_events(path).slices(4))
    assert [
        (x, y, on) for x, y, on in zip(found.x.tolist(), found.y.tolist(), found.polarity.tolist(), strict=True)
    ] == events
    assert sum(map(len, parts)) == len(events)


@given(data=st.binary(max_size=300), recover=st.booleans())
def test_random_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes, recover: bool) -> None:
    path = tmp_path_factory.mktemp("aedat3") / "a.aedat"
    path.write_bytes(HEADER + data)
    with contextlib.suppress(DataError):
        assert len(read(path, recover=recover).events) <= len(data) // 8
