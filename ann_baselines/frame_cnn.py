"""A small convolutional network of one frame, for recipes that train in minutes."""

from dataclasses import dataclass
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from snnface.errors import ConfigError
from snnface.events.window import Resolution
from snnface.shapes import require_shape

__all__ = ["FrameCnn", "FrameCnnConfig"]


@dataclass(frozen=True, kw_only=True)
class FrameCnnConfig:
    """Widths of the network that sees one frame.

    Attributes:
        channels: output maps of each convolution block; each block halves the picture.
        features: outputs of the full layer behind them.

    Raises:
        ConfigError: if there is no block, or a width is not positive.
    """

    channels: tuple[int, ...] = (16, 32, 64)
    features: int = 128

    def __post_init__(self) -> None:
        if not self.channels or min(self.channels) < 1 or self.features < 1:
            raise ConfigError(f"at least one block and positive widths were expected; got {self}.")


class FrameCnn(nn.Module):
    """[conv 3x3 - BN - ReLU - max-pool 2x2] blocks, then a full layer with ReLU: [N, C, H, W] -> [N, D].

    Raises:
        ConfigError: if the picture cannot be halved once a block.
    """

    def __init__(self, config: FrameCnnConfig, *, in_channels: int, resolution: Resolution) -> None:
        super().__init__()
        factor = 2 ** len(config.channels)
        if resolution.height % factor or resolution.width % factor:
            raise ConfigError(
                f"{len(config.channels)} blocks halve the picture each; {resolution} is not divisible by {factor}."
            )
        self.in_channels = in_channels
        self.resolution = resolution
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise((in_channels, *config.channels)):
            layers += [
                nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
        flat = config.channels[-1] * resolution.num_pixels // factor**2
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(flat, config.features), nn.ReLU())
        self.num_features = config.features

    def forward(self, frames: Float[Tensor, "N C H W"]) -> Float[Tensor, "N D"]:
        size = self.resolution
        require_shape(frames, f"N {self.in_channels} {size.height} {size.width}", what="a frame of the network")
        return self.layers(frames)
