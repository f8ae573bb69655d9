"""Spiking layers: what they compute, what they keep, number types, and what they refuse."""

import copy
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from snnface.errors import ConfigError, DataError, ShapeError
from snnface.events import Resolution
from snnface.spiking import (
    ConvSnn,
    ConvSnnConfig,
    NeuronConfig,
    SpikingConv2d,
    SpikingLinear,
    SpikingNeuron,
    SpikingRecurrent,
    record_activity,
    spike_counts,
    use_kernel,
)
from snnface.spiking.pictures import NonFinitePictureError

NEURON = NeuronConfig(threshold=0.4)


def encoder(**settings: object) -> ConvSnn:
    torch.manual_seed(3)
    config = ConvSnnConfig(channels=(4, 6), features=(20, 8), dropout=0.0, neuron=NEURON, **settings)  # type: ignore[arg-type]
    return ConvSnn(config, in_channels=2, resolution=Resolution(height=8, width=12))


def pictures(steps: int = 5, batch: int = 3) -> Tensor:
    return torch.poisson(torch.full((steps, batch, 2, 8, 12), 0.7), generator=torch.Generator().manual_seed(2))


def gradients(module: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.grad for name, parameter in module.named_parameters() if parameter.grad is not None}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("pool", [1, 2])
def test_a_convolution_layer_is_its_modules_in_a_row(training: bool, pool: int) -> None:
    torch.manual_seed(0)
    layer = SpikingConv2d(2, 4, NEURON, pool=pool).double().train(training)
    twin = copy.deepcopy(layer)
    inputs = torch.randn(4, 2, 2, 7, 6, dtype=torch.float64)
    currents = twin.norm(twin.conv(inputs.flatten(0, 1))).unflatten(0, (4, 2))
    expected = twin.pool(twin.neuron(currents).flatten(0, 1)).unflatten(0, (4, 2))
    spikes = layer(inputs)
    assert torch.equal(spikes, expected)
    assert 0 < int(spikes.sum()) < spikes.numel()
    weights = torch.randn_like(spikes)
    (spikes * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(gradients(layer), gradients(twin), rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(dict(layer.named_buffers()), dict(twin.named_buffers()))


def test_parameter_names_are_those_of_published_weights() -> None:
    assert list(SpikingConv2d(2, 4, NEURON).state_dict()) == [
        "conv.weight",
        "norm.weight",
        "norm.bias",
        "norm.running_mean",
        "norm.running_var",
        "norm.num_batches_tracked",
        "neuron.w",
    ]
    assert list(SpikingLinear(3, 4, NEURON).state_dict()) == ["linear.weight", "neuron.w"]
    assert list(SpikingRecurrent(3, 4, NEURON).state_dict()) == ["linear.weight", "recurrent.weight", "neuron.w"]


def test_a_leak_per_channel_is_learnt_per_channel() -> None:
    torch.manual_seed(0)
    layer = SpikingConv2d(2, 4, NeuronConfig(leak_per="channel", threshold=0.4))
    layer(torch.rand(4, 2, 2, 6, 6)).sum().backward()
    assert layer.neuron.w.shape == (4,)
    assert layer.neuron.w.grad is not None
    assert len(layer.neuron.w.grad.unique()) == 4


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"kind": "lif", "leak_per": "channel"}, 'a leak per channel is learnt; use kind="plif"'),
        ({"kind": "if", "leak_per": "channel"}, 'a leak per channel is learnt; use kind="plif"'),
    ],
)
def test_a_fixed_leak_per_channel_is_refused(config: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        NeuronConfig(**config)


def test_a_leak_per_channel_needs_their_number() -> None:
    with pytest.raises(ConfigError, match="needs num_channels"):
        SpikingNeuron(NeuronConfig(leak_per="channel"))


def test_a_recurrent_layer_without_recurrence_is_a_full_layer() -> None:
    torch.manual_seed(0)
    recurrent, full = SpikingRecurrent(9, 5, NEURON), SpikingLinear(9, 5, NEURON)
    full.linear.weight = recurrent.linear.weight
    nn.init.zeros_(recurrent.recurrent.weight)
    inputs = torch.rand(6, 2, 9)
    assert torch.equal(recurrent(inputs), full(inputs))
    nn.init.constant_(recurrent.recurrent.weight, 0.5)
    assert not torch.equal(recurrent(inputs), full(inputs))


# ---- bf16


def test_under_autocast_maps_are_narrow_and_voltages_wide() -> None:
    layer = SpikingConv2d(2, 4, NEURON).eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        spikes, voltage = layer.advance(torch.rand(3, 2, 2, 6, 6))
    assert spikes.dtype == torch.bfloat16
    assert voltage.dtype == torch.float32
    full = SpikingLinear(7, 3, NEURON).eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        spikes, voltage = full.advance((torch.rand(3, 2, 7) < 0.5).float())
    assert spikes.dtype == torch.bfloat16
    assert voltage.dtype == torch.float32


def test_under_autocast_the_encoder_learns_what_it_learns_without() -> None:
    wide, narrow = encoder(), encoder()
    wide(pictures()).mean().backward()
    with torch.autocast("cpu", torch.bfloat16):
        spikes = narrow(pictures())
    assert spikes.dtype == torch.float32
    spikes.mean().backward()
    for name, gradient in gradients(wide).items():
        theirs = gradients(narrow)[name]
        assert theirs.dtype == torch.float32
        assert float(nn.functional.cosine_similarity(gradient.flatten(), theirs.flatten(), dim=0)) > 0.9, name


# ---- checkpointing


@pytest.mark.parametrize("kernel", [None, "reference"])
def test_checkpointing_changes_nothing_but_memory(kernel: str | None) -> None:
    plain, saving = encoder(), encoder(checkpoint=True)
    with use_kernel(kernel):
        for _ in range(2):
            for made in (plain, saving):
                with spike_counts(made) as counts:
                    spikes = made(pictures())
                (spikes.mean() + 0.1 * sum(counts.rates.values())).backward()
    assert torch.equal(plain(pictures()), saving(pictures()))
    for name, gradient in gradients(plain).items():
        torch.testing.assert_close(gradients(saving)[name], gradient, msg=name)
    for name, buffer in plain.named_buffers():
        assert torch.equal(dict(saving.named_buffers())[name], buffer), f"{name} moved twice"


def test_checkpointing_keeps_no_convolution_output() -> None:
    kept: dict[bool, int] = {}
    for checkpoint in (False, True):
        sizes: list[int] = []

        def pack(tensor: Tensor, sizes: list[int] = sizes) -> Tensor:
            sizes.append(tensor.numel() * tensor.element_size())
            return tensor

        layer = SpikingConv2d(2, 16, NEURON, checkpoint=checkpoint)
        with use_kernel("reference"), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            layer(torch.rand(6, 2, 2, 8, 8))
        kept[checkpoint] = sum(sizes)
    # Kept: the inputs, 6 x 2 x 2 x 8 x 8 floats; what there is once a layer is small.
    assert kept[True] < 2 * 6 * 2 * 2 * 8 * 8 * 4
    assert kept[False] > 6 * 2 * 16 * 8 * 8 * 4


# ---- watching


@settings(max_examples=10)
@given(st.sampled_from([None, "reference"]), st.booleans())
def test_counts_are_those_of_the_trains(kernel: str | None, training: bool) -> None:
    made = encoder().train(training)
    with use_kernel(kernel), record_activity(made, keep_trains=True) as activity, spike_counts(made) as counts:
        made(pictures())
    assert list(activity.num_spikes) == ["blocks.0.neuron", "blocks.1.neuron", "layers.0.neuron", "layers.1.neuron"]
    for name, train in activity.trains.items():
        assert activity.num_spikes[name] == int(train.sum()) == int(counts.num_spikes[name])
        assert activity.num_updates[name] == train.numel() == counts.num_updates[name]
        assert float(counts.rates[name].detach()) == pytest.approx(activity.rates[name])
    assert activity.trains["blocks.0.neuron"].shape == (5, 3, 4, 8, 12)


def test_keeping_trains_changes_no_answer() -> None:
    made = encoder().eval()
    with record_activity(made, keep_trains=True):
        watched = made(pictures())
    assert torch.equal(made(pictures()), watched)
    assert watched.sum() > 0


@pytest.mark.parametrize("kernel", [None, "reference"])
def test_rates_have_the_gradient_of_the_spikes(kernel: str | None) -> None:
    made, twin = encoder(), encoder()
    with use_kernel(kernel):
        with spike_counts(made) as counts:
            made(pictures())
        counts.rates["blocks.0.neuron"].backward()
        with record_activity(twin, keep_trains=True):  # makes the layer run without its pooling
            block = twin.blocks[0]
            currents = block.norm(block.conv(pictures().flatten(0, 1))).unflatten(0, (5, 3))
            block.neuron(currents).mean().backward()
    torch.testing.assert_close(made.blocks[0].conv.weight.grad, twin.blocks[0].conv.weight.grad, rtol=1e-3, atol=1e-6)
    assert float(made.blocks[0].conv.weight.grad.abs().sum()) > 0
    assert made.layers[0].linear.weight.grad is None


def test_watching_ends_with_its_context() -> None:
    made = encoder()
    with record_activity(made, keep_trains=True) as activity, spike_counts(made) as counts:
        pass
    made(pictures())
    assert activity.num_spikes == {}
    assert counts.num_spikes == {}
    assert all(
        not neuron.watchers and not neuron.keeps_trains for neuron in made.modules() if hasattr(neuron, "watchers")
    )


# ---- torch.compile


COMPILED = """
import copy, torch
from snnface.events import Resolution
from snnface.spiking import ConvSnn, ConvSnnConfig, NeuronConfig, use_kernel
torch.manual_seed(3)
config = ConvSnnConfig(channels=(4, 6), features=(20, 8), dropout=0.0, neuron=NeuronConfig(threshold=0.4))
# Large enough for memory from the pool, and for matrix products of more than a few rows.
pictures = torch.poisson(torch.full((6, 3, 2, 64, 96), 0.7))
for training in (True, False):
    made = ConvSnn(config, in_channels=2, resolution=Resolution(height=64, width=96)).train(training)
    with use_kernel("cpu"):  # or the reference, where there is no compiler
        plain = copy.deepcopy(made)
        expected = plain(pictures)
        spikes = torch.compile(made, backend="aot_eager", fullgraph=True)(pictures)
        for answers in (expected, spikes):
            answers.sum().backward()
    assert torch.equal(spikes, expected), training
    for parameter, other in zip(made.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, other.grad)
    assert made.blocks[0].conv.weight.grad.any(), training
"""


def test_the_encoder_compiles_as_one_graph() -> None:
    # In a process of its own: the shape checks of the test run cannot be compiled.
    done = subprocess.run([sys.executable, "-c", COMPILED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# ---- what is refused


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((0, 2, 2, 8, 12), r"at least one step and one clip; its shape is \[0, 2, 2, 8, 12\].*longer window"),
        ((3, 0, 2, 8, 12), r"at least one step and one clip; its shape is \[3, 0, 2, 8, 12\]"),
        ((3, 2, 1, 8, 12), r"must have the axes \[T, B, 2, 8, 12\]; its shape is \[3, 2, 1, 8, 12\].*representation"),
    ],
)
def test_pictures_of_another_shape_are_refused(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        encoder()(torch.zeros(shape))


@pytest.mark.parametrize("module", [SpikingNeuron(NEURON), SpikingLinear(4, 4, NEURON), SpikingRecurrent(4, 4, NEURON)])
def test_a_sequence_without_steps_is_refused_by_every_layer(module: nn.Module) -> None:
    with pytest.raises(ShapeError, match=r"at least one step; its shape is \[0, 2, 4\]"):
        module(torch.zeros(0, 2, 4))


def test_a_picture_sequence_without_steps_is_refused_by_the_layer() -> None:
    with pytest.raises(ShapeError, match="at least one step"):
        SpikingConv2d(2, 4, NEURON)(torch.zeros(0, 2, 2, 4, 4))


def test_the_wrong_width_is_refused_with_what_was_expected() -> None:
    with pytest.raises(ShapeError, match=r"spiking convolution must have the axes \[T, B, 2, H, W\]"):
        SpikingConv2d(2, 4, NEURON)(torch.zeros(1, 1, 3, 4, 4))
    with pytest.raises(ShapeError, match=r"spiking full layer must have the axes \[T, B, 4\]"):
        SpikingLinear(4, 4, NEURON)(torch.zeros(1, 1, 5))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_values_that_are_no_numbers_are_named(value: float) -> None:
    inputs = pictures()
    inputs[3, 1, 0, 2, 5] = value
    inputs[4, 0, 0, 2, 5] = value
    with pytest.raises(
        NonFinitePictureError, match=r"holds 2 values.*first at \[t, b, c, y, x\] = \[3, 1, 0, 2, 5\]"
    ) as caught:
        encoder()(inputs)
    assert caught.value.batch_index == 1
    assert isinstance(caught.value, DataError)


def test_values_whose_sum_overflows_are_no_error() -> None:
    encoder()(pictures() + 3e38)
