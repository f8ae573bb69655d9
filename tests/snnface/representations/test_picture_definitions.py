"""Every representation of events against its definition in plain Python, event by event."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import event_streams

from snnface.events import EventStream, Resolution, TimeWindow
from snnface.events.filters import shift_time
from snnface.recording import Recording
from snnface.representations import (
    AtLeast,
    EventPictures,
    FixedCount,
    FixedTime,
    HistogramConfig,
    PictureStream,
    PolarityHistogram,
    Slicing,
    TemporalBinary,
    TemporalBinaryConfig,
    TimeSurface,
    TimeSurfaceConfig,
    VoxelGrid,
    VoxelGridConfig,
)

# Smaller, larger and wider than the sensors that are drawn.
SIZES = st.sampled_from([Resolution(2, 3), Resolution(50, 60), Resolution(5, 90)])
SLICINGS = st.one_of(
    st.just(FixedTime()),
    st.builds(FixedCount, num_events=st.integers(1, 9)),
    st.builds(AtLeast, min_events=st.integers(1, 9)),
)


class Event(NamedTuple):
    """With the place in the picture."""

    t: int
    x: int
    y: int
    on: bool


class Slice(NamedTuple):
    start: int
    end: int
    events: list[Event]


def events_of(stream: EventStream, window: TimeWindow, size: Resolution) -> list[Event]:
    sensor = stream.resolution
    rows = zip(*(getattr(stream, name).tolist() for name in ("t_us", "x", "y", "polarity")), strict=True)
    return [
        Event(t, x * size.width // sensor.width, y * size.height // sensor.height, on)
        for t, x, y, on in rows
        if window.start_us <= t < window.end_us
    ]


def slices_of(events: list[Event], window: TimeWindow, slicing: Slicing, step_us: int) -> Iterator[Slice | None]:
    """One for each picture; None where the picture before is shown again."""
    if isinstance(slicing, FixedCount):
        for first in range(0, len(events) - slicing.num_events + 1, slicing.num_events):
            part = events[first : first + slicing.num_events]
            yield Slice(part[0].t, part[-1].t + 1, part)
        return
    least = slicing.min_events if isinstance(slicing, AtLeast) else 0
    start = window.start_us
    for end in range(start + step_us, window.end_us + 1, step_us):
        part = [event for event in events if start <= event.t < end]
        if len(part) < least:
            yield None
        else:
            yield Slice(start, end, part)
            start = end


def histogram(picture: np.ndarray, part: Slice, config: HistogramConfig, last: dict[Any, int]) -> None:
    for event in part.events:
        picture[0 if event.on else 1, event.y, event.x] += 1
    if config.max_count is not None:
        np.minimum(picture, config.max_count, out=picture)


def temporal_binary(picture: np.ndarray, part: Slice, config: TemporalBinaryConfig, last: dict[Any, int]) -> None:
    bins, duration = config.num_bins, part.end - part.start
    for event in part.events:
        # Bin i begins at ceil(i * duration / bins); so it is the last one that begins by then.
        index = max(i for i in range(bins) if part.start - (-i * duration // bins) <= event.t)
        bit = index if config.heaviest_bin == "newest" else bins - 1 - index
        picture[0, event.y, event.x] = int(picture[0, event.y, event.x]) | 1 << bit
    picture /= 2**bins - 1 if config.divisor == "2^N - 1" else 2**bins


def voxel_grid(picture: np.ndarray, part: Slice, config: VoxelGridConfig, last: dict[Any, int]) -> None:
    bins, is_signed = config.num_bins, config.polarity == "signed"
    for event in part.events:
        u = (bins - 1) * (event.t - part.start) / max(part.end - 1 - part.start, 1)
        for b in range(bins):
            channel = b if is_signed or event.on else bins + b
            sign = -1 if is_signed and not event.on else 1
            picture[channel, event.y, event.x] += sign * max(0, 1 - abs(u - b))


def time_surface(picture: np.ndarray, part: Slice, config: TimeSurfaceConfig, last: dict[Any, int]) -> None:
    last.update({(0 if event.on else 1, event.y, event.x): event.t for event in part.events})
    for place, t in last.items():
        age = (part.end - t) / (1000 * config.decay_ms)
        picture[place] = math.exp(-age) if config.decay == "exponential" else max(0, 1 - age)


KINDS: dict[str, tuple[type[EventPictures], st.SearchStrategy[Any], Callable[..., None]]] = {
    "histogram": (
        PolarityHistogram,
        st.builds(HistogramConfig, step_ms=st.just(3.0), max_count=st.sampled_from([None, 1, 2])),
        histogram,
    ),
    "temporal binary": (
        TemporalBinary,
        st.builds(TemporalBinaryConfig, bin_us=st.sampled_from([500, 901]), num_bins=st.sampled_from([1, 2, 7, 16])),
        temporal_binary,
    ),
    "voxel grid": (VoxelGrid, st.builds(VoxelGridConfig, step_ms=st.just(3.0), num_bins=st.integers(1, 5)), voxel_grid),
    "time surface": (
        TimeSurface,
        st.builds(TimeSurfaceConfig, step_ms=st.just(3.0), decay_ms=st.sampled_from([0.1, 5.0])),
        time_surface,
    ),
}

CHOICES: dict[str, dict[str, list[str]]] = {
    "temporal binary": {"heaviest_bin": ["newest", "oldest"], "divisor": ["2^N - 1", "2^N"]},
    "voxel grid": {"polarity": ["signed", "separate"]},
    "time surface": {"decay": ["exponential", "linear"]},
}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=120)
@given(data=st.data(), stream=event_streams(), size=SIZES, slicing=SLICINGS)
def test_pictures_are_what_the_definition_says_whole_and_in_pieces(
    kind: str, data: st.DataObject, stream: EventStream, size: Resolution, slicing: Slicing
) -> None:
    representation_type, configs, define = KINDS[kind]
    choices = {name: data.draw(st.sampled_from(values)) for name, values in CHOICES.get(kind, {}).items()}
    config = replace(data.draw(configs), resolution=size, slicing=slicing, **choices)
    stream = shift_time(stream, data.draw(st.sampled_from([0, -50_000, 1_633_953_690_975_950])))
    start_us = stream.window.start_us + data.draw(st.integers(-7000, 7000))
    window = TimeWindow(start_us, start_us + data.draw(st.sampled_from([0, 2999, 3000, 30_000, 200_000])))
    representation = representation_type(config)

    last: dict[Any, int] = {}
    expected, shown = [], np.zeros((representation.num_channels, size.height, size.width))
    for part in slices_of(events_of(stream, window, size), window, slicing, representation.step_us):
        if part is not None:
            shown = np.zeros_like(shown)
            define(shown, part, config, last)
        expected.append(shown)
    pictures = representation(Recording("r", "someone", events=stream), window)
    np.testing.assert_allclose(pictures, np.array(expected).reshape(-1, *shown.shape), atol=1e-4)

    pieces, inside = PictureStream(representation, stream.resolution, start_us=start_us), stream.between(window)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(inside)), max_size=3)))
    parts = [pieces.push(inside[first:stop]) for first, stop in zip([0, *cuts], [*cuts, len(inside)], strict=True)]
    np.testing.assert_array_equal(np.concatenate([*parts, pieces.finish(window.end_us)]), pictures)
