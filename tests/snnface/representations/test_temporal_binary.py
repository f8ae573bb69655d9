"""Temporal binary representation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import event_streams

from snnface.events import EventStream, Resolution, TimeWindow
from snnface.recording import Recording
from snnface.representations import FixedCount, TemporalBinary, TemporalBinaryConfig

SENSOR = Resolution(height=2, width=3)


def pictures_of(stream: EventStream, window: TimeWindow, config: TemporalBinaryConfig) -> np.ndarray:
    return TemporalBinary(config)(Recording("r", "someone", events=stream), window)


def test_the_newest_bin_has_the_greatest_weight() -> None:
    stream = EventStream.from_arrays(
        x=[0, 1, 1, 2], y=[0, 0, 0, 1], t_us=[0, 10, 30, 39], polarity=[1, 0, 1, 1], resolution=SENSOR
    )
    config = TemporalBinaryConfig(bin_us=10, num_bins=4, resolution=SENSOR)
    # Bins 0; 1 and 3; 3, with weights 1, 2, 4, 8 of 15.
    expected = np.array([[1, 10, 0], [0, 0, 8]], np.float32) / np.float32(15)
    np.testing.assert_array_equal(pictures_of(stream, TimeWindow(0, 40), config), expected[None, None])


def test_each_step_of_n_bins_begins_anew_and_a_rest_is_left_out() -> None:
    stream = EventStream.from_arrays(
        x=[0, 0, 1, 2], y=[0] * 4, t_us=[5, 25, 39, 45], polarity=[1] * 4, resolution=SENSOR
    )
    config = TemporalBinaryConfig(bin_us=10, num_bins=2, resolution=SENSOR)
    pictures = pictures_of(stream, TimeWindow(0, 55), config)
    np.testing.assert_allclose(pictures[:, 0, 0], [[1 / 3, 0, 0], [1 / 3, 2 / 3, 0]], rtol=1e-7)


def test_several_events_in_a_bin_count_as_one() -> None:
    stream = EventStream.from_arrays(x=[1] * 3, y=[1] * 3, t_us=[0, 1, 2], polarity=[1, 0, 1], resolution=SENSOR)
    config = TemporalBinaryConfig(bin_us=10, num_bins=1, resolution=SENSOR)
    assert pictures_of(stream, TimeWindow(0, 10), config).sum() == 1


@pytest.mark.parametrize("num_bins", [1, 8, 16, 24])
def test_an_event_in_every_bin_gives_exactly_one(num_bins: int) -> None:
    stream = EventStream.from_arrays(
        x=[0] * num_bins, y=[0] * num_bins, t_us=np.arange(num_bins) * 10, polarity=[1] * num_bins, resolution=SENSOR
    )
    config = TemporalBinaryConfig(bin_us=10, num_bins=num_bins, resolution=SENSOR)
    assert pictures_of(stream, TimeWindow(0, 10 * num_bins), config).max() == 1.0


@pytest.mark.parametrize(
    ("heaviest_bin", "divisor", "expected"),
    [
        ("newest", "2^N - 1", [1 / 7, 6 / 7, 0]),
        ("oldest", "2^N - 1", [4 / 7, 3 / 7, 0]),
        ("newest", "2^N", [1 / 8, 6 / 8, 0]),
        ("oldest", "2^N", [4 / 8, 3 / 8, 0]),
    ],
)
def test_order_and_range_follow_either_convention(heaviest_bin: str, divisor: str, expected: list[float]) -> None:
    stream = EventStream.from_arrays(x=[0, 1, 1], y=[0, 0, 0], t_us=[5, 15, 25], polarity=[1, 1, 0], resolution=SENSOR)
    config = TemporalBinaryConfig(bin_us=10, num_bins=3, heaviest_bin=heaviest_bin, divisor=divisor, resolution=SENSOR)
    np.testing.assert_allclose(pictures_of(stream, TimeWindow(0, 30), config)[0, 0, 0], expected, rtol=1e-7)


def test_a_slice_by_count_is_cut_into_equal_parts_of_its_time() -> None:
    config = TemporalBinaryConfig(num_bins=2, resolution=SENSOR, slicing=FixedCount(num_events=3))
    # [10, 21) has its second half from 16 on (15.5 rounded up); [20, 21) lasts one instant, in its first part.
    stream = EventStream.from_arrays(
        x=[0, 1, 2] * 3, y=[0] * 6 + [1] * 3, t_us=[10, 16] + [20] * 7, polarity=[1] * 9, resolution=SENSOR
    )
    pictures = pictures_of(stream, TimeWindow(0, 99), config)
    expected = [[[1, 2, 2], [0, 0, 0]], [[1, 1, 1], [0, 0, 0]], [[0, 0, 0], [1, 1, 1]]]
    np.testing.assert_allclose(pictures[:, 0] * 3, expected, rtol=1e-6)


@settings(deadline=None)
@given(stream=event_streams(resolution=SENSOR), num_bins=st.integers(1, 24), start_us=st.integers(-5000, 100_000))
def test_the_number_is_read_back_as_the_bins_with_events(stream: EventStream, num_bins: int, start_us: int) -> None:
    config = TemporalBinaryConfig(bin_us=700, num_bins=num_bins, resolution=SENSOR)
    window = TimeWindow(start_us, start_us + 3 * num_bins * 700)
    numbers = np.rint(pictures_of(stream, window, config)[:, 0].astype(np.float64) * (2**num_bins - 1)).astype(int)
    bits = np.zeros((3 * num_bins, 2, 3), int)
    part = stream.between(window)
    bits[(part.t_us - start_us) // 700, part.y, part.x] = 1
    weights = 2 ** np.arange(num_bins)
    np.testing.assert_array_equal(numbers, np.einsum("tnhw,n->thw", bits.reshape(3, num_bins, 2, 3), weights))


@settings(deadline=None)
@given(stream=event_streams())
def test_polarity_does_not_matter(stream: EventStream) -> None:
    flipped = EventStream(
        x=stream.x, y=stream.y, t_us=stream.t_us, polarity=~stream.polarity, resolution=stream.resolution
    )
    config = TemporalBinaryConfig(resolution=Resolution(4, 4))
    window = TimeWindow(0, 400_000)
    np.testing.assert_array_equal(pictures_of(flipped, window, config), pictures_of(stream, window, config))


def test_the_default_is_that_of_the_paper() -> None:
    representation = TemporalBinary(TemporalBinaryConfig())
    assert (representation.step_us, representation.num_channels) == (40_000, 1)
    assert representation.resolution == Resolution(height=224, width=224)
