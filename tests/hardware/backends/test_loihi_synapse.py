"""Weight preparation and sums by definition, against hand-worked numbers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conversion.graph import Conv2dSynapse, LinearSynapse
from hardware.backends.loihi_synapse import (
    SignMode,
    conv_sums,
    dense_sums,
    largest_sum,
    prepared_weight,
    sign_mode_of,
    wrapped24,
)

WEIGHTS = json.loads((Path(__file__).parents[2] / "golden" / "loihi.json").read_text(encoding="utf-8"))["weights"]


@pytest.mark.parametrize("case", WEIGHTS["prepared"], ids=lambda case: f"{case['weight_bits']} {case['sign_mode']}")
def test_weights_are_clipped_and_truncated_as_the_chip_does(case: dict[str, Any]) -> None:
    bits, mode = case["weight_bits"], SignMode(case["sign_mode"])
    prepared = prepared_weight(np.array(WEIGHTS["given"]), weight_bits=bits, sign_mode=mode)
    assert prepared.tolist() == case["weights"]


@pytest.mark.parametrize(
    ("weight", "mode"),
    [([0, 0], "excitatory"), ([0, 5], "excitatory"), ([-5, 0], "inhibitory"), ([-1, 1], "mixed"), ([], "excitatory")],
)
def test_sign_mode_is_found_from_the_weights(weight: list[int], mode: str) -> None:
    assert sign_mode_of(np.array(weight, dtype=np.int64)).value == mode


def test_an_even_weight_of_either_sign_survives_and_an_odd_one_does_not() -> None:
    even = 2 * np.arange(-128, 128)
    assert np.array_equal(prepared_weight(even), even)
    assert prepared_weight(np.array([-1, 1])).tolist() == [-2, 0]


def test_the_weight_exponent_shifts_the_finished_sum_and_floors() -> None:
    weight, messages = np.array([[3, 2], [-3, -2]]), np.array([[1, 1], [1, 0]])
    assert dense_sums(weight, messages).tolist() == [[5, -5], [3, -3]]
    assert dense_sums(weight, messages, weight_exp=2).tolist() == [[20, -20], [12, -12]]
    assert dense_sums(weight, messages, weight_exp=-1).tolist() == [[2, -3], [1, -2]]


def test_graded_messages_are_multiplied() -> None:
    assert dense_sums(np.array([[3, -2]]), np.array([[7, 5]])).tolist() == [[11]]


def test_convolution_is_a_correlation_with_stride_padding_and_groups() -> None:
    # One row, kernel (1 2 4), padding 1, stride 2: outputs see (. a b) and (b c d).
    synapse = Conv2dSynapse(np.array([1, 2, 4]).reshape(1, 1, 1, 3), stride=(1, 2), padding=(0, 1))
    assert conv_sums(synapse, np.array([1, 0, 1, 1]).reshape(1, 1, 1, 4)).ravel().tolist() == [2, 6]
    grouped = Conv2dSynapse(np.array([3, 5]).reshape(2, 1, 1, 1), groups=2)
    assert conv_sums(grouped, np.array([1, 1]).reshape(1, 2, 1, 1)).ravel().tolist() == [3, 5]


def test_convolution_sums_wrap_at_24_bits() -> None:
    synapse = Conv2dSynapse(np.full((1, 1, 1, 1), 1 << 22))
    sums = conv_sums(synapse, np.array([1, 2, 3, 4]).reshape(4, 1, 1, 1))
    assert sums.ravel().tolist() == [1 << 22, -(1 << 23), -(1 << 22), 0]
    assert wrapped24(np.array([(1 << 23) - 1, 1 << 23, -(1 << 23) - 1])).tolist() == [8388607, -8388608, 8388607]


def test_the_largest_sum_takes_every_weight_by_its_magnitude() -> None:
    assert largest_sum(LinearSynapse(np.array([[1, -9], [3, 3]])), 255) == 2550
