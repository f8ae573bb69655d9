"""What every backend must do, on one network that is the same in floats and in integers.

Without leak and with whole weights, v in integers is 64 times v in floats, so that all backends
agree exactly. A relay has no memory in either.
"""

from collections.abc import Callable
from typing import Any

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
    Synapse,
)
from conversion.integer_graph import IntegerGraph, IntegerNeuron, IntegerPopulation
from hardware.backends import FixedPointBackend, LavaBackend, ReferenceBackend, RunResult, find_lava_python
from hardware.backends.torch_device import TorchFixedPointBackend
from hardware.random_networks import or_pool, relay_neuron
from hardware.target import LOIHI2
from snnface.errors import ConfigError, DataError, ShapeError

STEPS, BATCH, SHAPE = 11, 3, (2, 6, 5)
THRESHOLDS = {"conv": 250, "left": 300, "sum": 400, "full": 500}
Run = Callable[..., RunResult]


def connections() -> dict[str, list[tuple[str, Synapse]]]:
    """conv -> OR pool -> a residual (conv, conv beside relay) -> full; whole weights, a bias where it is whole."""
    draw = np.random.default_rng(11)

    def even(*shape: int) -> np.ndarray:
        return 2 * draw.integers(-90, 128, size=shape)

    identity = 64 * np.eye(4, dtype=np.int64)[:, :, None, None]
    return {
        "conv": [(INPUT, Conv2dSynapse(even(4, 1, 3, 3), draw.integers(-40, 80, 4), padding=(1, 1), groups=2))],
        "pool": [("conv", or_pool(4))],
        "left": [("pool", Conv2dSynapse(even(4, 4, 3, 3), padding=(1, 1)))],
        "relay": [("pool", Conv2dSynapse(identity))],
        "sum": [("left", Conv2dSynapse(even(4, 4, 3, 3), padding=(1, 1))), ("relay", Conv2dSynapse(2 * identity))],
        "full": [("sum", LinearSynapse(even(7, 24), draw.integers(-40, 80, 7)))],
    }


def readout() -> Readout:
    return Readout("full", np.random.default_rng(12).normal(size=(3, 7)), np.array([0.5, 0.0, -1.0]))


def float_graph() -> SpikingGraph:
    populations, shapes = [], {INPUT: SHAPE}
    for name, wires in connections().items():
        inputs = tuple(Connection(source, _as_float(synapse)) for source, synapse in wires)
        shapes[name] = inputs[0].synapse.output_shape(shapes[inputs[0].source])
        neuron = Neuron(leak=0.0, threshold=float(THRESHOLDS.get(name, 0)))
        if name not in THRESHOLDS:
            neuron = Neuron(leak=1.0, threshold=63.0, is_relay=True)
        populations.append(Population(name, shapes[name], neuron, inputs))
    return SpikingGraph(SHAPE, tuple(populations), readout())


def _as_float(synapse: Any) -> Any:
    bias = None if synapse.bias is None else synapse.bias.astype(np.float64)
    if isinstance(synapse, LinearSynapse):
        return LinearSynapse(synapse.weight.astype(np.float64), bias)
    weight = synapse.weight.astype(np.float64)
    return Conv2dSynapse(weight, bias, synapse.stride, synapse.padding, synapse.dilation, synapse.groups)


def integer_graph() -> IntegerGraph:
    populations = []
    for population in float_graph().populations:
        wires = connections()[population.name]
        neuron = relay_neuron()
        if population.name in THRESHOLDS:
            bias = wires[0][1].bias
            mantissa = np.zeros(1, dtype=np.int64) if bias is None else bias
            mantissa = mantissa.reshape(-1, *(1 for _ in population.shape[1:]))
            # A bias goes to v directly, where one unit of weight counts 2^6.
            neuron = IntegerNeuron(du=4095, dv=0, vth=THRESHOLDS[population.name], bias_mant=mantissa, bias_exp=6)
        inputs = tuple(Connection(source, _without_bias(synapse)) for source, synapse in wires)
        populations.append(IntegerPopulation(population.name, population.shape, neuron, inputs))
    return IntegerGraph(SHAPE, 0, tuple(populations), readout())


def _without_bias(synapse: Any) -> Any:
    if isinstance(synapse, LinearSynapse):
        return LinearSynapse(synapse.weight)
    return Conv2dSynapse(synapse.weight, None, synapse.stride, synapse.padding, synapse.dilation, synapse.groups)


BACKENDS: dict[str, tuple[Any, Callable[[], Any], float]] = {
    "reference": (ReferenceBackend(), float_graph, 1.0),
    "fixed_point": (FixedPointBackend(), integer_graph, 64.0),
    "lava": (LavaBackend(), integer_graph, 64.0),
    "torch_fixed_point": (TorchFixedPointBackend("cpu"), integer_graph, 64.0),
}
EVERY_BACKEND = [pytest.param(name, marks=pytest.mark.lava if name == "lava" else ()) for name in BACKENDS]


@pytest.fixture(params=EVERY_BACKEND)
def backend_name(request: pytest.FixtureRequest) -> str:
    if request.param == "lava" and find_lava_python() is None:
        pytest.skip("Lava's Python 3.10 environment is not there (make lava)")
    return str(request.param)


@pytest.fixture
def run(backend_name: str) -> Run:
    backend, graph, _ = BACKENDS[backend_name]
    program = backend.compile(graph(), LOIHI2)
    return lambda spikes, **options: backend.run(program, spikes, **options)


def samples() -> np.ndarray:
    return (np.random.default_rng(13).random((STEPS, BATCH, *SHAPE)) < 0.2).astype(np.uint8)


def test_the_name_is_the_one_it_is_listed_by(backend_name: str) -> None:
    assert BACKENDS[backend_name][0].name == backend_name


def test_every_backend_gives_the_spikes_and_states_of_the_reference(backend_name: str, run: Run) -> None:
    reference = ReferenceBackend()
    expected = reference.run(reference.compile(float_graph(), LOIHI2), samples())
    spikes = samples()
    result = run(spikes)
    assert np.array_equal(spikes, samples())  # the input is left alone
    for name, train in expected.spikes.items():
        assert result.spikes[name].dtype == np.uint8
        assert np.array_equal(result.spikes[name], train), name
        assert np.array_equal(result.voltage[name], BACKENDS[backend_name][2] * expected.voltage[name]), name
        assert result.num_spikes[name] == train.sum() > 0
    assert np.allclose(result.answers, expected.answers, rtol=1e-12)
    assert result.seconds > 0


def test_samples_do_not_depend_on_each_other_and_only_wanted_trains_are_kept(run: Run) -> None:
    together = run(samples(), keep=("sum",))
    alone = run(samples()[:, 1:2], keep=("sum",))
    assert tuple(together.spikes) == ("sum",)
    assert set(together.num_spikes) == {"conv", "pool", "left", "relay", "sum", "full"}
    assert np.array_equal(together.spikes["sum"][:, 1:2], alone.spikes["sum"])
    assert np.allclose(together.answers[1:2], alone.answers, rtol=1e-12)


def test_what_is_not_a_sample_of_this_network_is_refused(run: Run) -> None:
    with pytest.raises(ShapeError, match=r"\[T, B, 2, 6, 5\]"):
        run(samples()[:, :, :1])
    with pytest.raises(DataError, match="must not be negative"):
        run(-samples().astype(np.int64))
    with pytest.raises(ConfigError, match="unknown population 'nothing'"):
        run(samples(), keep=("nothing",))
