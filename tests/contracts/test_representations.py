"""What every representation promises, over all of them. A new one is one more row."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import event_streams, time_windows

from snnface.errors import ConfigError, DataError
from snnface.events import EventStream, FrameClip, Resolution, TimeWindow
from snnface.recording import Recording
from snnface.representations import (
    HistogramConfig,
    PolarityHistogram,
    Representation,
    TemporalBinary,
    TemporalBinaryConfig,
)

SMALL = Resolution(height=5, width=7)

REPRESENTATIONS: dict[str, Representation] = {
    "histogram": PolarityHistogram(HistogramConfig(step_ms=4.0, resolution=SMALL)),
    "histogram cut to 1": PolarityHistogram(HistogramConfig(step_ms=4.0, resolution=SMALL, max_count=1)),
    "temporal binary": TemporalBinary(TemporalBinaryConfig(bin_us=1000, num_bins=4, resolution=SMALL)),
}

every_representation = pytest.mark.parametrize("representation", REPRESENTATIONS.values(), ids=REPRESENTATIONS)


def recording_of(events: EventStream) -> Recording:
    return Recording("r", "someone", events=events)


@every_representation
def test_it_is_a_representation(representation: Representation) -> None:
    assert isinstance(representation, Representation)


@every_representation
@settings(deadline=None, max_examples=40)
@given(stream=event_streams(), window=time_windows())
def test_the_shape_is_the_declared_one(representation: Representation, stream: EventStream, window: TimeWindow) -> None:
    pictures = representation(recording_of(stream), window)
    size = representation.resolution
    num_steps = window.duration_us // representation.step_us
    assert pictures.shape == (num_steps, representation.num_channels, size.height, size.width)
    assert pictures.dtype == np.float32
    assert np.isfinite(pictures).all()


@every_representation
@settings(deadline=None, max_examples=40)
@given(stream=event_streams(), window=time_windows())
def test_only_events_inside_the_window_matter(
    representation: Representation, stream: EventStream, window: TimeWindow
) -> None:
    whole = representation(recording_of(stream), window)
    np.testing.assert_array_equal(whole, representation(recording_of(stream.between(window)), window))


@every_representation
@settings(deadline=None, max_examples=40)
@given(stream=event_streams(), shift_us=st.integers(-(10**12), 10**12))
def test_a_shift_in_time_changes_nothing(representation: Representation, stream: EventStream, shift_us: int) -> None:
    window = TimeWindow(1000, 60_000)
    shifted = EventStream(
        x=stream.x, y=stream.y, t_us=stream.t_us + shift_us, polarity=stream.polarity, resolution=stream.resolution
    )
    np.testing.assert_array_equal(
        representation(recording_of(shifted), TimeWindow(1000 + shift_us, 60_000 + shift_us)),
        representation(recording_of(stream), window),
    )


@every_representation
@settings(deadline=None, max_examples=40)
@given(stream=event_streams())
def test_flipping_all_polarities_keeps_the_total(representation: Representation, stream: EventStream) -> None:
    window = TimeWindow(0, 400_000)
    flipped = EventStream(
        x=stream.x, y=stream.y, t_us=stream.t_us, polarity=~stream.polarity, resolution=stream.resolution
    )
    pictures = representation(recording_of(stream), window)
    assert representation(recording_of(flipped), window).sum() == pytest.approx(pictures.sum(), rel=1e-6)
    np.testing.assert_array_equal(representation(recording_of(flipped), window).max(axis=1), pictures.max(axis=1))


@every_representation
def test_a_window_without_events_is_zero(representation: Representation) -> None:
    pictures = representation(recording_of(EventStream.empty(Resolution(9, 9))), TimeWindow(0, 8000))
    assert pictures.shape[0] == 2
    assert not pictures.any()


@every_representation
def test_an_empty_window_has_no_steps(representation: Representation) -> None:
    assert len(representation(recording_of(EventStream.empty(Resolution(9, 9))), TimeWindow(5, 5))) == 0


@every_representation
def test_each_call_gives_pictures_of_its_own(representation: Representation) -> None:
    events = EventStream.from_arrays(x=[1], y=[1], t_us=[10], polarity=[1], resolution=Resolution(9, 9))
    first = representation(recording_of(events), TimeWindow(0, 4000))
    kept = first.copy()
    first[:] = -1
    np.testing.assert_array_equal(representation(recording_of(events), TimeWindow(0, 4000)), kept)


@every_representation
def test_a_recording_without_events_is_refused(representation: Representation) -> None:
    frames = FrameClip(pixels=np.zeros((1, 4, 4, 1), np.uint8), t_us=np.array([0]))
    with pytest.raises(DataError, match="recording 'only frames' holds frames only"):
        representation(Recording("only frames", "someone", frames=frames), TimeWindow(0, 8000))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HistogramConfig(step_ms=0.0), r"step_ms must be at least 0\.001; got 0\.0"),
        (lambda: HistogramConfig(step_ms=float("nan")), "step_ms must be at least"),
        (lambda: HistogramConfig(max_count=0), "max_count must be at least 1"),
        (lambda: TemporalBinaryConfig(bin_us=0), "bin_us must be at least 1"),
        (lambda: TemporalBinaryConfig(num_bins=0), r"num_bins must be in 1\.\.24"),
        (lambda: TemporalBinaryConfig(num_bins=25), r"num_bins must be in 1\.\.24"),
    ],
)
def test_impossible_settings_are_refused(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(ConfigError, match=message):
        make()
