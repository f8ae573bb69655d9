"""Fewer, larger pixels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import event_streams

from snnface.errors import ConfigError
from snnface.events import EventStream, Resolution
from snnface.events.filters import SumDownsamplerConfig, downsample, downsample_by_sum, swap_polarity


def test_blocks_become_pixels_and_a_rest_becomes_one_too() -> None:
    stream = EventStream.from_arrays(
        x=[0, 2, 3, 6], y=[0, 2, 3, 4], t_us=[0, 1, 2, 3], polarity=[1, 0, 1, 0], resolution=Resolution(5, 7)
    )
    small = downsample(stream, 3)
    assert small.resolution == Resolution(height=2, width=3)
    assert (small.x.tolist(), small.y.tolist()) == ([0, 0, 1, 2], [0, 0, 1, 1])


def test_a_factor_beyond_the_sensor_leaves_one_pixel() -> None:
    stream = EventStream.from_arrays(x=[8], y=[3], t_us=[0], polarity=[1], resolution=Resolution(5, 9))
    for factor in (9, 100_000):
        assert downsample(stream, factor).resolution == Resolution(1, 1)
        assert downsample(stream, factor).x.tolist() == [0]


def test_a_block_fires_when_its_sum_reaches_the_threshold() -> None:
    # ON minus OFF of the block: 1, 2, 1, 2, 3 fires; then -1, -2, -3 fires.
    stream = EventStream.from_arrays(
        x=[0, 1, 0, 1, 1, 0, 0, 1],
        y=[0, 1, 1, 1, 0, 0, 0, 0],
        t_us=range(8),
        polarity=[1, 1, 0, 1, 1, 0, 0, 0],
        resolution=Resolution(2, 2),
    )
    small = downsample_by_sum(stream, SumDownsamplerConfig(factor=2, threshold=3))
    assert (small.t_us.tolist(), small.polarity.tolist()) == ([4, 7], [True, False])
    assert small.resolution == Resolution(1, 1)


def test_a_block_that_brightens_as_a_whole_gives_the_events_of_one_pixel() -> None:
    # Each of the 3 x 3 pixels has 5 ON events.
    x, y = [0, 1, 2] * 3 * 5, [0, 0, 0, 1, 1, 1, 2, 2, 2] * 5
    stream = EventStream.from_arrays(x=x, y=y, t_us=range(45), polarity=[1] * 45, resolution=Resolution(3, 3))
    assert downsample_by_sum(stream, SumDownsamplerConfig(factor=3)).t_us.tolist() == [8, 17, 26, 35, 44]


@given(stream=event_streams(), factor=st.integers(1, 5))
def test_with_a_threshold_of_one_every_event_passes(stream: EventStream, factor: int) -> None:
    by_sum = downsample_by_sum(stream, SumDownsamplerConfig(factor=factor, threshold=1))
    plain = downsample(stream, factor)
    assert by_sum.resolution == plain.resolution
    assert (by_sum.x.tolist(), by_sum.y.tolist()) == (plain.x.tolist(), plain.y.tolist())


@given(stream=event_streams(), threshold=st.integers(1, 4))
def test_swapped_polarities_give_swapped_events(stream: EventStream, threshold: int) -> None:
    config = SumDownsamplerConfig(factor=3, threshold=threshold)
    here, there = downsample_by_sum(stream, config), downsample_by_sum(swap_polarity(stream), config)
    assert here.t_us.tolist() == there.t_us.tolist()
    assert here.polarity.tolist() == (~there.polarity).tolist()


def test_impossible_factors_are_refused() -> None:
    with pytest.raises(ConfigError, match="factor of down-sampling must be at least 1; got 0"):
        downsample(EventStream.empty(Resolution(1, 1)), 0)
    with pytest.raises(ConfigError, match="factor of down-sampling must be at least 1; got 0"):
        SumDownsamplerConfig(factor=0)
    with pytest.raises(ConfigError, match="threshold must be at least 1, or None"):
        SumDownsamplerConfig(threshold=0)
