"""Counting on a counter that wraps: worked by hand on one of 24 bits (EVT3's), and at random."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnface.events.readers.prophesee_time import CLOSE_US, counted_on

BITS = 24
TURN = 1 << BITS
HALF = TURN // 2


def times_of(values: list[int], *, reach_us: int = HALF) -> list[int]:
    """All values one after another, as a decoder does."""
    before, latest, times = -1, -1, []
    for value in values:
        before, latest = counted_on(before, latest, value, BITS, reach_us)
        times.append(latest)
    return times


@pytest.mark.parametrize(
    ("values", "times"),
    [
        ([5, 5, 6], [5, 5, 6]),
        # Across the wrap, by a little and by half a turn.
        ([TURN - 1, 0, 1], [TURN - 1, TURN, TURN + 1]),
        ([HALF, 0, HALF - 1, TURN - 2], [HALF, TURN, TURN + HALF - 1, 2 * TURN - 2]),
        # Back across the wrap; before zero there is nothing.
        ([TURN - 1, 3, TURN - 2, 4], [TURN - 1, TURN + 3, TURN - 2, TURN + 4]),
        ([3, TURN - 2, 4], [3, 0, 4]),
        # Back by more than half is ahead.
        ([TURN - 10, HALF - 9], [TURN - 10, HALF - 9]),
        ([TURN - 10, HALF - 10], [TURN - 10, TURN + HALF - 10]),
    ],
)
def test_a_counter_is_counted_on_the_shorter_way(values: list[int], times: list[int]) -> None:
    assert times_of(values) == times


def test_a_wrap_further_than_the_reach_is_none() -> None:
    assert times_of([TURN - 100, 99], reach_us=199) == [TURN - 100, TURN + 99]
    assert times_of([TURN - 100, 100], reach_us=199) == [TURN - 100, 100]
    assert times_of([100, TURN - 1], reach_us=199) == [100, 0]
    assert times_of([100, TURN - 101], reach_us=199) == [100, TURN - 101]


@given(
    start=st.integers(0, 3 * TURN),
    steps=st.lists(st.integers(0, CLOSE_US // 2), min_size=4, max_size=12),
    place=st.integers(1, 11),
    wrong=st.integers(0, TURN - 1),
    reach_us=st.sampled_from((TURN // 8, HALF)),
)
def test_one_damaged_value_leaves_the_others_as_they_are(
    start: int, steps: list[int], place: int, wrong: int, reach_us: int
) -> None:
    times = [start % TURN]
    for step in steps:
        times.append(times[-1] + step)
    values = [time % TURN for time in times]
    place = min(place, len(values) - 2)
    values[place] = wrong
    found = times_of(values, reach_us=reach_us)
    assert found[:place] + found[place + 1 :] == times[:place] + times[place + 1 :]


@given(start=st.integers(0, TURN - 1), steps=st.lists(st.integers(0, HALF - 1), max_size=12))
def test_good_values_with_gaps_of_up_to_half_a_turn_are_exact(start: int, steps: list[int]) -> None:
    times = [start]
    for step in steps:
        times.append(times[-1] + step)
    assert times_of([time % TURN for time in times]) == times
