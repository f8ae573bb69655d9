"""Plain frames."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnface.errors import DataError
from snnface.events import EventStream, FrameClip, Resolution, TimeWindow
from snnface.recording import Recording
from snnface.representations import HistogramConfig, PlainFrames, PlainFramesConfig, PolarityHistogram

ONE = Resolution(height=1, width=1)


def pictures_of(frames: FrameClip, window: TimeWindow, config: PlainFramesConfig) -> np.ndarray:
    return PlainFrames(config)(Recording("filmed", "someone", frames=frames), window)


def grey_levels(times: list[int]) -> FrameClip:
    """One pixel; frame k has the level k."""
    levels = np.arange(len(times), dtype=np.uint8).reshape(-1, 1, 1, 1)
    return FrameClip(pixels=levels, t_us=np.array(times, np.int64))


def chosen(times: list[int], window: TimeWindow, config: PlainFramesConfig) -> list[int]:
    return np.rint(pictures_of(grey_levels(times), window, config).ravel() * 255).astype(int).tolist()


def test_the_latest_frame_is_the_last_one_before_the_steps_end() -> None:
    config = PlainFramesConfig(step_ms=0.01, resolution=ONE)
    # Steps end at 10, 20, 30, 40; the frame at 30 comes too late for the step that ends there.
    assert chosen([0, 9, 30, 31], TimeWindow(0, 45), config) == [1, 1, 1, 3]


def test_a_frame_before_the_window_is_shown_until_the_next() -> None:
    config = PlainFramesConfig(step_ms=0.01, resolution=ONE)
    assert chosen([-90, 25], TimeWindow(0, 30), config) == [0, 0, 1]


def test_the_nearest_frame_is_that_nearest_to_the_steps_middle_and_the_earlier_of_two() -> None:
    config = PlainFramesConfig(step_ms=0.01, choice="nearest", resolution=ONE)
    # Middles at 5, 15, 25, 35: the frames at 0 and 10 are equally near to 5.
    assert chosen([0, 10, 21, 36], TimeWindow(0, 40), config) == [0, 1, 2, 3]


def test_of_frames_at_the_steps_rate_both_choices_take_one_a_step() -> None:
    times = [33 * k for k in range(5)]
    for choice in ("latest", "nearest"):
        config = PlainFramesConfig(step_ms=0.033, choice=choice, resolution=ONE)
        assert chosen(times, TimeWindow(0, 33 * 5), config) == [0, 1, 2, 3, 4]


@settings(deadline=None)
@given(
    times=st.lists(st.integers(-200, 200), min_size=1, max_size=12, unique=True).map(sorted),
    start_us=st.integers(-100, 100),
    step_us=st.integers(1, 60),
)
def test_no_frame_is_nearer_than_the_nearest(times: list[int], start_us: int, step_us: int) -> None:
    config = PlainFramesConfig(step_ms=step_us / 1000, choice="nearest", resolution=ONE)
    answer = chosen(times, TimeWindow(start_us, start_us + 4 * step_us), config)
    middles = [start_us + (k + 0.5) * step_us for k in range(4)]
    assert answer == [min(range(len(times)), key=lambda i: abs(times[i] - middle)) for middle in middles]


def test_colour_becomes_luma_and_grey_is_repeated() -> None:
    red, white = np.array([255, 0, 0], np.uint8), np.array([255, 255, 255], np.uint8)
    colour = FrameClip(pixels=np.stack([red, white]).reshape(1, 1, 2, 3), t_us=np.array([0]))
    size, window = Resolution(height=1, width=2), TimeWindow(0, 1000)
    grey = pictures_of(colour, window, PlainFramesConfig(step_ms=1.0, resolution=size))
    np.testing.assert_allclose(grey, np.array([0.299, 1.0]).reshape(1, 1, 1, 2), rtol=1e-6)
    rgb = pictures_of(colour, window, PlainFramesConfig(step_ms=1.0, resolution=size, colour="rgb"))
    np.testing.assert_array_equal(rgb[0, :, 0], [[1, 1], [0, 1], [0, 1]])
    level = FrameClip(pixels=np.full((1, 1, 2, 1), 51, np.uint8), t_us=np.array([0]))
    repeated = pictures_of(level, window, PlainFramesConfig(step_ms=1.0, resolution=size, colour="rgb"))
    np.testing.assert_allclose(repeated, np.full((1, 3, 1, 2), 0.2), rtol=1e-6)


def test_a_smaller_picture_holds_the_mean_of_the_pixels_that_the_floor_rule_puts_together() -> None:
    row = np.array([0, 10, 20, 30, 40], np.uint8).reshape(1, 1, 5, 1)
    clip = FrameClip(pixels=row, t_us=np.array([0]))
    # Columns 0..4 go to 0 0 0 1 1.
    config = PlainFramesConfig(step_ms=1.0, resolution=Resolution(height=1, width=2))
    np.testing.assert_allclose(pictures_of(clip, TimeWindow(0, 1000), config)[0, 0, 0] * 255, [10, 35], rtol=1e-6)


def test_a_larger_picture_repeats_pixels() -> None:
    clip = FrameClip(pixels=np.array([50, 100], np.uint8).reshape(1, 2, 1, 1), t_us=np.array([0]))
    config = PlainFramesConfig(step_ms=1.0, resolution=Resolution(height=5, width=1))
    column = pictures_of(clip, TimeWindow(0, 1000), config)[0, 0, :, 0] * 255
    np.testing.assert_allclose(column, [50, 50, 50, 100, 100], rtol=1e-6)


@settings(deadline=None)
@given(sensor=st.builds(Resolution, height=st.integers(1, 9), width=st.integers(1, 9)), size=st.data())
def test_frames_lie_exactly_on_event_pictures(sensor: Resolution, size: st.DataObject) -> None:
    small = Resolution(height=size.draw(st.integers(1, sensor.height)), width=size.draw(st.integers(1, sensor.width)))
    y, x = size.draw(st.integers(0, sensor.height - 1)), size.draw(st.integers(0, sensor.width - 1))
    pixels = np.zeros((1, sensor.height, sensor.width, 1), np.uint8)
    pixels[0, y, x] = 255
    events = EventStream.from_arrays(x=[x], y=[y], t_us=[0], polarity=[1], resolution=sensor)
    recording = Recording("both", "someone", events=events, frames=FrameClip(pixels=pixels, t_us=np.array([0])))
    window = TimeWindow(0, 1000)
    frame = PlainFrames(PlainFramesConfig(step_ms=1.0, resolution=small))(recording, window)
    counts = PolarityHistogram(HistogramConfig(step_ms=1.0, resolution=small))(recording, window)
    np.testing.assert_array_equal(frame[:, 0] > 0, counts[:, 0] > 0)


def test_a_recording_without_frames_is_refused() -> None:
    recording = Recording("blind", "someone", events=EventStream.empty(ONE))
    with pytest.raises(DataError, match="recording 'blind' has no frames"):
        PlainFrames(PlainFramesConfig())(recording, TimeWindow(0, 99_000))


def test_a_step_before_the_first_frame_is_refused() -> None:
    config = PlainFramesConfig(step_ms=0.01, resolution=ONE)
    with pytest.raises(DataError, match="'filmed' has its first frame at 10 us, after the step that begins at 0 us"):
        pictures_of(grey_levels([10, 20]), TimeWindow(0, 30), config)
