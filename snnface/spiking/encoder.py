"""The convolutional spiking encoder of the micro-expression paper."""

from dataclasses import dataclass, field
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from snnface.errors import ConfigError
from snnface.events.window import Resolution
from snnface.shapes import require_shape
from snnface.spiking.layers import SpikingConv2d, SpikingLinear
from snnface.spiking.neurons import NeuronConfig

__all__ = ["ConvSnn", "ConvSnnConfig"]


@dataclass(frozen=True, kw_only=True)
class ConvSnnConfig:
    """Widths of the encoder; the defaults are the paper's.

    Attributes:
        channels: output maps of each convolution block; each block halves the picture.
        features: outputs of each full layer; the last is the encoder's.

    Raises:
        ConfigError: if a width is missing or not positive, or dropout not a share below 1.
    """

    channels: tuple[int, ...] = (32, 32)
    features: tuple[int, ...] = (512, 210)
    dropout: float = 0.2
    neuron: NeuronConfig = field(default_factory=NeuronConfig)

    def __post_init__(self) -> None:
        if not self.channels or not self.features:
            raise ConfigError("the encoder needs at least one convolution block and one full layer.")
        if min(self.channels + self.features) < 1:
            raise ConfigError(f"widths must be positive; got channels {self.channels}, features {self.features}.")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout must lie in [0, 1); got {self.dropout}.")


class ConvSnn(nn.Module):
    """[conv - BN - PLIF - max-pool] blocks, then [dropout - linear - PLIF] layers.

    Maps event pictures [T, B, C, H, W] to spikes [T, B, D]. With the default
    configuration, two channels and 64 x 64 pixels it has 4 311 748 parameters.

    Source: Mastropasqua et al. 2025, sec. 4.3.2 and fig. 3.

    Raises:
        ConfigError: if the picture cannot be halved once a block.
    """

    def __init__(self, config: ConvSnnConfig, *, in_channels: int, resolution: Resolution) -> None:
        super().__init__()
        factor = 2 ** len(config.channels)
        if resolution.height % factor or resolution.width % factor:
            raise ConfigError(
                f"{len(config.channels)} blocks halve the picture each; {resolution} is not divisible by {factor}."
            )
        self.config = config
        self.in_channels = in_channels
        self.resolution = resolution
        widths = (in_channels, *config.channels)
        self.blocks = nn.Sequential(*(SpikingConv2d(i, o, config.neuron) for i, o in pairwise(widths)))
        sizes = (config.channels[-1] * resolution.num_pixels // factor**2, *config.features)
        self.layers = nn.Sequential(
            *(SpikingLinear(i, o, config.neuron, dropout=config.dropout) for i, o in pairwise(sizes))
        )

    @property
    def num_features(self) -> int:
        return self.config.features[-1]

    def forward(self, inputs: Float[Tensor, "T B C H W"]) -> Float[Tensor, "T B D"]:
        """Spikes of the last layer.

        Raises:
            ShapeError: if the pictures do not have the configured channels and size.
        """
        size = self.resolution
        require_shape(inputs, f"T B {self.in_channels} {size.height} {size.width}", what="the encoder's input")
        return self.layers(self.blocks(inputs).flatten(2))
