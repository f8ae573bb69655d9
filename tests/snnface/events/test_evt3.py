"""The EVT3 decoder: every kind of word, wraps, jitter, damage, chunks."""

import logging
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import pytest
from prophesee_files import HEADERS, rows_of, words_file

from snnface.errors import DataError, EventOrderError
from snnface.events import Resolution, SensorData, open_events, read
from snnface.events.readers import prophesee_file

HEADER = HEADERS["EVT3"]
ROW, X, BASE, V12, V8, LOW, HIGH, TRIGGER = (kind << 12 for kind in (0, 2, 3, 4, 5, 6, 8, 10))
ON = 1 << 11


def decoded(folder: Path, words: Sequence[int], header: bytes = HEADER) -> SensorData:
    return read(recording(folder, words, header))


def recording(folder: Path, words: Sequence[int], header: bytes = HEADER) -> Path:
    return words_file(folder / "a.raw", "EVT3", words, header=header)


def test_single_events_take_time_and_row_from_the_words_before(tmp_path: Path) -> None:
    words = [HIGH | 2, LOW | 5, ROW | 7, X | ON | 11, X | 12, LOW | 6, X | 13, ROW | 8, X | ON | 14]
    assert rows_of(decoded(tmp_path, words).events) == [
        (8197, 11, 7, True),
        (8197, 12, 7, False),
        (8198, 13, 7, False),
        (8198, 14, 8, True),
    ]


def test_vectors_count_on_from_their_base(tmp_path: Path) -> None:
    words = [
        HIGH,
        LOW | 1,
        ROW | 3,
        BASE | ON | 100,
        V12 | 0b1000_0000_0101,
        V12 | 0b10,
        V8 | 0b1000_0001,
        BASE,
        V8 | 1,
    ]
    events = decoded(tmp_path, words).events
    assert events.x.tolist() == [100, 102, 111, 113, 124, 131, 0]
    assert events.polarity.tolist() == [True] * 6 + [False]
    assert set(events.y.tolist()) == {3}


def test_triggers_keep_channel_and_edge(tmp_path: Path) -> None:
    data = decoded(tmp_path, [HIGH | 1, LOW | 2, TRIGGER | 9 << 8 | 1, LOW | 9, TRIGGER | 6 << 8])
    assert data.triggers is not None
    assert data.events.is_empty
    assert data.triggers.t_us.tolist() == [4098, 4105]
    assert data.triggers.channel.tolist() == [9, 6]
    assert data.triggers.rising.tolist() == [True, False]


def test_other_words_and_the_camera_bit_are_skipped(tmp_path: Path) -> None:
    others = [0x7123, 0xE015, 0xF000]
    words = [HIGH, *others, LOW | 1, *others, ROW | 1 << 11 | 9, *others, X | 4, *others, X | 5]
    assert rows_of(decoded(tmp_path, words).events) == [(1, 4, 9, False), (1, 5, 9, False)]


@pytest.mark.parametrize("kind", [1, 9, 11, 12, 13])
def test_a_word_of_undefined_type_is_refused_or_left_out(tmp_path: Path, kind: int) -> None:
    words = [HIGH, LOW | 1, ROW | 9, X | 4, kind << 12, X | 5, kind << 12 | 7]
    path = recording(tmp_path, words)
    with pytest.raises(DataError, match=f"at byte {len(HEADER) + 8}: a word has a type that EVT3 does not define"):
        read(path)
    data = read(path, recover=True)
    assert data.events.x.tolist() == [4, 5]
    assert data.losses == ("2 words of undefined type",)


@pytest.mark.parametrize(
    "start",
    [
        [ROW | 1, X | 3],
        [HIGH | 1, ROW | 1, X | 3],
        [HIGH | 1, LOW | 1, X | 3],
        [HIGH, LOW, ROW, V12 | 0xFFF],
        [LOW, ROW, X],
    ],
)
def test_events_before_time_row_or_base_are_known_are_left_out(tmp_path: Path, start: list[int]) -> None:
    words = [*start, HIGH | 1, LOW | 1, ROW | 1, X | 5]
    assert rows_of(decoded(tmp_path, words).events) == [(4097, 5, 1, False)]


def test_a_trigger_before_the_first_time_is_left_out(tmp_path: Path) -> None:
    triggers = decoded(tmp_path, [TRIGGER, HIGH | 1, TRIGGER, LOW | 1, TRIGGER | 1]).triggers
    assert triggers is not None
    assert triggers.t_us.tolist() == [4097]


def test_the_time_base_counts_on_across_wraps(tmp_path: Path) -> None:
    words = [ROW | 1]
    for high in (4095, 0, 2000, 4000, 1, 4095, 3):
        words += [HIGH | high, LOW | 1, X]
    turns_and_highs = [(0, 4095), (1, 0), (1, 2000), (1, 4000), (2, 1), (2, 4095), (3, 3)]
    # 1 after 4000 and 4095 after 1: the second is a step of 4094 units ahead, or 2 back across the wrap.
    turns_and_highs[5:] = [(1, 4095), (2, 3)]
    times = [(turn << 24) + (high << 12) + 1 for turn, high in turns_and_highs]
    with pytest.raises(EventOrderError, match=f"event 5 .*at {times[5]} us comes after {times[4]} us"):
        decoded(tmp_path, words)
    kept = words[:16] + words[19:]
    assert decoded(tmp_path, kept).events.t_us.tolist() == [*times[:5], times[6]]


def test_after_a_new_upper_half_the_lower_bits_count_from_zero(tmp_path: Path) -> None:
    words = [HIGH | 1, LOW | 4000, ROW, X, HIGH | 2, X, LOW | 7, X]
    assert decoded(tmp_path, words).events.t_us.tolist() == [8096, 8192, 8199]


