"""Sigma-delta neurons against traces worked out by hand, and what a chain of them must keep."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversion.integer_graph import DeltaNeuron, SigmaDeltaNeuron
from hardware.backends.neuron_run import Neurons, PeriodicReset
from hardware.backends.sigma_delta_neuron import DeltaNeurons, SigmaDeltaNeurons, SigmaNeurons
from snnface.errors import PrecisionError


def sent(neurons: Neurons, values: list[int], **options: Any) -> list[int]:
    activation = np.array(values, dtype=np.int32)[:, None]
    return neurons.run(activation, neurons.zero_state(), **options).spikes.dense()[:, 0].tolist()


def sigma_delta(vth: int, *, bias: int = 0, **options: Any) -> SigmaDeltaNeurons:
    neuron = SigmaDeltaNeuron(vth, np.array([bias]), **options)
    return SigmaDeltaNeurons(neuron, np.array([bias << neuron.exponent], dtype=np.int32))


def test_changes_are_sent_once_they_reach_the_threshold() -> None:
    # activations max(sigma + 1, 0) = 4 3 3 0 5; changes 4, -1, -1 (left over), -4, 5
    neurons = sigma_delta(2, bias=1)
    assert sent(neurons, [3, -1, 0, -10, 12]) == [4, 0, 0, -4, 5]
    state = neurons.run(np.array([[3], [-1]], dtype=np.int32), neurons.zero_state()).state
    assert (state.current[0], state.voltage[0], state.others["residue"][0]) == (2, 3, -1)


def test_without_rectifying_negative_sums_are_sent() -> None:
    assert sent(sigma_delta(2, rectifies=False), [-3, 1, 1]) == [-3, 0, 2]


def test_an_accumulated_error_is_sent_earlier() -> None:
    # activations 1 2 2; changes with what is left over 1 2: their sum reaches 3, one alone does not.
    assert sent(sigma_delta(3), [1, 1, 0]) == [0, 0, 0]
    assert sent(sigma_delta(3, accumulates_error=True), [1, 1, 0]) == [0, 2, 0]


def test_exponents_shift_threshold_and_bias_up_and_messages_down_with_floor() -> None:
    # threshold and bias 8; activations 8 13 0 and 4: changes 8, 5 (kept), -8, then 4 (kept), 9 - 0
    neurons = sigma_delta(1, bias=1, spike_exp=1, state_exp=2)
    assert sent(neurons, [0, 5, -20, 11]) == [2, 0, -2, 0]
    assert sent(sigma_delta(1, spike_exp=1, state_exp=2, rectifies=False), [-9]) == [-3]


def test_an_encoder_shifts_its_input_up_and_a_decoder_sums() -> None:
    # 1 3 3 0 shifted by one: changes 2 (kept), 6, 0, -6 against a threshold of 4
    encoder = DeltaNeurons(DeltaNeuron(2, spike_exp=1), 1)
    assert sent(encoder, [1, 3, 3, 0]) == [0, 6, 0, -6]
    assert sent(SigmaNeurons(1), [1, -2, 5]) == [1, -1, 4]


@pytest.mark.parametrize(
    "neurons",
    [sigma_delta(0, bias=3), DeltaNeurons(DeltaNeuron(0), 1), SigmaNeurons(1)],
    ids=lambda n: type(n).__name__,
)
def test_a_reset_makes_every_state_zero_before_its_step(neurons: Neurons) -> None:
    values = [4, 7, 7, -1, 7]
    whole = sent(neurons, values, reset=PeriodicReset(interval=3, offset=1))
    assert whole == sent(neurons, values[:3]) + sent(neurons, values[3:])


def test_sums_wrap_at_32_bits_and_leave_24_with_a_count() -> None:
    neurons = SigmaNeurons(1)
    run = neurons.run(np.array([[1 << 23], [(1 << 31) - 1]], dtype=np.int32), neurons.zero_state())
    assert run.spikes.dense().ravel().tolist() == [1 << 23, (1 << 23) - 1 - (1 << 31)]
    assert run.num_folds == 2


@settings(max_examples=80, deadline=None)
@given(values=st.lists(st.integers(-1000, 1000), min_size=1, max_size=20), vth=st.integers(0, 300))
def test_what_a_decoder_makes_of_an_encoder_is_never_off_by_the_threshold(values: list[int], vth: int) -> None:
    decoded = sent(SigmaNeurons(1), sent(DeltaNeurons(DeltaNeuron(vth), 1), values))
    assert np.abs(np.array(decoded) - values).max() < max(vth, 1)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), vth=st.integers(0, 40), accumulates=st.booleans(), split=st.integers(1, 8))
def test_running_in_pieces_equals_running_at_once(seed: int, vth: int, accumulates: bool, split: int) -> None:
    draw = np.random.default_rng(seed)
    neuron = SigmaDeltaNeuron(vth, np.zeros(5, dtype=np.int64), 1, 1, accumulates_error=accumulates)
    neurons = SigmaDeltaNeurons(neuron, draw.integers(-90, 90, size=5).astype(np.int32))
    activation = draw.integers(-90, 100, size=(9, 5)).astype(np.int32)
    whole = neurons.run(activation, neurons.zero_state())
    first = neurons.run(activation[:split], neurons.zero_state())
    second = neurons.run(activation[split:], first.state)
    assert np.array_equal(whole.spikes.dense(), np.concatenate([first.spikes.dense(), second.spikes.dense()]))
    for name, values in whole.state.others.items():
        assert np.array_equal(values, second.state.others[name])


@pytest.mark.parametrize(
    ("neuron", "message"),
    [
        (DeltaNeuron(1, spike_exp=8), r"population 'p': spike_exp must lie in 0\.\.7; got 8"),
        (DeltaNeuron(1 << 17, 3, 3), r"vth must lie in 0\.\.131071; got 131072"),
        (SigmaDeltaNeuron(1, np.array([-(1 << 17)]), 3, 3), "bias must lie in -131071"),
        (SigmaDeltaNeuron(1, np.array([0]), 0, -1), "state_exp must lie in"),
    ],
)
def test_numbers_beyond_their_bits_are_refused_by_name(neuron: DeltaNeuron | SigmaDeltaNeuron, message: str) -> None:
    with pytest.raises(PrecisionError, match=message):
        neuron.check("p")
