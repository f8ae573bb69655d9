"""Where events are cut into slices."""

import numpy as np
import pytest

from snnface.events import EventStream, Resolution, TimeWindow
from snnface.recording import Recording
from snnface.representations import AtLeast, FixedCount, HistogramConfig, PolarityHistogram, Slicing
from snnface.representations.slicing import Cutter

SENSOR = Resolution(height=1, width=4)


def cut(slicing: Slicing, times: list[int], until_us: int) -> tuple[list[int], list[int], list[int], list[int]]:
    """Borders, starts, ends and what is shown, for steps of 10 us from 0."""
    slices = Cutter(slicing, step_us=10, start_us=0).cut(np.array(times, np.int64), until_us)
    return slices.borders.tolist(), slices.start_us.tolist(), slices.end_us.tolist(), slices.shown.tolist()


def test_a_fixed_count_cuts_after_so_many_events_even_between_equal_times() -> None:
    assert cut(FixedCount(num_events=2), [3, 5, 5, 5, 8], 100) == ([0, 2, 4], [3, 5], [6, 6], [0, 1])


def test_slices_of_at_least_so_many_events_grow_by_whole_steps() -> None:
    # Events before the ends of the steps at 10, 20, ... 60: 1, 2, 2, 5, 6, 6.
    borders, starts, ends, shown = cut(AtLeast(min_events=3), [1, 15, 31, 32, 33, 41], 65)
    assert (borders, starts, ends) == ([0, 5], [0], [40])
    assert shown == [-1, -1, -1, 0, 0, 0]


def test_events_that_complete_one_slice_do_not_count_for_the_next() -> None:
    borders, starts, ends, shown = cut(AtLeast(min_events=2), [1, 2, 3, 11, 21, 31, 32], 40)
    assert (borders, starts, ends, shown) == ([0, 3, 5, 7], [0, 10, 30], [10, 30, 40], [0, 0, 1, 2])


def pictures_of(times: list[int], window: TimeWindow, slicing: Slicing) -> np.ndarray:
    stream = EventStream.from_arrays(
        x=np.arange(len(times)) % 4, y=[0] * len(times), t_us=times, polarity=[1] * len(times), resolution=SENSOR
    )
    config = HistogramConfig(step_ms=0.01, resolution=SENSOR, slicing=slicing)
    return PolarityHistogram(config)(Recording("r", "someone", events=stream), window)[:, 0, 0]


def test_the_last_picture_is_held_until_enough_events_have_come() -> None:
    pictures = pictures_of([1, 2, 3, 12, 31, 32], TimeWindow(0, 50), AtLeast(min_events=3))
    np.testing.assert_array_equal(pictures, [[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 0, 1], [1, 1, 0, 1]])


def test_before_the_first_complete_slice_the_picture_is_zero() -> None:
    pictures = pictures_of([1, 12], TimeWindow(0, 30), AtLeast(min_events=2))
    np.testing.assert_array_equal(pictures, [[0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0]])


def test_pictures_by_count_begin_at_the_window_and_leave_out_the_rest() -> None:
    pictures = pictures_of([1, 2, 3, 4, 5, 6, 7], TimeWindow(2, 7), FixedCount(num_events=2))
    np.testing.assert_array_equal(pictures, [[0, 1, 1, 0], [1, 0, 0, 1]])


@pytest.mark.parametrize(("num_events", "until_us", "num_due"), [(1, 99, 0), (2, 0, 1), (5, 0, 2)])
def test_a_fixed_count_is_due_with_its_last_event(num_events: int, until_us: int, num_due: int) -> None:
    assert Cutter(FixedCount(num_events=2), step_us=10, start_us=0).num_due(num_events, until_us) == num_due


def test_a_step_is_due_when_its_end_is_reached() -> None:
    cutter = Cutter(AtLeast(min_events=2), step_us=10, start_us=5)
    assert [cutter.num_due(0, until_us) for until_us in (-(1 << 62), 14, 15, 34, 35)] == [0, 0, 1, 2, 3]
