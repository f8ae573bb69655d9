"""Samples streamed back to back through the pipeline equal samples run alone, if resets come in time."""

from dataclasses import replace

import numpy as np
import pytest

from conversion.graph import Connection
from conversion.integer_graph import IntegerGraph
from hardware.backends.fixed_point import FixedPointBackend, FixedPointProgram
from hardware.backends.streamed import streamed_run
from hardware.random_networks import RandomNetwork, random_network
from hardware.random_processes import random_processes
from hardware.target import LOIHI2
from snnface.errors import ShapeError


def compiled(graph: IntegerGraph) -> FixedPointProgram:
    return FixedPointBackend().compile(graph, LOIHI2)


def undelayed(graph: IntegerGraph) -> IntegerGraph:
    populations = [
        replace(p, inputs=tuple(Connection(c.source, c.synapse, None, c.weight_exp) for c in p.inputs))
        for p in graph.populations
    ]
    return replace(graph, populations=tuple(populations))


def num_differing(network: RandomNetwork, first_reset: int | None) -> int:
    """Bins of all populations in which streamed samples differ from samples run alone."""
    program = compiled(network.graph)
    alone = FixedPointBackend().run(program, network.spikes)
    streamed = streamed_run(program, network.spikes, first_reset=first_reset)
    return sum(int(np.count_nonzero(streamed.samples(name) != train)) for name, train in alone.spikes.items())


@pytest.fixture(scope="module")
def deep_network() -> RandomNetwork:
    """Three samples through at least three layers, some of them with biases."""
    networks = map(random_network, range(1000))
    return next(
        network
        for network in networks
        if network.spikes.shape[1] == 3
        and len(network.graph.populations) >= 3
        and all(np.any(p.neuron.bias_mant) for p in network.graph.populations)  # type: ignore[union-attr]
    )


def test_three_streamed_samples_equal_three_runs_without_latency(deep_network: RandomNetwork) -> None:
    assert num_differing(deep_network, first_reset=2) == 0


@pytest.mark.parametrize("first_reset", [1, 3, None])
def test_a_reset_at_the_wrong_step_or_none_changes_spikes(deep_network: RandomNetwork, first_reset: int | None) -> None:
    assert num_differing(deep_network, first_reset) > 0


def test_offsets_count_modulo_the_length_of_a_sample(deep_network: RandomNetwork) -> None:
    assert num_differing(deep_network, first_reset=2 + len(deep_network.spikes)) == 0


@pytest.mark.parametrize("seed", range(12))
def test_networks_of_every_kind_can_be_streamed(seed: int) -> None:
    network = random_processes(seed)
    graph = undelayed(network.graph)
    assert num_differing(replace(network, graph=graph), first_reset=2) == 0


def test_layers_answer_as_many_steps_late_as_there_are_connections_before_them(deep_network: RandomNetwork) -> None:
    graph = deep_network.graph
    run = streamed_run(compiled(graph), deep_network.spikes)
    steps, batch = deep_network.spikes.shape[:2]
    assert [run.latency[p.name] for p in graph.populations] == [graph.depth(p.name) for p in graph.populations]
    for population in graph.populations:
        assert run.messages[population.name].shape == (steps * batch + max(run.latency.values()), *population.shape)


def test_delayed_spikes_act_in_the_next_sample() -> None:
    networks = map(random_processes, range(1000))
    late = next(
        network
        for network in networks
        if network.spikes.shape[1] > 1
        and any(c.delay is not None for c in network.graph.populations[0].inputs)
        and num_differing(network, first_reset=2) > 0
    )
    assert num_differing(replace(late, graph=undelayed(late.graph)), first_reset=2) == 0


def test_samples_that_do_not_fit_are_refused(deep_network: RandomNetwork) -> None:
    with pytest.raises(ShapeError, match="spikes must have the axes"):
        streamed_run(compiled(deep_network.graph), np.zeros((3, 2), dtype=np.int64))
