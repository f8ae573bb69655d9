"""The recurrent layer in C++: what each neuron hears is added spike by spike."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnface.errors import ShapeError, SnnfaceError
from snnface.spiking.kernels import cpu, reference
from snnface.spiking.neurons import LayerOutput, NeuronConfig

pytestmark = pytest.mark.skipif(cpu.unavailable() is not None, reason=f"no C++ kernels here: {cpu.unavailable()}")


def layer_and_gradients(kernel, config: NeuronConfig, leaves: list[Tensor], state) -> tuple[LayerOutput, list[Tensor]]:
    currents, recurrent, leak = (leaf.clone().requires_grad_() for leaf in leaves)
    voltage, spikes = state
    output = kernel.recurrent_layer(currents, recurrent, leak, config, voltage=voltage, spikes=spikes)
    weights = torch.randn(output.spikes.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    ((output.spikes.double() * weights).sum() + 0.3 * output.num_spikes).backward()
    return output, [leaf.grad for leaf in (currents, recurrent, leak)]


@settings(max_examples=60)
@given(
    shape=st.tuples(st.integers(1, 6), st.integers(1, 3), st.integers(1, 40)),
    reset=st.sampled_from(("zero", "subtract")),
    surrogate=st.sampled_from(("atan", "sigmoid", "triangle", "superspike")),
    decay_input=st.booleans(),
    detach_reset=st.booleans(),
    leak_per_channel=st.booleans(),
    from_rest=st.booleans(),
    seed=st.integers(0, 50),
)
def test_recurrent_layer_equals_the_definition(
    shape, reset, surrogate, decay_input, detach_reset, leak_per_channel, from_rest, seed
):
    config = NeuronConfig(reset=reset, surrogate=surrogate, decay_input=decay_input, detach_reset=detach_reset)
    generator = torch.Generator().manual_seed(seed)
    _, samples, neurons = shape
    currents = torch.randn(shape, generator=generator, dtype=torch.float64)
    # Multiples of 1/16 add up without rounding, in any order.
    recurrent = torch.randint(-16, 17, (neurons, neurons), generator=generator).double() / 16
    leak = 0.2 + 0.5 * torch.rand(neurons if leak_per_channel else (), generator=generator, dtype=torch.float64)
    voltage = torch.randn(samples, neurons, generator=generator, dtype=torch.float64)
    last = torch.randint(0, 2, (samples, neurons), generator=generator).double()
    state = (None, None) if from_rest else (voltage, last)
    expected, wanted = layer_and_gradients(reference, config, [currents, recurrent, leak], state)
    output, gradients = layer_and_gradients(cpu, config, [currents, recurrent, leak], state)
    assert torch.equal(output.spikes, expected.spikes)
    assert torch.equal(output.voltage, expected.voltage)
    assert output.num_spikes == expected.num_spikes
    torch.testing.assert_close(gradients, wanted, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_recurrent_layer_in_short_numbers(dtype, autocast):
    generator = torch.Generator().manual_seed(0)
    currents = torch.randn(5, 2, 19, generator=generator).to(dtype)
    recurrent = torch.randint(-16, 17, (19, 19), generator=generator) / 16
    leaves = [currents, recurrent, torch.tensor(0.4)]
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        expected, wanted = layer_and_gradients(reference, NeuronConfig(), leaves, (None, None))
        output, gradients = layer_and_gradients(cpu, NeuronConfig(), leaves, (None, None))
    assert output.spikes.dtype == expected.spikes.dtype == dtype
    assert torch.equal(output.spikes, expected.spikes)
    torch.testing.assert_close(gradients, wanted, rtol=0.05, atol=0.05)


def test_a_spike_is_heard_one_step_later():
    currents = torch.zeros(3, 1, 2)
    currents[0, 0, 0] = 2
    recurrent = torch.tensor([[0.0, 0.0], [3.0, 0.0]])  # neuron 1 hears neuron 0
    spikes = cpu.recurrent_layer(currents, recurrent, torch.tensor(0.5), NeuronConfig()).spikes
    assert spikes[:, 0].tolist() == [[1, 0], [0, 1], [0, 0]]


def test_wide_layer_on_many_threads_equals_the_definition():
    before = torch.get_num_threads()
    generator = torch.Generator().manual_seed(0)
    leaves = [
        torch.randn(12, 5, 300, generator=generator),
        torch.randint(-16, 17, (300, 300), generator=generator) / 256,
        torch.tensor(0.4),
    ]
    torch.set_num_threads(3)
    try:
        output, gradients = layer_and_gradients(cpu, NeuronConfig(), leaves, (None, None))
    finally:
        torch.set_num_threads(before)
    expected, wanted = layer_and_gradients(reference, NeuronConfig(), leaves, (None, None))
    assert torch.equal(output.spikes, expected.spikes)
    torch.testing.assert_close(gradients, wanted, rtol=1e-3, atol=1e-3)


def test_no_steps_are_refused():
    with pytest.raises(ShapeError, match="at least one step"):
        cpu.recurrent_layer(torch.zeros(0, 2, 3), torch.zeros(3, 3), torch.tensor(0.5), NeuronConfig())


def test_double_backward_is_refused_by_name():
    currents = torch.ones(2, 1, 3, requires_grad=True)
    spikes = cpu.recurrent_layer(currents, torch.zeros(3, 3), torch.tensor(0.5), NeuronConfig()).spikes
    (gradient,) = torch.autograd.grad(spikes.sum(), currents, create_graph=True)
    with pytest.raises(SnnfaceError, match="recurrent_layer has no double backward"):
        gradient.sum().backward()
