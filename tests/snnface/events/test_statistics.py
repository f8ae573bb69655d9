import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from snnface.events import EventStream, Resolution
from snnface.events.statistics import MAX_BINS, EventStatistics


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
