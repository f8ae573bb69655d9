"""Anti-flicker."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnface.errors import ConfigError
from snnface.events import EventStream, Resolution
from snnface.events.filters import FlickerConfig, without_flicker


def of_pixel(events: list[tuple[int, int]]) -> EventStream:
    """(time, polarity) of one pixel."""
    t_us, polarity = zip(*events, strict=True)
    n = len(events)
    return EventStream.from_arrays(x=[0] * n, y=[0] * n, t_us=t_us, polarity=polarity, resolution=Resolution(1, 1))


def flashes(start_us: int, period_us: int, count: int) -> list[tuple[int, int]]:
    """Each period: two ON events 1 ms apart, then one OFF event half a period after the first."""
    begins = [start_us + k * period_us for k in range(count)]
    return [event for t in begins for event in ((t, 1), (t + 1000, 1), (t + period_us // 2, 0))]


def test_a_hundred_hertz_lamp_is_silenced_after_three_periods() -> None:
    # Onsets at 0, 10, 20, 30 ms: the third period in the band ends with the onset at 30 ms.
    seen = without_flicker(of_pixel(flashes(0, 10_000, 6)))
    assert seen.t_us.tolist() == [0, 1000, 5000, 10_000, 11_000, 15_000, 20_000, 21_000, 25_000]


@pytest.mark.parametrize("period_us", [5000, 7692, 11_112, 33_000])
def test_other_rhythms_pass(period_us: int) -> None:
    # The band of 90..130 Hz is 7692.3 to 11111.1 us.
    events = of_pixel(flashes(0, period_us, 10))
    assert len(without_flicker(events)) == len(events)


@pytest.mark.parametrize("period_us", [7693, 8333, 11_111])
def test_both_ends_of_the_band_are_in_it(period_us: int) -> None:
    assert len(without_flicker(of_pixel(flashes(0, period_us, 10)))) == 9


def test_a_longer_pause_opens_the_pixel_again() -> None:
    # The last onset is at 50 ms, and the longest period is 11111.1 us.
    lamp = flashes(0, 10_000, 6)
    assert without_flicker(of_pixel([*lamp, (61_111, 0)])).t_us.tolist()[-1] == 25_000
    assert without_flicker(of_pixel([*lamp, (61_112, 0)])).t_us.tolist()[-1] == 61_112


def test_an_onset_that_comes_too_early_opens_the_pixel_again() -> None:
    seen = without_flicker(of_pixel([*flashes(0, 10_000, 6), (57_000, 1), (58_000, 0)]))
    assert seen.t_us.tolist()[-2:] == [57_000, 58_000]


def test_off_events_first_make_no_onset() -> None:
    # Onsets at 2 and 12 ms only: one period.
    events = of_pixel([(0, 0), (2000, 1), (7000, 0), (12_000, 1), (17_000, 0)])
    assert len(without_flicker(events, FlickerConfig(num_periods=1))) == 3


def test_pixels_count_each_for_itself() -> None:
    lamp = of_pixel(flashes(0, 10_000, 6))
    beside = EventStream.from_arrays(
        x=[0, 1] * 18,
        y=[0] * 36,
        t_us=[t for t in lamp.t_us.tolist() for _ in range(2)],
        polarity=[p for p in lamp.polarity.tolist() for p in (p, True)],
        resolution=Resolution(1, 2),
    )
    seen = without_flicker(beside)
    assert seen.x.tolist().count(0) == 9
    # Without an OFF event there is no onset but the first.
    assert seen.x.tolist().count(1) == 18


@given(
    times=st.lists(st.integers(0, 200_000), min_size=1, max_size=40).map(sorted),
    signs=st.lists(st.integers(0, 1), min_size=40, max_size=40),
    num_periods=st.integers(1, 3),
)
def test_it_agrees_with_the_rule_written_out(times: list[int], signs: list[int], num_periods: int) -> None:
    events = list(zip(times, signs, strict=False))
    expected, onset, before, count = [], None, 0, 0
    for time, sign in events:
        if sign and not before:
            count = count + 1 if onset is not None and 1e6 / 130 <= time - onset <= 1e6 / 50 else 0
            onset = time
        elif onset is not None and time - onset > 1e6 / 50:
            count = 0
        before = sign
        expected += [(time, bool(sign))] * (count < num_periods)
    seen = without_flicker(of_pixel(events), FlickerConfig(min_hz=50, max_hz=130, num_periods=num_periods))
    assert list(zip(seen.t_us.tolist(), seen.polarity.tolist(), strict=True)) == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"min_hz": 0.0}, "needs 0 < min_hz < max_hz; got 0.0 to 130.0 Hz"),
        ({"min_hz": 140.0}, "needs 0 < min_hz < max_hz"),
        ({"max_hz": float("inf")}, "needs 0 < min_hz < max_hz"),
        ({"num_periods": 0}, "num_periods must be at least 1; got 0"),
    ],
)
def test_impossible_bands_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        FlickerConfig(**settings)  # type: ignore[arg-type]
