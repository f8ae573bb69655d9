"""The pipeline schedule, and why its reset offsets are the right ones."""

from dataclasses import replace

import numpy as np
import pytest

from conversion.graph import INPUT, Connection, LinearSynapse, Readout
from conversion.integer_graph import IntegerGraph, IntegerNeuron, IntegerPopulation
from hardware.backends.fixed_point import FixedPointBackend
from hardware.backends.loihi_neuron import lif_run_by_definition, state_bias
from hardware.backends.neuron_run import NeuronState, PeriodicReset
from hardware.backends.streamed import streamed_run
from hardware.placement import PipelineSchedule, pipeline_schedule
from hardware.target import LOIHI2
from snnface.errors import HardwareError

NEURON = IntegerNeuron(du=4095, dv=0, vth=1, bias_mant=np.zeros(1, dtype=np.int64))
ONE = LinearSynapse(np.array([[2]]))


def graph_of(**sources: tuple[str, ...]) -> IntegerGraph:
    """One-neuron populations, each with the sources it reads."""
    populations = tuple(
        IntegerPopulation(name, (1,), NEURON, tuple(Connection(source, ONE) for source in read))
        for name, read in sources.items()
    )
    return IntegerGraph((1,), 0, populations, Readout(populations[-1].name, np.ones((1, 1)), np.zeros(1)))


def test_latency_is_the_number_of_connections_from_the_input() -> None:
    schedule = pipeline_schedule(graph_of(a=(INPUT,), b=("a",), relay=("a",), c=("b", "relay")))
    assert schedule.latency == {INPUT: 0, "a": 1, "b": 2, "relay": 2, "c": 3}
    assert schedule.depth == 3
    assert schedule.num_steps(steps_per_sample=10, num_samples=4) == 43
    assert schedule.reset_offset("c") == 4


def test_a_skip_without_a_relay_is_refused_with_the_remedy() -> None:
    with pytest.raises(HardwareError, match=r"into population 'c'.*Insert relays behind 'a' \(\+1\)"):
        pipeline_schedule(graph_of(a=(INPUT,), b=("a",), c=("a", "b")))


@pytest.mark.parametrize("sources", [(), ("later",), ("a",)])
def test_a_population_must_read_what_comes_before_it(sources: tuple[str, ...]) -> None:
    with pytest.raises(HardwareError, match="'a' must read populations that come before it"):
        pipeline_schedule(graph_of(a=sources, later=(INPUT,)))


def test_names_must_differ_and_the_readout_must_read_one_of_them() -> None:
    graph = graph_of(a=(INPUT,))
    with pytest.raises(HardwareError, match="'a' occurs twice"):
        pipeline_schedule(replace(graph, populations=graph.populations * 2))
    with pytest.raises(HardwareError, match="the readout reads 'b', which is not in the graph"):
        pipeline_schedule(replace(graph, readout=replace(graph.readout, source="b")))


def biased_chain() -> tuple[IntegerGraph, np.ndarray]:
    """Three layers whose biases alone would make them fire, and spikes [T, B, N]."""
    draw = np.random.default_rng(5)
    populations, source = [], INPUT
    for name in ("a", "b", "c"):
        bias = draw.integers(-300, 900, size=6)
        neuron = IntegerNeuron(du=1500, dv=300, vth=150, bias_mant=bias, bias_exp=2)
        weight = 2 * draw.integers(-100, 128, size=(6, 6))
        populations.append(IntegerPopulation(name, (6,), neuron, (Connection(source, LinearSynapse(weight)),)))
        source = name
    graph = IntegerGraph((6,), 0, tuple(populations), Readout("c", np.ones((1, 6)), np.zeros(1)))
    return graph, draw.integers(0, 2, size=(9, 3, 6))


def pipelined(graph: IntegerGraph, spikes: np.ndarray, schedule: PipelineSchedule, offset_by: int) -> np.ndarray:
    """The last layer's spikes [T, B, N] when samples follow each other through a chip, step by step."""
    steps, batch = spikes.shape[:2]
    total = schedule.num_steps(steps_per_sample=steps, num_samples=batch)
    stream = np.zeros((total, 6), dtype=np.int64)
    stream[: steps * batch] = spikes.swapaxes(0, 1).reshape(-1, 6)
    sent = {name: np.zeros(6, dtype=np.int64) for name in schedule.latency}
    states = {population.name: NeuronState.zero(6) for population in graph.populations}
    outputs = []
    for step in range(1, total + 1):
        arriving = {
            p.name: p.inputs[0].synapse.weight @ sent[p.inputs[0].source] for p in graph.populations
        }  # what was sent one step ago
        sent[INPUT] = stream[step - 1]
        for population in graph.populations:
            run = lif_run_by_definition(
                arriving[population.name][None].astype(np.int32),
                states[population.name],
                neuron=population.neuron,
                bias=state_bias(population.neuron, (6,)).astype(np.int32),
                reset=PeriodicReset(steps, schedule.reset_offset(population.name) + offset_by),
                first_step=step,
            )
            states[population.name] = run.state
            sent[population.name] = run.spikes.dense()[0].astype(np.int64)
        outputs.append(sent["c"])
    return np.array(outputs[schedule.depth :]).reshape(batch, steps, 6).swapaxes(0, 1)


def test_samples_streamed_with_resets_on_arrival_equal_samples_from_zero_state() -> None:
    graph, spikes = biased_chain()
    backend = FixedPointBackend()
    expected = backend.run(backend.compile(graph, LOIHI2), spikes).spikes["c"]
    schedule = pipeline_schedule(graph)
    assert np.array_equal(pipelined(graph, spikes, schedule, 0), expected)
    assert expected.any()
    # The test would see a wrong offset: one step earlier is not the same network.
    assert not np.array_equal(pipelined(graph, spikes, schedule, -1), expected)


@pytest.mark.parametrize("offset_by", [-1, 0, 1])
def test_a_streamed_run_is_the_pipeline_step_by_step_whatever_the_offset(offset_by: int) -> None:
    graph, spikes = biased_chain()
    streamed = streamed_run(FixedPointBackend().compile(graph, LOIHI2), spikes, first_reset=2 + offset_by)
    assert np.array_equal(streamed.samples("c"), pipelined(graph, spikes, pipeline_schedule(graph), offset_by))


def test_the_schedule_is_the_same_for_every_order_of_reading() -> None:
    graph = graph_of(a=(INPUT,), b=(INPUT,), c=("a", "b"))
    turned = replace(graph, populations=(graph.populations[1], graph.populations[0], graph.populations[2]))
    assert pipeline_schedule(graph).latency == pipeline_schedule(turned).latency
