import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnface.errors import ConfigError
from snnface.faces.detection.smoothing import smoothed

T_US = np.arange(50) * 10_000


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("width_ms", [0.0, 5.0, 40.0])
def test_what_does_not_change_stays(causal: bool, width_ms: float) -> None:
    values = np.full((50, 2), 3.5)
    np.testing.assert_allclose(smoothed(values, T_US, width_ms=width_ms, causal=causal), values)


def test_a_width_of_zero_changes_nothing() -> None:
    values = np.random.default_rng(0).normal(size=(50, 3))
    np.testing.assert_array_equal(smoothed(values, T_US, width_ms=0.0, causal=False), values)


def test_a_straight_motion_has_no_lag_in_the_middle_and_one_width_with_the_past_only() -> None:
    values = T_US[:, None] / 1000.0
    assert smoothed(values, T_US, width_ms=30.0, causal=False)[25, 0] == pytest.approx(250)
    # Sampled every 10 ms an exponential of width w lags by 10 / (e^(10/w) - 1), about w - 5 ms.
    assert smoothed(values, T_US, width_ms=30.0, causal=True)[49, 0] == pytest.approx(490 - 10 / np.expm1(1 / 3))


def test_a_step_is_answered_by_the_exponential_of_its_definition() -> None:
    values = np.array([[0.0], [1.0], [1.0]])
    calm = smoothed(values, np.array([0, 10_000, 30_000]), width_ms=20.0, causal=True)
    assert calm[:, 0].tolist() == pytest.approx([0, 1 - np.exp(-0.5), 1 - np.exp(-1.5)])


@given(st.integers(0, 48), st.integers(0, 2**32 - 1))
def test_with_the_past_only_the_future_does_not_matter(cut: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(50, 2))
    whole = smoothed(values, T_US, width_ms=25.0, causal=True)
    np.testing.assert_array_equal(smoothed(values[:cut], T_US[:cut], width_ms=25.0, causal=True), whole[:cut])


def test_noise_becomes_smaller() -> None:
    values = np.random.default_rng(0).normal(size=(2000, 1))
    calm = smoothed(values, np.arange(2000) * 10_000, width_ms=50.0, causal=False)
    # A bell of s samples keeps 1 / (2 sqrt(pi) s) of the variance.
    assert calm.var() == pytest.approx(1 / (2 * np.sqrt(np.pi) * 5), rel=0.25)


def test_a_negative_width_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"at least 0 ms; got -1\.0"):
        smoothed(np.zeros((2, 1)), np.array([0, 1]), width_ms=-1.0, causal=True)
