"""What may see one frame: every network [N, C, H, W] -> [N, D], and how a clip of frames goes through it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from ann_baselines.frame_cnn import FrameCnn, FrameCnnConfig
from ann_baselines.resnet18 import ResNet18, ResNet18Config
from ann_baselines.vit import Vit, VitConfig
from snnface.events.window import Resolution

__all__ = ["FlatFrame", "FlatFrameConfig", "FrameConfig", "FrameNetwork", "frame_network", "step_features"]


@dataclass(frozen=True, kw_only=True)
class FlatFrameConfig:
    """Nothing to set: the frame's own numbers are its features."""


class FlatFrame(nn.Module):
    """A frame's numbers in one row, [N, C, H, W] -> [N, C H W]: for coefficients, "frames" of one pixel.

    A sequence part behind it classifies action units from the coefficients of a face model alone.

    Source: Becattini et al. 2024, arXiv:2409.10213, sec. 7, table 2 (the control experiment).
    """

    def __init__(self, config: FlatFrameConfig, *, in_channels: int, resolution: Resolution) -> None:
        super().__init__()
        self.num_features = in_channels * resolution.num_pixels

    def forward(self, frames: Float[Tensor, "N C H W"]) -> Float[Tensor, "N D"]:
        return frames.flatten(1)


FrameConfig = FrameCnnConfig | ResNet18Config | VitConfig | FlatFrameConfig
FrameNetwork = FrameCnn | ResNet18 | Vit | FlatFrame

_NETWORKS: dict[type, Callable[..., Any]] = {
    FrameCnnConfig: FrameCnn,
    ResNet18Config: ResNet18,
    VitConfig: Vit,
    FlatFrameConfig: FlatFrame,
}


def frame_network(config: FrameConfig, *, in_channels: int, resolution: Resolution) -> FrameNetwork:
    """The network of one frame that the config is of; it has `num_features`."""
    return _NETWORKS[type(config)](config, in_channels=in_channels, resolution=resolution)


def step_features(network: FrameNetwork, inputs: Float[Tensor, "T B C H W"]) -> Float[Tensor, "T B D"]:
    """Every frame of every clip by itself."""
    return network(inputs.flatten(0, 1)).unflatten(0, inputs.shape[:2])
