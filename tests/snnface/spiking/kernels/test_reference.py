"""The definition of the kernels: against torch's own modules, by hand, and by numerical gradients."""

import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.autograd import gradcheck

from snnface.errors import DataError
from snnface.spiking import NeuronConfig, neuron_step
from snnface.spiking.kernels import reference
from snnface.spiking.surrogate import derivative

LEAK = torch.tensor(0.5, dtype=torch.float64)


def column(values: list[float]) -> Tensor:
    """Currents of one neuron of one sample, [T, 1, 1]."""
    return torch.tensor(values, dtype=torch.float64).reshape(-1, 1, 1)


def slope(charged: float, config: NeuronConfig) -> float:
    distance = torch.tensor(charged - config.threshold, dtype=torch.float64)
    return float(derivative(distance, config.surrogate, config.surrogate_alpha))


@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("detach_reset", [True, False])
@pytest.mark.parametrize("surrogate", ["atan", "sigmoid", "triangle", "superspike"])
def test_gradients_of_two_steps_by_hand(reset: str, detach_reset: bool, surrogate: str) -> None:
    config = NeuronConfig(reset=reset, detach_reset=detach_reset, surrogate=surrogate, surrogate_alpha=1.5)  # type: ignore[arg-type]
    currents, leak = column([1.25, 0.75]).requires_grad_(), LEAK.clone().requires_grad_()
    spikes = reference.neuron_layer(currents, leak, config).spikes
    assert spikes.flatten().tolist() == [1, 0]
    spikes[1].sum().backward()
    # h1 = 1.25 fires; v1 = 0 or 0.25; h2 = v1 / 2 + 0.75.
    v1 = 0.0 if reset == "zero" else 0.25
    d1, d2 = slope(1.25, config), slope(v1 / 2 + 0.75, config)
    dv1 = 0.5 * d2
    dh1 = dv1 * (0.0 if reset == "zero" else 1.0)
    if not detach_reset:
        dh1 += dv1 * d1 * (-1.25 if reset == "zero" else -1.0)
    assert currents.grad is not None
    assert currents.grad.flatten().tolist() == pytest.approx([dh1, d2])
    assert leak.grad is not None
    # dleak = dh2 (0 - v1) + dh1 (0 - v0), and v0 = 0.
    assert float(leak.grad) == pytest.approx(-d2 * v1)


def test_the_count_of_spikes_has_the_surrogate_gradient() -> None:
    currents = column([0.25, 0.5]).requires_grad_()
    output = reference.neuron_layer(currents, LEAK, NeuronConfig())
    assert output.num_spikes.dtype == torch.float64
    output.num_spikes.backward()
    # h = 0.25, 0.625; the first current reaches the second step through the leak.
    d1, d2 = slope(0.25, NeuronConfig()), slope(0.625, NeuronConfig())
    assert currents.grad is not None
    assert currents.grad.flatten().tolist() == pytest.approx([d1 + 0.5 * d2, d2])


def test_the_count_is_taken_before_pooling() -> None:
    currents = torch.full((1, 1, 1, 5, 4), 2.0)
    output = reference.neuron_layer(currents, torch.tensor(0.5), NeuronConfig(), pool=2)
    assert output.spikes.shape == (1, 1, 1, 2, 2)
    assert output.voltage.shape == (1, 1, 5, 4)
    assert float(output.num_spikes) == 20


def test_a_pooled_gradient_goes_to_the_first_maximum() -> None:
    currents = torch.tensor([[0.0, 2.0], [2.0, 2.0]], dtype=torch.float64).reshape(1, 1, 1, 2, 2).requires_grad_()
    reference.neuron_layer(currents, LEAK, NeuronConfig(), pool=2).spikes.sum().backward()
    assert currents.grad is not None
    assert currents.grad.flatten().tolist() == pytest.approx([0, slope(2.0, NeuronConfig()), 0, 0])


