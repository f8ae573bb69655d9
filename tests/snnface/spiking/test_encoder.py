from importlib.resources import files

import pytest
import torch
from safetensors.torch import load_file

from snnface.errors import ConfigError, ShapeError
from snnface.events import Resolution
from snnface.models import FaceModel, MeanOverTime, VotingHead, VotingHeadConfig
from snnface.spiking import ConvSnn, ConvSnnConfig, record_activity

SMALL = ConvSnnConfig(channels=(4, 6), features=(12, 8), dropout=0.0)


def small() -> ConvSnn:
    torch.manual_seed(0)
    return ConvSnn(SMALL, in_channels=2, resolution=Resolution(height=8, width=12)).eval()


def pictures(steps: int = 5, batch: int = 3) -> torch.Tensor:
    return torch.poisson(torch.full((steps, batch, 2, 8, 12), 1.5), generator=torch.Generator().manual_seed(2))


def test_the_papers_network_has_its_published_size() -> None:
    encoder = ConvSnn(ConvSnnConfig(), in_channels=2, resolution=Resolution(height=64, width=64))
    model = FaceModel(
        encoder, MeanOverTime(), {"action_unit": VotingHead(VotingHeadConfig(), num_features=210, num_outputs=21)}
    )
    # conv 576 + 9216, BN 2 x 64, linear 8192 x 512 + 512 x 210, four PLIF leaks: 4.3117 M (4.11 x 2^20).
    assert sum(parameter.numel() for parameter in model.parameters()) == 576 + 9216 + 128 + 4194304 + 107520 + 4
    assert sum(parameter.numel() for parameter in model.parameters()) == 4_311_748


def test_spikes_come_out_with_the_promised_shape() -> None:
    spikes = small()(pictures())
    assert spikes.shape == (5, 3, 8)
    assert set(spikes.unique().tolist()) <= {0.0, 1.0}


def test_the_encoder_is_causal() -> None:
    encoder, inputs = small(), pictures()
    later = inputs.clone()
    later[3:] += 5
    assert torch.equal(encoder(inputs)[:3], encoder(later)[:3])


def test_clips_of_a_batch_do_not_touch_each_other() -> None:
    encoder, inputs = small(), pictures()
    alone = torch.cat([encoder(inputs[:, index : index + 1]) for index in range(3)], dim=1)
    assert torch.equal(encoder(inputs), alone)


def test_one_step_is_enough() -> None:
    assert small()(pictures(steps=1)).shape == (1, 3, 8)


def test_every_parameter_learns() -> None:
    encoder = small().train()
    encoder(pictures()).mean().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_a_wrong_picture_size_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"must have the axes \[T, B, 2, 8, 12\]; its shape is \[1, 1, 2, 8, 8\]"):
        small()(torch.zeros(1, 1, 2, 8, 8))


def test_a_picture_that_cannot_be_halved_is_refused() -> None:
    with pytest.raises(ConfigError, match="10x10 is not divisible by 4"):
        ConvSnn(SMALL, in_channels=2, resolution=Resolution(height=10, width=10))


def test_activity_counts_the_spikes_that_are_there() -> None:
    encoder, inputs = small(), pictures()
    with record_activity(encoder, keep_trains=True) as activity:
        spikes = encoder(inputs)
    last = list(activity.num_spikes)[-1]
    assert list(activity.num_spikes) == ["blocks.0.neuron", "blocks.1.neuron", "layers.0.neuron", "layers.1.neuron"]
    assert activity.num_spikes[last] == int(spikes.sum())
    assert activity.num_updates[last] == spikes.numel()
    assert torch.equal(activity.trains[last].float(), spikes)
    encoder(inputs)
    assert activity.num_spikes[last] == int(spikes.sum()), "the hooks outlived the context"


def test_the_shipped_weights_still_fit() -> None:
    weights = load_file(str(files("snnface") / "pretrained" / "action_units" / "model.safetensors"))
    config = ConvSnnConfig(channels=(16, 32), features=(128, 80))
    encoder = ConvSnn(config, in_channels=2, resolution=Resolution(height=32, width=32))
    encoder.load_state_dict({name.removeprefix("encoder."): tensor for name, tensor in weights.items()})
    assert float(encoder.blocks[0].neuron.w.detach()) == float(weights["encoder.blocks.0.neuron.w"])
