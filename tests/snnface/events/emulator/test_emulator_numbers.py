"""The emulator's random numbers, its fast functions, and its sorting of events."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnface.events.emulator.event_buffer import place_of, sorted_columns
from snnface.events.emulator.log_intensity import log_intensity, quick_exp, quick_log_intensity
from snnface.events.emulator.random_bits import frame_keys, hashed, normal, pixel_bits, uniform


def bits_of_frame(seed: int, frame: int, count: int) -> np.ndarray:
    keys = frame_keys(seed, frame)
    return np.array([pixel_bits(pixel, *keys) for pixel in range(count)], np.uint32)


def test_normal_numbers_have_the_moments_of_the_normal_distribution() -> None:
    # All sums of four bytes with their exact weights; any four bytes of a sum stand for it.
    weights = np.ones(1)
    for _ in range(4):
        weights = np.convolve(weights, np.full(256, 1 / 256))
    values = np.array([float(normal(np.uint32(four_bytes(total)))) for total in range(1021)])
    moments = [float((weights * values**power).sum()) for power in range(1, 6)]
    np.testing.assert_allclose(moments, [0, 1, 0, 3, 0], atol=1e-4)


def four_bytes(total: int) -> int:
    parts = [min(255, max(0, total - 255 * place)) for place in range(4)]
    return sum(part << (8 * place) for place, part in enumerate(parts))


def test_bits_are_even_and_neighbours_in_space_time_and_seed_are_independent() -> None:
    one, later, other = (bits_of_frame(*key, 4000) for key in ((1, 0), (1, 1), (2, 0)))
    assert not np.array_equal(one, later)
    ones = np.unpackbits(one.view(np.uint8)).reshape(-1, 32).mean(axis=0)
    assert np.all(np.abs(ones - 0.5) < 4.5 * 0.5 / math.sqrt(4000))
    for left, right in ((one[1:], one[:-1]), (one, later), (one, other)):
        correlation = np.corrcoef(left.astype(np.float64), right.astype(np.float64))[0, 1]
        assert abs(correlation) < 4 / math.sqrt(4000)


def test_uniform_numbers_fill_the_unit_interval() -> None:
    values = np.array([uniform(np.uint64(hashed(5, index))) for index in range(4000)])
    assert values.min() >= 0
    assert values.max() < 1
    counts = np.histogram(values, bins=10, range=(0, 1))[0]
    assert np.all(np.abs(counts - 400) < 4 * math.sqrt(400))


@given(st.floats(0, 255.5, width=32))
def test_the_fast_logarithm_is_the_exact_one_but_for_rounding(value: float) -> None:
    assert quick_log_intensity(np.float32(value)) == pytest.approx(log_intensity(np.float32(value), False), abs=6e-7)


@given(st.floats(-80, 0, width=32))
def test_the_fast_exponential_is_the_exact_one_but_for_rounding(value: float) -> None:
    assert quick_exp(np.float32(value)) == pytest.approx(math.exp(value), rel=4e-7)


def test_the_exponential_of_what_is_very_negative_is_as_good_as_zero() -> None:
    assert 0 <= quick_exp(np.float32(-1e30)) < 1e-37


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5) | st.integers(0, 1 << 40), st.integers(0, 4095)), max_size=60),
    st.integers(-(1 << 50), 1 << 50),
)
def test_events_are_sorted_by_time_and_keep_their_order_otherwise(pairs: list[tuple[int, int]], first_us: int) -> None:
    rows = [(first_us + t, place_of(number // 2, 50) | number % 2) for t, number in pairs]
    buffer = np.array(rows, np.int64).reshape(-1, 2)
    x, y, t_us, polarity = sorted_columns(buffer.copy())
    order = np.argsort(buffer[:, 0], kind="stable")
    numbers = np.array([number for _, number in pairs], np.int64)[order]
    assert t_us.tolist() == buffer[order, 0].tolist()
    assert (y * 100 + x * 2 + polarity).tolist() == numbers.tolist()
