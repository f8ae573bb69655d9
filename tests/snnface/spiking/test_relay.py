"""Layers that hand packed spikes to each other, against the same layers one after the other."""

import pytest
import torch
from torch import Tensor

from snnface.errors import ConfigError
from snnface.events import Resolution
from snnface.spiking import ConvSnn, ConvSnnConfig, NeuronConfig, record_activity
from snnface.spiking.kernels import relays_spikes, spike_layer, use_kernel
from snnface.spiking.quantised_layers import quantised_layers
from snnface.spiking.relay import SpikeRelay
from snnface.spiking.residual import SewResNet, SewResNetConfig
from snnface.spiking.streaming import State, advance_all

pytestmark = pytest.mark.skipif(
    spike_layer.unavailable() is not None, reason=f"no compiled kernels: {spike_layer.unavailable()}"
)

NEURONS = [
    NeuronConfig(threshold=0.3),
    NeuronConfig(threshold=0.3, reset="subtract", leak_per="channel", fires_on_equality=True),
]


def encoder_of(neuron: NeuronConfig = NEURONS[0], *, channels: tuple[int, ...] = (5, 40)) -> ConvSnn:
    torch.manual_seed(0)
    config = ConvSnnConfig(channels=channels, features=(33, 8), neuron=neuron)
    return ConvSnn(config, in_channels=2, resolution=Resolution(height=8, width=12)).eval()


def pictures(steps: int = 9, batch: int = 3) -> Tensor:
    return torch.poisson(torch.full((steps, batch, 2, 8, 12), 0.8), generator=torch.Generator().manual_seed(2))


def relay_of(encoder: ConvSnn | SewResNet, inputs: Tensor) -> SpikeRelay | None:
    return SpikeRelay.of(encoder.map_layers(), tuple(encoder.layers), inputs)


def one_after_the_other(encoder: ConvSnn, inputs: Tensor) -> tuple[Tensor, State]:
    maps, maps_state = advance_all(encoder.blocks, inputs)
    spikes, layers_state = advance_all(encoder.layers, maps.flatten(2))
    return spikes.float(), (maps_state, layers_state)


def equal_states(first: State, second: State) -> bool:
    pairs = [pair for a, b in zip(first, second, strict=True) for pair in zip(a, b, strict=True)]
    return len(pairs) > 0 and all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("neuron", NEURONS)
@pytest.mark.parametrize("channels", [(5, 40), (33,), (4, 8)])
@pytest.mark.parametrize("narrow", [False, True])
def test_spikes_and_states_are_those_of_the_layers_one_after_the_other(
    neuron: NeuronConfig, channels: tuple[int, ...], narrow: bool
) -> None:
    encoder, inputs = encoder_of(neuron, channels=channels), pictures()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=narrow):
        assert relay_of(encoder, inputs) is not None
        spikes, state = encoder.advance(inputs)
        expected, expected_state = one_after_the_other(encoder, inputs)
        whole = encoder(inputs)
    assert 0 < float(spikes.sum()) < spikes.numel()
    assert spikes.dtype == torch.float32
    assert torch.equal(spikes, expected)
    assert torch.equal(whole, expected)
    assert equal_states(state, expected_state)


def test_pieces_and_single_steps_are_the_whole_to_the_bit() -> None:
    encoder, inputs = encoder_of(), pictures()
    with torch.no_grad():
        whole = encoder(inputs)
        for sizes in ([2, 1, 6], [1] * 9):
            state, pieces = None, []
            for piece in inputs.split(sizes):
                spikes, state = encoder.advance(piece, state)
                pieces.append(spikes)
            assert torch.equal(torch.cat(pieces), whole)


def test_a_stream_may_change_between_a_relay_and_ordinary_layers() -> None:
    encoder, inputs = encoder_of(), pictures()
    with torch.no_grad():
        whole = encoder(inputs)
        first, state = encoder.advance(inputs[:3])
        with record_activity(encoder):
            second, state = encoder.advance(inputs[3:5], state)
        third, _ = encoder.advance(inputs[5:], state)
    assert torch.equal(torch.cat([first, second, third]), whole)


@pytest.mark.parametrize("keep_trains", [False, True])
def test_who_watches_sees_ordinary_layers_and_the_same_spikes(keep_trains: bool) -> None:
    encoder, inputs = encoder_of(), pictures()
    with torch.no_grad():
        unwatched = encoder(inputs)
        with record_activity(encoder, keep_trains=keep_trains) as activity:
            assert relay_of(encoder, inputs) is None
            watched = encoder(inputs)
        assert relay_of(encoder, inputs) is not None
    assert torch.equal(watched, unwatched)
    assert activity.num_spikes["layers.1.neuron"] == int(unwatched.sum())
    assert list(activity.trains) == list(activity.num_spikes) * keep_trains


def test_a_relay_is_for_evaluation_without_gradient_in_single_precision() -> None:
    encoder, inputs = encoder_of(), pictures()
    assert relay_of(encoder, inputs) is None
    with torch.no_grad():
        assert relay_of(encoder, inputs) is not None
        assert relay_of(encoder, inputs.to(torch.bfloat16)) is not None
        assert relay_of(encoder.double(), inputs.double()) is None
    with torch.inference_mode():
        assert relay_of(encoder.float(), inputs) is not None


def test_a_relay_needs_its_kernels() -> None:
    encoder, inputs = encoder_of(), pictures()
    with torch.no_grad(), use_kernel("reference"):
        assert relay_of(encoder, inputs) is None
        assert not relays_spikes(inputs, encoder.blocks[0].conv.weight, stride=1, padding=1, pool=2)


def test_layers_of_another_kind_are_no_relay() -> None:
    config = SewResNetConfig(stem=4, stages=(4,), features=(6,), neuron=NEURONS[0])
    residual = SewResNet(config, in_channels=2, resolution=Resolution(height=8, width=12)).eval()
    many_channels = ConvSnn(ConvSnnConfig(channels=(4,)), in_channels=9, resolution=Resolution(height=8, width=12))
    encoder, inputs = encoder_of(), pictures()
    with torch.no_grad():
        assert relay_of(residual, inputs) is None
        assert relay_of(many_channels.eval(), torch.zeros(1, 1, 9, 8, 12)) is None
        with quantised_layers(encoder):
            assert relay_of(encoder, inputs) is None


def test_a_layer_that_trains_refuses_pieces_in_a_relay_too() -> None:
    encoder = encoder_of()
    encoder.blocks[1].train()
    with torch.no_grad(), pytest.raises(ConfigError, match="only in evaluation mode"):
        encoder.advance(pictures())
