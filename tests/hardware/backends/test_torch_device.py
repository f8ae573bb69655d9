"""The torch path against the fixed-point backend: every spike, state, fold and saturation."""

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch

import hardware.backends.torch_device as torch_device
from conversion.graph import Connection, Conv2dSynapse, LinearSynapse, Readout
from conversion.integer_graph import IntegerGraph, IntegerNeuron, TernaryNeuron
from hardware.agreement import agreement
from hardware.backends.fixed_point import FixedPointBackend, FixedPointConfig
from hardware.backends.loihi_synapse import conv_sums
from hardware.backends.torch_device import TorchFixedPointBackend
from hardware.backends.torch_neuron import DeviceLif, DeviceState
from hardware.backends.torch_sums import device_sums, exact_dtype
from hardware.random_networks import random_network
from hardware.target import LOIHI2
from snnface.errors import BackendUnavailableError, ConfigError, HardwareError, PrecisionError, ShapeError

CPU = torch.device("cpu")


def assert_equal_on(device: str, seeds: range, config: FixedPointConfig, limits: Literal["strict", "lava"]) -> None:
    numba, on_device = FixedPointBackend(config), TorchFixedPointBackend(device, config)
    num_spikes = num_folds = num_saturations = 0
    for seed in seeds:
        network = random_network(seed, limits=limits)
        expected = numba.run(numba.compile(network.graph, LOIHI2), network.spikes)
        found = on_device.run(on_device.compile(network.graph, LOIHI2), network.spikes)
        assert agreement(expected, found).is_exact
        assert {name: train.dtype for name, train in found.spikes.items()} == dict.fromkeys(expected.spikes, np.uint8)
        assert found.num_spikes == expected.num_spikes
        assert found.num_folds == expected.num_folds
        assert found.num_saturations == expected.num_saturations
        assert np.array_equal(found.answers, expected.answers)
        num_spikes += sum(expected.num_spikes.values())
        num_folds += sum(expected.num_folds.values())
        num_saturations += sum(expected.num_saturations.values())
    assert min(num_spikes, num_folds, num_saturations) > 10


@pytest.mark.parametrize("overflow", ["lava", "mod24"])
@pytest.mark.parametrize("limits", ["strict", "lava"])
def test_random_networks_are_the_same_on_the_device(
    overflow: Literal["lava", "mod24"], limits: Literal["strict", "lava"]
) -> None:
    assert_equal_on("cpu", range(16), FixedPointConfig(mode=limits, overflow=overflow, num_threads=1), limits)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("limits", ["strict", "lava"])
def test_random_networks_are_the_same_on_a_card_even_where_torch_may_round(
    limits: Literal["strict", "lava"], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", True)
    assert_equal_on("cuda", range(40), FixedPointConfig(mode=limits), limits)


def test_pieces_of_time_and_of_samples_make_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_device, "NEURONS_AT_ONCE", 1)
    assert_equal_on("cpu", range(6), FixedPointConfig(num_threads=1), "strict")


def test_an_answer_at_every_step_and_kept_populations_are_those_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    network = random_network(3)
    graph = replace(network.graph, readout=replace(network.graph.readout, leak=0.25))
    monkeypatch.setattr(torch_device, "NEURONS_AT_ONCE", max(p.num_neurons for p in graph.populations))
    numba, on_device = FixedPointBackend(), TorchFixedPointBackend("cpu")
    expected = numba.run(numba.compile(graph, LOIHI2), network.spikes, keep=("p0",))
    found = on_device.run(on_device.compile(graph, LOIHI2), network.spikes, keep=("p0",))
    assert found.answers.shape == (*network.spikes.shape[:2], 3)
    assert np.array_equal(found.answers, expected.answers)
    assert set(found.spikes) == {"p0"}
    assert found.num_spikes == expected.num_spikes


