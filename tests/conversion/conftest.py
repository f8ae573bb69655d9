"""Small graphs that the conversion tests share."""

from collections.abc import Callable

import numpy as np
import pytest

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
