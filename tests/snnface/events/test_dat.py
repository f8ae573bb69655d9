"""The DAT decoder: both versions, triggers, wraps, what its header may lack."""

import struct
from pathlib import Path

import pytest
from prophesee_files import HEADERS, dat_file, rows_of

from snnface.errors import DataError, EventOrderError
from snnface.events import Resolution, open_events, read

TURN = 1 << 32


def records(*pairs: tuple[int, int]) -> bytes:
    return b"".join(struct.pack("<II", *pair) for pair in pairs)


def test_a_record_of_version_2_has_14_bits_a_coordinate(tmp_path: Path) -> None:
    path = tmp_path / "a.dat"
    header = b"% Data file containing CD events\n% Date 2020-09-14 14:18:29\n% Version 2\n% Width 9999\n% Height 9000\n"
    path.write_bytes(header + b"\x0c\x08" + records((5, 1 << 28 | 8999 << 14 | 9998), (7, 1 << 14 | 2)))
    data = read(path)
    assert rows_of(data.events) == [(5, 9998, 8999, True), (7, 2, 1, False)]
    assert data.events.resolution == Resolution(height=9000, width=9999)
    assert data.triggers is None
    assert open_events(path).extras().num_triggers is None


def test_a_record_of_version_1_has_9_and_8_bits(tmp_path: Path) -> None:
    path = tmp_path / "a.dat"
    header = b"% Version 1\n% Width 304\n% Height 240\n\x00\x08"
    path.write_bytes(header + records((5, 1 << 17 | 239 << 9 | 303), (7, 0xFFFC0000 | 1 << 9 | 2)))
    assert rows_of(read(path).events) == [(5, 303, 239, True), (7, 2, 1, False)]


def test_triggers_keep_time_channel_and_edge_across_a_wrap(tmp_path: Path) -> None:
    path = tmp_path / "a.dat"
    header = b"% Version 2\n% Width 640\n% Height 480\n\x0e\x08"
    path.write_bytes(header + records((TURN - 1, 6 << 26 | 1), (3, 63 << 26)))
    data = read(path)
    assert data.events.is_empty
    assert data.triggers is not None
    assert data.triggers.t_us.tolist() == [TURN - 1, TURN + 3]
    assert data.triggers.channel.tolist() == [6, 63]
    assert data.triggers.rising.tolist() == [True, False]
    assert open_events(path).extras().num_triggers == 2
    assert list(open_events(path).slices(1000)) == []


def test_the_time_counts_on_across_its_wraps(tmp_path: Path) -> None:
    times = [TURN - 2, TURN, TURN + TURN // 2, TURN + TURN // 2, 2 * TURN - 9, 2 * TURN, 2 * TURN + 6]
    path = dat_file(tmp_path / "a.dat", [(t, 0, 0, True) for t in times])
    assert read(path).events.t_us.tolist() == times


@pytest.mark.parametrize("block_bytes", [8, 16, 24])
def test_the_time_counts_on_across_wraps_and_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    monkeypatch.setattr("snnface.events.readers.prophesee_file.BLOCK_BYTES", block_bytes)
    times = [TURN - 2, TURN - 1, TURN, TURN + 1, TURN + 2, 3 * TURN // 2, 2 * TURN - 9, 2 * TURN, 2 * TURN + 1]
    path = dat_file(tmp_path / "a.dat", [(t, 0, 0, True) for t in times])
    assert read(path).events.t_us.tolist() == times
    assert [t for part in open_events(path).chunks() for t in part.t_us.tolist()] == times


def test_a_step_back_is_refused_with_its_place(tmp_path: Path) -> None:
    path = dat_file(tmp_path / "a.dat", [(10, 0, 0, True), (20, 0, 0, True), (19, 0, 0, True)])
    with pytest.raises(EventOrderError, match=r"a\.dat: event 2 .*at 19 us comes after 20 us"):
        read(path)


@pytest.mark.parametrize("wrong", [0, 3, 3_000_000_000, 90_000, TURN - 1])
def test_one_damaged_time_costs_its_own_event_only(tmp_path: Path, wrong: int) -> None:
    rows = [(wrong if x == 10 else 5000 + x, x, 0, True) for x in range(20)]
    data = read(dat_file(tmp_path / "a.dat", rows), recover=True)
    assert data.events.x.tolist() == [x for x in range(20) if x != 10]
    assert data.losses == ("1 events whose time runs backwards",)


def test_a_header_without_a_version_is_recognised_by_the_marks_behind_it(tmp_path: Path) -> None:
    path = tmp_path / "a.dat"
    path.write_bytes(b"% Width 640\n% Height 480\n\x0c\x08" + records((5, 1 << 14 | 2)))
    assert rows_of(read(path).events) == [(5, 2, 1, False)]


def test_a_file_without_a_header_is_recognised_by_its_marks_and_needs_the_sensor(tmp_path: Path) -> None:
    path = tmp_path / "a.dat"
    path.write_bytes(b"\x0c\x08" + records((5, 1 << 14 | 2)))
    with pytest.raises(DataError, match="does not state the sensor's size; give it"):
        read(path)
    assert rows_of(read(path, resolution=Resolution(480, 640)).events) == [(5, 2, 1, False)]


def test_a_percent_sign_as_the_type_of_records_is_no_header_line(tmp_path: Path) -> None:
    path = tmp_path / "a.dat"
    path.write_bytes(b"% Version 2\n% Width 640\n% Height 480\n%\x08" + records((5, 0)))
    with pytest.raises(DataError, match=r"a\.dat at byte 37: the type and size .* there is \[37, 8\]"):
        read(path)


@pytest.mark.parametrize("marks", [b"", b"\x0c", b"\x0c\x10", b"\x01\x08"])
def test_records_of_another_type_or_size_are_refused(tmp_path: Path, marks: bytes) -> None:
    path = tmp_path / "a.dat"
    path.write_bytes(b"% Version 2\n% Width 640\n% Height 480\n" + marks)
    with pytest.raises(DataError, match=r"a\.dat at byte 37: the type and size of a DAT file's records should follow"):
        read(path)


def test_an_unknown_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.dat"
    path.write_bytes(b"% Version 3\n% Width 640\n% Height 480\n\x0c\x08")
    with pytest.raises(DataError, match="a DAT file of version '3'; read are versions 1 and 2"):
        read(path)


def test_a_file_without_records_has_no_events(tmp_path: Path) -> None:
    assert read(dat_file(tmp_path / "a.dat", [])).events.is_empty


def test_part_of_a_record_at_the_end_is_refused_or_left_out(tmp_path: Path) -> None:
    path = dat_file(tmp_path / "a.dat", [(10, 0, 0, True)])
    path.write_bytes(path.read_bytes() + b"\0" * 7)
    with pytest.raises(
        DataError, match=rf"a\.dat at byte {len(HEADERS['DAT']) + 8}: the data end in the middle of a 64-bit word"
    ):
        read(path)
    data = read(path, recover=True)
    assert data.events.t_us.tolist() == [10]
    assert data.losses == ("7 bytes behind the last whole word",)