@pytest.mark.parametrize("groups", [1, 2])
def test_convolutions_equal_their_definition_with_every_geometry(groups: int) -> None:
    draw = np.random.default_rng(groups)
    weight = draw.integers(-256, 256, (6, 4 // groups, 3, 2))
    synapse = Conv2dSynapse(weight, None, (2, 3), (1, 2), (2, 1), groups)
    messages = draw.integers(0, 256, (5, 4, 9, 8))
    weight.flags.writeable = False
    found = device_sums(synapse, 255, CPU)(torch.from_numpy(messages))
    assert np.array_equal(found.numpy(), conv_sums(synapse, messages))


def test_a_sum_beyond_24_bits_wraps_as_in_lava() -> None:
    synapse = Conv2dSynapse(np.full((1, 200, 1, 1), 255))
    messages = np.full((1, 200, 1, 1), 255)
    found = device_sums(synapse, 255, CPU)(torch.from_numpy(messages))
    assert found.item() == 200 * 255 * 255 - (1 << 24)


@pytest.mark.parametrize(
    ("weight", "message", "dtype"),
    [
        (np.full((1, 256), 255), 256, torch.float32),
        (np.full((1, 258), 255), 255, torch.float32),
        (np.full((1, 259), 255), 255, torch.float64),
        (np.full((1, 1), 257), 1, torch.float64),
        (np.full((1, 1), 1), 257, torch.float64),
        (np.full((1, 1), 1 << 44), 255, torch.float64),
    ],
)
def test_the_float_is_the_smaller_one_that_is_exact(weight: np.ndarray, message: int, dtype: torch.dtype) -> None:
    assert exact_dtype(LinearSynapse(weight), message) is dtype


def test_sums_beyond_float64_are_refused() -> None:
    with pytest.raises(PrecisionError, match=r"could reach 9007199254740992, beyond 2\^53"):
        exact_dtype(LinearSynapse(np.full((1, 2), 1 << 52)), 1)


def test_a_sum_that_leaves_32_bits_wraps_before_it_folds() -> None:
    """Worked by hand: 40,000,000 * 64 = 2,560,000,000 wraps to -1,734,967,296, and folds once by 2^24."""
    neuron = IntegerNeuron(du=4095, dv=0, vth=131071, bias_mant=np.zeros((), dtype=np.int64))
    neurons = DeviceLif(neuron, torch.zeros(1, dtype=torch.int32), "lava")
    state = DeviceState.zero(1, (1,), CPU)
    spikes = neurons.run(torch.tensor([[[40_000_000]]], dtype=torch.int32), state)
    assert state.current.item() == -1_718_190_080
    assert state.voltage.item() == -8_388_607
    assert (spikes.item(), state.num_folds.item(), state.num_saturations.item()) == (0, 1, 1)


def with_first(graph: IntegerGraph, **change: object) -> IntegerGraph:
    return replace(graph, populations=(replace(graph.populations[0], **change),))


def test_other_neurons_delays_and_exponents_are_refused_by_name(single_neuron) -> None:
    graph: IntegerGraph = single_neuron(2)
    backend, link = TorchFixedPointBackend("cpu"), graph.populations[0].inputs[0]
    ternary = TernaryNeuron(4095, 0, 5, -5, np.zeros((), dtype=np.int64))
    with pytest.raises(HardwareError, match="'cell' has TernaryNeuron neurons"):
        backend.compile(with_first(graph, neuron=ternary), LOIHI2)
    odd = Connection("input", link.synapse, delay=np.array([[1]]), weight_exp=1)
    with pytest.raises(HardwareError, match="'cell' has delays, a weight exponent; this backend"):
        backend.compile(with_first(graph, inputs=(odd,)), LOIHI2)


def test_wrong_spikes_and_devices_are_refused(single_neuron, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = TorchFixedPointBackend("cpu")
    program = backend.compile(single_neuron(2), LOIHI2)
    with pytest.raises(ShapeError, match="spikes must have the axes"):
        backend.run(program, np.ones((1, 1), dtype=np.int64))
    with pytest.raises(PrecisionError, match="vth must lie in"):
        backend.compile(single_neuron(1, vth=1 << 17), LOIHI2)
    for device in ("mps", "cpu:x", "cuda:"):
        with pytest.raises(ConfigError, match=f"and a number; got '{device}'"):
            TorchFixedPointBackend(device)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(BackendUnavailableError, match="torch sees 1 CUDA devices, not 'cuda:1'"):
        TorchFixedPointBackend("cuda:1").compile(single_neuron(2), LOIHI2)


def test_a_readout_of_the_input_itself_is_answered() -> None:
    network = random_network(3)
    width = int(np.prod(network.graph.input_shape))
    graph = replace(network.graph, readout=Readout("input", np.ones((1, width)), np.zeros(1)))
    numba, on_device = FixedPointBackend(), TorchFixedPointBackend("cpu")
    expected = numba.run(numba.compile(graph, LOIHI2), network.spikes).answers
    assert np.allclose(on_device.run(on_device.compile(graph, LOIHI2), network.spikes).answers, expected, rtol=1e-12)