def test_a_small_step_back_is_held_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    words = [HIGH | 1, LOW | 100, ROW | 2, X | 1, LOW | 90, X | 2, X | 3, LOW | 101, X | 4]
    with caplog.at_level(logging.WARNING):
        events = decoded(tmp_path, words).events
    assert events.t_us.tolist() == [4196, 4196, 4196, 4197]
    assert events.x.tolist() == [1, 2, 3, 4]
    assert "time stepped back by less than 4096 us 2 times" in caplog.text


def test_a_step_back_is_held_up_to_one_unit_of_the_upper_half(tmp_path: Path) -> None:
    start = [HIGH | 5, LOW | 4095, ROW, X]
    assert decoded(tmp_path, [*start, LOW, X]).events.t_us.tolist() == [5 * 4096 + 4095] * 2
    with pytest.raises(EventOrderError, match=r"event 1 .*at 20479 us comes after 24575 us"):
        decoded(tmp_path, [*start, HIGH | 4, LOW | 4095, X])


def test_jitter_around_a_wrap_is_no_turn_of_the_counter(tmp_path: Path) -> None:
    words = [HIGH | 4095, LOW | 4095, ROW, X, HIGH, LOW, X, HIGH | 4095, LOW | 4094, X, HIGH, LOW | 9, X]
    turn = 1 << 24
    assert decoded(tmp_path, words).events.t_us.tolist() == [turn - 1, turn, turn, turn + 9]


def test_a_large_step_back_is_refused(tmp_path: Path) -> None:
    words = [HIGH | 9, LOW | 5, ROW, X, HIGH | 7, LOW | 5, X]
    with pytest.raises(
        EventOrderError, match=r"a\.raw: event 1 .*event times must not run backwards.*--recover\), or split"
    ):
        decoded(tmp_path, words)


def test_a_large_step_back_between_chunks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prophesee_file, "BLOCK_BYTES", 8)
    path = recording(tmp_path, [HIGH | 9, LOW | 5, ROW, X, HIGH | 7, LOW | 5, X, X])
    slices = open_events(path).slices(1000)
    with pytest.raises(EventOrderError, match=r"a\.raw: event 1 .*at 28677 us comes after 36869 us"):
        list(slices)


def test_half_a_word_at_the_end_is_refused_or_left_out(tmp_path: Path) -> None:
    path = recording(tmp_path, [HIGH | 1, LOW, ROW, X | 5])
    path.write_bytes(path.read_bytes() + b"\x05")
    place = len(HEADER) + 8
    with pytest.raises(
        DataError, match=rf"a\.raw at byte {place}: the data end in the middle of a 16-bit word.*--recover"
    ):
        read(path)
    data = read(path, recover=True)
    assert data.events.x.tolist() == [5]
    assert data.losses == ("1 bytes behind the last whole word",)


@pytest.mark.parametrize("wrong", [0, 3, 90, 1100, 2100, 3000, 4095])
def test_one_damaged_time_word_costs_its_own_events_only(tmp_path: Path, wrong: int) -> None:
    words = [ROW | 3]
    for high in range(1000, 1020):
        words += [HIGH | (wrong if high == 1010 else high), LOW | 1, X | high, X | high]
    data = read(recording(tmp_path, words), recover=True)
    assert data.events.x.tolist() == [x for x in range(1000, 1020) if x != 1010 for _ in range(2)]
    assert data.events.t_us.tolist() == [(x << 12) + 1 for x in data.events.x.tolist()]
    assert data.losses == ("2 events whose time runs backwards",)


def test_a_recording_without_events_is_an_empty_stream_without_slices(tmp_path: Path) -> None:
    path = recording(tmp_path, [])
    assert read(path).events.is_empty
    assert list(open_events(path).slices(1000)) == []


def test_the_sensor_must_be_stated_or_given(tmp_path: Path) -> None:
    words = [HIGH, LOW, ROW | 2, X | 3]
    with pytest.raises(DataError, match=r"does not state the sensor's size; give it, as in resolution=Resolution"):
        decoded(tmp_path, words, b"% evt 3.0\n% end\n")
    path = recording(tmp_path, words, b"% evt 3.0\n% end\n")
    assert read(path, resolution=Resolution(3, 4)).events.resolution == Resolution(3, 4)


def test_the_given_sensor_goes_before_the_stated_one(tmp_path: Path) -> None:
    path = recording(tmp_path, [HIGH, LOW, ROW | 2, X | 3])
    with pytest.raises(DataError, match=r"a\.raw: event 0 .*lies at x = 3, y = 2, outside the 3x3 sensor"):
        read(path, resolution=Resolution(3, 3))


def test_a_run_of_vectors_never_comes_back_inside_the_sensor(tmp_path: Path) -> None:
    # 5462 vectors of 12 columns are 65544 columns: in 16 bits, column 8 again.
    words = [HIGH, LOW, ROW, BASE, *[V12] * 5462, V12 | 1]
    with pytest.raises(DataError, match="outside the 1280x720 sensor"):
        decoded(tmp_path, words)


def test_slices_of_a_long_recording_need_little_memory(tmp_path: Path) -> None:
    one_unit = [X | ON | column for column in range(1000)]
    words = [ROW | 5]
    for high in range(4000):
        words += [HIGH | high, LOW | 1, *one_unit]
    path = recording(tmp_path, words)
    list(open_events(path).slices(1_000_000))
    tracemalloc.start()
    num_events = sum(len(part) for part in open_events(path).slices(33_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert num_events == 4_000_000
    # All columns are 52 MB; a chunk of 512 Ki words of 128 Ki words is about 2 MB.
    assert peak < 25_000_000