def test_scale_and_shift_are_applied_by_channel() -> None:
    currents = torch.ones(1, 1, 2, 1, 1)
    scale, shift = torch.tensor([0.5, 4.0]), torch.tensor([0.25, -1.5])
    output = reference.neuron_layer(currents, torch.tensor(0.5), NeuronConfig(), scale=scale, shift=shift)
    assert output.voltage.flatten().tolist() == [0.75, 0.0]
    assert output.spikes.flatten().tolist() == [0, 1]


def test_a_leak_per_channel_leaks_by_channel() -> None:
    currents = torch.tensor([0.5, 0.5, 0.0, 0.0]).reshape(2, 1, 2)
    output = reference.neuron_layer(currents, torch.tensor([0.25, 0.75]), NeuronConfig(leak_per="channel"))
    assert output.voltage.tolist() == [[0.375, 0.125]]
    picture = currents[..., None, None].expand(2, 1, 2, 3, 2)
    voltage = reference.neuron_layer(picture, torch.tensor([0.25, 0.75]), NeuronConfig(leak_per="channel")).voltage
    assert torch.equal(voltage[0, :, 2, 1], output.voltage[0])


def test_a_sequence_goes_on_where_it_stopped() -> None:
    currents = torch.rand(6, 2, 3)
    whole = reference.neuron_layer(currents, torch.tensor(0.3), NeuronConfig())
    first = reference.neuron_layer(currents[:4], torch.tensor(0.3), NeuronConfig())
    second = reference.neuron_layer(currents[4:], torch.tensor(0.3), NeuronConfig(), voltage=first.voltage)
    assert torch.equal(torch.cat([first.spikes, second.spikes]), whole.spikes)
    assert torch.equal(second.voltage, whole.voltage)
    assert not first.voltage.requires_grad


def test_voltages_are_wide_where_currents_are_stored_narrow() -> None:
    narrow = (torch.randn(5, 2, 3) * 0.7).bfloat16()
    output = reference.neuron_layer(narrow, torch.tensor(0.3), NeuronConfig())
    wide = reference.neuron_layer(narrow.float(), torch.tensor(0.3), NeuronConfig())
    assert output.spikes.dtype == torch.bfloat16
    assert output.voltage.dtype == torch.float32
    assert torch.equal(output.spikes.float(), wide.spikes)
    assert torch.equal(output.voltage, wide.voltage)


def test_a_recurrent_neuron_hears_itself_a_step_later() -> None:
    # Two integrators; 0 excites 1 with weight 0.75, 1 inhibits 0 with -0.5.
    recurrent = torch.tensor([[0.0, -0.5], [0.75, 0.0]], dtype=torch.float64)
    currents = torch.tensor([[1.5, 0.0], [0.5, 0.5], [0.75, 0.0]], dtype=torch.float64)[:, None]
    none = torch.tensor(0.0, dtype=torch.float64)
    output = reference.recurrent_layer(currents, recurrent, none, NeuronConfig(kind="if"))
    # t0: (1.5, 0) fires 0. t1: (0.5, 0.5 + 0.75) fires 1. t2: (0.5 + 0.75 - 0.5, 0) = (0.75, 0).
    assert output.spikes[:, 0].tolist() == [[1, 0], [0, 1], [0, 0]]
    assert output.voltage[0].tolist() == [0.75, 0.0]
    first = reference.recurrent_layer(currents[:2], recurrent, none, NeuronConfig(kind="if"))
    rest = reference.recurrent_layer(
        currents[2:], recurrent, none, NeuronConfig(kind="if"), voltage=first.voltage, spikes=first.spikes[-1]
    )
    assert torch.equal(rest.voltage, output.voltage)


def test_recurrent_weights_learn() -> None:
    torch.manual_seed(0)
    recurrent = (0.3 * torch.randn(4, 4, dtype=torch.float64)).requires_grad_()
    output = reference.recurrent_layer(torch.rand(5, 2, 4, dtype=torch.float64), recurrent, LEAK, NeuronConfig())
    output.spikes.sum().backward()
    assert recurrent.grad is not None
    assert float(recurrent.grad.abs().sum()) > 0


