"""Lava as the referee: the fixed-point backend must equal it in every message and every state."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import hardware.backends.lava as lava
from conversion.graph import INPUT, Connection, LinearSynapse, Readout
from conversion.integer_graph import (
    ChipNeuron,
    DeltaNeuron,
    IntegerGraph,
    IntegerNeuron,
    IntegerPopulation,
    SigmaDeltaNeuron,
    SigmaNeuron,
    TernaryNeuron,
)
from hardware.agreement import agreement
from hardware.backends.compiled_population import compiled_population
from hardware.backends.fixed_point import FixedPointBackend, FixedPointConfig
from hardware.backends.lava import LavaBackend, LavaConfig, LavaProgram, find_lava_python
from hardware.backends.lava_jobs import LavaInput, LavaJob, LavaPopulation, run_lava_jobs
from hardware.backends.loihi_neuron import lif_run_by_definition
from hardware.backends.loihi_synapse import delayed_sums, prepared_weight
from hardware.backends.neuron_run import NeuronRun, NeuronState, PeriodicReset
from hardware.random_networks import RandomNetwork, random_network
from hardware.random_processes import random_processes
from hardware.target import LOIHI2, HardwareTarget
from snnface.errors import BackendUnavailableError, ConfigError, HardwareError, PrecisionError

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "loihi.json").read_text(encoding="utf-8"))
GraphMaker = Callable[..., IntegerGraph]
ZERO = np.zeros((), dtype=np.int64)
WIDE = IntegerNeuron(du=4095, dv=0, vth=131071, bias_mant=ZERO)


def one_layer(source: np.ndarray, synapse: LinearSynapse | None, neuron: ChipNeuron, **options: Any) -> LavaJob:
    """A source [T, N] and one population, whose state is recorded at every step."""
    population_options = {"reset": options.pop("reset")} if "reset" in options else {}
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
def test_matrices_with_exponents_delays_and_messages_are_those_of_lava(lava_python: Path) -> None:
    draw = np.random.default_rng(3)
    source = draw.integers(-9, 9, size=(8, 20))
    weights = [draw.integers(low, high, size=(6, 20)) for low, high in ((-300, 300), (0, 300), (-300, 1))]
    weights.append(np.where(draw.random((6, 20)) < 0.1, weights[0], 0))  # a Sparse process
    delays = [None, draw.integers(0, 4, size=(6, 20)), draw.integers(0, 64, size=(6, 20))]
    cases = [(w, b, e, d) for w in weights for (b, e), d in zip(((8, 0), (6, -3), (4, 2)), delays, strict=True)]
    jobs = [
        one_layer(source, LinearSynapse(w), WIDE, message_bits=4, weight_bits=b, weight_exp=e, delay=d)
        for w, b, e, d in cases
    ]
    for (weight, bits, exponent, delay), outcome in zip(cases, run_in_threads(jobs, lava_python), strict=True):
        prepared = prepared_weight(weight, weight_bits=bits)
        late = np.zeros_like(weight) if delay is None else delay
        assert np.array_equal(outcome.current["cell"], delayed_sums(prepared, late, source, weight_exp=exponent) << 6)


@pytest.mark.lava
def test_periodic_resets_are_those_of_lava(lava_python: Path) -> None:
    source = np.random.default_rng(3).integers(0, 9, size=(8, 20))
    reset = PeriodicReset(interval=3, offset=5)
    kept = IntegerNeuron(du=100, dv=9, vth=10, bias_mant=np.array(50), bias_exp=1)
    (outcome,) = run_in_threads([one_layer(source, None, kept, reset=reset)], lava_python)
    bias = np.full(20, 100, dtype=np.int32)
    run = lif_run_by_definition(source.astype(np.int32), NeuronState.zero(20), neuron=kept, bias=bias, reset=reset)
    assert np.array_equal(outcome.spikes["cell"], run.spikes.dense())
    assert np.array_equal(outcome.voltage["cell"][-1], run.state.voltage)
    assert run.spikes.num_spikes > 0


NEURONS: list[ChipNeuron] = [
    TernaryNeuron(du=900, dv=100, vth_high=900, vth_low=-400, bias_mant=np.array(-30), bias_exp=3),
    TernaryNeuron(du=4095, dv=0, vth_high=131071, vth_low=-131071, bias_mant=ZERO),
    SigmaNeuron(),
    *(
        neuron
        for accumulates in (False, True)
        for neuron in (
            DeltaNeuron(30, 2, 1, accumulates),
            SigmaDeltaNeuron(30, np.array(7), 2, 3, rectifies=True, accumulates_error=accumulates),
            SigmaDeltaNeuron(9, np.array(-7), 0, 0, rectifies=False, accumulates_error=accumulates),
        )
    ),
]


@pytest.mark.lava
@pytest.mark.parametrize("largest", [60, 1 << 29], ids=["small", "wrapping"])
def test_neurons_of_every_kind_are_those_of_lava_at_every_step(lava_python: Path, largest: int) -> None:
    source = np.random.default_rng(5).integers(-largest, largest, size=(30, 12))
    outcomes = run_in_threads([one_layer(source, None, neuron) for neuron in NEURONS], lava_python)
    num_messages = 0
    for neuron, outcome in zip(NEURONS, outcomes, strict=True):
        runs = steps_of(neuron, source.astype(np.int32))
        assert np.array_equal(outcome.spikes["cell"], np.concatenate([run.spikes.dense() for run in runs]))
        assert np.array_equal(outcome.current["cell"], [run.state.current for run in runs])
        assert np.array_equal(outcome.voltage["cell"], [run.state.voltage for run in runs])
        assert outcome.others["cell"].keys() == runs[0].state.others.keys()
        for name, values in outcome.others["cell"].items():
            assert np.array_equal(values, [run.state.others[name] for run in runs])
        num_messages += sum(run.spikes.num_spikes for run in runs)
    assert num_messages > 1000


def steps_of(neuron: ChipNeuron, activation: np.ndarray) -> list[NeuronRun]:
    """The neurons of the fixed-point backend, one step at a time."""
    shape = activation.shape[1:]
    identity = Connection(INPUT, LinearSynapse(np.eye(*shape, dtype=np.int64)))
    population = IntegerPopulation("cell", shape, neuron, (identity,))
    graph = IntegerGraph(shape, 8, (population,), Readout("cell", np.ones((1, *shape)), np.zeros(1)))
    neurons = compiled_population(graph, population, "lava").neurons
    runs, state = [], neurons.zero_state()
    for row in activation:
        runs.append(neurons.run(row[None], state))
        state = runs[-1].state
    return runs


@pytest.mark.lava
def test_beyond_32_bits_full_matrices_of_lava_wrap(lava_python: Path) -> None:
    source = np.array([[1 << 24, 1 << 24]])
    job = one_layer(source, LinearSynapse(np.array([[200, 100]])), SigmaNeuron(), message_bits=24)
    (outcome,) = run_in_threads([job], lava_python)
    assert outcome.spikes["cell"].tolist() == [[(300 << 24) - (1 << 32)]]


def run_in_threads(jobs: list[LavaJob], python: Path) -> Any:
    return run_lava_jobs(jobs, python=python, timeout_s=120.0, in_threads=True)


@dataclass(frozen=True)
class Compared:
    """What random networks showed on both backends."""

    num_spikes: int
    num_differing_messages: int
    num_differing_states: int
    num_folding: int


def compared(
    networks: list[RandomNetwork],
    *,
    mode: Literal["strict", "lava"] = "strict",
    target: HardwareTarget = LOIHI2,
    in_threads: bool = True,
) -> Compared:
    """Run networks on both backends; where nothing folds, under the other overflow rule as well."""
    ours, theirs = (
        FixedPointBackend(FixedPointConfig(mode=mode)),
        LavaBackend(LavaConfig(mode=mode, in_threads=in_threads)),
    )
    clean = FixedPointBackend(FixedPointConfig(mode=mode, overflow="mod24"))
    first = [ours.run(ours.compile(network.graph, target), network.spikes) for network in networks]
    second = theirs.run_many([(theirs.compile(network.graph, target), network.spikes) for network in networks])
    pairs = [agreement(a, b) for a, b in zip(first, second, strict=True)]
    for network, a, b in zip(networks, first, second, strict=True):
        assert a.num_spikes == b.num_spikes
        assert np.allclose(a.answers, b.answers, rtol=1e-12)
        assert a.other_states.keys() == b.other_states.keys()
        if not any(a.num_folds.values()):
            assert agreement(clean.run(clean.compile(network.graph, target), network.spikes), b).is_exact
    return Compared(
        sum(pair.num_spikes for pair in pairs),
        sum(pair.num_differing_spikes for pair in pairs),
        sum(pair.num_differing_states for pair in pairs),
        sum(sum(run.num_folds.values()) > 0 for run in first),
    )


SEEDS = [range(first, first + 200) for first in range(0, 2000, 200)]


@pytest.mark.lava
@pytest.mark.slow
@pytest.mark.usefixtures("lava_python")
@pytest.mark.parametrize("seeds", [SEEDS[0], *(pytest.param(seeds, marks=pytest.mark.nightly) for seeds in SEEDS[1:])])
def test_two_hundred_random_networks_of_every_kind_equal_lava(seeds: range) -> None:
    result = compared([random_processes(seed) for seed in seeds])
    assert result.num_differing_messages == 0
    assert result.num_differing_states == 0
    assert result.num_spikes > 50_000
    assert result.num_folding >= 15


@pytest.mark.lava
@pytest.mark.usefixtures("lava_python")
def test_lava_in_processes_of_its_own_gives_the_same() -> None:
    result = compared([*(random_network(seed) for seed in range(3)), random_processes(7)], in_threads=False)
    assert (result.num_differing_messages, result.num_differing_states) == (0, 0)
    assert result.num_spikes > 1000


@pytest.mark.lava
@pytest.mark.usefixtures("lava_python")
def test_lava_mode_equals_lava_beyond_the_bits_of_the_chip() -> None:
    networks = [random_processes(seed, limits="lava") for seed in range(24)]
    result = compared(networks, mode="lava", target=replace(LOIHI2, weight_bits=6))
    assert (result.num_differing_messages, result.num_differing_states) == (0, 0)
    assert result.num_spikes > 1000
    assert result.num_folding >= 4


@pytest.mark.lava
@pytest.mark.parametrize("in_threads", [True, False], ids=["threads", "processes"])
def test_a_process_of_lava_that_dies_is_named_and_does_not_hang(lava_python: Path, in_threads: bool) -> None:
    source, synapse = np.ones((3, 2), dtype=np.int64), LinearSynapse(np.array([[2, 4]]))
    job = one_layer(source, synapse, WIDE, delay=np.array([[1, 64]]))  # Lava raises in the matrix' own process
    with pytest.raises(HardwareError, match=r"worker failed \(exit status 1\); its last message: .*64"):
        run_lava_jobs([job], python=lava_python, timeout_s=60.0, in_threads=in_threads)


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
