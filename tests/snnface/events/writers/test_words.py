"""The bytes of the written formats, worked out by hand."""

import struct
from pathlib import Path

import numpy as np

from snnface.events import EventStream, Resolution, write_events

SENSOR = Resolution(height=720, width=1280)
ROW, X, BASE, V12, LOW, HIGH = (kind << 12 for kind in (0, 2, 3, 4, 6, 8))
ON = 1 << 11
TURN = 1 << 24


def written(folder: Path, name: str, events: list[tuple[int, int, int, int]]) -> bytes:
    """The bytes of events (t, x, y, polarity)."""
    t, x, y, p = zip(*events, strict=True) if events else ((), (), (), ())
    write_events(
        EventStream.from_arrays(x=x, y=y, t_us=t, polarity=p, resolution=SENSOR), folder / "events", format=name
    )
    return (folder / "events").read_bytes()


def evt3_words(folder: Path, events: list[tuple[int, int, int, int]]) -> list[int]:
    return np.frombuffer(written(folder, "evt3", events).partition(b"% end\n")[2], "<u2").tolist()


def evt2_words(folder: Path, events: list[tuple[int, int, int, int]]) -> list[int]:
    return np.frombuffer(written(folder, "evt2", events).partition(b"% end\n")[2], "<u4").tolist()


def test_the_header_of_a_raw_file_states_format_and_size(tmp_path: Path) -> None:
    assert written(tmp_path, "evt3", []) == (
        b"% evt 3.0\n% format EVT3;height=720;width=1280\n% geometry 1280x720\n% end\n"
    )


def test_evt3_writes_only_what_changes(tmp_path: Path) -> None:
    events = [(8197, 11, 7, 1), (8197, 10, 7, 0), (8198, 13, 7, 0), (8198, 14, 8, 1), (12_300, 1279, 8, 1)]
    assert evt3_words(tmp_path, events) == [
        *[HIGH | 2, LOW | 5, ROW | 7, X | ON | 11, X | 10],
        *[LOW | 6, X | 13, ROW | 8, X | ON | 14],
        *[HIGH | 3, LOW | 12, X | ON | 1279],
    ]


def test_evt3_joins_rising_columns_within_12_pixels_to_vectors(tmp_path: Path) -> None:
    columns = [100, 102, 111, 113, 123, 124, 140, 141]
    assert evt3_words(tmp_path, [(1, x, 3, 1) for x in columns]) == [
        *[HIGH, LOW | 1, ROW | 3],
        # 100 + (0, 2, 11), 112 + (1, 11), 124 + (0,); 140 lies 4 behind 136.
        *[BASE | ON | 100, V12 | 1 | 1 << 2 | 1 << 11, V12 | 1 << 1 | 1 << 11, V12 | 1, V12 | 1 << 4 | 1 << 5],
    ]


def test_evt3_vectors_keep_the_order_and_the_repetitions_of_events(tmp_path: Path) -> None:
    columns = [5, 6, 7, 7, 6, 8, 9]
    assert evt3_words(tmp_path, [(1, x, 0, 0) for x in columns]) == [
        *[HIGH, LOW | 1, ROW],
        *[BASE | 5, V12 | 0b111, X | 7, BASE | 6, V12 | 0b1101],
    ]


def test_evt3_vectors_end_where_time_row_or_polarity_change(tmp_path: Path) -> None:
    run = [(1, 5, 0, 0), (1, 6, 0, 0), (1, 7, 0, 0)]
    start = [HIGH, LOW | 1, ROW, BASE | 5, V12 | 0b111]
    assert evt3_words(tmp_path, [*run, (1, 20, 0, 1)]) == [*start, X | ON | 20]
    assert evt3_words(tmp_path, [*run, (2, 20, 0, 0)]) == [*start, LOW | 2, X | 20]
    assert evt3_words(tmp_path, [*run, (1, 20, 1, 0)]) == [*start, ROW | 1, X | 20]


