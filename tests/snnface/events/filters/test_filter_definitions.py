"""The filters that remember, and the moving box, against their definitions in plain Python, event by event."""

import math
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import event_streams, resolutions

from snnface.events import EventStream, Resolution
from snnface.events.filters import (
    BackgroundActivityConfig,
    BoxTrack,
    FlickerConfig,
    HotPixelConfig,
    SumDownsamplerConfig,
    crop_to_track,
    downsample_by_sum,
    hot_pixels,
    without_background_activity,
    without_flicker,
)

Rows = list[tuple[int, int, int, bool]]
# So small that events meet.
SENSORS = st.builds(Resolution, height=st.integers(1, 3), width=st.integers(1, 4))
STREAMS = SENSORS.flatmap(lambda size: event_streams(resolution=size, max_events=80, max_gap_us=2000))


def rows_of(stream: EventStream) -> Rows:
    columns = (getattr(stream, name).tolist() for name in ("t_us", "x", "y", "polarity"))
    return list(zip(*columns, strict=True))


@given(stream=STREAMS, support_us=st.sampled_from([1, 1000, 9000]))
def test_background_activity_is_what_no_neighbour_supports(stream: EventStream, support_us: int) -> None:
    last: dict[tuple[int, int], int] = {}
    expected: Rows = []
    around = [(dx, dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1) if (dx, dy) != (0, 0)]
    for t, x, y, on in rows_of(stream):
        if any(t - last.get((x + dx, y + dy), -math.inf) < support_us for dx, dy in around):
            expected.append((t, x, y, on))
        last[x, y] = t
    assert rows_of(without_background_activity(stream, BackgroundActivityConfig(support_us=support_us))) == expected


@given(stream=STREAMS, max_hz=st.sampled_from([200.0, 1000.0]), num_periods=st.integers(1, 3))
def test_flicker_is_a_row_of_periods_in_the_band(stream: EventStream, max_hz: float, num_periods: int) -> None:
    onsets: dict[tuple[int, int], int] = {}
    was_on: dict[tuple[int, int], bool] = {}
    counts: dict[tuple[int, int], int] = {}
    expected: Rows = []
    for t, x, y, on in rows_of(stream):
        period = t - onsets.get((x, y), t)
        is_onset = on and not was_on.get((x, y), False)
        if is_onset:
            counts[x, y] = counts.get((x, y), 0) + 1 if 1e6 / max_hz <= period <= 1e6 / 50 else 0
            onsets[x, y] = t
        elif period > 1e6 / 50:
            counts[x, y] = 0
        was_on[x, y] = on
        if counts.get((x, y), 0) < num_periods:
            expected.append((t, x, y, on))
    config = FlickerConfig(min_hz=50, max_hz=max_hz, num_periods=num_periods)
    assert rows_of(without_flicker(stream, config)) == expected


@given(stream=STREAMS, factor=st.integers(1, 3), threshold=st.sampled_from([None, 1, 2]))
def test_a_block_fires_when_its_sum_reaches_the_threshold(
    stream: EventStream, factor: int, threshold: int | None
) -> None:
    sums: dict[tuple[int, int], int] = {}
    expected: Rows = []
    for t, x, y, on in rows_of(stream):
        block = (x // factor, y // factor)
        sums[block] = sums.get(block, 0) + (1 if on else -1)
        if abs(sums[block]) >= (threshold or factor * factor):
            expected.append((t, *block, sums[block] > 0))
            sums[block] = 0
    assert rows_of(downsample_by_sum(stream, SumDownsamplerConfig(factor=factor, threshold=threshold))) == expected


@given(stream=STREAMS, num_sigmas=st.sampled_from([0.0, 0.5, 2.0]), contrast=st.sampled_from([1.0, 1.5]))
def test_a_hot_pixel_is_an_outlier_that_stands_alone(stream: EventStream, num_sigmas: float, contrast: float) -> None:
    height, width = stream.resolution.height, stream.resolution.width
    counts = np.zeros((height + 2, width + 2))
    for _, x, y, _ in rows_of(stream):
        counts[y + 1, x + 1] += 1
    busy = counts[counts > 0]
    usual = np.median(busy) if busy.size else 0
    spread = max(1.4826 * np.median(abs(busy - usual)), math.sqrt(usual)) if busy.size else 0
    expected = np.zeros((height, width), bool)
    for row in range(height):
        for column in range(width):
            around = np.delete(counts[row : row + 3, column : column + 3].ravel(), 4)
            count = counts[row + 1, column + 1]
            expected[row, column] = count > usual + num_sigmas * spread and count > contrast * np.sort(around)[-2]
    config = HotPixelConfig(num_sigmas=num_sigmas, contrast=contrast)
    np.testing.assert_array_equal(hot_pixels(stream, config), expected)


@settings(max_examples=150)
@given(data=st.data(), stream=STREAMS, size=resolutions(9))
def test_a_moving_box_shows_the_pixels_in_it_at_the_time_of_each_event(
    data: st.DataObject, stream: EventStream, size: Resolution
) -> None:
    # Quarters of pixels and powers of two of time: on the box's border floats decide as fractions do.
    durations = data.draw(st.lists(st.sampled_from([1, 1 << 10, 1 << 17]), max_size=3))
    times = np.cumsum([data.draw(st.integers(0, 100_000)), *durations]).tolist()
    corner, side = st.integers(-12, 16), st.integers(1, 32)
    boxes = np.array([data.draw(st.tuples(corner, corner, side, side)) for _ in times]) / 4
    expected: Rows = []
    for t, x, y, on in rows_of(stream):
        left, top, width, height = box_at(t, times, boxes.tolist())
        column, row = math.floor((x - left) * size.width / width), math.floor((y - top) * size.height / height)
        if 0 <= column < size.width and 0 <= row < size.height:
            expected.append((t, column, row, on))
    assert rows_of(crop_to_track(stream, BoxTrack(t_us=np.array(times), boxes=boxes), size)) == expected


def box_at(t: int, times: list[int], boxes: list[list[float]]) -> list[Fraction]:
    after = next((k for k, time in enumerate(times) if time >= t), len(times) - 1)
    before = max(after - 1, 0) if times[after] > t else after
    weight = Fraction(t - times[before], times[after] - times[before]) if after > before else Fraction(0)
    return [
        Fraction(a) + weight * (Fraction(b) - Fraction(a)) for a, b in zip(boxes[before], boxes[after], strict=True)
    ]
