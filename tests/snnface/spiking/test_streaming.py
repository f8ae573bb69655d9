"""Running in pieces: any split of a sequence gives the whole sequence's answer, to the bit."""

from contextlib import nullcontext

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import snnface.spiking.picture_encoder
from snnface.errors import ConfigError
from snnface.events import Resolution
from snnface.spiking import (
    ConvSnn,
    ConvSnnConfig,
    NeuronConfig,
    SpikingConv2d,
    SpikingLinear,
    SpikingNeuron,
    SpikingRecurrent,
    StreamingModule,
    record_activity,
    use_kernel,
)
from snnface.spiking.kernels import kernel_report
from snnface.spiking.streaming import advance_all

CONFIGS = [
    NeuronConfig(threshold=0.5),
    NeuronConfig(kind="lif", tau=3.0, decay_input=True, v_reset=-0.25, threshold=0.1),
    NeuronConfig(kind="if", reset="subtract", fires_on_equality=True),
    NeuronConfig(leak_per="channel", threshold=0.4),
]
KERNELS = st.sampled_from([None, "reference"])


def in_pieces(module: StreamingModule, inputs: Tensor, cuts: list[int]) -> tuple[Tensor, object]:
    state, outputs = None, []
    for piece in torch.tensor_split(inputs, sorted(set(cuts))):
        if len(piece):
            output, state = module.advance(piece, state)
            outputs.append(output)
    return torch.cat(outputs), state


def leaves(state: object) -> list[Tensor]:
    if isinstance(state, Tensor):
        return [state]
    assert isinstance(state, tuple)
    return [leaf for part in state for leaf in leaves(part)]


def require_equal_in_pieces(module: StreamingModule, inputs: Tensor, cuts: list[int]) -> None:
    module.eval()
    with torch.no_grad():
        whole = module(inputs)
        pieces, state = in_pieces(module, inputs, cuts)
        _, once = module.advance(inputs)
    assert torch.equal(whole, pieces)
    for now, then in zip(leaves(state), leaves(once), strict=True):
        assert torch.equal(now, then)


def moved(norm: nn.BatchNorm2d) -> None:
    """Running statistics that are not those of a fresh layer."""
    with torch.no_grad():
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.uniform_(-0.3, 0.3)
        norm.running_var.uniform_(0.1, 0.9)


cuts = st.lists(st.integers(1, 8), max_size=4)


@settings(max_examples=40)
@given(st.sampled_from(CONFIGS), st.integers(1, 9), st.integers(1, 3), cuts, st.integers(0, 99), KERNELS)
def test_neurons_in_pieces(
    config: NeuronConfig, steps: int, batch: int, cuts: list[int], seed: int, kernel: str | None
) -> None:
    torch.manual_seed(seed)
    with use_kernel(kernel):
        require_equal_in_pieces(SpikingNeuron(config, 5), torch.randn(steps, batch, 5), cuts)


@settings(max_examples=40)
@given(
    config=st.sampled_from(CONFIGS),
    steps=st.integers(1, 9),
    batch=st.integers(1, 3),
    size=st.tuples(st.integers(4, 9), st.integers(4, 9)),
    channels=st.sampled_from([2, 5, 11]),
    pool=st.sampled_from([1, 2]),
    stride=st.sampled_from([1, 2]),
    small=st.booleans(),
    cuts=cuts,
    seed=st.integers(0, 99),
    kernel=KERNELS,
)
def test_convolution_in_pieces(
    config: NeuronConfig,
    steps: int,
    batch: int,
    size: tuple[int, int],
    channels: int,
    pool: int,
    stride: int,
    small: bool,
    cuts: list[int],
    seed: int,
    kernel: str | None,
) -> None:
    torch.manual_seed(seed)
    layer = SpikingConv2d(channels, 6, config, pool=pool, stride=stride, small_inputs=small)
    moved(layer.norm)
    with use_kernel(kernel):
        require_equal_in_pieces(layer, torch.poisson(torch.full((steps, batch, channels, *size), 0.4)), cuts)


@settings(max_examples=40)
@given(st.sampled_from(CONFIGS), st.integers(1, 9), st.integers(1, 3), cuts, st.integers(0, 99), KERNELS, st.booleans())
def test_full_layer_in_pieces(
    config: NeuronConfig, steps: int, batch: int, cuts: list[int], seed: int, kernel: str | None, small: bool
) -> None:
    torch.manual_seed(seed)
    layer = SpikingLinear(300, 33, config, dropout=0.5, small_inputs=small)
    with use_kernel(kernel):
        require_equal_in_pieces(layer, (torch.rand(steps, batch, 300) < 0.2).float(), cuts)


@settings(max_examples=40)
@given(st.sampled_from(CONFIGS), st.integers(1, 9), st.integers(1, 3), cuts, st.integers(0, 99), KERNELS, st.booleans())
def test_recurrent_layer_in_pieces(
    config: NeuronConfig, steps: int, batch: int, cuts: list[int], seed: int, kernel: str | None, small: bool
) -> None:
    torch.manual_seed(seed)
    layer = SpikingRecurrent(40, 23, config, small_inputs=small)
    with use_kernel(kernel):
        require_equal_in_pieces(layer, (torch.rand(steps, batch, 40) < 0.4).float(), cuts)


def encoder(**settings: object) -> ConvSnn:
    torch.manual_seed(3)
    config = ConvSnnConfig(channels=(4, 6), features=(20, 8), neuron=NeuronConfig(threshold=0.4), **settings)  # type: ignore[arg-type]
    made = ConvSnn(config, in_channels=2, resolution=Resolution(height=8, width=12))
    for block in made.blocks:
        moved(block.norm)
    return made.eval()