def test_evt3_marks_the_middle_and_the_ends_of_every_turn_in_a_gap(tmp_path: Path) -> None:
    words = evt3_words(tmp_path, [(4096 * 9, 1, 1, 1), (2 * TURN + 4096 * 3, 1, 1, 1)])
    assert words == [
        *[HIGH | 9, LOW, ROW | 1, X | ON | 1],
        *[HIGH | 2048, HIGH | 4095, HIGH, HIGH | 2048, HIGH | 4095, HIGH, HIGH | 3, LOW, X | ON | 1],
    ]


def test_evt3_counts_up_to_a_late_start(tmp_path: Path) -> None:
    assert evt3_words(tmp_path, [(TURN + 4096 * 2047, 1, 1, 1)])[:4] == [HIGH | 4095, HIGH, HIGH | 2047, LOW]
    assert evt3_words(tmp_path, [(TURN - 1, 1, 1, 1)])[:2] == [HIGH | 4095, LOW | 4095]


def test_evt2_writes_one_word_an_event_and_one_a_new_upper_time(tmp_path: Path) -> None:
    events = [(70, 1279, 719, 1), (71, 0, 1, 0), (128, 2, 3, 1)]
    assert evt2_words(tmp_path, events) == [
        *[8 << 28 | 1, 1 << 28 | 6 << 22 | 1279 << 11 | 719, 7 << 22 | 1],
        *[8 << 28 | 2, 1 << 28 | 2 << 11 | 3],
    ]


def test_evt2_marks_the_ends_of_a_turn(tmp_path: Path) -> None:
    turn, last = 1 << 34, (1 << 28) - 1
    highs = [word & last for word in evt2_words(tmp_path, [(64, 0, 0, 0), (turn, 0, 0, 0)]) if word >> 28 == 8]
    assert highs == [1, 1 << 27, last, 0]


def test_dat_writes_time_and_place_in_two_words(tmp_path: Path) -> None:
    last = (1 << 32) - 1
    head = b"% Data file containing CD events\n% Version 2\n% Width 1280\n% Height 720\n\x0c\x08"
    words = struct.pack("<4I", last, 1 << 28 | 719 << 14 | 1279, 1, 1 << 14)
    events = [(last, 1279, 719, 1), (last + 2, 0, 1, 0)]
    assert written(tmp_path, "dat", events) == head + words


def test_aedat4_states_where_its_packets_and_their_table_lie(tmp_path: Path) -> None:
    data = written(tmp_path, "aedat4", [(-5, 1, 2, 1), (1 << 40, 1279, 719, 0)])
    header_size, table_at = struct.unpack_from("<I", data, 14)[0], struct.unpack_from("<q", data, 54)[0]
    packet_at = 18 + header_size
    stream, size = struct.unpack_from("<ii", data, packet_at)
    assert (stream, table_at) == (0, packet_at + 8 + size)
    assert data[packet_at + 8 + size - 32 : table_at] == struct.pack(
        "<qhh?3xqhh?3x", -5, 1, 2, True, 1 << 40, 1279, 719, False
    )
    table_size, identifier = struct.unpack_from("<I4x4s", data, table_at)
    assert (table_at + 4 + table_size, identifier) == (len(data), b"FTAB")
    # Place and number of the packet's events, their first and last time.
    assert struct.pack("<iiqqqq", 0, size, packet_at + 8, 2, -5, 1 << 40) in data[table_at:]


def test_csv_writes_a_line_an_event(tmp_path: Path) -> None:
    events = [(-12, 0, 0, 0), (0, 1, 2, 1), (1_744_227_144_732_712, 1279, 719, 1)]
    lines = written(tmp_path, "csv", events).decode("ascii").splitlines()
    assert lines[2:] == ["-12,0,0,0", "0,1,2,1", "1744227144732712,1279,719,1"]
