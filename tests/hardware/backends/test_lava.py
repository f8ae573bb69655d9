"""Lava as the referee: the fixed-point backend must equal it in every spike and every state."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import hardware.backends.lava as lava
from conversion.graph import LinearSynapse
from conversion.integer_graph import IntegerGraph, IntegerNeuron
from hardware.agreement import agreement
from hardware.backends.fixed_point import FixedPointBackend, FixedPointConfig
from hardware.backends.lava import LavaBackend, LavaConfig, LavaProgram, find_lava_python
from hardware.backends.lava_jobs import LavaInput, LavaJob, LavaPopulation, run_lava_jobs
from hardware.backends.loihi_neuron import LifReset, LifState, lif_run_by_definition
from hardware.backends.loihi_synapse import dense_sums, prepared_weight
from hardware.random_networks import random_network
from hardware.target import LOIHI2, HardwareTarget
from snnface.errors import BackendUnavailableError, ConfigError, HardwareError, PrecisionError

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "loihi.json").read_text(encoding="utf-8"))
GraphMaker = Callable[..., IntegerGraph]
WIDE = IntegerNeuron(du=4095, dv=0, vth=131071, bias_mant=np.zeros((), dtype=np.int64))


def one_layer(source: np.ndarray, synapse: LinearSynapse | None, neuron: IntegerNeuron, **options: Any) -> LavaJob:
    """A source [T, N] and one population, whose state is recorded at every step."""
    population_options = {key: options.pop(key) for key in ("reset_interval", "reset_offset") if key in options}
    shape = source.shape[1:] if synapse is None else (len(synapse.weight),)
    wire = LavaInput(source=None, synapse=synapse, source_shape=source.shape[1:], **options)
    cells = LavaPopulation(
        name="cell",
        shape=shape,
        neuron=neuron,
        inputs=(wire,),
        first_step=1 if synapse is None else 2,
        **population_options,
    )
    return LavaJob(source=source, populations=(cells,), num_recorded=len(source), state_every=1)


@pytest.mark.lava
def test_every_golden_trace_is_what_lava_gives(lava_python: Path) -> None:
    traces = GOLDEN["neurons"].values()
    jobs = []
    for trace in traces:
        numbers = {"bias_exp": 0, "bias_mant": 0, **trace["neuron"]}
        neuron = IntegerNeuron(**{**numbers, "bias_mant": np.array(numbers["bias_mant"])})
        jobs.append(one_layer(np.array(trace["activation"])[:, None], None, neuron))
    for trace, outcome in zip(traces, run_lava_jobs(jobs, python=lava_python, timeout_s=120.0), strict=True):
        assert outcome.current["cell"].ravel().tolist() == trace["current"]
        assert outcome.voltage["cell"].ravel().tolist() == trace["voltage"]
        assert outcome.spikes["cell"].ravel().tolist() == trace["spikes"]


@pytest.mark.lava
def test_preparation_exponent_messages_and_resets_are_those_of_lava(lava_python: Path) -> None:
    draw = np.random.default_rng(3)
    source = draw.integers(0, 9, size=(8, 20))
    weights = [draw.integers(low, high, size=(6, 20)) for low, high in ((-300, 300), (0, 300), (-300, 1))]
    cases = [(weight, bits, exponent) for weight in weights for bits, exponent in ((8, 0), (6, -3), (4, 2))]
    jobs = [
        one_layer(source, LinearSynapse(weight), WIDE, message_bits=4, weight_bits=bits, weight_exp=exponent)
        for weight, bits, exponent in cases
    ]
    reset = LifReset(interval=3, offset=5)
    kept = IntegerNeuron(du=100, dv=9, vth=10, bias_mant=np.array(50), bias_exp=1)
    jobs.append(one_layer(source, None, kept, reset_interval=reset.interval, reset_offset=reset.offset))
    *outcomes, resetting = run_lava_jobs(jobs, python=lava_python, timeout_s=120.0)
    for (weight, bits, exponent), outcome in zip(cases, outcomes, strict=True):
        expected = dense_sums(prepared_weight(weight, weight_bits=bits), source, weight_exp=exponent) << 6
        assert np.array_equal(outcome.current["cell"], expected)
    bias = np.full(20, 100, dtype=np.int32)
    run = lif_run_by_definition(source.astype(np.int32), LifState.zero(20), neuron=kept, bias=bias, reset=reset)
    assert np.array_equal(resetting.spikes["cell"], run.spikes.dense())
    assert np.array_equal(resetting.voltage["cell"][-1], run.state.voltage)
    assert run.spikes.num_spikes > 0


def compared(
    seeds: range, limits: Literal["strict", "lava"], target: HardwareTarget = LOIHI2
) -> tuple[int, int, int, int]:
    """Run random networks on both backends; (spikes, differing spikes, differing states, networks that folded)."""
    networks = [random_network(seed, limits=limits) for seed in seeds]
    ours, theirs = FixedPointBackend(FixedPointConfig(mode=limits)), LavaBackend(LavaConfig(mode=limits))
    first = [ours.run(ours.compile(network.graph, target), network.spikes) for network in networks]
    second = theirs.run_many([(theirs.compile(network.graph, target), network.spikes) for network in networks])
    pairs = [agreement(a, b) for a, b in zip(first, second, strict=True)]
    for a, b in zip(first, second, strict=True):
        assert a.num_spikes == b.num_spikes
        assert np.allclose(a.answers, b.answers, rtol=1e-12)
    return (
        sum(pair.num_spikes for pair in pairs),
        sum(pair.num_differing_spikes for pair in pairs),
        sum(pair.num_differing_states for pair in pairs),
        sum(sum(run.num_folds.values()) > 0 for run in first),
    )


HUNDREDS = [range(first, first + 100) for first in range(0, 2000, 100)]


@pytest.mark.lava
@pytest.mark.slow
@pytest.mark.usefixtures("lava_python")
@pytest.mark.parametrize(
    "seeds", [HUNDREDS[0], *(pytest.param(seeds, marks=pytest.mark.nightly) for seeds in HUNDREDS[1:])]
)
def test_a_hundred_random_networks_equal_lava_spike_for_spike_and_state_for_state(seeds: range) -> None:
    num_spikes, differing_spikes, differing_states, num_folding = compared(seeds, "strict")
    assert differing_spikes == 0
    assert differing_states == 0
    assert num_spikes > 30_000
    assert num_folding >= 15


@pytest.mark.lava
@pytest.mark.usefixtures("lava_python")
def test_lava_mode_equals_lava_beyond_the_bits_of_the_chip() -> None:
    six_bits = replace(LOIHI2, weight_bits=6)
    num_spikes, differing_spikes, differing_states, num_folding = compared(range(16), "lava", six_bits)
    assert differing_spikes == 0
    assert differing_states == 0
    assert num_spikes > 1000
    assert num_folding >= 4


@pytest.mark.lava
@pytest.mark.usefixtures("lava_python")
def test_lava_refuses_what_does_not_fit_and_reports_a_timeout(single_neuron: GraphMaker) -> None:
    graph = single_neuron(1)
    with pytest.raises(PrecisionError, match="vth must lie in"):
        LavaBackend().compile(single_neuron(1, vth=1 << 17), LOIHI2)
    backend = LavaBackend(LavaConfig(timeout_s=0.05))
    with pytest.raises(HardwareError, match=r"did not finish within 0\.05 s"):
        backend.run(backend.compile(graph, LOIHI2), np.ones((2, 1, 1), dtype=np.int64))
    assert backend.run_many([]) == []


def test_a_missing_environment_says_how_to_make_it(
    single_neuron: GraphMaker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SNNFACE_LAVA_PYTHON", raising=False)
    monkeypatch.setattr(lava, "CHECKOUT", tmp_path)
    assert find_lava_python() is None
    with pytest.raises(BackendUnavailableError, match="Run `make lava`"):
        LavaBackend().compile(single_neuron(1), LOIHI2)


def test_the_environment_is_found_in_the_checkout_or_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    usual = tmp_path / ".venv-lava" / "bin" / "python"
    usual.parent.mkdir(parents=True)
    usual.touch()
    monkeypatch.setattr(lava, "CHECKOUT", tmp_path)
    monkeypatch.delenv("SNNFACE_LAVA_PYTHON", raising=False)
    assert find_lava_python() == usual
    monkeypatch.setenv("SNNFACE_LAVA_PYTHON", sys.executable)
    assert find_lava_python() == Path(sys.executable)
    monkeypatch.setenv("SNNFACE_LAVA_PYTHON", str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match=r"SNNFACE_LAVA_PYTHON must name Lava's Python 3\.10; there is no file"):
        find_lava_python()


def test_a_python_without_lava_is_reported_with_its_message(single_neuron: GraphMaker) -> None:
    program = LavaProgram(single_neuron(1), 8, Path(sys.executable))
    with pytest.raises(HardwareError, match=r"(?s)worker failed \(exit status 1\).*No module named 'lava'"):
        LavaBackend().run(program, np.ones((1, 1, 1), dtype=np.int64))


@pytest.mark.parametrize(("setting", "value"), [("mode", "hardware"), ("timeout_s", 0.0)])
def test_a_wrong_setting_is_refused(setting: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=r"hardware|0\.0"):
        LavaConfig(**{setting: value})
