"""Hot pixels."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from strategies import event_streams

from snnface.errors import ConfigError, ShapeError
from snnface.events import EventStream, Resolution, read
from snnface.events.filters import (
    HotPixelConfig,
    hot_pixels,
    hot_pixels_from_counts,
    pixel_counts,
    without_pixels,
)


def found(counts: np.ndarray, config: HotPixelConfig | None = None) -> list[tuple[int, int]]:
    return [(int(y), int(x)) for y, x in np.argwhere(hot_pixels_from_counts(counts.astype(np.int64), config))]


def test_counts_are_taken_by_row_and_column() -> None:
    stream = EventStream.from_arrays(
        x=[2, 0, 2], y=[1, 0, 1], t_us=[0, 1, 2], polarity=[1, 0, 0], resolution=Resolution(2, 3)
    )
    assert pixel_counts(stream).tolist() == [[1, 0, 0], [0, 0, 2]]


def test_a_pixel_is_hot_above_ten_spreads_and_not_at_them() -> None:
    # The median is 4 and all deviations are 0, so the spread is sqrt(4): hot is above 4 + 10 * 2.
    counts = np.full((9, 9), 4)
    counts[4, 4] = 24
    assert found(counts) == []
    counts[4, 4] = 25
    assert found(counts) == [(4, 4)]


def test_the_spread_of_a_busy_scene_counts() -> None:
    # Of 100 pixels 49 have 100 events, 50 have 200: median 200, its deviation 50 (of 0 and 100), hot above 941.3.
    counts = np.where(np.indices((10, 10)).sum(0) % 2, 200, 100)
    counts[5, 5] = 942
    assert found(counts) == [(5, 5)]
    counts[5, 5] = 941
    assert found(counts) == []


def test_an_edge_of_the_scene_is_not_hot_but_two_hot_pixels_side_by_side_are() -> None:
    counts = np.ones((20, 20))
    counts[10, 2:18] = 500
    assert (10, 5) not in found(counts)
    pair = np.ones((20, 20))
    pair[3, 3:5] = 500
    assert found(pair) == [(3, 3), (3, 4)]


def test_silent_pixels_do_not_make_the_others_hot() -> None:
    counts = np.zeros((30, 30))
    counts[::7, ::7] = 3
    assert found(counts) == []


def test_a_pixel_in_the_corner_can_be_hot() -> None:
    counts = np.ones((5, 5))
    counts[0, 4] = 90
    assert found(counts) == [(0, 4)]


def test_the_settings_move_both_limits() -> None:
    counts = np.full((9, 9), 4)
    counts[4, 4] = 11
    assert found(counts, HotPixelConfig(num_sigmas=3.0, contrast=2.0)) == [(4, 4)]
    assert found(counts, HotPixelConfig(num_sigmas=4.0, contrast=2.0)) == []
    assert found(counts, HotPixelConfig(num_sigmas=3.0, contrast=3.0)) == []


def test_without_events_nothing_is_hot() -> None:
    assert not hot_pixels(EventStream.empty(Resolution(3, 4))).any()


@given(stream=event_streams(resolution=Resolution(5, 4)))
def test_no_event_of_a_masked_pixel_is_left_and_no_other_is_lost(stream: EventStream) -> None:
    mask = np.arange(20).reshape(5, 4) % 3 == 0
    left = without_pixels(stream, mask)
    assert pixel_counts(left).tolist() == np.where(mask, 0, pixel_counts(stream)).tolist()


@pytest.mark.data
def test_what_is_removed_from_a_real_recording_is_few_pixels_with_many_events(shared_events: Path) -> None:
    stream = read(shared_events / "imx636_1280x720_evt3_trigger.raw").events
    mask = hot_pixels(stream)
    counts = pixel_counts(stream)
    assert 0 < mask.sum() < 200
    assert counts[mask].mean() > 10 * counts[counts > 0].mean()
    assert hot_pixels(without_pixels(stream, mask)).sum() < 0.2 * mask.sum()


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"the mask of pixels must have the axes \[5, 4\]; its shape is \[4, 5\]"):
        without_pixels(EventStream.empty(Resolution(5, 4)), np.zeros((4, 5), np.bool_))


def test_impossible_limits_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"num_sigmas must not be negative; got -1"):
        HotPixelConfig(num_sigmas=-1.0)
    with pytest.raises(ConfigError, match=r"contrast must be at least 1; got 0.5"):
        HotPixelConfig(contrast=0.5)
