"""Voxel grids."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import event_streams

from snnface.events import EventStream, Resolution, TimeWindow
from snnface.recording import Recording
from snnface.representations import FixedCount, VoxelGrid, VoxelGridConfig

SENSOR = Resolution(height=1, width=2)


def grid(stream: EventStream, window: TimeWindow, config: VoxelGridConfig) -> np.ndarray:
    return VoxelGrid(config)(Recording("r", "someone", events=stream), window)


def events(times: list[int], polarity: list[int], x: list[int]) -> EventStream:
    return EventStream.from_arrays(x=x, y=[0] * len(x), t_us=times, polarity=polarity, resolution=SENSOR)


# In a slice of the times 0..8 and with 3 bins an event at t lies at u = t / 4.
STREAM = events([0, 1, 4, 7, 8, 8], [1, 1, 0, 1, 1, 0], [0, 0, 0, 1, 1, 0])


def test_an_event_is_shared_by_the_two_nearest_bins() -> None:
    config = VoxelGridConfig(step_ms=0.009, num_bins=3, resolution=SENSOR)
    expected = [[1 + 0.75, 0], [0.25 - 1, 0.25], [-1, 0.75 + 1]]
    np.testing.assert_array_equal(grid(STREAM, TimeWindow(0, 9), config)[0, :, 0], expected)


def test_polarities_may_have_channels_of_their_own() -> None:
    config = VoxelGridConfig(step_ms=0.009, num_bins=3, polarity="separate", resolution=SENSOR)
    expected = [[1.75, 0], [0.25, 0.25], [0, 1.75], [0, 0], [1, 0], [1, 0]]
    np.testing.assert_array_equal(grid(STREAM, TimeWindow(0, 9), config)[0, :, 0], expected)


def test_a_fixed_count_spans_its_first_to_its_last_event() -> None:
    config = VoxelGridConfig(num_bins=2, resolution=SENSOR, slicing=FixedCount(num_events=3))
    stream = events([10, 12, 18, 18, 18, 18], [1] * 6, [0, 1, 0, 0, 1, 1])
    # u = (t - 10) / 8 in the first slice; the second lasts one instant, where u is 0.
    np.testing.assert_array_equal(
        grid(stream, TimeWindow(0, 99), config)[:, :, 0], [[[1, 0.75], [1, 0.25]], [[1, 2], [0, 0]]]
    )


def test_one_bin_is_the_sum_of_the_signs() -> None:
    config = VoxelGridConfig(step_ms=0.009, num_bins=1, resolution=SENSOR)
    np.testing.assert_array_equal(grid(STREAM, TimeWindow(0, 9), config)[0, 0, 0], [2 - 2, 2])


@settings(deadline=None, max_examples=60)
@given(
    stream=event_streams(resolution=Resolution(3, 4)),
    num_bins=st.integers(2, 9),
    step_us=st.integers(1, 50_000),
    start_us=st.integers(-9000, 60_000),
)
def test_it_is_the_bilinear_kernel_of_the_source(
    stream: EventStream, num_bins: int, step_us: int, start_us: int
) -> None:
    config = VoxelGridConfig(step_ms=step_us / 1000, num_bins=num_bins, resolution=Resolution(3, 4))
    part = stream.between(TimeWindow(start_us, start_us + step_us))
    position = (num_bins - 1) * (part.t_us - start_us) / max(step_us - 1, 1)
    expected = np.zeros((num_bins, 3, 4))
    for b in range(num_bins):
        kernel = np.maximum(0, 1 - np.abs(b - position)) * np.where(part.polarity, 1, -1)
        np.add.at(expected[b], (part.y, part.x), kernel)
    answer = grid(stream, TimeWindow(start_us, start_us + step_us), config)[0]
    # 60 additions in float32, each off by at most half a unit in the last place of 60.
    np.testing.assert_allclose(answer, expected, atol=1.2e-4)
