"""The float reference against hand-worked traces."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from conversion.graph import INPUT, Connection, Conv2dSynapse, LinearSynapse, Neuron, Population, Readout, SpikingGraph
from hardware.backends.reference import ReferenceBackend, synaptic_current
from hardware.target import LOIHI2
from snnface.errors import DataError


def one_neuron(neuron: Neuron, weight: float = 1.0, bias: float | None = None) -> SpikingGraph:
    synapse = LinearSynapse(np.array([[weight]]), None if bias is None else np.array([bias]))
    cell = Population("cell", (1,), neuron, (Connection(INPUT, synapse),))
    return SpikingGraph((1,), (cell,), Readout("cell", np.array([[2.0]]), np.array([1.0])))


def run(graph: SpikingGraph, values: list[int]) -> Any:
    backend = ReferenceBackend()
    return backend.run(backend.compile(graph, LOIHI2), np.array(values).reshape(-1, 1, 1))


def train(graph: SpikingGraph, values: list[int]) -> list[int]:
    return [int(spike) for spike in run(graph, values).spikes["cell"].ravel()]


def test_a_leaky_neuron_resets_to_zero() -> None:
    # h = 0.5 v + x: 1, 1.5 (spike), 1, 0.5, 0.25
    result = run(one_neuron(Neuron(leak=0.5, threshold=1.25)), [1, 1, 1, 0, 0])
    assert result.spikes["cell"].ravel().tolist() == [0, 1, 0, 0, 0]
    assert result.voltage["cell"].tolist() == [[0.25]]
    assert result.num_spikes == {"cell": 1}
    assert result.answers.tolist() == [[1.0 + 2.0 / 5]]


def test_soft_reset_keeps_what_is_above_the_threshold() -> None:
    # h = v + x: 3 -> 1, 1+3 = 4 -> 2, 2, 2; against a threshold of 2 that must be exceeded
    neuron = Neuron(leak=0.0, threshold=2.0, reset="subtract")
    assert train(one_neuron(neuron), [3, 3, 0, 0]) == [1, 1, 0, 0]
    assert train(one_neuron(replace(neuron, fires_on_equality=True)), [3, 3, 0, 0]) == [1, 1, 1, 0]


def test_the_initial_voltage_and_the_bias_are_used_at_every_sample() -> None:
    graph = one_neuron(Neuron(leak=0.0, threshold=1.0, initial_voltage=0.5), bias=0.25)
    assert train(graph, [0, 0, 0, 0]) == [0, 0, 1, 0]  # 0.75, 1.0, 1.25 (spike), 0.25


def test_inputs_of_two_connections_are_added_within_the_step() -> None:
    neuron = Neuron(leak=1.0, threshold=1.5)
    a = Population("a", (1,), Neuron(leak=1.0, threshold=0.5), (Connection(INPUT, LinearSynapse(np.ones((1, 1)))),))
    both = (Connection("a", LinearSynapse(np.ones((1, 1)))), Connection(INPUT, LinearSynapse(np.ones((1, 1)))))
    graph = SpikingGraph((1,), (a, Population("cell", (1,), neuron, both)), Readout("a", np.ones((1, 1)), np.zeros(1)))
    assert train(graph, [1, 0, 1]) == [1, 0, 1]


def test_a_strided_padded_dilated_grouped_convolution_is_a_correlation() -> None:
    synapse = Conv2dSynapse(
        np.array([[1.0, 10.0], [3.0, 5.0]]).reshape(2, 1, 1, 2),
        np.array([0.5, 0.0]),
        stride=(1, 2),
        padding=(0, 1),
        dilation=(1, 2),
        groups=2,
    )
    images = np.array([[1.0, 2.0, 4.0], [1.0, 1.0, 1.0]]).reshape(1, 2, 1, 3)
    # Taps two apart over (0 a b c 0): (0, b), (b, 0).
    assert synaptic_current(synapse, images).tolist() == [[[[20.5, 2.5]], [[5.0, 3.0]]]]


def test_spikes_must_be_integers() -> None:
    backend = ReferenceBackend()
    program = backend.compile(one_neuron(Neuron(leak=0.0, threshold=1.0)), LOIHI2)
    with pytest.raises(DataError, match="must be integers"):
        backend.run(program, np.zeros((1, 1, 1)))
