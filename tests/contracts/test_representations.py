"""What every representation promises, over all of them. A new one is one more row."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import event_streams, time_windows

from snnface.app.catalog import REPRESENTATIONS
from snnface.config import from_json, to_json
from snnface.errors import ConfigError, DataError
from snnface.events import EventStream, FrameClip, Resolution, TimeWindow
from snnface.recording import Recording
from snnface.representations import (
    AtLeast,
    EventPictures,
    FixedCount,
    HistogramConfig,
    PictureStream,
    PlainFramesConfig,
    PolarityHistogram,
    Representation,
    RepresentationConfig,
    TemporalBinaryConfig,
    TimeSurfaceConfig,
    VoxelGridConfig,
)

SMALL = Resolution(height=5, width=7)
FEW, MANY = FixedCount(num_events=7), AtLeast(min_events=7)


def swap_halves(pictures: np.ndarray) -> np.ndarray:
    """ON channels for OFF channels."""
    return np.roll(pictures, pictures.shape[1] // 2, axis=1)


def unchanged(pictures: np.ndarray) -> np.ndarray:
    return pictures


@dataclass(frozen=True)
class Row:
    """A representation and what it promises.

    Attributes:
        flipped: what flipping all polarities does to the pictures.
        mass: what the pictures of all events sum up to; None: nothing is promised.
        remembers: whether a picture depends on earlier steps of its window.
    """

    config: RepresentationConfig
    flipped: Callable[[np.ndarray], np.ndarray]
    mass: Callable[[EventStream], int] | None = None
    remembers: bool = False

    @property
    def representation(self) -> Representation:
        return REPRESENTATIONS[type(self.config)](self.config)


def num_on_less_off(events: EventStream) -> int:
    return int(np.where(events.polarity, 1, -1).sum())


ROWS = {
    "histogram": Row(HistogramConfig(step_ms=4.0, resolution=SMALL), swap_halves, mass=len),
    "histogram cut to 1": Row(HistogramConfig(step_ms=4.0, resolution=SMALL, max_count=1), swap_halves),
    "histogram by count": Row(HistogramConfig(resolution=SMALL, slicing=FEW), swap_halves, remembers=True),
    "histogram held": Row(HistogramConfig(step_ms=4.0, resolution=SMALL, slicing=MANY), swap_halves, remembers=True),
    "temporal binary": Row(TemporalBinaryConfig(bin_us=1000, num_bins=4, resolution=SMALL), unchanged),
    "temporal binary, oldest bin heaviest": Row(
        TemporalBinaryConfig(bin_us=300, num_bins=16, heaviest_bin="oldest", divisor="2^N", resolution=SMALL), unchanged
    ),
    "temporal binary by count": Row(
        TemporalBinaryConfig(num_bins=3, resolution=SMALL, slicing=FEW), unchanged, remembers=True
    ),
    "temporal binary held": Row(
        TemporalBinaryConfig(bin_us=1000, num_bins=3, resolution=SMALL, slicing=MANY), unchanged, remembers=True
    ),
    "voxel grid": Row(VoxelGridConfig(step_ms=4.0, resolution=SMALL), np.negative, mass=num_on_less_off),
    "voxel grid of one bin": Row(
        VoxelGridConfig(step_ms=4.0, num_bins=1, resolution=SMALL), np.negative, mass=num_on_less_off
    ),
    "voxel grid, polarities apart": Row(
        VoxelGridConfig(step_ms=4.0, num_bins=3, polarity="separate", resolution=SMALL), swap_halves, mass=len
    ),
    "voxel grid by count": Row(VoxelGridConfig(resolution=SMALL, slicing=FEW), np.negative, remembers=True),
    "voxel grid held": Row(VoxelGridConfig(step_ms=4.0, resolution=SMALL, slicing=MANY), np.negative, remembers=True),
    "exponential surface": Row(TimeSurfaceConfig(step_ms=4.0, resolution=SMALL), swap_halves, remembers=True),
    "linear surface": Row(
        TimeSurfaceConfig(step_ms=4.0, decay="linear", decay_ms=9.0, resolution=SMALL), swap_halves, remembers=True
    ),
    "surface by count": Row(TimeSurfaceConfig(resolution=SMALL, slicing=FEW), swap_halves, remembers=True),
    "surface held": Row(TimeSurfaceConfig(step_ms=4.0, resolution=SMALL, slicing=MANY), swap_halves, remembers=True),
    "grey frames": Row(PlainFramesConfig(step_ms=4.0, resolution=SMALL), unchanged),
    "RGB frames, nearest": Row(
        PlainFramesConfig(step_ms=4.0, choice="nearest", colour="rgb", resolution=SMALL), unchanged
    ),
}

OF_EVENTS = {name: row for name, row in ROWS.items() if not isinstance(row.config, PlainFramesConfig)}


def rows(chosen: dict[str, Row]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", chosen.values(), ids=chosen)


every_representation = rows(ROWS)
every_representation_of_events = rows(OF_EVENTS)
few_examples = settings(deadline=None, max_examples=12)


def recording_of(events: EventStream, *, shift_us: int = 0) -> Recording:
    """The events, and a frame every 7 ms from long before them to long after."""
    times = np.arange(-140_000, 140_000, 7000, dtype=np.int64) + shift_us
    pixels = np.random.default_rng(0).integers(0, 256, (len(times), 6, 9, 3), np.uint8)
    return Recording("r", "someone", events=events, frames=FrameClip(pixels=pixels, t_us=times))


def flipped(stream: EventStream) -> EventStream:
    return EventStream(
        x=stream.x, y=stream.y, t_us=stream.t_us, polarity=~stream.polarity, resolution=stream.resolution
    )


def test_every_representation_of_the_catalog_is_under_contract() -> None:
    assert {type(row.config) for row in ROWS.values()} == set(REPRESENTATIONS)


@every_representation
def test_it_is_a_representation(row: Row) -> None:
    assert isinstance(row.representation, Representation)


@every_representation
def test_its_settings_survive_json(row: Row) -> None:
    assert from_json(type(row.config), to_json(row.config)) == row.config


@every_representation
@few_examples
@given(stream=event_streams(), window=time_windows())
def test_the_shape_is_the_declared_one(row: Row, stream: EventStream, window: TimeWindow) -> None:
    representation = row.representation
    pictures = representation(recording_of(stream), window)
    size = representation.resolution
    by_count = getattr(row.config, "slicing", None) == FEW
    num_steps = len(stream.between(window)) // 7 if by_count else window.num_steps(representation.step_us)
    assert pictures.shape == (num_steps, representation.num_channels, size.height, size.width)
    assert pictures.dtype == np.float32
    assert np.isfinite(pictures).all()


@every_representation
@few_examples
@given(stream=event_streams(), window=time_windows())
def test_the_input_is_untouched(row: Row, stream: EventStream, window: TimeWindow) -> None:
    recording = recording_of(stream)
    before = [column.copy() for column in (stream.x, stream.y, stream.t_us, stream.polarity, recording.frames.pixels)]
    first = row.representation(recording, window)
    for column, copy in zip(
        (stream.x, stream.y, stream.t_us, stream.polarity, recording.frames.pixels), before, strict=True
    ):
        np.testing.assert_array_equal(column, copy)
    np.testing.assert_array_equal(row.representation(recording, window), first)


@every_representation
@few_examples
@given(stream=event_streams(), shift_us=st.integers(-(10**12), 10**12))
def test_a_shift_in_time_changes_nothing(row: Row, stream: EventStream, shift_us: int) -> None:
    shifted = EventStream(
        x=stream.x, y=stream.y, t_us=stream.t_us + shift_us, polarity=stream.polarity, resolution=stream.resolution
    )
    np.testing.assert_array_equal(
        row.representation(recording_of(shifted, shift_us=shift_us), TimeWindow(1000 + shift_us, 60_000 + shift_us)),
        row.representation(recording_of(stream), TimeWindow(1000, 60_000)),
    )


@every_representation
@few_examples
@given(stream=event_streams())
def test_flipping_all_polarities_does_what_is_promised(row: Row, stream: EventStream) -> None:
    window = TimeWindow(0, 100_000)
    np.testing.assert_array_equal(
        row.representation(recording_of(flipped(stream)), window),
        row.flipped(row.representation(recording_of(stream), window)),
    )


@rows({name: row for name, row in ROWS.items() if not row.remembers})
@few_examples
@given(stream=event_streams(), num_steps=st.tuples(st.integers(0, 9), st.integers(0, 9)))
def test_pictures_of_adjacent_windows_are_those_of_both(
    row: Row, stream: EventStream, num_steps: tuple[int, int]
) -> None:
    representation, recording = row.representation, recording_of(stream)
    middle, end = (representation.step_us * steps for steps in (num_steps[0], sum(num_steps)))
    halves = [representation(recording, window) for window in (TimeWindow(0, middle), TimeWindow(middle, end))]
    np.testing.assert_array_equal(np.concatenate(halves), representation(recording, TimeWindow(0, end)))


@rows({name: row for name, row in ROWS.items() if row.mass is not None})
@few_examples
@given(stream=event_streams())
def test_no_event_is_lost(row: Row, stream: EventStream) -> None:
    pictures = row.representation(recording_of(stream), TimeWindow(0, 500_000))
    assert row.mass is not None
    assert pictures.sum(dtype=np.float64) == pytest.approx(row.mass(stream), abs=3e-4)


@every_representation_of_events
@few_examples
@given(stream=event_streams(), window=time_windows())
def test_only_events_inside_the_window_matter(row: Row, stream: EventStream, window: TimeWindow) -> None:
    whole = row.representation(recording_of(stream), window)
    np.testing.assert_array_equal(whole, row.representation(recording_of(stream.between(window)), window))


@every_representation_of_events
@few_examples
@given(stream=event_streams(), data=st.data())
def test_events_in_pieces_give_the_same_pictures(row: Row, stream: EventStream, data: st.DataObject) -> None:
    representation = row.representation
    assert isinstance(representation, EventPictures)
    window = TimeWindow(*sorted(data.draw(st.tuples(st.integers(-5000, 90_000), st.integers(-5000, 90_000)))))
    stream = stream[: int(np.searchsorted(stream.t_us, window.end_us))]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pictures = PictureStream(representation, stream.resolution, start_us=window.start_us)
    parts = [pictures.push(stream[first:last]) for first, last in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    np.testing.assert_array_equal(
        np.concatenate([*parts, pictures.finish(window.end_us)]), representation(recording_of(stream), window)
    )


@every_representation_of_events
def test_a_window_without_events_is_zero(row: Row) -> None:
    pictures = row.representation(recording_of(EventStream.empty(Resolution(9, 9))), TimeWindow(0, 40_000))
    assert not pictures.any()


@every_representation
def test_an_empty_window_has_no_steps(row: Row) -> None:
    assert len(row.representation(recording_of(EventStream.empty(Resolution(9, 9))), TimeWindow(5, 5))) == 0


@every_representation
def test_each_call_gives_pictures_of_its_own(row: Row) -> None:
    events = EventStream.from_arrays(x=[1], y=[1], t_us=[10], polarity=[1], resolution=Resolution(9, 9))
    first = row.representation(recording_of(events), TimeWindow(0, 9000))
    kept = first.copy()
    first[:] = -1
    np.testing.assert_array_equal(row.representation(recording_of(events), TimeWindow(0, 9000)), kept)


@every_representation
def test_a_tensor_of_the_pictures_is_no_copy(row: Row) -> None:
    stream = EventStream.from_arrays(
        x=[1] * 14, y=[1] * 14, t_us=range(0, 14_000, 1000), polarity=[1] * 14, resolution=Resolution(9, 9)
    )
    pictures = row.representation(recording_of(stream), TimeWindow(0, 14_000))
    tensor = torch.from_numpy(pictures)
    assert tensor.is_contiguous()
    tensor += 1
    np.testing.assert_array_equal(pictures, tensor.numpy())
    assert tensor.data_ptr() == pictures.ctypes.data


@every_representation_of_events
def test_a_recording_without_events_is_refused(row: Row) -> None:
    frames = FrameClip(pixels=np.zeros((1, 4, 4, 1), np.uint8), t_us=np.array([0]))
    with pytest.raises(DataError, match="recording 'only frames' holds frames only"):
        row.representation(Recording("only frames", "someone", frames=frames), TimeWindow(0, 8000))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HistogramConfig(step_ms=0.0), r"step_ms must be at least 0\.001; got 0\.0"),
        (lambda: HistogramConfig(step_ms=float("nan")), "step_ms must be at least"),
        (lambda: HistogramConfig(max_count=0), "max_count must be at least 1"),
        (lambda: TemporalBinaryConfig(bin_us=0), "bin_us must be at least 1"),
        (lambda: TemporalBinaryConfig(num_bins=0), r"num_bins must be in 1\.\.24"),
        (lambda: TemporalBinaryConfig(num_bins=25), r"num_bins must be in 1\.\.24"),
        (lambda: VoxelGridConfig(step_ms=-1.0), "step_ms must be at least"),
        (lambda: VoxelGridConfig(num_bins=0), "num_bins must be at least 1; got 0"),
        (lambda: TimeSurfaceConfig(step_ms=0.0001), "step_ms must be at least"),
        (lambda: TimeSurfaceConfig(decay_ms=0.0), r"decay_ms must lie in 0\.001\.\.1e\+12; got 0\.0"),
        (lambda: TimeSurfaceConfig(decay_ms=float("inf")), "decay_ms must lie in"),
        (lambda: TimeSurfaceConfig(decay_ms=float("nan")), "decay_ms must lie in"),
        (lambda: PlainFramesConfig(step_ms=0.0), "step_ms must be at least"),
        (lambda: FixedCount(num_events=0), "num_events must be at least 1; got 0"),
        (lambda: AtLeast(min_events=0), "min_events must be at least 1; got 0"),
    ],
)
def test_impossible_settings_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_settings_written_before_there_were_slicings_are_read_as_steps_of_time() -> None:
    text = '{"step_ms": 33.0, "resolution": {"height": 32, "width": 32}, "max_count": 15}'
    config = from_json(HistogramConfig, text)
    assert config == HistogramConfig(resolution=Resolution(32, 32), max_count=15)
    assert PolarityHistogram(config).step_us == 33_000
