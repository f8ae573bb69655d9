import pytest
import torch

from ann_baselines import Vit, VitConfig
from snnface.errors import ConfigError, ShapeError
from snnface.events.window import Resolution


def network(*, height: int = 8, width: int = 12) -> Vit:
    torch.manual_seed(0)
    config = VitConfig(patch=4, width=12, depth=2, num_heads=3)
    return Vit(config, in_channels=2, resolution=Resolution(height=height, width=width)).eval()


def test_the_papers_network_has_the_parameters_that_its_sizes_ask_for() -> None:
    with torch.device("meta"):
        model = Vit(VitConfig(), in_channels=1, resolution=Resolution(height=224, width=224))
    width, num_patches = 256, 28 * 28
    attention = 4 * width**2 + 3 * width  # A bias of the keys would change nothing.
    full_layers = 2 * 4 * width**2 + 5 * width
    block = attention + full_layers + 2 * 2 * width
    expected = (64 * width + width) + width + (1 + num_patches) * width + 4 * block + 2 * width
    assert sum(parameter.numel() for parameter in model.parameters()) == expected == 3_376_384
    assert model.num_features == 256


@pytest.mark.parametrize(("height", "width"), [(4, 4), (8, 12), (224, 8)])
def test_pictures_of_any_size_that_is_whole_in_patches_are_accepted(height: int, width: int) -> None:
    assert network(height=height, width=width)(torch.rand(2, 2, height, width)).shape == (2, 12)


@torch.no_grad()
def test_places_matter() -> None:
    frames = torch.rand(1, 2, 8, 12)
    model = network()
    assert not torch.allclose(model(frames), model(frames.roll(4, dims=3)), atol=1e-5)
    model.pos_embedding.zero_()
    torch.testing.assert_close(model(frames), model(frames.roll(4, dims=3)))


def test_pictures_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match="patches of 4 pixels must fill the picture"):
        network(height=10)
    with pytest.raises(ShapeError, match="a frame of the network"):
        network()(torch.rand(1, 2, 8, 8))
    with pytest.raises(ConfigError, match="patch and depth must be at least 1; got 0 and 4"):
        VitConfig(patch=0)
    with pytest.raises(ConfigError, match="share evenly; got 250"):
        VitConfig(width=250)
