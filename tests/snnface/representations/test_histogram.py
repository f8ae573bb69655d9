"""Event counts."""

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import event_streams

from snnface.events import EventStream, Resolution, TimeWindow
from snnface.recording import Recording
from snnface.representations import HistogramConfig, PolarityHistogram

SENSOR = Resolution(height=4, width=6)


def counts(stream: EventStream, window: TimeWindow, config: HistogramConfig) -> np.ndarray:
    return PolarityHistogram(config)(Recording("r", "someone", events=stream), window)


def test_events_are_counted_by_step_polarity_row_and_column() -> None:
    stream = EventStream.from_arrays(
        x=[0, 5, 5, 2, 1],
        y=[0, 3, 3, 1, 1],
        t_us=[0, 999, 999, 1000, 2000],
        polarity=[1, 0, 0, 1, 1],
        resolution=SENSOR,
    )
    pictures = counts(stream, TimeWindow(0, 2500), HistogramConfig(step_ms=1.0, resolution=SENSOR))
    expected = np.zeros((2, 2, 4, 6))
    expected[0, 0, 0, 0] = 1  # ON is channel 0
    expected[0, 1, 3, 5] = 2  # OFF is channel 1
    expected[1, 0, 1, 2] = 1  # the event at 2000 us lies in the third step, which is not whole
    np.testing.assert_array_equal(pictures, expected)


def test_the_sensor_is_scaled_by_the_floor_rule() -> None:
    stream = EventStream.from_arrays(
        x=[0, 1, 2, 3, 4, 5], y=[0, 1, 2, 3, 0, 1], t_us=[0] * 6, polarity=[1] * 6, resolution=SENSOR
    )
    pictures = counts(stream, TimeWindow(0, 10), HistogramConfig(step_ms=0.01, resolution=Resolution(2, 4)))
    # Columns 0..5 go to 0 0 1 2 2 3, rows 0..3 to 0 0 1 1.
    np.testing.assert_array_equal(pictures[0, 0], [[2, 0, 1, 1], [0, 1, 1, 0]])


def test_a_larger_picture_than_the_sensor_leaves_gaps() -> None:
    stream = EventStream.from_arrays(x=[0, 1], y=[0, 0], t_us=[0, 0], polarity=[1, 0], resolution=Resolution(1, 2))
    pictures = counts(stream, TimeWindow(0, 10), HistogramConfig(step_ms=0.01, resolution=Resolution(1, 5)))
    np.testing.assert_array_equal(pictures[0, :, 0], [[1, 0, 0, 0, 0], [0, 0, 1, 0, 0]])


def test_counts_are_cut_to_the_greatest_count() -> None:
    stream = EventStream.from_arrays(x=[1] * 5, y=[1] * 5, t_us=[0] * 5, polarity=[1] * 5, resolution=SENSOR)
    pictures = counts(stream, TimeWindow(0, 10), HistogramConfig(step_ms=0.01, resolution=SENSOR, max_count=3))
    assert pictures.sum() == pictures.max() == 3


@settings(deadline=None)
@given(stream=event_streams(), steps=st.tuples(st.integers(0, 20), st.integers(0, 20)))
def test_pictures_of_adjacent_windows_add_up_to_that_of_both(stream: EventStream, steps: tuple[int, int]) -> None:
    middle, end = steps[0] * 5000, (steps[0] + steps[1]) * 5000
    config = HistogramConfig(step_ms=5.0, resolution=Resolution(3, 3))
    halves = [counts(stream, window, config) for window in (TimeWindow(0, middle), TimeWindow(middle, end))]
    both = counts(stream, TimeWindow(0, end), config)
    np.testing.assert_array_equal(np.concatenate(halves), both)
    whole = HistogramConfig(step_ms=end / 1000 or 5.0, resolution=Resolution(3, 3))
    np.testing.assert_array_equal(counts(stream, TimeWindow(0, end), whole).sum(axis=0), both.sum(axis=0))


@settings(deadline=None)
@given(stream=event_streams())
def test_no_event_is_lost_and_flipping_swaps_the_channels(stream: EventStream) -> None:
    window = TimeWindow(0, 1_000_000)
    config = HistogramConfig(step_ms=10.0, resolution=Resolution(6, 5))
    pictures = counts(stream, window, config)
    assert pictures.sum(axis=(0, 2, 3)).tolist() == [stream.polarity.sum(), (~stream.polarity).sum()]
    flipped = EventStream(
        x=stream.x, y=stream.y, t_us=stream.t_us, polarity=~stream.polarity, resolution=stream.resolution
    )
    np.testing.assert_array_equal(counts(flipped, window, config), pictures[:, ::-1])


def test_a_memory_mapped_stream_is_counted_too(tmp_path: Path) -> None:
    columns = {
        name: np.memmap(tmp_path / name, dtype, "w+", shape=(10,))
        for name, dtype in (("x", np.uint16), ("y", np.uint16), ("t_us", np.int64), ("polarity", np.bool_))
    }
    stream = EventStream(**columns, resolution=SENSOR)
    assert counts(stream, TimeWindow(0, 10), HistogramConfig(step_ms=0.01, resolution=SENSOR))[0, 1, 0, 0] == 10


def test_the_default_is_that_of_the_paper() -> None:
    histogram = PolarityHistogram(HistogramConfig())
    assert (histogram.step_us, histogram.resolution, histogram.num_channels) == (33_000, Resolution(64, 64), 2)
