"""Pictures from events that come piece by piece."""

import tracemalloc

import numpy as np
import pytest

from snnface.errors import ConfigError, DataError, EventOrderError
from snnface.events import EventStream, Resolution, TimeWindow
from snnface.recording import Recording
from snnface.representations import (
    AtLeast,
    FixedCount,
    FixedTime,
    HistogramConfig,
    PictureStream,
    PolarityHistogram,
    Slicing,
    TimeSurface,
    TimeSurfaceConfig,
)

SENSOR = Resolution(height=2, width=3)
COUNTS = PolarityHistogram(HistogramConfig(step_ms=1.0, resolution=SENSOR))


def events_at(*times: int) -> EventStream:
    number = len(times)
    return EventStream.from_arrays(x=[1] * number, y=[0] * number, t_us=times, polarity=[1] * number, resolution=SENSOR)


def test_a_step_is_given_once_an_event_lies_beyond_it() -> None:
    stream = PictureStream(COUNTS, SENSOR, start_us=0)
    assert len(stream.push(events_at(10, 999))) == 0
    assert stream.push(events_at(1000, 3500))[:, 0, 0, 1].tolist() == [2, 1, 0]
    assert stream.finish(4000)[:, 0, 0, 1].tolist() == [1]


def test_a_step_is_given_without_a_later_event_where_the_caller_knows_the_time() -> None:
    stream = PictureStream(COUNTS, SENSOR, start_us=0)
    assert stream.push(events_at(10), until_us=1000).sum() == 1
    assert stream.push(events_at(), until_us=3000).shape == (2, 2, 2, 3)


def test_steps_begin_at_the_first_event_unless_told() -> None:
    stream = PictureStream(COUNTS, SENSOR)
    assert len(stream.push(events_at(700, 1699))) == 0
    assert stream.push(events_at(1700)).sum() == 2


def test_the_end_is_just_after_the_last_event_unless_told() -> None:
    stream = PictureStream(COUNTS, SENSOR, start_us=0)
    stream.push(events_at(0, 1999))
    assert stream.finish().sum() == 1
    early = PictureStream(COUNTS, SENSOR, start_us=0)
    early.push(events_at(0, 998))
    assert len(early.finish()) == 0


def test_a_stream_without_events_has_no_pictures() -> None:
    assert PictureStream(COUNTS, SENSOR).finish().shape == (0, 2, 2, 3)
    assert PictureStream(COUNTS, SENSOR, start_us=0).finish(2500).shape == (2, 2, 2, 3)


def test_events_before_the_start_are_left_out() -> None:
    stream = PictureStream(COUNTS, SENSOR, start_us=100)
    stream.push(events_at(5, 50))
    assert stream.push(events_at(99, 100, 1100)).sum() == 1


def test_a_held_picture_is_shown_again_in_later_calls() -> None:
    held = PolarityHistogram(HistogramConfig(step_ms=1.0, resolution=SENSOR, slicing=AtLeast(min_events=2)))
    stream = PictureStream(held, SENSOR, start_us=0)
    first = stream.push(events_at(1, 2), until_us=1000)
    first[:] = -1  # The caller may do with it as he likes.
    assert stream.push(events_at(1500), until_us=2000).sum() == 2
    assert stream.push(events_at(2500, 2600), until_us=3000).sum() == 3


def test_a_surface_fades_on_in_later_calls() -> None:
    surface = TimeSurface(TimeSurfaceConfig(step_ms=1.0, decay="linear", decay_ms=4.0, resolution=SENSOR))
    stream = PictureStream(surface, SENSOR, start_us=0)
    values = [stream.push(events_at(0), until_us=1000), stream.push(events_at(), until_us=3000)]
    assert np.concatenate(values)[:, 0, 0, 1].tolist() == [0.75, 0.5, 0.25]


@pytest.mark.parametrize("slicing", [FixedCount(num_events=500), AtLeast(min_events=500)])
def test_the_memory_held_does_not_grow_with_the_stream(slicing: Slicing) -> None:
    stream = PictureStream(
        PolarityHistogram(HistogramConfig(step_ms=1.0, resolution=SENSOR, slicing=slicing)), SENSOR, start_us=0
    )
    stream.push(events_at(*range(3000)))
    tracemalloc.start()
    try:
        for start in range(3000, 300_000, 3000):
            stream.push(events_at(*range(start, start + 3000)))
        assert tracemalloc.get_traced_memory()[0] < 200_000  # of 3.9 MB of events
    finally:
        tracemalloc.stop()


def test_joined_pictures_are_those_of_the_whole_recording() -> None:
    times = np.sort(np.random.default_rng(0).integers(0, 50_000, 2000))
    whole = events_at(*times.tolist())
    stream = PictureStream(COUNTS, SENSOR, start_us=0)
    parts = [stream.push(whole[start : start + 77]) for start in range(0, 2000, 77)]
    expected = COUNTS(Recording("r", "someone", events=whole), TimeWindow(0, 50_000))
    np.testing.assert_array_equal(np.concatenate([*parts, stream.finish(50_000)]), expected)


def test_time_that_runs_backwards_is_refused() -> None:
    stream = PictureStream(COUNTS, SENSOR)
    stream.push(events_at(500))
    with pytest.raises(EventOrderError, match="an event at 400 us comes after 500 us"):
        stream.push(events_at(400, 900))


def test_an_event_before_the_time_that_the_caller_vouched_for_is_refused() -> None:
    stream = PictureStream(COUNTS, SENSOR)
    stream.push(events_at(), until_us=2000)
    with pytest.raises(EventOrderError, match="an event at 1999 us comes after 2000 us"):
        stream.push(events_at(1999))


def test_events_of_another_sensor_are_refused() -> None:
    with pytest.raises(DataError, match="takes events of a 3x2 sensor; these are of 4x2"):
        PictureStream(COUNTS, SENSOR).push(EventStream.empty(Resolution(height=2, width=4)))


def test_an_end_before_the_last_event_is_refused() -> None:
    stream = PictureStream(COUNTS, SENSOR)
    stream.push(events_at(0, 500))
    with pytest.raises(ConfigError, match="the stream has come to 501 us; it cannot end at 500 us"):
        stream.finish(500)


@pytest.mark.parametrize("slicing", [FixedTime(), AtLeast(min_events=5)])
def test_a_clock_that_leaps_years_ahead_is_refused_before_its_pictures_are_made(slicing: Slicing) -> None:
    counts = PolarityHistogram(HistogramConfig(step_ms=1.0, resolution=SENSOR, slicing=slicing))
    stream = PictureStream(counts, SENSOR, start_us=0)
    stream.push(events_at(10))
    with pytest.raises(DataError, match=r"63072000000 pictures of 2 x 3x2 would come at once, up to 63072000000000 us"):
        stream.push(events_at(63_072_000_000_000))
