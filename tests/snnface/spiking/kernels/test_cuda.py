"""The Triton programs against the reference: in Triton's interpreter, or on a card.

Triton decides when it is imported whether it interprets, so `test_cuda_interpreted.py` runs
this file in a process of its own; with a card it runs here too, compiled.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from snnface.errors import ShapeError, SnnfaceError
from snnface.spiking.kernels import cuda, reference
from snnface.spiking.neurons import LayerOutput, NeuronConfig

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cpu" if INTERPRETED else "cuda"

if not INTERPRETED:
    pytestmark = [
        pytest.mark.gpu,
        pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device; else test_cuda_interpreted.py"),
    ]

OPTIONS = {
    "the paper's neuron": NeuronConfig(),
    "everything different": NeuronConfig(
        reset="subtract",
        decay_input=True,
        v_reset=-0.3,
        threshold=0.7,
        detach_reset=False,
        surrogate="sigmoid",
        surrogate_alpha=4.0,
    ),
    "hard reset not detached": NeuronConfig(detach_reset=False, v_reset=0.1, surrogate="superspike"),
    "fires on equality": NeuronConfig(fires_on_equality=True, reset="subtract", surrogate="triangle"),
    "no leak": NeuronConfig(kind="if", surrogate_alpha=1.0),
}


@pytest.fixture(autouse=True)
def _same_convolutions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    torch.manual_seed(0)


class Run(NamedTuple):
    output: LayerOutput
    gradients: tuple[Tensor, ...]


def run(layer: Callable[..., LayerOutput], *leaves: Tensor, **settings: object) -> Run:
    """The layer's output, and gradients of a random weighting of all that is differentiable."""
    leaves = tuple(leaf.detach().clone().requires_grad_() for leaf in leaves)
    output = layer(*leaves, **settings)
    weighting = torch.randn(output.spikes.shape, generator=torch.Generator().manual_seed(1)).to(DEVICE)
    total = (output.spikes.float() * weighting).sum() + 0.3 * output.num_spikes
    return Run(output, torch.autograd.grad(total, leaves))


def assert_same(ours: Run, theirs: Run, *, rtol: float = 1e-4, atol: float = 1e-5) -> None:
    """Outputs to the bit, gradients within rounding."""
    for name, got, wanted in zip(LayerOutput._fields, ours.output, theirs.output, strict=True):
        assert got.dtype == wanted.dtype, name
        assert torch.equal(got, wanted), name
    for got, wanted in zip(ours.gradients, theirs.gradients, strict=True):
        assert got.dtype == wanted.dtype
        torch.testing.assert_close(got, wanted, rtol=rtol, atol=atol)


