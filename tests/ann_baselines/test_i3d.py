import pytest
import torch

from ann_baselines import I3d, I3dConfig
from snnface.errors import ConfigError


def network(**config: int) -> I3d:
    torch.manual_seed(0)
    return I3d(I3dConfig(**{"width": 8, "features": 6, **config}), in_channels=2).eval()


def test_it_has_the_size_of_the_published_network() -> None:
    with torch.device("meta"):
        model = I3d(I3dConfig(), in_channels=3)
    trunk = sum(parameter.numel() for parameter in model.layers.parameters())
    assert trunk == 12_287_264
    # With the 400 answers of Kinetics two streams have the 25 M of Carreira and Zisserman 2017, table 1.
    assert round(2 * (trunk + 1025 * 400) / 1e6) == 25
    full = sum(parameter.numel() for parameter in model.full.parameters())
    assert full == 1025 * 256
    assert model.num_features == 256


@torch.no_grad()
def test_75_steps_of_224_pixels_become_10_of_7() -> None:
    shapes: list[torch.Size] = []
    model = network(width=1)
    model.layers.register_forward_hook(lambda module, inputs, output: shapes.append(output.shape[2:]))
    assert model(torch.rand(75, 1, 2, 224, 224)).shape == (1, 1, 6)
    assert shapes == [torch.Size([10, 7, 7])]


@pytest.mark.parametrize(("steps", "side"), [(1, 1), (2, 7), (9, 16), (13, 20)])
@torch.no_grad()
def test_clips_of_any_length_and_size_are_accepted(steps: int, side: int) -> None:
    answer = network()(torch.rand(steps, 3, 2, side, side))
    assert answer.shape == (1, 3, 6)
    assert answer.isfinite().all()


@torch.no_grad()
def test_short_clips_get_steps_of_zeros_in_front() -> None:
    model, clip = network(), torch.rand(5, 2, 2, 16, 16)
    padded = torch.cat([torch.zeros(3, 2, 2, 16, 16), clip])
    torch.testing.assert_close(model(clip), model(padded))
    assert not torch.allclose(model(clip), model(clip[1:]), atol=1e-6)


@pytest.mark.parametrize("steps", [1, 5, 6, 7, 8])
def test_gradients_of_short_clips_are_those_of_double_precision(steps: int) -> None:
    clip = torch.rand(steps, 2, 2, 16, 16)
    gradients = []
    for dtype in (torch.float32, torch.float64):
        model = network().to(dtype)
        model(clip.to(dtype)).square().sum().backward()
        gradients.append(model.layers[0].weight.grad.double())
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-3, atol=1e-3 * float(gradients[1].abs().max()))


@torch.no_grad()
def test_it_sees_motion_and_not_only_pictures() -> None:
    clip = torch.rand(16, 1, 2, 16, 16)
    model = network(features=32)
    assert not torch.allclose(model(clip), model(clip.flip(0)), atol=1e-6)


def test_the_widths_keep_their_proportion() -> None:
    assert network(width=16).full[0].in_features == 256
    assert network(width=64).full[0].in_features == 1024


def test_impossible_widths_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1; got 0 and 256"):
        I3dConfig(width=0)
