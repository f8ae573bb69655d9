"""The EVT2 decoder: every kind of word, wraps, damage."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from prophesee_files import HEADERS, rows_of, words_file

from snnface.errors import DataError, EventOrderError
from snnface.events import SensorData, read

OFF, ON, HIGH, TRIGGER = (kind << 28 for kind in (0, 1, 8, 10))
TURN = 1 << 34


def event(kind: int, low: int, x: int, y: int) -> int:
    return kind | low << 22 | x << 11 | y


def decoded(folder: Path, words: Sequence[int], *, recover: bool = False) -> SensorData:
    return read(words_file(folder / "a.raw", "EVT2", words), recover=recover)


def test_an_event_has_its_lower_time_bits_and_takes_the_upper_from_the_word_before(tmp_path: Path) -> None:
    words = [HIGH | 2, event(ON, 5, 1279, 719), event(OFF, 63, 0, 0), HIGH | 3, event(OFF, 0, 7, 8)]
    data = decoded(tmp_path, words)
    assert rows_of(data.events) == [(133, 1279, 719, True), (191, 0, 0, False), (192, 7, 8, False)]
    assert data.losses == ()


def test_triggers_keep_time_channel_and_edge(tmp_path: Path) -> None:
    triggers = decoded(tmp_path, [HIGH | 1, TRIGGER | 2 << 22 | 21 << 8 | 1, TRIGGER | 9 << 22 | 6 << 8]).triggers
    assert triggers is not None
    assert triggers.t_us.tolist() == [66, 73]
    assert triggers.channel.tolist() == [21, 6]
    assert triggers.rising.tolist() == [True, False]


def test_what_comes_before_the_first_time_is_left_out(tmp_path: Path) -> None:
    data = decoded(tmp_path, [event(ON, 1, 2, 3), TRIGGER | 1, HIGH | 1, event(ON, 1, 4, 5)])
    assert rows_of(data.events) == [(65, 4, 5, True)]
    assert data.triggers is not None
    assert len(data.triggers) == 0


def test_other_and_continued_words_are_skipped(tmp_path: Path) -> None:
    words = [HIGH | 1, 0xE1234567, 0xF7654321, event(ON, 1, 4, 5)]
    assert rows_of(decoded(tmp_path, words).events) == [(65, 4, 5, True)]


def test_the_time_counts_on_across_its_wrap(tmp_path: Path) -> None:
    words = [HIGH | 0xFFFFFFF, event(ON, 63, 0, 0), HIGH, event(ON, 0, 0, 0), HIGH | 1, event(ON, 1, 0, 0)]
    assert decoded(tmp_path, words).events.t_us.tolist() == [TURN - 1, TURN, TURN + 65]


def test_a_step_back_is_refused_with_its_place(tmp_path: Path) -> None:
    words = [HIGH | 9, event(ON, 5, 0, 0), HIGH | 7, event(ON, 5, 0, 0)]
    with pytest.raises(EventOrderError, match=r"a\.raw: event 1 .*at 453 us comes after 581 us.*--recover"):
        decoded(tmp_path, words)


def test_an_event_outside_the_sensor_is_refused_or_left_out(tmp_path: Path) -> None:
    words = [HIGH | 9, event(ON, 5, 3, 4), event(ON, 5, 1280, 4), event(ON, 6, 4, 720), event(ON, 7, 5, 6)]
    with pytest.raises(DataError, match=r"a\.raw: event 1 .*x = 1280, y = 4, outside the 1280x720 sensor"):
        decoded(tmp_path, words)
    data = decoded(tmp_path, words, recover=True)
    assert rows_of(data.events) == [(581, 3, 4, True), (583, 5, 6, True)]
    assert data.losses == ("2 events outside the sensor",)


@pytest.mark.parametrize("kind", [2, 3, 4, 5, 6, 7, 9, 11, 12, 13])
def test_a_word_of_undefined_type_is_refused_or_left_out(tmp_path: Path, kind: int) -> None:
    words = [HIGH | 1, event(ON, 1, 4, 5), kind << 28, kind << 28, event(ON, 2, 4, 5)]
    place = len(HEADERS["EVT2"]) + 8
    with pytest.raises(DataError, match=rf"a\.raw at byte {place}: a word has a type that EVT2 does not define"):
        decoded(tmp_path, words)
    data = decoded(tmp_path, words, recover=True)
    assert data.events.t_us.tolist() == [65, 66]
    assert data.losses == ("2 words of undefined type",)


@pytest.mark.parametrize("wrong", [0, 3, 900, 0x8000000, 0xFFFFFFF])
def test_one_damaged_time_word_costs_its_own_events_only(tmp_path: Path, wrong: int) -> None:
    words = []
    for high in range(500, 520):
        words += [HIGH | (wrong if high == 510 else high), event(ON, 1, high, 0), event(ON, 2, high, 0)]
    with pytest.raises(EventOrderError):
        decoded(tmp_path, words)
    data = decoded(tmp_path, words, recover=True)
    assert data.events.x.tolist() == [x for x in range(500, 520) if x != 510 for _ in range(2)]
    assert data.losses == ("2 events whose time runs backwards",)