@settings(max_examples=25)
@given(
    st.sampled_from(
        [
            NeuronConfig(threshold=100.0),
            NeuronConfig(threshold=100.0, decay_input=True, v_reset=-0.5),
            NeuronConfig(threshold=100.0, reset="subtract", leak_per="channel"),
        ]
    ),
    st.integers(1, 4),
    st.integers(0, 99),
)
def test_subthreshold_voltages_pass_gradcheck(config: NeuronConfig, steps: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    currents = torch.randn(steps, 2, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    start = torch.randn(2, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    shape = (3,) if config.leak_per == "channel" else ()
    leak = torch.rand(shape, generator=generator, dtype=torch.float64).requires_grad_()

    def last_voltage(currents: Tensor, start: Tensor, leak: Tensor) -> Tensor:
        voltage = start
        for current in currents:
            voltage = neuron_step(voltage, current, leak, config).voltage
        return voltage

    assert gradcheck(last_voltage, (currents, start, leak))


def test_scale_and_shift_of_a_batch_pass_gradcheck() -> None:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(2).double()
    currents = torch.randn(4, 2, 2, 3, dtype=torch.float64, requires_grad=True)

    def normalised(currents: Tensor) -> Tensor:
        scale, shift = reference.batch_affine(currents, norm, training=True)
        return currents * scale[:, None, None] + shift[:, None, None]

    assert gradcheck(normalised, (currents,))


@settings(max_examples=25)
@given(st.integers(1, 5), st.integers(1, 4), st.integers(2, 5), st.sampled_from([0.1, 0.7, None]), st.integers(0, 99))
def test_batch_affine_is_torchs_batch_norm(
    batch: int, channels: int, side: int, momentum: float | None, seed: int
) -> None:
    torch.manual_seed(seed)
    ours = nn.BatchNorm2d(channels, momentum=momentum).double()
    nn.init.uniform_(ours.weight, 0.2, 2)
    nn.init.uniform_(ours.bias, -1, 1)
    theirs = nn.BatchNorm2d(channels, momentum=momentum).double()
    theirs.load_state_dict(ours.state_dict())
    for _ in range(2):
        x = (3 * torch.randn(batch, channels, side, side, dtype=torch.float64) + 1).requires_grad_()
        y = x.detach().clone().requires_grad_()
        scale, shift = reference.batch_affine(x, ours, training=True)
        a = x * scale[:, None, None] + shift[:, None, None]
        b = theirs(y)
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)
        weights = torch.randn_like(b)
        (a * weights).sum().backward()
        (b * weights).sum().backward()
        torch.testing.assert_close(x.grad, y.grad, rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad, rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(ours.bias.grad, theirs.bias.grad, rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(dict(ours.named_buffers()), dict(theirs.named_buffers()))
    scale, shift = reference.batch_affine(x, ours, training=False)
    torch.testing.assert_close(x * scale[:, None, None] + shift[:, None, None], theirs.eval()(x))


def test_one_value_a_channel_has_no_variance() -> None:
    with pytest.raises(DataError, match="at least two values a channel to train on; got 1"):
        reference.batch_affine(torch.zeros(1, 3, 1, 1), nn.BatchNorm2d(3), training=True)


@settings(max_examples=25)
@given(
    steps=st.integers(1, 4),
    batch=st.integers(1, 3),
    size=st.tuples(st.integers(3, 7), st.integers(3, 7)),
    kernel_size=st.sampled_from([1, 3, 4]),
    stride=st.sampled_from([1, 2]),
    pool=st.sampled_from([1, 2]),
    training=st.booleans(),
    seed=st.integers(0, 99),
)
def test_the_layer_is_the_composition_of_torchs_modules(
    steps: int,
    batch: int,
    size: tuple[int, int],
    kernel_size: int,
    stride: int,
    pool: int,
    training: bool,
    seed: int,
) -> None:
    torch.manual_seed(seed)
    config = NeuronConfig(threshold=0.4)
    conv = nn.Conv2d(2, 3, kernel_size, stride, padding=2, bias=False).double()
    norm = nn.BatchNorm2d(3).double().train(training)
    inputs = torch.randn(steps, batch, 2, *size, dtype=torch.float64)
    currents = norm(conv(inputs.flatten(0, 1))).unflatten(0, (steps, batch))
    voltage, trains = torch.zeros_like(currents[0]), []
    for current in currents:
        fired, voltage = neuron_step(voltage, current, LEAK, config)
        trains.append(fired)
    spikes = torch.stack(trains)
    expected = nn.functional.max_pool2d(spikes.flatten(0, 1), pool).unflatten(0, (steps, batch))
    weights = torch.randn_like(expected)
    (expected * weights).sum().backward()
    gradient, conv.weight.grad = conv.weight.grad, None
    norm.reset_running_stats()
    output = reference.conv_layer(
        inputs, conv.weight, LEAK, config, norm=norm, stride=stride, padding=2, pool=pool, training=training
    )
    (output.spikes * weights).sum().backward()
    assert torch.equal(output.spikes, expected)
    assert int(output.num_spikes) == int(spikes.sum())
    torch.testing.assert_close(output.voltage, voltage)
    torch.testing.assert_close(conv.weight.grad, gradient, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_picture_has_one_convolution_whatever_its_batch(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    pictures, weight = torch.randn(3, 4, 6, 6).to(dtype), torch.randn(6, 4, 3, 3).to(dtype)
    alone = reference.convolve(pictures[1:2], weight, stride=1, padding=1)
    assert torch.equal(alone, reference.convolve(pictures, weight, stride=1, padding=1)[1:2])


def test_the_reference_can_be_differentiated_twice() -> None:
    currents = column([0.5, 0.25]).requires_grad_()
    spikes = reference.neuron_layer(currents, LEAK, NeuronConfig()).spikes
    (gradient,) = torch.autograd.grad(spikes.sum(), currents, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum(), currents)
    assert torch.isfinite(second).all()
    assert float(second.abs().sum()) > 0


PROCESS = """
import sys, torch, torch.distributed as dist
from torch import nn
from snnface.spiking import NeuronConfig
from snnface.spiking.kernels import reference
rank, world, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
if world > 1:
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world)
torch.manual_seed(0)
inputs = torch.randn(3, 4, 2, 5, 5, dtype=torch.float64)
weight = torch.randn(3, 2, 3, 3, dtype=torch.float64, requires_grad=True)
norm = nn.BatchNorm2d(3).double()
share = inputs.chunk(world, 1)[rank]
leak = torch.tensor(0.5, dtype=torch.float64)
output = reference.conv_layer(share, weight, leak, NeuronConfig(), norm=norm, padding=1, pool=2, training=True)
output.spikes.square().mean().backward()
for gradient in (weight.grad, norm.weight.grad, norm.bias.grad):
    if world > 1:
        dist.all_reduce(gradient)
        gradient /= world
if rank == 0:
    gradients = [weight.grad, norm.weight.grad, norm.bias.grad]
    torch.save([*gradients, norm.running_mean, norm.running_var], f"{folder}/{world}")
if world > 1:
    dist.destroy_process_group()
"""


def test_two_processes_share_the_statistics_of_the_batch(tmp_path: Path) -> None:
    started = [
        subprocess.Popen([sys.executable, "-c", PROCESS, str(rank), str(world), str(tmp_path)])
        for rank, world in ((0, 2), (1, 2))
    ]
    with patch.object(sys, "argv", ["", "0", "1", str(tmp_path)]):
        exec(PROCESS, {})
    assert [process.wait(timeout=300) for process in started] == [0, 0]
    one, two = (torch.load(tmp_path / str(world), weights_only=True) for world in (1, 2))
    torch.testing.assert_close(two, one, rtol=1e-9, atol=1e-12)
    assert float(one[0].abs().sum()) > 0
