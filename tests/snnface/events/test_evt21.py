"""The EVT2.1 decoder: vectors, both orders of the halves, triggers, damage."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prophesee_files import HEADERS, rows_of, words_file

from snnface.errors import DataError
from snnface.events import SensorData, read

OFF, ON, HIGH, TRIGGER, OTHERS = (kind << 60 for kind in (0, 1, 8, 10, 14))


def decoded(folder: Path, words: Sequence[int], *, encoding: str = "EVT21", recover: bool = False) -> SensorData:
    return read(words_file(folder / "a.raw", encoding, words), recover=recover)


def high(value: int) -> int:
    return HIGH | value << 32


def vector(kind: int, low: int, x: int, y: int, mask: int) -> int:
    return kind | low << 54 | x << 43 | y << 32 | mask


WORDS = [
    high(1),
    vector(ON, 3, 64, 9, 0b1000_0000_0000_0000_0000_0000_0000_0101),
    vector(OFF, 4, 0, 719, 1),
    vector(OFF, 4, 0, 719, 0),
    OTHERS | 0x123456789,
    high(2),
    vector(ON, 0, 1248, 0, 0x80000000),
]
ROWS = [
    (67, 64, 9, True),
    (67, 66, 9, True),
    (67, 95, 9, True),
    (68, 0, 719, False),
    (128, 1279, 0, True),
]


def test_each_bit_of_a_vector_is_an_event_in_the_order_of_columns(tmp_path: Path) -> None:
    assert rows_of(decoded(tmp_path, WORDS).events) == ROWS


def test_swapped_halves_are_read_where_the_header_says_so(tmp_path: Path) -> None:
    swapped = [(word >> 32) | (word & 0xFFFFFFFF) << 32 for word in WORDS]
    assert rows_of(decoded(tmp_path, swapped, encoding="EVT21 legacy").events) == ROWS


def test_a_word_of_undefined_type_is_refused_or_left_out(tmp_path: Path) -> None:
    words = [*WORDS[:2], 0x20000000_00000000, *WORDS[2:]]
    with pytest.raises(DataError, match=f"at byte {len(HEADERS['EVT21']) + 16}: a word has a type that EVT21 does not"):
        decoded(tmp_path, words)
    data = decoded(tmp_path, words, recover=True)
    assert rows_of(data.events) == ROWS
    assert data.losses == ("1 words of undefined type",)


@given(mask=st.integers(0, 0xFFFFFFFF))
def test_every_mask_gives_its_bits(tmp_path_factory: pytest.TempPathFactory, mask: int) -> None:
    events = decoded(tmp_path_factory.mktemp("evt21"), [high(0), vector(ON, 0, 32, 1, mask)]).events
    assert events.x.tolist() == [32 + bit for bit in range(32) if mask >> bit & 1]


def test_triggers_keep_time_channel_and_edge(tmp_path: Path) -> None:
    words = [high(1), TRIGGER | (2 << 22 | 3 << 8 | 1) << 32, TRIGGER | (9 << 22 | 6 << 8) << 32]
    triggers = decoded(tmp_path, words).triggers
    assert triggers is not None
    assert triggers.t_us.tolist() == [66, 73]
    assert triggers.channel.tolist() == [3, 6]
    assert triggers.rising.tolist() == [True, False]


def test_what_comes_before_the_first_time_is_left_out(tmp_path: Path) -> None:
    data = decoded(tmp_path, [vector(ON, 0, 0, 0, 0xFFFFFFFF), TRIGGER, high(1), vector(ON, 0, 0, 0, 2)])
    assert rows_of(data.events) == [(64, 1, 0, True)]
    assert data.triggers is not None
    assert len(data.triggers) == 0


def test_the_time_counts_on_across_its_wrap(tmp_path: Path) -> None:
    words = [high(0xFFFFFFF), vector(ON, 63, 0, 0, 1), high(0), vector(ON, 0, 0, 0, 1)]
    assert decoded(tmp_path, words).events.t_us.tolist() == [(1 << 34) - 1, 1 << 34]


def test_a_vector_across_the_border_of_the_sensor_loses_what_lies_outside(tmp_path: Path) -> None:
    words = [high(0), vector(ON, 0, 1270, 0, 0b1_1000_0000_0011)]
    with pytest.raises(DataError, match=r"event 2 .*x = 1281, y = 0, outside the 1280x720 sensor"):
        decoded(tmp_path, words)
    data = decoded(tmp_path, words, recover=True)
    assert data.events.x.tolist() == [1270, 1271]
    assert data.losses == ("2 events outside the sensor",)


def test_part_of_a_word_at_the_end_is_refused_or_left_out(tmp_path: Path) -> None:
    path = words_file(tmp_path / "a.raw", "EVT21", WORDS, rest=b"\x01\x02\x03")
    place = len(HEADERS["EVT21"]) + 8 * len(WORDS)
    with pytest.raises(DataError, match=rf"a\.raw at byte {place}: the data end in the middle of a 64-bit word"):
        read(path)
    data = read(path, recover=True)
    assert rows_of(data.events) == ROWS
    assert data.losses == ("3 bytes behind the last whole word",)
