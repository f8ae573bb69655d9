"""Mirroring, turning, polarities and times, on one small stream."""

import numpy as np
import pytest
from hypothesis import given
from strategies import event_streams

from snnface.errors import ConfigError, DataError
from snnface.events import EventStream, Resolution
from snnface.events.filters import (
    drop_events,
    flip_horizontal,
    flip_vertical,
    keep_off,
    keep_on,
    rotate_clockwise,
    shift_time,
    start_at_zero,
    swap_polarity,
)


def two_events() -> EventStream:
    """On a sensor of 4 columns and 3 rows: the upper left pixel ON, then column 2 of the last row OFF."""
    return EventStream.from_arrays(x=[0, 2], y=[0, 2], t_us=[5, 9], polarity=[1, 0], resolution=Resolution(3, 4))


def places(stream: EventStream) -> list[tuple[int, int]]:
    return list(zip(stream.x.tolist(), stream.y.tolist(), strict=True))


def test_a_horizontal_flip_counts_columns_from_the_right() -> None:
    assert places(flip_horizontal(two_events())) == [(3, 0), (1, 2)]


def test_a_vertical_flip_counts_rows_from_below() -> None:
    assert places(flip_vertical(two_events())) == [(0, 2), (2, 0)]


def test_a_quarter_turn_moves_the_upper_left_corner_to_the_upper_right() -> None:
    turned = rotate_clockwise(two_events())
    assert turned.resolution == Resolution(height=4, width=3)
    assert places(turned) == [(2, 0), (0, 2)]


@given(stream=event_streams())
def test_four_quarter_turns_are_the_identity_and_two_are_both_flips(stream: EventStream) -> None:
    half = rotate_clockwise(rotate_clockwise(stream))
    assert places(half) == places(flip_horizontal(flip_vertical(stream)))
    assert places(rotate_clockwise(rotate_clockwise(half))) == places(stream)


def test_polarities_are_kept_by_sign_and_swapped() -> None:
    assert keep_on(two_events()).t_us.tolist() == [5]
    assert keep_off(two_events()).t_us.tolist() == [9]
    assert swap_polarity(two_events()).polarity.tolist() == [False, True]


def test_times_move_and_can_start_at_zero() -> None:
    assert shift_time(two_events(), -7).t_us.tolist() == [-2, 2]
    assert start_at_zero(two_events()).t_us.tolist() == [0, 4]
    assert start_at_zero(EventStream.empty(Resolution(1, 1))).is_empty


@pytest.mark.parametrize("shift_us", [2**63 - 9, -(2**63) - 6])
def test_a_shift_beyond_64_bits_is_refused(shift_us: int) -> None:
    with pytest.raises(DataError, match=r"event times are 64-bit integers; shifted by .* Shift by less"):
        shift_time(two_events(), shift_us)


def test_the_share_of_dropped_events_is_the_asked_one() -> None:
    n = 10_000
    stream = EventStream.from_arrays(x=[0] * n, y=[0] * n, t_us=range(n), polarity=[1] * n, resolution=Resolution(1, 1))
    left = len(drop_events(stream, fraction=0.3, generator=np.random.default_rng(0)))
    # Four standard deviations of a binomial count.
    assert abs(left - 7000) < 4 * (n * 0.3 * 0.7) ** 0.5
    assert drop_events(stream, fraction=1.0, generator=np.random.default_rng(0)).is_empty
    assert len(drop_events(stream, fraction=0.0, generator=np.random.default_rng(0))) == n


def test_a_fraction_beyond_one_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"must lie in 0\.\.1; got 1\.5"):
        drop_events(two_events(), fraction=1.5, generator=np.random.default_rng(0))
