"""The convolution layer on the CPU: the C++ passes around torch's convolution equal the definition."""

import copy
import os
import subprocess
import sys
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from snnface.errors import DataError, SnnfaceError
from snnface.spiking.kernels import cpu, reference
from snnface.spiking.neurons import LayerOutput, NeuronConfig

pytestmark = pytest.mark.skipif(cpu.unavailable() is not None, reason=f"no C++ kernels here: {cpu.unavailable()}")


def norm_of(channels: int, dtype: torch.dtype = torch.float32) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels, dtype=dtype)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        norm.weight.uniform_(0.5, 1.5, generator=generator)
        norm.bias.normal_(generator=generator)
        norm.running_mean.normal_(generator=generator)
    return norm


def layer_and_gradients(kernel, inputs, weight, norm, config=None, **options) -> tuple[LayerOutput, list[Tensor], dict]:
    norm = copy.deepcopy(norm)
    leak = torch.tensor(0.4, dtype=weight.dtype)
    inputs, weight, leak = (leaf.clone().requires_grad_() for leaf in (inputs, weight, leak))
    output = kernel.conv_layer(inputs, weight, leak, config or NeuronConfig(), norm=norm, **options)
    weights = torch.randn(output.spikes.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    ((output.spikes.double() * weights).sum() + 0.3 * output.num_spikes).backward()
    leaves = (inputs, weight, leak, norm.weight, norm.bias)
    return output, [leaf.grad for leaf in leaves], norm.state_dict()


def require_equal(inputs: Tensor, weight: Tensor, norm: nn.BatchNorm2d, *, tolerance: float, **options) -> None:
    expected, wanted, statistics = layer_and_gradients(reference, inputs, weight, norm, **options)
    output, gradients, moved = layer_and_gradients(cpu, inputs, weight, norm, **options)
    assert output.spikes.dtype == expected.spikes.dtype
    assert torch.equal(output.spikes, expected.spikes)
    torch.testing.assert_close(output.voltage, expected.voltage)
    assert output.num_spikes == expected.num_spikes
    torch.testing.assert_close(moved, statistics)
    for gradient, want in zip(gradients, wanted, strict=True):
        assert gradient.dtype == want.dtype
        size = float(want.double().abs().max().clamp(min=1e-6))
        torch.testing.assert_close(gradient, want, rtol=0, atol=tolerance * size)


@settings(max_examples=40)
@given(
    axes=st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(1, 5)),
    maps=st.sampled_from((1, 3, 16, 32)),
    size=st.tuples(st.integers(4, 10), st.integers(4, 10)),
    kernel=st.sampled_from((1, 3, 5)),
    stride=st.integers(1, 2),
    pool=st.integers(1, 2),
    training=st.booleans(),
    small_inputs=st.booleans(),
    from_rest=st.booleans(),
    seed=st.integers(0, 50),
)
def test_convolution_layer_equals_the_definition_in_float64(
    axes, maps, size, kernel, stride, pool, training, small_inputs, from_rest, seed
):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randint(0, 3, (*axes, *size), generator=generator).double()
    weight = 0.5 * torch.randn(maps, axes[2], kernel, kernel, generator=generator, dtype=torch.float64)
    options = {"stride": stride, "padding": kernel // 2, "pool": pool, "training": training}
    rows, columns = ((side + 2 * (kernel // 2) - kernel) // stride + 1 for side in size)
    start = torch.randn(axes[1], maps, rows, columns, generator=generator, dtype=torch.float64)
    options |= {"small_inputs": small_inputs, "voltage": None if from_rest else start}
    require_equal(inputs, weight, norm_of(maps, torch.float64), tolerance=1e-9, **options)


@pytest.mark.parametrize(("training", "small_inputs", "maps"), list(product((True, False), (True, False), (32, 5))))
def test_convolution_layer_equals_the_definition_in_float32(training, small_inputs, maps):
    inputs = (torch.rand(6, 2, 32, 12, 10, generator=torch.Generator().manual_seed(0)) < 0.2).float()
    weight = 0.2 * torch.randn(maps, 32, 3, 3, generator=torch.Generator().manual_seed(1))
    options = {"padding": 1, "pool": 2, "training": training, "small_inputs": small_inputs}
    require_equal(inputs, weight, norm_of(maps), tolerance=1e-4, **options)


@pytest.mark.parametrize("training", [True, False])
def test_autocast_convolves_in_bfloat16(training):
    inputs = (torch.rand(6, 2, 32, 12, 10, generator=torch.Generator().manual_seed(0)) < 0.2).float()
    weight = 0.2 * torch.randn(32, 32, 3, 3, generator=torch.Generator().manual_seed(1))
    with torch.autocast("cpu", torch.bfloat16):
        output = cpu.conv_layer(
            inputs, weight, torch.tensor(0.4), NeuronConfig(), norm=norm_of(32), padding=1, training=training
        )
        require_equal(inputs, weight, norm_of(32), tolerance=2e-2, padding=1, pool=2, training=training)
    assert output.spikes.dtype == torch.bfloat16
    assert output.voltage.dtype == torch.float32


def test_many_parts_give_what_one_part_gives(monkeypatch):
    inputs = torch.rand(7, 3, 4, 9, 8, generator=torch.Generator().manual_seed(0))
    weight = torch.randn(16, 4, 3, 3, generator=torch.Generator().manual_seed(1))
    options = {"padding": 1, "pool": 2}
    monkeypatch.setattr(sys.modules["snnface.spiking.kernels.cpu.conv_layer"], "PART_BYTES", 10_000)
    for training in (True, False):
        require_equal(inputs, weight, norm_of(16), tolerance=1e-4, training=training, **options)
    with torch.no_grad():
        arguments = inputs, weight, torch.tensor(0.4), NeuronConfig()
        passing = cpu.conv_layer(*arguments, norm=norm_of(16), **options)
        expected = reference.conv_layer(*arguments, norm=norm_of(16), **options)
    assert torch.equal(passing.spikes, expected.spikes)
    assert torch.equal(passing.voltage, expected.voltage)
    assert passing.num_spikes == expected.num_spikes


def test_statistics_keep_their_digits_far_from_zero():
    inputs = torch.rand(4, 2, 1, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weight = torch.ones(1, 1, 1, 1, dtype=torch.float64)
    norm = nn.BatchNorm2d(1, dtype=torch.float64, momentum=1.0)
    cpu.conv_layer(
        inputs + 1e6, weight, torch.tensor(0.4, dtype=torch.float64), NeuronConfig(), norm=norm, training=True
    )
    torch.testing.assert_close(norm.running_var[0], (inputs + 1e6).var(), rtol=1e-9, atol=0)


def test_one_value_a_channel_has_no_variance():
    with pytest.raises(DataError, match="at least two values a channel"):
        cpu.conv_layer(
            torch.ones(1, 1, 2, 1, 1),
            torch.ones(3, 2, 1, 1),
            torch.tensor(0.4),
            NeuronConfig(),
            norm=norm_of(3),
            training=True,
        )


def test_double_backward_is_refused_by_name():
    inputs = torch.rand(2, 1, 2, 4, 4, requires_grad=True)
    output = cpu.conv_layer(inputs, torch.ones(3, 2, 1, 1), torch.tensor(0.4), NeuronConfig(), norm=norm_of(3))
    (gradient,) = torch.autograd.grad(output.spikes.sum(), inputs, create_graph=True)
    with pytest.raises(SnnfaceError, match="conv_layer has no double backward"):
        gradient.sum().backward()


COMPILED = """
import torch
from torch import nn
from snnface.spiking.kernels import cpu
from snnface.spiking.neurons import NeuronConfig

inputs = torch.rand(3, 2, 4, 6, 6, generator=torch.Generator().manual_seed(0))
weight = torch.randn(16, 4, 3, 3, generator=torch.Generator().manual_seed(1)).requires_grad_()
recurrent = (0.1 * torch.randn(144, 144, generator=torch.Generator().manual_seed(2))).requires_grad_()
leak, norm = torch.tensor(0.4, requires_grad=True), nn.BatchNorm2d(16)

def loss(inputs):
    first = cpu.conv_layer(inputs, weight, leak, NeuronConfig(), norm=norm, padding=1, pool=2, training=True)
    second = cpu.neuron_layer(first.spikes.flatten(2), leak, NeuronConfig())
    third = cpu.recurrent_layer(second.spikes, recurrent, leak, NeuronConfig())
    return third.spikes.sum() + 0.1 * first.num_spikes

leaves = (weight, recurrent, leak)
expected = torch.autograd.grad(loss(inputs), leaves)
compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
torch.testing.assert_close(torch.autograd.grad(compiled(inputs), leaves), expected)
"""


def test_layers_compile_as_one_graph():
    # In a process of its own: torch cannot trace the checks that the tests put around every function.
    done = subprocess.run([sys.executable, "-c", COMPILED], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


PROCESS = """
import sys, torch, torch.distributed as dist
from torch import nn
from snnface.spiking.kernels import cpu
from snnface.spiking.neurons import NeuronConfig

rank, meeting, out = int(sys.argv[1]), sys.argv[2], sys.argv[3]
dist.init_process_group("gloo", init_method="file://" + meeting, rank=rank, world_size=2)
generator = torch.Generator().manual_seed(0)
inputs = torch.rand(4, 2, 3, 8, 8, generator=generator, dtype=torch.float64)[:, rank::2].requires_grad_()
weight = torch.randn(5, 3, 3, 3, generator=generator, dtype=torch.float64).requires_grad_()
norm = nn.BatchNorm2d(5, dtype=torch.float64)
leak = torch.tensor(0.4, dtype=torch.float64)
output = cpu.conv_layer(inputs, weight, leak, NeuronConfig(), norm=norm, padding=1, pool=2, training=True)
output.num_spikes.backward()
for sums in (weight.grad, norm.weight.grad):
    dist.all_reduce(sums)
torch.save([output.spikes.detach(), inputs.grad, weight.grad, norm.weight.grad, norm.running_var], out + str(rank))
dist.destroy_process_group()
"""


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no distributed part")
def test_two_processes_normalise_as_one_with_both_batches(tmp_path):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    names = [str(tmp_path / name) for name in ("meeting", "out")]
    command = [sys.executable, "-c", PROCESS]
    processes = [subprocess.Popen([*command, str(rank), *names], env=environment) for rank in range(2)]
    assert [process.wait(timeout=200) for process in processes] == [0, 0]
    parts = [torch.load(names[1] + str(rank), weights_only=True) for rank in range(2)]
    generator = torch.Generator().manual_seed(0)
    inputs = torch.rand(4, 2, 3, 8, 8, generator=generator, dtype=torch.float64).requires_grad_()
    weight = torch.randn(5, 3, 3, 3, generator=generator, dtype=torch.float64).requires_grad_()
    norm, leak = nn.BatchNorm2d(5, dtype=torch.float64), torch.tensor(0.4, dtype=torch.float64)
    options = {"norm": norm, "padding": 1, "pool": 2, "training": True}
    output = reference.conv_layer(inputs, weight, leak, NeuronConfig(), **options)
    output.num_spikes.backward()
    assert torch.equal(torch.cat([parts[0][0], parts[1][0]], dim=1), output.spikes)
    torch.testing.assert_close(torch.cat([parts[0][1], parts[1][1]], dim=1), inputs.grad)
    for part in parts:
        torch.testing.assert_close(part[2:], [weight.grad, norm.weight.grad, norm.running_var])
