"""Cropping to a box that moves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import event_streams

from snnface.errors import DataError, EventOrderError
from snnface.events import EventStream, PixelBox, Resolution, crop
from snnface.events.filters import BoxTrack, crop_to_track

SENSOR = Resolution(height=12, width=15)


def still(pixel: int, times: list[int]) -> EventStream:
    """Events of one pixel of row 0."""
    n = len(times)
    return EventStream.from_arrays(x=[pixel] * n, y=[0] * n, t_us=times, polarity=[1] * n, resolution=SENSOR)


def test_a_still_pixel_crosses_the_picture_of_a_moving_box() -> None:
    # The left border moves from column 2 to column 6 in 100 us; the box is 4 wide.
    track = BoxTrack(t_us=np.array([100, 200]), boxes=np.array([[2.0, 0.0, 4.0, 1.0], [6.0, 0.0, 4.0, 1.0]]))
    seen = crop_to_track(still(5, [0, 100, 125, 126, 150, 175, 176, 300]), track, Resolution(1, 4))
    # Left border: 2 (rests), 2, 3, 3.04, 4, 5, 5.04, 6 (rests): from 5.04 on, column 5 is outside.
    assert seen.x.tolist() == [3, 3, 2, 1, 1, 0]
    assert seen.t_us.tolist() == [0, 100, 125, 126, 150, 175]
    assert seen.resolution == Resolution(1, 4)


def test_a_growing_box_is_scaled_to_one_picture() -> None:
    track = BoxTrack(t_us=np.array([0, 100]), boxes=np.array([[0.0, 0.0, 4.0, 1.0], [0.0, 0.0, 12.0, 1.0]]))
    # Width 4, 8, 12: pixel 3 of the box is at 3/4, 3/8, 3/12 of a picture of 8 columns.
    assert crop_to_track(still(3, [0, 50, 100]), track, Resolution(1, 8)).x.tolist() == [6, 3, 2]


def test_a_box_may_reach_beyond_the_sensor() -> None:
    track = BoxTrack(t_us=np.array([0]), boxes=np.array([[-3.0, -1.0, 30.0, 2.0]]))
    seen = crop_to_track(still(0, [7]), track, Resolution(2, 30))
    assert (seen.x.tolist(), seen.y.tolist()) == ([3], [1])


@given(
    stream=event_streams(resolution=SENSOR),
    left=st.integers(0, 14),
    top=st.integers(0, 11),
    width=st.integers(1, 15),
    height=st.integers(1, 12),
)
def test_a_resting_box_of_whole_pixels_gives_what_crop_gives(
    stream: EventStream, left: int, top: int, width: int, height: int
) -> None:
    width, height = min(width, 15 - left), min(height, 12 - top)
    track = BoxTrack(t_us=np.array([20_000]), boxes=np.array([[left, top, width, height]], np.float64))
    moving = crop_to_track(stream, track, Resolution(height, width))
    fixed = crop(stream, PixelBox(left, top, width, height))
    for name in ("x", "y", "t_us", "polarity"):
        np.testing.assert_array_equal(getattr(moving, name), getattr(fixed, name))


@given(stream=event_streams(resolution=SENSOR), height=st.integers(1, 20), width=st.integers(1, 20))
def test_the_whole_sensor_is_scaled_by_the_rule_of_the_representations(
    stream: EventStream, height: int, width: int
) -> None:
    track = BoxTrack(t_us=np.array([0]), boxes=np.array([[0.0, 0.0, 15.0, 12.0]]))
    scaled = crop_to_track(stream, track, Resolution(height, width))
    np.testing.assert_array_equal(scaled.x, stream.x.astype(int) * width // 15)
    np.testing.assert_array_equal(scaled.y, stream.y.astype(int) * height // 12)


@pytest.mark.parametrize(
    ("times", "boxes", "message"),
    [
        ([], np.empty((0, 4)), "at least one box and as many times; got 0 boxes and 0 times"),
        ([1, 2], [[0, 0, 1, 1]], "got 1 boxes and 2 times"),
        ([1, 2], [[0, 0, 1, 1], [0, 0, 0, 1]], r"box 1 is \[0.0, 0.0, 0.0, 1.0\]. Leave out the times"),
        ([1], [[np.nan, 0, 1, 1]], "a box must be finite"),
    ],
)
def test_a_track_that_is_none_is_refused(times: list[int], boxes: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        BoxTrack(t_us=np.array(times, np.int64), boxes=np.array(boxes, np.float64))


def test_times_of_boxes_must_rise() -> None:
    with pytest.raises(EventOrderError, match="box 1 does not come after the one before"):
        BoxTrack(t_us=np.array([5, 5]), boxes=np.ones((2, 4)))
