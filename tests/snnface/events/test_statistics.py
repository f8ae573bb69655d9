import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import event_streams

from snnface.errors import DataError
from snnface.events import EventStream, Resolution
from snnface.events.filters import pixel_counts
from snnface.events.statistics import MAX_BINS, EventStatistics, HotPixel, PixelCounts


def stream(times: list[int]) -> EventStream:
    return EventStream.from_arrays(
        x=[0] * len(times),
        y=[0] * len(times),
        t_us=times,
        polarity=[time % 3 == 0 for time in times],
        resolution=Resolution(1, 1),
    )


def test_counts_and_rates_by_hand() -> None:
    statistics = EventStatistics()
    statistics.add(stream([3000, 3001, 3999, 4500]))
    assert (statistics.num_events, statistics.num_on, statistics.on_fraction) == (4, 3, 0.75)
    seconds, on, off = statistics.rates()
    assert seconds.tolist() == [0.0, 0.001]
    assert on.tolist() == [2000.0, 1000.0]
    assert off.tolist() == [1000.0, 0.0]


def test_no_events_have_no_fraction() -> None:
    statistics = EventStatistics()
    statistics.add(stream([]))
    assert (statistics.num_events, statistics.on_fraction, statistics.duration_us) == (0, None, 0)


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=40).map(sorted), st.integers(0, 40))
def test_pieces_add_up_and_no_event_is_lost(times: list[int], cut: int) -> None:
    whole, pieces = EventStatistics(), EventStatistics()
    whole.add(stream(times))
    pieces.add(stream(times[:cut]))
    pieces.add(stream(times[cut:]))
    for statistics in (whole, pieces):
        seconds, on, off = statistics.rates()
        assert len(seconds) <= MAX_BINS
        assert round(float((on + off).sum()) * statistics.bin_us / 1e6) == len(times)
    np.testing.assert_array_equal(whole.rates()[1], pieces.rates()[1])


def test_mean_and_peak_rate_by_hand() -> None:
    statistics = EventStatistics()
    statistics.add(stream([0, 100, 200, 3999]))
    assert statistics.mean_rate == 1000.0
    assert statistics.peak_rate == 3000.0
    assert (EventStatistics().mean_rate, EventStatistics().peak_rate) == (0.0, 0.0)


def test_pixels_are_counted_by_polarity_and_place() -> None:
    counts = PixelCounts(Resolution(height=2, width=3))
    events = EventStream.from_arrays(
        x=[2, 2, 0, 2], y=[1, 1, 0, 1], t_us=[0, 1, 2, 3], polarity=[1, 0, 1, 1], resolution=Resolution(2, 3)
    )
    counts.add(events[:1])
    counts.add(events[1:])
    assert counts.counts.tolist() == [[[1, 0, 0], [0, 0, 2]], [[0, 0, 0], [0, 0, 1]]]


@given(event_streams())
def test_pixel_counts_are_those_of_the_filters(events: EventStream) -> None:
    counts = PixelCounts(events.resolution)
    counts.add(events)
    np.testing.assert_array_equal(counts.counts.sum(0), pixel_counts(events))


def test_hot_pixels_come_worst_first() -> None:
    counts = PixelCounts(Resolution(height=20, width=20))
    counts.counts[0] = 2
    counts.counts[0, 5, 6], counts.counts[1, 15, 3] = 500, 900
    assert counts.hot_pixels() == (HotPixel(x=3, y=15, num_events=902), HotPixel(x=6, y=5, num_events=500))
    assert PixelCounts(Resolution(2, 2)).hot_pixels() == ()


def test_a_sensor_larger_than_any_is_refused() -> None:
    with pytest.raises(DataError, match="up to 67,108,864 pixels; this one has 65535x65535"):
        PixelCounts(Resolution(65535, 65535))
