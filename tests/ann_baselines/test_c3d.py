import pytest
import torch

from ann_baselines import C3d, C3dConfig
from snnface.errors import ConfigError
from snnface.models import MlpHead, MlpHeadConfig


def test_the_papers_baseline_has_its_published_size() -> None:
    encoder = C3d(C3dConfig(), in_channels=2)
    head = MlpHead(MlpHeadConfig(hidden=(368,)), num_features=encoder.num_features, num_outputs=21)
    size = sum(parameter.numel() for module in (encoder, head) for parameter in module.parameters())
    assert round(size / 2**20, 2) == 13.06


@pytest.mark.parametrize(("steps", "left"), [(1, 1), (5, 3), (8, 4)])
def test_clips_of_any_length_are_accepted(steps: int, left: int) -> None:
    encoder = C3d(C3dConfig(channels=((4,), (6,))), in_channels=2).eval()
    assert encoder(torch.rand(steps, 2, 2, 9, 8)).shape == (left, 2, 6)


def test_clips_of_a_batch_do_not_touch_each_other() -> None:
    encoder = C3d(C3dConfig(channels=((4,), (6,))), in_channels=2).eval()
    inputs = torch.rand(4, 3, 2, 8, 8)
    torch.testing.assert_close(encoder(inputs)[:, :1], encoder(inputs[:, :1]))


def test_a_network_without_stages_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one stage"):
        C3dConfig(channels=())