def uniform(*shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
    return (low + (high - low) * torch.rand(shape)).to(DEVICE)


def normal(*shape: int) -> Tensor:
    return torch.randn(shape).to(DEVICE)


def neurons(kernel: object, config: NeuronConfig, **settings: object) -> Callable[..., LayerOutput]:
    """`neuron_layer` with the affine as leading arguments, if there is one."""

    def layer(currents: Tensor, leak: Tensor, *affine: Tensor) -> LayerOutput:
        pairs = dict(zip(("scale", "shift"), affine, strict=False))
        return kernel.neuron_layer(currents, leak, config, **pairs, **settings)

    return layer


@pytest.mark.parametrize("config", OPTIONS.values(), ids=OPTIONS.keys())
def test_pooled_neurons_equal_the_reference_with_every_option(config: NeuronConfig) -> None:
    leak = uniform(3) if config.kind == "plif" else torch.tensor(0.0 if config.kind == "if" else 0.4, device=DEVICE)
    leaves = normal(5, 2, 3, 5, 3), leak, uniform(3, low=0.5, high=1.5), 0.3 * normal(3)
    settings = {"pool": 2, "voltage": normal(2, 3, 5, 3)}
    assert_same(run(neurons(cuda, config, **settings), *leaves), run(neurons(reference, config, **settings), *leaves))


@pytest.mark.parametrize("config", OPTIONS.values(), ids=OPTIONS.keys())
def test_neurons_without_rows_and_columns_equal_the_reference(config: NeuronConfig) -> None:
    leaves = normal(6, 2, 6), torch.tensor(0.4, device=DEVICE)
    assert_same(run(neurons(cuda, config), *leaves), run(neurons(reference, config), *leaves))


@settings(max_examples=5, derandomize=True)
@given(
    steps=st.integers(1, 7), batch=st.integers(1, 2), channels=st.integers(1, 4), height=st.integers(1, 4),
    width=st.integers(1, 4), pool=st.integers(1, 3),
)  # fmt: skip
def test_any_size_equals_the_reference(
    steps: int, batch: int, channels: int, height: int, width: int, pool: int
) -> None:
    pool = min(pool, height, width)
    leaves = normal(steps, batch, channels, height, width), torch.tensor(0.4, device=DEVICE)
    config = NeuronConfig()
    assert_same(run(neurons(cuda, config, pool=pool), *leaves), run(neurons(reference, config, pool=pool), *leaves))


def test_brain_floats_are_widened_before_anything_is_computed() -> None:
    leaves = normal(5, 1, 3, 4, 4).bfloat16(), torch.tensor(0.4, device=DEVICE), uniform(3), normal(3)
    ours, theirs = (run(neurons(kernel, NeuronConfig(), pool=2), *leaves) for kernel in (cuda, reference))
    assert ours.output.spikes.dtype == torch.bfloat16
    assert ours.output.voltage.dtype == torch.float32
    assert_same(ours, theirs, rtol=2e-2, atol=2e-2)


def test_the_gradient_of_a_pooled_spike_goes_to_the_first_that_fired() -> None:
    """Window 0.5 2 / 2 0.5, threshold 1: the second pixel takes all of it."""
    currents = torch.tensor([0.5, 2.0, 2.0, 0.5], device=DEVICE).reshape(1, 1, 1, 2, 2).requires_grad_()
    output = cuda.neuron_layer(currents, torch.tensor(0.5, device=DEVICE), NeuronConfig(), pool=2)
    output.spikes.sum().backward()
    assert currents.grad is not None
    assert torch.count_nonzero(currents.grad.flatten()).item() == 1
    # atan at distance 1, alpha 2: 1 / (1 + pi^2)
    assert currents.grad.flatten()[1].item() == pytest.approx(1 / (1 + torch.pi**2))


def test_the_gradient_of_a_silent_window_goes_to_its_first_pixel() -> None:
    currents = torch.zeros(1, 1, 1, 2, 2, device=DEVICE, requires_grad=True)
    output = cuda.neuron_layer(currents, torch.tensor(0.5, device=DEVICE), NeuronConfig(), pool=2)
    output.spikes.sum().backward()
    assert currents.grad is not None
    assert torch.nonzero(currents.grad.flatten()).tolist() == [[0]]


@pytest.mark.parametrize(("on_equality", "spikes"), [(False, [0, 1]), (True, [1, 1])])
def test_a_voltage_at_the_threshold_fires_only_if_asked_to(on_equality: bool, spikes: list[int]) -> None:
    currents = torch.tensor([1.0, 1.5], device=DEVICE).reshape(1, 1, 2)
    config = NeuronConfig(fires_on_equality=on_equality)
    output = cuda.neuron_layer(currents, torch.tensor(0.5, device=DEVICE), config)
    assert output.spikes.flatten().tolist() == spikes
    assert output.num_spikes.item() == sum(spikes)


def test_memory_in_any_order_gives_the_same() -> None:
    currents = normal(4, 2, 3, 4, 2)
    leak = torch.tensor(0.4, device=DEVICE)
    scattered = currents.transpose(3, 4).contiguous().transpose(3, 4)
    ours = cuda.neuron_layer(scattered, leak, NeuronConfig())
    assert torch.equal(ours.spikes, reference.neuron_layer(currents, leak, NeuronConfig()).spikes)


def norm_of(gamma: Tensor, beta: Tensor) -> nn.BatchNorm2d:
    """A batch norm that has seen something, with these very tensors as parameters (so that they get gradients)."""
    norm = nn.BatchNorm2d(len(gamma)).to(DEVICE)
    assert norm.running_mean is not None
    norm.running_mean.fill_(0.2)
    del norm.weight, norm.bias
    norm.weight, norm.bias = gamma, beta  # type: ignore[assignment]
    return norm


def convolution(kernel: object, norms: list[nn.BatchNorm2d], **settings: object) -> Callable[..., LayerOutput]:
    def layer(inputs: Tensor, weight: Tensor, leak: Tensor, gamma: Tensor, beta: Tensor) -> LayerOutput:
        norms.append(norm_of(gamma, beta))
        return kernel.conv_layer(inputs, weight, leak, NeuronConfig(), norm=norms[-1], **settings)

    return layer


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("small_inputs", [False, True])
def test_convolution_layers_equal_the_reference(training: bool, small_inputs: bool) -> None:
    inputs = torch.poisson(2 * uniform(3, 2, 2, 5, 6))
    leaves = inputs, normal(4, 2, 3, 3), torch.tensor(0.4, device=DEVICE), uniform(4, low=0.5, high=1.5), normal(4)
    settings = {"padding": 1, "pool": 2, "training": training, "small_inputs": small_inputs}
    norms: list[nn.BatchNorm2d] = []
    ours, theirs = (run(convolution(kernel, norms, **settings), *leaves) for kernel in (cuda, reference))
    assert_same(ours, theirs, rtol=1e-3, atol=1e-4)
    for name, buffer in norms[0].named_buffers():
        torch.testing.assert_close(buffer, norms[1].get_buffer(name), rtol=1e-6, atol=1e-6)


def test_convolutions_in_brain_floats_equal_the_reference() -> None:
    inputs = torch.poisson(2 * uniform(4, 1, 2, 4, 4))
    leaves = inputs, normal(3, 2, 3, 3), torch.tensor(0.4, device=DEVICE), uniform(3, low=0.5, high=1.5), normal(3)
    settings = {"padding": 1, "training": True, "small_inputs": True}
    with torch.autocast(DEVICE, torch.bfloat16):
        ours, theirs = (run(convolution(kernel, [], **settings), *leaves) for kernel in (cuda, reference))
    assert ours.output.spikes.dtype == torch.bfloat16
    assert_same(ours, theirs, rtol=3e-2, atol=3e-2)


def test_small_inputs_are_kept_as_bytes() -> None:
    inputs, weight = torch.poisson(uniform(3, 1, 2, 4, 4)), normal(4, 2, 3, 3).requires_grad_()
    kept: list[torch.dtype] = []

    def keep(tensor: Tensor) -> Tensor:
        if tensor.numel() == inputs.numel():
            kept.append(tensor.dtype)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        cuda.conv_layer(
            inputs, weight, torch.tensor(0.4, device=DEVICE), NeuronConfig(),
            norm=nn.BatchNorm2d(4).to(DEVICE), padding=1, training=True, small_inputs=True,
        )  # fmt: skip
    assert kept == [torch.uint8]


def test_batch_statistics_survive_a_mean_far_from_zero() -> None:
    """Mean 1000, deviation about 1: float32 sums of squares would leave no correct digit of the variance."""
    from snnface.spiking.kernels.cuda.passes import channel_sums

    currents = 1000 + normal(6, 2, 4, 4, 3)
    total, squares = channel_sums(currents)
    count = currents.numel() // 3
    variance = squares / count - (total / count).square()
    expected = currents.double().var((0, 1, 2, 3), correction=0)
    torch.testing.assert_close(variance, expected, rtol=1e-7, atol=0)


def test_processes_share_their_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes that hold the same clips: sums double, spikes and gradients of the inputs stay."""
    leaves = normal(4, 1, 2, 4, 4), normal(3, 2, 3, 3), torch.tensor(0.4, device=DEVICE), uniform(3), normal(3)
    settings = {"padding": 1, "training": True}
    alone = run(convolution(cuda, [], **settings), *leaves)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda sums: sums.mul_(2))
    assert_same(run(convolution(cuda, [], **settings), *leaves), alone)


@pytest.mark.parametrize("config", OPTIONS.values(), ids=OPTIONS.keys())
def test_recurrent_layers_equal_the_reference(config: NeuronConfig) -> None:
    leaves = normal(4, 2, 5), 0.7 * normal(5, 5), uniform(5)
    settings = {"config": config, "voltage": 0.5 * normal(2, 5), "spikes": torch.ones(2, 5, device=DEVICE)}
    assert_same(run(cuda.recurrent_layer, *leaves, **settings), run(reference.recurrent_layer, *leaves, **settings))


@pytest.mark.parametrize("layer", ["neuron_layer", "recurrent_layer"])
def test_a_gradient_of_a_gradient_is_refused_by_name(layer: str) -> None:
    currents = normal(2, 1, 3).requires_grad_()
    recurrent = (normal(3, 3),) if layer == "recurrent_layer" else ()
    output = getattr(cuda, layer)(currents, *recurrent, torch.tensor(0.4, device=DEVICE), NeuronConfig())
    (gradient,) = torch.autograd.grad(output.spikes.sum(), currents, create_graph=True)
    with pytest.raises(SnnfaceError, match="double backward; set SNNFACE_KERNEL=reference"):
        gradient.sum().backward()


COMPILED = """
import sys, torch
from snnface.spiking.kernels import cuda
from snnface.spiking.neurons import NeuronConfig

def layer(currents, leak, scale, shift):
    return cuda.neuron_layer(currents, leak, NeuronConfig(), scale=scale, shift=shift, pool=2)

def recurrent_layer(currents, leak, recurrent):
    return cuda.recurrent_layer(currents, recurrent, leak, NeuronConfig())

def gradients(function, leaves):
    leaves = [leaf.clone().requires_grad_() for leaf in leaves]
    output = function(*leaves)
    return output, torch.autograd.grad(output.spikes.square().sum() + output.num_spikes, leaves)

def random(*shape):
    return torch.rand(shape, device=sys.argv[1])

for function, leaves in (
    (layer, [2 * random(3, 1, 2, 4, 4), random(2), random(2), random(2)]),
    (recurrent_layer, [2 * random(3, 1, 4), random(4), random(4, 4)]),
):
    (eager, wanted), (whole, got) = (
        gradients(f, leaves) for f in (function, torch.compile(function, fullgraph=True, backend="aot_eager"))
    )
    assert eager.num_spikes > 0
    assert all(map(torch.equal, (*eager, *wanted), (*whole, *got)))
"""


def test_compiled_models_keep_the_layers_whole() -> None:
    """In a process of its own: torch cannot trace the run-time checks that are on here."""
    result = subprocess.run([sys.executable, "-c", COMPILED, DEVICE], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_no_steps_are_refused() -> None:
    with pytest.raises(ShapeError, match="at least one step, sample and neuron"):
        cuda.neuron_layer(torch.empty(0, 2, 3, device=DEVICE), torch.tensor(0.4, device=DEVICE), NeuronConfig())


def test_too_many_neurons_are_refused() -> None:
    from snnface.spiking.kernels.cuda.passes import neuron_forward

    many = torch.zeros(1, device=DEVICE).expand(1, 1, 2**14, 2**14, 1)
    with pytest.raises(ShapeError, match=r"fewer than 268435456 neurons a step; got 268435456"):
        neuron_forward(
            many, torch.ones(1, device=DEVICE), [1.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 1.0],
            voltage=None, scale=None, shift=None, pool=1,
        )  # fmt: skip
