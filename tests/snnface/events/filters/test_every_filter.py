"""What every filter promises: the input stays, order and times stay, and the cutting into pieces does not matter."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import event_streams

from snnface.errors import ConfigError, EventOrderError
from snnface.events import EventStream, PixelBox, Resolution, crop
from snnface.events.filters import (
    BackgroundActivityConfig,
    BackgroundActivityFilter,
    BoxTrack,
    CausalFilter,
    FlickerConfig,
    FlickerFilter,
    RefractoryConfig,
    RefractoryFilter,
    SumDownsampler,
    SumDownsamplerConfig,
    crop_to_track,
    downsample,
    drop_events,
    filtered,
    flip_horizontal,
    flip_vertical,
    keep_off,
    keep_on,
    rotate_clockwise,
    selection,
    shift_time,
    swap_polarity,
    without_pixels,
)

SENSOR = Resolution(height=6, width=9)
TRACK = BoxTrack(t_us=np.array([0, 50_000]), boxes=np.array([[0.0, 0.0, 5.0, 4.0], [3.5, 1.0, 6.0, 6.5]]))
MASK = np.arange(54).reshape(6, 9) % 4 == 0

Filter = Callable[[EventStream], EventStream]

# A new filter for each recording: what remembers is made anew.
FILTERS: dict[str, Callable[[], Filter]] = {
    "crop": lambda: lambda stream: crop(stream, PixelBox(left=2, top=1, width=5, height=4)),
    "box track": lambda: lambda stream: crop_to_track(stream, TRACK, Resolution(8, 8)),
    "flip horizontal": lambda: flip_horizontal,
    "flip vertical": lambda: flip_vertical,
    "rotate": lambda: rotate_clockwise,
    "keep on": lambda: keep_on,
    "keep off": lambda: keep_off,
    "swap polarity": lambda: swap_polarity,
    "without pixels": lambda: lambda stream: without_pixels(stream, MASK),
    "downsample": lambda: lambda stream: downsample(stream, 2),
    "drop events": lambda: _dropping(np.random.default_rng(3)),
    "refractory": lambda: RefractoryFilter(RefractoryConfig(period_us=4000), SENSOR).push,
    "background activity": lambda: BackgroundActivityFilter(BackgroundActivityConfig(support_us=9000), SENSOR).push,
    "flicker": lambda: FlickerFilter(FlickerConfig(min_hz=50, max_hz=400, num_periods=1), SENSOR).push,
    "sum downsampler": lambda: SumDownsampler(SumDownsamplerConfig(factor=4, threshold=2), SENSOR).push,
}

every_filter = pytest.mark.parametrize("new", FILTERS.values(), ids=FILTERS)


def _dropping(generator: np.random.Generator) -> Filter:
    return lambda stream: drop_events(stream, fraction=0.5, generator=generator)


def rows(stream: EventStream) -> list[tuple[int, int, int, bool]]:
    columns = (stream.x, stream.y, stream.t_us, stream.polarity)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@every_filter
@settings(max_examples=25)
@given(stream=event_streams(resolution=SENSOR), cuts=st.lists(st.integers(0, 60), max_size=4).map(sorted))
def test_pieces_joined_are_the_whole(new: Callable[[], Filter], stream: EventStream, cuts: list[int]) -> None:
    whole = new()(stream)
    pieces = [stream[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert rows(EventStream.joined(list(filtered(pieces, new())), whole.resolution)) == rows(whole)


@every_filter
@settings(max_examples=25)
@given(stream=event_streams(resolution=SENSOR))
def test_small_looks_give_the_same_as_one_large_look(new: Callable[[], Filter], stream: EventStream) -> None:
    whole = new()(stream)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selection, "CHUNK_EVENTS", 7)
        assert rows(new()(stream)) == rows(whole)


@every_filter
@settings(max_examples=25)
@given(stream=event_streams(resolution=SENSOR))
def test_the_input_is_untouched_and_the_output_a_valid_stream(new: Callable[[], Filter], stream: EventStream) -> None:
    before = rows(stream)
    result = new()(stream)
    assert rows(stream) == before
    # The constructor checks order, size and types once more.
    again = EventStream(
        x=result.x, y=result.y, t_us=result.t_us, polarity=result.polarity, resolution=result.resolution
    )
    assert rows(again) == rows(result)


@every_filter
@settings(max_examples=25)
@given(stream=event_streams(resolution=SENSOR))
def test_times_are_a_subsequence(new: Callable[[], Filter], stream: EventStream) -> None:
    remaining = iter(stream.t_us.tolist())
    assert all(time in remaining for time in new()(stream).t_us.tolist())


@every_filter
def test_a_memory_mapped_recording_gives_the_same(new: Callable[[], Filter], tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    columns = {
        "x": generator.integers(0, 9, 200).astype(np.uint16),
        "y": generator.integers(0, 6, 200).astype(np.uint16),
        "t_us": np.cumsum(generator.integers(0, 900, 200)),
        "polarity": generator.random(200) < 0.5,
    }
    mapped = {}
    for name, column in columns.items():
        np.save(tmp_path / f"{name}.npy", column)
        mapped[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
    assert rows(new()(EventStream(**mapped, resolution=SENSOR))) == rows(
        new()(EventStream(**columns, resolution=SENSOR))
    )


@every_filter
def test_no_events_stay_no_events(new: Callable[[], Filter]) -> None:
    assert new()(EventStream.empty(SENSOR)).is_empty


@every_filter
@settings(max_examples=25)
@given(stream=event_streams(resolution=SENSOR), shift_us=st.integers(-(10**15), 10**15))
def test_when_a_recording_began_does_not_matter(new: Callable[[], Filter], stream: EventStream, shift_us: int) -> None:
    # The box moves at given times.
    if new is not FILTERS["box track"]:
        assert rows(new()(shift_time(stream, shift_us))) == rows(shift_time(new()(stream), shift_us))


@pytest.mark.parametrize("name", ["keep on", "keep off", "without pixels", "refractory"])
@given(stream=event_streams(resolution=SENSOR))
def test_twice_is_once(name: str, stream: EventStream) -> None:
    once = FILTERS[name]()(stream)
    assert rows(FILTERS[name]()(once)) == rows(once)


@pytest.mark.parametrize("name", ["flip horizontal", "flip vertical", "swap polarity"])
@given(stream=event_streams(resolution=SENSOR))
def test_twice_is_the_identity(name: str, stream: EventStream) -> None:
    twice = FILTERS[name]()(FILTERS[name]()(stream))
    assert rows(twice) == rows(stream)
    assert twice.resolution == SENSOR


@pytest.mark.parametrize("name", ["refractory", "background activity", "flicker"])
@given(stream=event_streams(resolution=SENSOR))
def test_what_passes_is_a_subsequence(name: str, stream: EventStream) -> None:
    remaining = iter(rows(stream))
    assert all(row in remaining for row in rows(FILTERS[name]()(stream)))


def test_a_filter_refuses_events_of_another_sensor() -> None:
    passed = RefractoryFilter(RefractoryConfig(), SENSOR)
    with pytest.raises(ConfigError, match=r"made for a 9x6 sensor; the events come from a 4x4 one. Make a filter for"):
        passed.push(EventStream.empty(Resolution(4, 4)))


def test_a_filter_refuses_pieces_in_the_wrong_order() -> None:
    passed: CausalFilter = RefractoryFilter(RefractoryConfig(), SENSOR)
    stream = EventStream.from_arrays(x=[0, 1], y=[0, 0], t_us=[10, 20], polarity=[1, 1], resolution=SENSOR)
    passed.push(stream)
    with pytest.raises(
        EventOrderError, match=r"one begins at 10 us, after an event at 20 us. Push the pieces in order"
    ):
        passed.push(stream)
