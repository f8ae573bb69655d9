"""Dead time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import event_streams

from snnface.errors import ConfigError
from snnface.events import EventStream, Resolution
from snnface.events.filters import RefractoryConfig, with_refractory_period


def of_pixel(times: list[int], polarity: int = 1) -> EventStream:
    n = len(times)
    return EventStream.from_arrays(
        x=[0] * n, y=[0] * n, t_us=times, polarity=[polarity] * n, resolution=Resolution(1, 1)
    )


def test_an_event_exactly_one_period_later_is_dropped_and_one_later_still_passes() -> None:
    config = RefractoryConfig(period_us=100)
    assert with_refractory_period(of_pixel([0, 100]), config).t_us.tolist() == [0]
    assert with_refractory_period(of_pixel([0, 101]), config).t_us.tolist() == [0, 101]


def test_dropped_events_do_not_lengthen_the_silence() -> None:
    seen = with_refractory_period(of_pixel(list(range(0, 1000, 60))), RefractoryConfig(period_us=100))
    assert seen.t_us.tolist() == list(range(0, 1000, 120))


def test_pixels_rest_each_for_itself_and_for_both_polarities() -> None:
    stream = EventStream.from_arrays(
        x=[0, 1, 0, 0], y=[0, 0, 1, 0], t_us=[0, 1, 2, 3], polarity=[1, 1, 1, 0], resolution=Resolution(2, 2)
    )
    assert with_refractory_period(stream).t_us.tolist() == [0, 1, 2]


def test_the_first_event_passes_however_early_it_is() -> None:
    earliest = -(2**62)
    assert with_refractory_period(of_pixel([earliest])).t_us.tolist() == [earliest]


@given(stream=event_streams(resolution=Resolution(3, 2)), period_us=st.integers(1, 20_000))
def test_it_agrees_with_a_walk_over_a_dictionary(stream: EventStream, period_us: int) -> None:
    last: dict[tuple[int, int], int] = {}
    expected = []
    for x, y, time in zip(stream.x.tolist(), stream.y.tolist(), stream.t_us.tolist(), strict=True):
        if (x, y) not in last or time - last[x, y] > period_us:
            last[x, y] = time
            expected.append((x, y, time))
    seen = with_refractory_period(stream, RefractoryConfig(period_us=period_us))
    assert list(zip(seen.x.tolist(), seen.y.tolist(), seen.t_us.tolist(), strict=True)) == expected


def test_a_period_of_zero_is_refused() -> None:
    with pytest.raises(ConfigError, match="period_us must be at least 1; got 0"):
        RefractoryConfig(period_us=0)
