"""Labels come to event frames as paper and docstrings say; every number worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import event_streams

from snnface.errors import ConfigError, DataError
from snnface.events import EventStream, Resolution, TimeWindow
from snnface.labels import fixed_borders, frame_borders, label_reach, labels_for_steps, step_times


def stream(times: list[int]) -> EventStream:
    zeros = [0] * len(times)
    return EventStream.from_arrays(x=zeros, y=zeros, t_us=times, polarity=zeros, resolution=Resolution(1, 1))


def times(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def test_mean_event_times_by_hand() -> None:
    steps = step_times([stream([0, 1, 8]), stream([10, 19, 25, 30])], times(0, 10, 20, 30))
    assert steps.num_events.tolist() == [3, 2, 1]
    assert steps.mean_us.tolist() == [3.0, 14.5, 25.0]


def test_the_middle_stands_for_a_step_without_events() -> None:
    steps = step_times([stream([3])], times(0, 10, 17))
    assert steps.num_events.tolist() == [1, 0]
    assert steps.mean_us.tolist() == [3.0, 13.5]


def test_events_outside_all_steps_are_left_out() -> None:
    steps = step_times([stream([-5, 4, 10, 99])], times(0, 10))
    assert (steps.num_events.tolist(), steps.mean_us.tolist()) == ([1], [4.0])


@given(event_streams(), st.integers(0, 60), st.integers(1, 4000))
def test_pieces_give_the_times_of_the_whole(events: EventStream, cut: int, step_us: int) -> None:
    borders = fixed_borders(events.window, step_us)
    whole, pieces = step_times([events], borders), step_times([events[:cut], events[cut:]], borders)
    np.testing.assert_array_equal(whole.mean_us, pieces.mean_us)
    assert whole.num_events.sum() == len(events)
    means = [
        events.between(TimeWindow(int(a), int(b))).t_us.mean()
        for a, b, n in zip(borders, borders[1:], whole.num_events, strict=False)
        if n
    ]
    np.testing.assert_allclose(whole.mean_us[whole.num_events > 0], means, atol=1e-6)


def test_events_belong_to_the_frame_that_ends_their_interval() -> None:
    # Frames at 0, 40 and 80 us: an event at 40 comes from the motion up to the frame at 40.
    steps = step_times([stream([1, 40, 41, 80])], frame_borders(times(0, 40, 80)))
    assert steps.num_events.tolist() == [2, 2]


def test_fixed_steps_cover_the_window() -> None:
    assert fixed_borders(TimeWindow(5, 26), 10).tolist() == [5, 15, 25, 35]
    assert fixed_borders(TimeWindow(5, 5), 10).tolist() == [5]
    with pytest.raises(ConfigError, match="at least 1 us"):
        fixed_borders(TimeWindow(0, 1), 0)


def test_the_nearest_label_is_taken() -> None:
    # Annotations at 0, 40 and 80 ms; mean event times of the event frames at 12, 25, 58 and 95 ms.
    labels = labels_for_steps(times(0, 40, 80), np.array([12.0, 25.0, 58.5, 95.0]), reach_us=40)
    assert labels.row.tolist() == [0, 1, 1, 2]
    assert labels.present.all()


def test_the_mean_event_time_decides_and_not_the_middle_of_the_step() -> None:
    # Step [0, 40) with the middle nearer to the label at 0; its events come late.
    steps = step_times([stream([30, 34])], times(0, 40))
    assert labels_for_steps(times(0, 40), steps.mean_us, reach_us=40).row.tolist() == [1]


def test_of_two_labels_equally_near_the_earlier_one_is_taken() -> None:
    assert labels_for_steps(times(0, 10), np.array([5.0]), reach_us=10).row.tolist() == [0]
    assert labels_for_steps(times(7, 7, 9), np.array([7.0, 1.0, 8.0]), reach_us=10).row.tolist() == [0, 0, 0]


def test_a_gap_in_the_labels_stays_a_gap() -> None:
    label_t_us = times(0, 10, 20, 100, 110)
    assert label_reach(label_t_us, 5) == 10
    labels = labels_for_steps(label_t_us, np.array([15.0, 30.0, 31.0, 60.0, 95.0, 121.0]), reach_us=10)
    assert labels.present.tolist() == [True, True, False, False, True, False]
    assert labels.row.tolist() == [1, 2, 0, 0, 3, 0]


def test_rare_labels_reach_every_step_between_them() -> None:
    assert label_reach(times(0, 1000, 2000), 33) == 1000
    assert label_reach(times(500), 33) == 33
    assert label_reach(times(), 33) == 33


def test_without_labels_no_step_has_one() -> None:
    labels = labels_for_steps(times(), np.array([1.0, 2.0]), reach_us=10)
    assert labels.present.tolist() == [False, False]


def test_labels_out_of_order_are_refused() -> None:
    with pytest.raises(DataError, match="label 2 at 3 us comes after 5 us"):
        labels_for_steps(times(0, 5, 3), np.array([1.0]), reach_us=1)


@given(
    st.lists(st.integers(-100, 100), min_size=1, max_size=20).map(sorted),
    st.lists(st.floats(-150, 150), max_size=10),
    st.integers(0, 50),
)
def test_the_nearest_label_is_that_of_an_exhaustive_search(labels: list[int], at: list[float], reach: int) -> None:
    found = labels_for_steps(times(*labels), np.array(at, np.float64), reach_us=reach)
    for time, row, present in zip(at, found.row, found.present, strict=True):
        distances = [abs(label - time) for label in labels]
        assert present == (min(distances) <= reach)
        assert row == (distances.index(min(distances)) if present else 0)
