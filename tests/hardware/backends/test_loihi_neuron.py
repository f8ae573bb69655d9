"""The fixed-point neuron: Lava's own traces, and the fast loop against the definition."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conversion.integer_graph import IntegerNeuron
from hardware.backends.loihi_neuron import decayed, lif_run, lif_run_by_definition, state_bias
from hardware.backends.neuron_run import NeuronRun, NeuronState, PeriodicReset

BOTH = pytest.mark.parametrize("run", [lif_run, lif_run_by_definition], ids=["fast", "definition"])

TRACES = json.loads((Path(__file__).parents[2] / "golden" / "loihi.json").read_text(encoding="utf-8"))["neurons"]


def neuron_of(du: int = 4095, dv: int = 0, vth: int = 10, bias_mant: int = 0, bias_exp: int = 0) -> IntegerNeuron:
    return IntegerNeuron(du=du, dv=dv, vth=vth, bias_mant=np.array(bias_mant), bias_exp=bias_exp)


def run_single(run: Any, neuron: IntegerNeuron, inputs: list[int], **options: Any) -> tuple[list[int], ...]:
    """u, v and s after every step of one neuron."""
    state, traces = NeuronState.zero(1), ([], [], [])
    for step, value in enumerate(inputs, start=1):
        activation = np.array([[value]], dtype=np.int32)
        bias = state_bias(neuron, (1,)).astype(np.int32)
        result = run(activation, state, neuron=neuron, bias=bias, first_step=step, **options)
        state = result.state
        for trace, number in zip(traces, (state.current[0], state.voltage[0], result.spikes.num_spikes), strict=True):
            trace.append(int(number))
    return traces


@BOTH
@pytest.mark.parametrize("name", TRACES)
def test_traces_of_lava_are_reproduced(run: Any, name: str) -> None:
    trace = TRACES[name]
    result = run_single(run, neuron_of(**trace["neuron"]), trace["activation"])
    assert result == (trace["current"], trace["voltage"], trace["spikes"])


@pytest.mark.parametrize(
    ("x", "d", "expected"),
    [(1000, 1024, 750), (-1000, 1024, -750), (1, 1, 0), (-1, 1, 0), (8388607, 128, 8126463), (-4097, 4095, -1)],
)
def test_decay_rounds_towards_zero(x: int, d: int, expected: int) -> None:
    assert decayed(np.array([x]), d).tolist() == [expected]


@BOTH
def test_the_threshold_must_be_exceeded(run: Any) -> None:
    assert run_single(run, neuron_of(vth=5), [5])[2] == [0]
    assert run_single(run, neuron_of(vth=5), [6])[2] == [1]


@BOTH
def test_reset_happens_before_the_update_of_its_step(run: Any) -> None:
    # Steps 2 and 5 start from zero; without leak u remembers and v sums it: u = 64, 128, 192, ...
    neuron = neuron_of(du=0, vth=131071)
    u, v, _ = run_single(run, neuron, [64, 64, 64, 64, 64], reset=PeriodicReset(interval=3, offset=2))
    keep = 4095 / 4096
    assert u[0] == v[0] == u[1] == v[1] == u[4] == v[4] == 4096
    assert u[2] == int(4096 * keep) + 4096


@BOTH
def test_a_reset_offset_beyond_the_interval_counts_modulo(run: Any) -> None:
    neuron, inputs = neuron_of(vth=131071), [1] * 9
    near = run_single(run, neuron, inputs, reset=PeriodicReset(interval=4, offset=3))
    assert run_single(run, neuron, inputs, reset=PeriodicReset(interval=4, offset=11)) == near


@BOTH
def test_the_two_overflow_rules_differ_only_beyond_24_bits(run: Any) -> None:
    neuron = neuron_of(dv=4095, vth=131071)
    inputs = [131071, -131071, 131072, -131072, 400000]
    lava, clean = (run_single(run, neuron, inputs, overflow=rule)[0] for rule in ("lava", "mod24"))
    assert lava == [8388544, -8388544, 8388608, 8388608, 25600000 - (1 << 24)]
    assert clean == [8388544, -8388544, -8388608, -8388608, 25600000 - (1 << 25)]


@BOTH
def test_folds_and_saturations_are_counted(run: Any) -> None:
    inputs = TRACES["u wraps at 24 bits"]["activation"]
    neuron = neuron_of(dv=4095, vth=131071)
    activation = np.array(inputs, dtype=np.int32)[:, None]
    result = run(activation, NeuronState.zero(1), neuron=neuron, bias=np.zeros(1, dtype=np.int32))
    # By hand: all but 131072 and the last 0 leave 24 bits (2^23 itself stays); v = 2^23 is cut three times.
    assert result.num_folds == 6
    assert result.num_saturations == 3


def test_bias_is_shifted_by_its_exponent_and_spread_over_the_map() -> None:
    neuron = IntegerNeuron(du=0, dv=0, vth=1, bias_mant=np.array([3, -3]).reshape(2, 1, 1), bias_exp=4)
    assert state_bias(neuron, (2, 1, 2)).tolist() == [[[48, 48]], [[-48, -48]]]
    assert state_bias(neuron_of(bias_mant=-7, bias_exp=-1), (1,)).tolist() == [-4]


def same(a: NeuronRun, b: NeuronRun) -> bool:
    arrays = [
        (a.spikes.dense(), b.spikes.dense()),
        (a.state.current, b.state.current),
        (a.state.voltage, b.state.voltage),
    ]
    counts = (a.num_folds, a.num_saturations) == (b.num_folds, b.num_saturations)
    return counts and all(np.array_equal(x, y) for x, y in arrays)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    du=st.integers(0, 4095),
    dv=st.integers(0, 4095),
    vth=st.integers(0, 131071),
    bits=st.integers(1, 31),
    num_neurons=st.sampled_from([1, 7, 255, 256, 257, 600]),
    overflow=st.sampled_from(["lava", "mod24"]),
    reset=st.none() | st.builds(PeriodicReset, interval=st.integers(1, 9), offset=st.integers(0, 20)),
)
@example(seed=0, du=0, dv=0, vth=0, bits=31, num_neurons=257, overflow="lava", reset=None)
def test_the_fast_loop_equals_the_definition(
    seed: int, du: int, dv: int, vth: int, bits: int, num_neurons: int, overflow: Any, reset: PeriodicReset | None
) -> None:
    draw = np.random.default_rng(seed)
    largest = (1 << 31) - (1 << 24)  # beyond what fold can leave in u
    state = NeuronState(
        draw.integers(-largest, largest, size=num_neurons, dtype=np.int32),
        draw.integers(1 - (1 << 23), 1 << 23, size=num_neurons, dtype=np.int32),
    )
    activation = draw.integers(-(1 << bits), 1 << bits, size=(6, num_neurons)).astype(np.int32)
    bias = draw.integers(-(4096 << 7), 4096 << 7, size=num_neurons).astype(np.int32)
    options: dict[str, Any] = {"neuron": neuron_of(du, dv, vth), "bias": bias, "overflow": overflow, "reset": reset}
    assert same(lif_run(activation, state, **options), lif_run_by_definition(activation, state, **options))


def test_running_in_pieces_equals_running_at_once() -> None:
    draw = np.random.default_rng(1)
    activation = draw.integers(-400, 500, size=(20, 300)).astype(np.int32)
    options: dict[str, Any] = {"neuron": neuron_of(du=900, dv=77, vth=600), "bias": np.full(300, 5, dtype=np.int32)}
    reset = PeriodicReset(interval=6, offset=4)
    whole = lif_run(activation, NeuronState.zero(300), reset=reset, **options)
    first = lif_run(activation[:13], NeuronState.zero(300), reset=reset, **options)
    second = lif_run(activation[13:], first.state, reset=reset, first_step=14, **options)
    assert np.array_equal(whole.state.voltage, second.state.voltage)
    assert np.array_equal(whole.spikes.dense(), np.concatenate([first.spikes.dense(), second.spikes.dense()]))
    assert 0 < whole.spikes.num_spikes < activation.size


def test_the_given_state_is_left_alone() -> None:
    state = NeuronState.zero(4)
    lif_run(np.full((3, 4), 9, dtype=np.int32), state, neuron=neuron_of(), bias=np.ones(4, dtype=np.int32))
    assert not state.voltage.any()
    assert not state.current.any()
