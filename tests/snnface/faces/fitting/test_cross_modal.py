"""Coefficients come to event frames as the paper says, and never where there was no face; numbers by hand."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnface.errors import ConfigError, DataError
from snnface.events import EventStream, Resolution
from snnface.faces.fitting import FrameLabels, event_frame_labels, same_rate_borders
from snnface.labels import step_times

ALPHA = np.array([[0.0, 10], [1, 20], [2, 30], [6, 40]])
TIMES = np.array([0, 100, 200, 300])
EVERYWHERE = np.ones(4, np.bool_)


def labels(at: list[float], how: Any, *, valid: np.ndarray = EVERYWHERE, **options: Any) -> FrameLabels:
    alpha = np.where(valid[:, None], ALPHA, np.nan)
    return event_frame_labels(alpha, valid, TIMES, np.array(at, np.float64), how=how, **options)


def test_at_the_same_rate_label_k_belongs_to_the_events_up_to_frame_k() -> None:
    borders = same_rate_borders(np.array([0, 40, 80]))
    assert borders.tolist() == [-39, 1, 41, 81]
    zeros = [0] * 5
    events = EventStream.from_arrays(
        x=zeros, y=zeros, t_us=[0, 1, 40, 41, 80], polarity=zeros, resolution=Resolution(1, 1)
    )
    assert step_times([events], borders).num_events.tolist() == [1, 2, 2]


def test_at_the_same_rate_uneven_frames_keep_their_own_events() -> None:
    assert same_rate_borders(np.array([0, 30, 70, 100])).tolist() == [-29, 1, 31, 71, 101]


@pytest.mark.parametrize("times", [[0], [0, 0], [10, 5]])
def test_the_same_rate_needs_frames_that_rise(times: list[int]) -> None:
    with pytest.raises(DataError, match="2 frames or more, with rising times"):
        same_rate_borders(np.array(times))


def test_the_nearest_frame_is_taken_and_of_two_the_earlier() -> None:
    found = labels([0, 49, 50, 51, 299], "nearest")
    assert found.present.all()
    assert found.values[:, 0].tolist() == [0, 0, 0, 1, 6]


def test_a_frame_beyond_reach_labels_nothing() -> None:
    found = labels([-101, -100, 400, 401], "nearest")
    assert found.present.tolist() == [False, True, True, False]
    assert found.values[0].tolist() == [0, 0]
    # As in the paper, only the event frame around a frame: 10 us of events to either side.
    assert labels([95, 105, 125, 150, 190], "nearest", reach_us=10).present.tolist() == [True, True, False, False, True]


def test_between_frames_labels_lie_on_straight_lines() -> None:
    found = labels([0, 25, 100, 250, 300], "interpolate")
    assert found.present.all()
    np.testing.assert_allclose(found.values, [[0, 10], [0.25, 12.5], [1, 20], [4, 35], [6, 40]])


def test_nothing_is_carried_beyond_the_first_and_last_frame() -> None:
    assert labels([-1, 0, 300, 301], "interpolate").present.tolist() == [False, True, True, False]


def test_a_missing_face_labels_nothing() -> None:
    valid = np.array([True, True, False, True])
    near = labels([149, 151, 200, 251], "nearest", valid=valid)
    assert near.present.tolist() == [True, False, False, True]
    between = labels([50, 100, 150, 200, 250, 300], "interpolate", valid=valid)
    assert between.present.tolist() == [True, True, False, False, False, True]
    assert np.isfinite(near.values).all()
    assert np.isfinite(between.values).all()
    assert not between.values[~between.present].any()


def test_a_hole_in_the_frames_is_not_bridged() -> None:
    times = np.array([0, 100, 200, 1000])
    found = event_frame_labels(ALPHA, EVERYWHERE, times, np.array([150.0, 250.0, 600.0, 1000.0]), how="interpolate")
    assert found.present.tolist() == [True, False, False, True]
    # Twice the usual distance is bridged, three times is not.
    times = np.array([0, 100, 200, 500, 700, 800, 900])
    alpha, everywhere = np.zeros((7, 2)), np.ones(7, np.bool_)
    found = event_frame_labels(alpha, everywhere, times, np.array([350.0, 600.0]), how="interpolate")
    assert found.present.tolist() == [False, True]


@given(
    times=st.lists(st.integers(0, 1000), min_size=2, max_size=8, unique=True).map(sorted),
    at=st.lists(st.integers(-200, 1200), max_size=12),
    slope=st.integers(-5, 5),
    hidden=st.sets(st.integers(0, 7)),
)
def test_a_straight_motion_is_interpolated_exactly(
    times: list[int], at: list[int], slope: int, hidden: set[int]
) -> None:
    valid = np.array([frame not in hidden for frame in range(len(times))])
    alpha = np.where(valid, slope * np.array(times, np.float64), np.nan)[:, None]
    found = event_frame_labels(
        alpha, valid, np.array(times), np.array(at, np.int64), how="interpolate", reach_us=1000.0
    )
    np.testing.assert_allclose(found.values[found.present, 0], slope * np.array(at)[found.present], atol=1e-9)
    for time, present in zip(at, found.present, strict=True):
        around = (
            [times.index(time)] if time in times else [sum(t < time for t in times) - 1, sum(t < time for t in times)]
        )
        assert present == all(0 <= frame < len(times) and valid[frame] for frame in around)


@pytest.mark.parametrize("how", ["nearest", "interpolate"])
def test_no_frames_and_no_event_frames_have_no_labels(how: Any) -> None:
    nothing = event_frame_labels(
        np.empty((0, 2)), np.empty(0, np.bool_), np.empty(0, np.int64), np.array([1.0, 2.0]), how=how
    )
    assert (nothing.values.shape, nothing.present.any()) == ((2, 2), False)
    assert len(labels([], how)) == 0


def test_wrong_input_is_refused() -> None:
    with pytest.raises(DataError, match="got 4 rows, 3 masks and 4 times"):
        event_frame_labels(ALPHA, EVERYWHERE[:3], TIMES, TIMES)
    with pytest.raises(DataError, match="rising times"):
        event_frame_labels(ALPHA, EVERYWHERE, TIMES[::-1], TIMES)
    with pytest.raises(DataError, match="valid frames must be finite"):
        event_frame_labels(np.full((4, 2), np.nan), EVERYWHERE, TIMES, TIMES)
    with pytest.raises(ConfigError, match="at least 0 us; got -1"):
        labels([0], "nearest", reach_us=-1.0)
    with pytest.raises(DataError, match="finite, with a mask of as many"):
        FrameLabels(values=np.zeros((2, 1)), present=np.ones(3, np.bool_))
