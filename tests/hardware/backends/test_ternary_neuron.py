"""The ternary neuron, by hand and beside the LIF neuron."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversion.integer_graph import IntegerNeuron, TernaryNeuron
from hardware.backends.loihi_neuron import LifNeurons
from hardware.backends.neuron_run import NeuronState, PeriodicReset
from hardware.backends.ternary_neuron import TernaryNeurons
from snnface.errors import PrecisionError

ZERO = np.zeros((), dtype=np.int64)


def neurons_of(high: int, low: int, *, du: int = 4095, dv: int = 0, bias: int = 0, count: int = 1) -> TernaryNeurons:
    return TernaryNeurons(TernaryNeuron(du, dv, high, low, ZERO), np.full(count, bias, dtype=np.int32))


def column(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.int32)[:, None]


def test_both_thresholds_must_be_passed_and_either_resets() -> None:
    # v: 192 (not above 3 << 6), 256 fires, -320 fires below -2 << 6, -64, -128 (not below), -192 fires, 256 fires.
    neurons, state, sent, voltage = neurons_of(3, -2), NeuronState.zero(1), [], []
    for value in [3, 1, -5, -1, -1, -1, 4]:
        run = neurons.run(column([value]), state)
        state = run.state
        sent.append(int(run.spikes.dense()[0, 0]))
        voltage.append(int(state.voltage[0]))
    assert sent == [0, 1, -1, 0, 0, -1, 1]
    assert voltage == [192, 0, 0, -64, -128, 0, 0]


def test_a_reset_comes_before_the_update_of_its_step() -> None:
    neurons = neurons_of(131071, -131071)
    run = neurons.run(column([1, 1, 1, 1]), neurons.zero_state(), reset=PeriodicReset(interval=5, offset=3))
    assert run.state.voltage.tolist() == [128]


def test_folds_and_saturations_are_counted() -> None:
    neurons = neurons_of(131071, -131071, dv=4095)
    run = neurons.run(column([131072, 131073, -400000, 0]), neurons.zero_state())
    # u: 2^23 stays but v stops at 2^23 - 1; the next two fold, to -8388544 and to -8822784, where v stops again.
    assert (run.num_folds, run.num_saturations) == (2, 2)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    du=st.integers(0, 4095),
    dv=st.integers(0, 4095),
    vth=st.integers(0, 3000),
    overflow=st.sampled_from(["lava", "mod24"]),
)
def test_its_positive_spikes_are_those_of_lif_where_v_never_falls_below_the_lower_threshold(
    seed: int, du: int, dv: int, vth: int, overflow: Any
) -> None:
    draw = np.random.default_rng(seed)
    activation = draw.integers(-500, 900, size=(9, 20)).astype(np.int32)
    bias = draw.integers(-5000, 5000, size=20).astype(np.int32)
    lif = LifNeurons(IntegerNeuron(du, dv, vth, ZERO), bias, overflow)
    ternary = TernaryNeurons(TernaryNeuron(du, dv, vth, -131071, ZERO), bias, overflow)
    expected, run = lif.run(activation, lif.zero_state()), ternary.run(activation, ternary.zero_state())
    assert np.array_equal(run.spikes.dense(), expected.spikes.dense())
    assert np.array_equal(run.state.voltage, expected.state.voltage)
    assert np.array_equal(run.state.current, expected.state.current)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vth_low": 6}, r"population 'p': vth_low must lie in -131071\.\.5; got 6"),
        ({"vth_high": 1 << 17}, "vth_high must lie in"),
        ({"dv": 4096}, r"dv must lie in 0\.\.4095; got 4096"),
        ({"bias_mant": np.array([5000])}, "bias_mant must lie in"),
    ],
)
def test_numbers_beyond_their_bits_are_refused_by_name(change: dict[str, Any], message: str) -> None:
    numbers: dict[str, Any] = {"du": 0, "dv": 0, "vth_high": 5, "vth_low": -5, "bias_mant": ZERO, **change}
    with pytest.raises(PrecisionError, match=message):
        TernaryNeuron(**numbers).check("p")
