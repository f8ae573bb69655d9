"""Small graphs that the conversion tests share."""

from collections.abc import Callable

import nir
import numpy as np
import pytest
import torch

from conversion.graph import (
    INPUT,
    Connection,
    Conv2dSynapse,
    LinearSynapse,
    Neuron,
    Population,
    Readout,
    SpikingGraph,
)
from conversion.simulate import apply_synapse

GraphMaker = Callable[..., SpikingGraph]
RELAY = Neuron(leak=1.0, threshold=0.5, is_relay=True)


def _small_graph(
    seed: int = 0, *, leak: float = 0.5, step: float | None = None, residual: bool = False
) -> SpikingGraph:
    """2x6x6 -> conv 4 -> OR pool -> (conv 4 with a skip) -> fc 5 -> 3 answers.

    With `step` every weight, bias and threshold is a multiple of it, so that float32
    computes exactly.
    """
    generator = np.random.default_rng(seed)

    def numbers(*shape: int, scale: float) -> np.ndarray:
        values = generator.normal(0, scale, shape)
        return values if step is None else np.round(values / step) * step

    neuron = Neuron(leak=leak, threshold=1.0)
    conv = Conv2dSynapse(numbers(4, 2, 3, 3, scale=0.6), numbers(4, scale=0.1), padding=(1, 1))
    pool = Conv2dSynapse(np.ones((4, 1, 2, 2)), stride=(2, 2), groups=4)
    second = Conv2dSynapse(numbers(4, 2, 3, 3, scale=0.7), None, padding=(1, 1), groups=2)
    skip = (Connection("pool", Conv2dSynapse(numbers(4, 4, 1, 1, scale=0.5))),) if residual else ()
    full = LinearSynapse(numbers(5, 36, scale=0.4), numbers(5, scale=0.1))
    return SpikingGraph(
        input_shape=(2, 6, 6),
        populations=(
            Population("conv", (4, 6, 6), neuron, (Connection(INPUT, conv),)),
            Population("pool", (4, 3, 3), RELAY, (Connection("conv", pool),)),
            Population("second", (4, 3, 3), neuron, (Connection("pool", second), *skip)),
            Population("full", (5,), neuron, (Connection("second", full),)),
        ),
        readout=Readout("full", numbers(3, 5, scale=1.0), numbers(3, scale=0.1)),
        metadata={"classes": "a, b, c", "num_classes": 3},
    )


@pytest.fixture
def small_graph() -> GraphMaker:
    """Makes small graphs; see `_small_graph` for the options."""
    return _small_graph


@pytest.fixture
def input_spikes() -> np.ndarray:
    """uint8 [T=20, B=2, 2, 6, 6], three of ten set."""
    return (np.random.default_rng(5).random((20, 2, 2, 6, 6)) < 0.3).astype(np.uint8)


@pytest.fixture
def nir_euler() -> Callable[..., dict[str, np.ndarray]]:
    """Reads the normal form by forward Euler, knowing only NIR's equations: (nodes, inputs, dt) -> spikes."""
    return _euler


def _pair(values) -> tuple[int, int]:
    return (int(values[0]), int(values[1]))


def _slope(node: nir.LIF | nir.IF, voltage, current):
    if isinstance(node, nir.IF):
        return node.r * current
    return (node.v_leak - voltage + node.r * current) / node.tau


def _euler(nodes: nir.NIRGraph, inputs: np.ndarray, dt: float) -> dict[str, np.ndarray]:
    """A plain forward-Euler reader of the normal form in float64, straight from NIR's equations."""
    spikes: dict[str, list[np.ndarray]] = {}
    state = dict.fromkeys(nodes.nodes, 0.0)
    order = sorted(nodes.nodes)
    values: dict[str, np.ndarray] = dict.fromkeys(order, np.zeros(1))
    for picture in inputs:
        # What a node reads from one behind it is the value of the step before.
        for name in order:
            node = nodes.nodes[name]
            arriving = sum(values[a] for a, b in nodes.edges if b == name) if name != order[0] else picture
            if isinstance(node, nir.Conv2d):
                weights = Conv2dSynapse(node.weight, node.bias, _pair(node.stride), _pair(node.padding))
                arriving = apply_synapse(weights, torch.as_tensor(arriving, dtype=torch.float64)).numpy()
            elif isinstance(node, nir.Flatten):
                arriving = arriving.reshape(len(arriving), -1)
            elif isinstance(node, nir.Affine):
                arriving = arriving @ node.weight.T + node.bias
            elif isinstance(node, nir.LIF | nir.IF):
                voltage = state[name] + _slope(node, state[name], arriving) * dt
                arriving = (voltage > node.v_threshold).astype(np.float64)
                state[name] = np.where(arriving > 0, node.v_reset, voltage)
                spikes.setdefault(node.metadata["population"], []).append(arriving)
            elif isinstance(node, nir.I):
                arriving = state[name] = state[name] + dt * node.r * arriving
            elif isinstance(node, nir.Threshold):
                arriving = (arriving > node.threshold).astype(np.float64)
                spikes.setdefault(node.metadata["population"], []).append(arriving)
            elif isinstance(node, nir.Scale):
                arriving = node.scale * arriving
            values[name] = arriving
    return {name: np.stack(train).astype(np.uint8) for name, train in spikes.items()}
