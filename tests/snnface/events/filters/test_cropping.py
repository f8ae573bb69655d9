"""Cropping."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import event_streams

from snnface.errors import ConfigError
from snnface.events import EventStream, PixelBox, Resolution, centre_square, crop
from snnface.events.filters import selection


def test_crop_keeps_what_lies_inside_and_counts_from_the_corner() -> None:
    stream = EventStream.from_arrays(
        x=[1, 2, 3, 4, 3],
        y=[5, 5, 5, 5, 7],
        t_us=[0, 1, 2, 3, 4],
        polarity=[1, 0, 1, 0, 1],
        resolution=Resolution(9, 9),
    )
    part = crop(stream, PixelBox(left=2, top=5, width=2, height=2))
    assert (part.x.tolist(), part.y.tolist()) == ([0, 1], [0, 0])
    assert (part.t_us.tolist(), part.polarity.tolist()) == ([1, 2], [False, True])
    assert part.resolution == Resolution(height=2, width=2)


def test_crop_to_the_whole_sensor_is_the_identity() -> None:
    stream = EventStream.from_arrays(x=[0, 8], y=[0, 3], t_us=[1, 2], polarity=[0, 1], resolution=Resolution(4, 9))
    part = crop(stream, PixelBox(left=0, top=0, width=9, height=4))
    assert (part.x.tolist(), part.y.tolist(), part.resolution) == ([0, 8], [0, 3], Resolution(4, 9))


@given(stream=event_streams(resolution=Resolution(height=12, width=15)), split=st.integers(1, 14))
def test_two_halves_hold_every_event_once(stream: EventStream, split: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selection, "CHUNK_EVENTS", 7)
        left = crop(stream, PixelBox(left=0, top=0, width=split, height=12))
        right = crop(stream, PixelBox(left=split, top=0, width=15 - split, height=12))
    times = np.sort(np.concatenate([left.t_us, right.t_us]))
    np.testing.assert_array_equal(times, stream.t_us)
    assert int(left.x.sum(dtype=int) + right.x.sum(dtype=int)) + split * len(right) == int(stream.x.sum(dtype=int))


@pytest.mark.parametrize(
    "box", [PixelBox(left=0, top=0, width=10, height=4), PixelBox(left=0, top=1, width=9, height=4)]
)
def test_a_box_beyond_the_sensor_is_refused(box: PixelBox) -> None:
    with pytest.raises(ConfigError, match="reaches beyond the 9x4 sensor; give a box inside it"):
        crop(EventStream.empty(Resolution(height=4, width=9)), box)


@pytest.mark.parametrize("sides", [(-1, 0, 1, 1), (0, 0, 0, 1), (0, 0, 1, 0)])
def test_an_empty_or_negative_box_is_refused(sides: tuple[int, int, int, int]) -> None:
    with pytest.raises(ConfigError, match="a pixel box needs left, top >= 0 and width, height >= 1"):
        PixelBox(*sides)


def test_the_centre_square_leaves_equal_margins() -> None:
    assert centre_square(Resolution(height=480, width=640)) == PixelBox(left=80, top=0, width=480, height=480)
    assert centre_square(Resolution(height=7, width=4)) == PixelBox(left=0, top=1, width=4, height=4)
