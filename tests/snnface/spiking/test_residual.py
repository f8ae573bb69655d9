import pytest
import torch
from torch import nn

from snnface.errors import ConfigError, ShapeError
from snnface.events.window import Resolution
from snnface.spiking import NeuronConfig
from snnface.spiking.residual import SewBlock, SewResNet, SewResNetConfig

SIZE = Resolution(height=16, width=16)


def test_the_default_network_has_the_documented_size() -> None:
    network = SewResNet(SewResNetConfig(), in_channels=2, resolution=Resolution(height=64, width=64))
    assert sum(parameter.numel() for parameter in network.parameters()) == 442_123


def test_a_silent_block_is_the_identity_for_spikes_and_gradients() -> None:
    block = SewBlock(3, NeuronConfig())
    nn.init.constant_(block.second.norm.bias, -100.0)
    spikes = (torch.rand(4, 2, 3, 5, 5) < 0.3).float().requires_grad_()
    sums = block(spikes)
    assert torch.equal(sums, spikes)
    (gradient,) = torch.autograd.grad(sums.sum(), spikes)
    torch.testing.assert_close(gradient, torch.ones_like(gradient), rtol=0, atol=1e-3)


def test_a_block_adds_two_trains_of_spikes_and_nothing_larger() -> None:
    torch.manual_seed(0)
    block = SewBlock(3, NeuronConfig())
    nn.init.constant_(block.second.norm.bias, 1.0)
    spikes = (torch.rand(4, 2, 3, 5, 5) < 0.5).float()
    assert block(spikes).unique().tolist() == [0.0, 1.0, 2.0]


def test_checkpointing_changes_no_gradient() -> None:
    gradients = []
    for checkpoint in (False, True):
        torch.manual_seed(0)
        config = SewResNetConfig(stem=3, stages=(4,), features=(5,), dropout=0.0, checkpoint=checkpoint)
        network = SewResNet(config, in_channels=2, resolution=SIZE)
        network(torch.poisson(torch.full((3, 2, 2, 16, 16), 0.5))).sum().backward()
        gradients.append([parameter.grad for parameter in network.parameters()])
    for kept, computed_again in zip(*gradients, strict=True):
        torch.testing.assert_close(kept, computed_again)


def test_pictures_that_cannot_be_halved_often_enough_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"stem and 3 stages halve .* not divisible by 16"):
        SewResNet(SewResNetConfig(), in_channels=2, resolution=Resolution(height=24, width=32))


def test_wrong_pictures_are_refused() -> None:
    network = SewResNet(SewResNetConfig(stem=2, stages=(2,)), in_channels=2, resolution=SIZE)
    with pytest.raises(ShapeError, match=r"\[T, B, 2, 16, 16\]"):
        network(torch.zeros(3, 1, 1, 16, 16))


@pytest.mark.parametrize(
    ("config", "message"),
    [({"stages": ()}, "at least one stage"), ({"stem": 0}, "positive"), ({"dropout": 1.0}, "dropout must lie")],
)
def test_impossible_widths_are_refused(config, message) -> None:
    with pytest.raises(ConfigError, match=message):
        SewResNetConfig(**config)