def pictures(steps: int, batch: int) -> Tensor:
    return torch.poisson(torch.full((steps, batch, 2, 8, 12), 0.7), generator=torch.Generator().manual_seed(2))


@settings(max_examples=30)
@given(st.integers(1, 9), st.integers(1, 3), cuts, KERNELS)
def test_encoder_in_pieces(steps: int, batch: int, cuts: list[int], kernel: str | None) -> None:
    with use_kernel(kernel):
        require_equal_in_pieces(encoder(), pictures(steps, batch), cuts)


@pytest.mark.parametrize(("kernel", "narrow"), [(None, False), (None, True), ("reference", False)])
def test_the_papers_encoder_in_pieces(kernel: str | None, narrow: bool) -> None:
    torch.manual_seed(0)
    made = ConvSnn(
        ConvSnnConfig(neuron=NeuronConfig(threshold=0.3)), in_channels=2, resolution=Resolution(height=64, width=64)
    )
    inputs = torch.poisson(torch.full((7, 2, 2, 64, 64), 0.3), generator=torch.Generator().manual_seed(0))
    with use_kernel(kernel), torch.autocast("cpu", torch.bfloat16, enabled=narrow):
        require_equal_in_pieces(made, inputs, [1, 3])
        with torch.no_grad():
            assert made(inputs).sum() > 10


def test_step_by_step_equals_the_whole() -> None:
    made, inputs = encoder(), pictures(5, 2)
    state, outputs = None, []
    with torch.no_grad():
        for picture in inputs:
            output, state = made.step(picture, state)
            outputs.append(output)
        assert torch.equal(torch.stack(outputs), made(inputs))
    assert made(inputs).sum() > 0


@pytest.mark.parametrize(("watches", "method", "bytes_each"), [(True, "advance", 4), (False, "relay", 0.25)])
def test_inference_runs_in_chunks_of_bounded_memory(
    monkeypatch: pytest.MonkeyPatch, watches: bool, method: str, bytes_each: float
) -> None:
    if method == "relay" and kernel_report()["event_conv"] != "ready":
        pytest.skip("no compiled kernels")
    made, inputs = encoder(), pictures(9, 2)
    with torch.no_grad():
        whole = made(inputs)
    # One block output of two steps: 4 maps of 8 x 12 pixels for 2 clips, in float32 or, between our layers, packed.
    monkeypatch.setattr(snnface.spiking.picture_encoder, "_CHUNK_BYTES", int(2 * 4 * 8 * 12 * 2 * bytes_each))
    lengths: list[int] = []
    made.blocks[0].register_forward_hook(lambda *_: lengths.append(-1))
    run = getattr(made.blocks[0], method)
    monkeypatch.setattr(made.blocks[0], method, lambda inputs, state: lengths.append(len(inputs)) or run(inputs, state))
    with torch.no_grad(), record_activity(made) if watches else nullcontext():
        assert torch.equal(made(inputs), whole)
    assert lengths == [2, 2, 2, 2, 1]


def test_the_whole_sequence_runs_at_once_where_a_gradient_is_wanted() -> None:
    made, inputs = encoder(), pictures(4, 2)
    with torch.no_grad():
        expected = made(inputs)
    spikes = made(inputs)
    assert torch.equal(spikes, expected)
    spikes.sum().backward()
    assert made.blocks[0].conv.weight.grad is not None
    assert made.blocks[0].conv.weight.grad.abs().sum() > 0


def test_watching_chunks_counts_every_spike(monkeypatch: pytest.MonkeyPatch) -> None:
    made, inputs = encoder(), pictures(9, 2)
    monkeypatch.setattr(snnface.spiking.picture_encoder, "_CHUNK_BYTES", 1)
    with torch.no_grad(), record_activity(made) as activity:
        spikes = made(inputs)
    assert activity.num_spikes["layers.1.neuron"] == int(spikes.sum()) > 0
    assert activity.num_updates["blocks.0.neuron"] == 9 * 2 * 4 * 8 * 12


def test_trains_are_kept_of_the_whole_sequence(monkeypatch: pytest.MonkeyPatch) -> None:
    made, inputs = encoder(), pictures(9, 2)
    monkeypatch.setattr(snnface.spiking.picture_encoder, "_CHUNK_BYTES", 1)
    with torch.no_grad(), record_activity(made, keep_trains=True) as activity:
        spikes = made(inputs)
    assert torch.equal(activity.trains["layers.1.neuron"], spikes.to(torch.uint8))
    assert activity.trains["blocks.0.neuron"].shape == (9, 2, 4, 8, 12)


@pytest.mark.parametrize(
    ("module", "inputs"),
    [
        (SpikingConv2d(2, 3, NeuronConfig()), torch.zeros(1, 1, 2, 8, 12)),
        (SpikingLinear(4, 3, NeuronConfig()), torch.zeros(1, 1, 4)),
        (SpikingRecurrent(4, 3, NeuronConfig()), torch.zeros(1, 1, 4)),
        (encoder(), pictures(1, 1)),
    ],
)
def test_pieces_are_refused_in_training(module: StreamingModule, inputs: Tensor) -> None:
    module.train()
    with pytest.raises(ConfigError, match=f"{type(module).__name__} runs in pieces only in evaluation mode.*eval"):
        module.advance(inputs)


def test_a_module_that_sees_whole_clips_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="MaxPool2d looks at whole clips and cannot run in pieces"):
        advance_all([nn.MaxPool2d(2)], torch.zeros(1, 1, 4))
