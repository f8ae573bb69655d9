"""Time surfaces."""

import math
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import event_streams

from snnface.errors import ConfigError
from snnface.events import EventStream, Resolution, TimeWindow
from snnface.recording import Recording
from snnface.representations import AtLeast, FixedCount, TimeSurface, TimeSurfaceConfig

SENSOR = Resolution(height=1, width=3)


def surfaces(stream: EventStream, window: TimeWindow, config: TimeSurfaceConfig) -> np.ndarray:
    return TimeSurface(config)(Recording("r", "someone", events=stream), window)


def events(times: list[int], x: list[int], polarity: list[int] | None = None) -> EventStream:
    on = polarity or [1] * len(times)
    return EventStream.from_arrays(x=x, y=[0] * len(x), t_us=times, polarity=on, resolution=SENSOR)


def test_a_linear_surface_falls_with_the_age_of_the_last_event() -> None:
    config = TimeSurfaceConfig(step_ms=0.1, decay="linear", decay_ms=0.2, resolution=SENSOR)
    stream = events([20, 40, 60, 150], [0, 0, 1, 1], [1, 1, 0, 1])
    # Ages at 100, 200 and 300 us: pixel 0 ON 60, 160, 260; pixel 1 OFF 40, 140, 240; pixel 1 ON -, 50, 150.
    expected = [[[0.7, 0, 0], [0, 0.8, 0]], [[0.2, 0.75, 0], [0, 0.3, 0]], [[0, 0.25, 0], [0, 0, 0]]]
    np.testing.assert_allclose(surfaces(stream, TimeWindow(0, 300), config)[:, :, 0], expected, atol=1e-7)


def test_linear_decay_over_one_step_is_the_normalised_time_of_the_last_event_of_that_step() -> None:
    config = TimeSurfaceConfig(step_ms=0.1, decay="linear", decay_ms=0.1, resolution=SENSOR)
    pictures = surfaces(events([0, 30, 50, 199], [0, 1, 1, 2]), TimeWindow(0, 200), config)
    np.testing.assert_allclose(pictures[:, 0, 0], [[0, 0.5, 0], [0, 0, 0.99]], atol=1e-7)


def test_an_exponential_surface_falls_to_1_over_e_in_the_decay_time() -> None:
    config = TimeSurfaceConfig(step_ms=0.1, decay_ms=0.05, resolution=SENSOR)
    pictures = surfaces(events([50, 99], [0, 1]), TimeWindow(0, 200), config)
    expected = [[math.exp(-1), math.exp(-0.02), 0], [math.exp(-3), math.exp(-2.02), 0]]
    np.testing.assert_allclose(pictures[:, 0, 0], expected, rtol=1e-6)


def test_where_pixels_fall_together_the_last_event_of_them_all_counts() -> None:
    config = TimeSurfaceConfig(step_ms=0.1, decay="linear", decay_ms=0.1, resolution=Resolution(1, 1))
    assert surfaces(events([70, 80, 90], [2, 0, 1]), TimeWindow(0, 100), config)[0, 0, 0, 0] == pytest.approx(0.9)


def test_a_surface_by_count_is_that_just_after_the_last_event() -> None:
    config = TimeSurfaceConfig(decay="linear", decay_ms=0.01, resolution=SENSOR, slicing=FixedCount(num_events=2))
    pictures = surfaces(events([10, 13, 15, 16], [0, 1, 2, 0]), TimeWindow(0, 99), config)
    np.testing.assert_allclose(pictures[:, 0, 0], [[0.6, 0.9, 0], [0.9, 0.6, 0.8]], atol=1e-6)


def test_a_held_surface_stands_still_until_enough_events_have_come() -> None:
    config = TimeSurfaceConfig(
        step_ms=0.01, decay="linear", decay_ms=0.04, resolution=SENSOR, slicing=AtLeast(min_events=2)
    )
    pictures = surfaces(events([0, 5, 12, 38], [0, 1, 1, 2]), TimeWindow(0, 40), config)
    expected = [[0.75, 0.875, 0]] * 3 + [[0, 0.3, 0.95]]
    np.testing.assert_allclose(pictures[:, 0, 0], expected, atol=1e-6)


@pytest.mark.parametrize("decay_ms", [0.0009, 1.1e12, math.inf, math.nan])
def test_a_decay_that_is_too_fast_or_too_slow_is_refused(decay_ms: float) -> None:
    with pytest.raises(ConfigError, match=r"decay_ms must lie in 0\.001\.\.1e\+12; got"):
        TimeSurfaceConfig(decay_ms=decay_ms)


@pytest.mark.parametrize("decay", ["exponential", "linear"])
def test_however_slow_the_decay_a_pixel_without_events_shows_none(decay: Literal["exponential", "linear"]) -> None:
    config = TimeSurfaceConfig(step_ms=0.1, decay=decay, decay_ms=1e12, resolution=SENSOR)
    assert surfaces(events([50], [1]), TimeWindow(0, 100), config)[0, 0, 0].tolist() == [0, 1, 0]


@settings(deadline=None, max_examples=60)
@given(
    stream=event_streams(resolution=Resolution(3, 4)),
    decay_us=st.integers(1, 10**7),
    start_us=st.integers(-9000, 60_000),
)
def test_it_is_the_decay_of_the_last_event_of_each_pixel(stream: EventStream, decay_us: int, start_us: int) -> None:
    config = TimeSurfaceConfig(step_ms=7.0, decay_ms=decay_us / 1000, resolution=Resolution(3, 4))
    answer = surfaces(stream, TimeWindow(start_us, start_us + 21_000), config)
    for k in range(3):
        end_us = start_us + (k + 1) * 7000
        part = stream.between(TimeWindow(start_us, end_us))
        last = np.full((2, 3, 4), -np.inf)
        np.maximum.at(last, (np.where(part.polarity, 0, 1), part.y, part.x), part.t_us.astype(float))
        np.testing.assert_allclose(answer[k], np.exp((last - end_us) / decay_us), rtol=1e-5, atol=1e-30)
