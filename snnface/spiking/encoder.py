"""The convolutional spiking encoder of the micro-expression paper."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from torch import nn

from snnface.errors import ConfigError
from snnface.events.window import Resolution
from snnface.spiking.layers import SpikingConv2d, SpikingLinear
from snnface.spiking.neurons import NeuronConfig
from snnface.spiking.picture_encoder import PictureEncoder

__all__ = ["ConvSnn", "ConvSnnConfig"]


@dataclass(frozen=True, kw_only=True)
class ConvSnnConfig:
    """Widths of the encoder; the defaults are the paper's.

    Attributes:
        channels: output maps of each convolution block; each block halves the picture.
        features: outputs of each full layer; the last is the encoder's.
        dropout: share of the inputs of each full layer that training leaves out.
        checkpoint: compute the convolutions again in the backward pass instead of keeping
            their outputs: the same gradients, less memory, more time.

    Raises:
        ConfigError: if a width is missing or not positive, or dropout not a share below 1.
    """

    channels: tuple[int, ...] = (32, 32)
    features: tuple[int, ...] = (512, 210)
    dropout: float = 0.2
    neuron: NeuronConfig = field(default_factory=NeuronConfig)
    checkpoint: bool = False

    def __post_init__(self) -> None:
        if not self.channels or not self.features:
            raise ConfigError("the encoder needs at least one convolution block and one full layer.")
        if min(self.channels + self.features) < 1:
            raise ConfigError(f"widths must be positive; got channels {self.channels}, features {self.features}.")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout must lie in [0, 1); got {self.dropout}.")


class ConvSnn(PictureEncoder):
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
        self.blocks = nn.Sequential(
            *(
                # All but the first block read spikes.
                SpikingConv2d(i, o, config.neuron, small_inputs=index > 0, checkpoint=config.checkpoint)
                for index, (i, o) in enumerate(pairwise(widths))
            )
        )
        sizes = (config.channels[-1] * resolution.num_pixels // factor**2, *config.features)
        self.layers = nn.Sequential(
            *(SpikingLinear(i, o, config.neuron, dropout=config.dropout, small_inputs=True) for i, o in pairwise(sizes))
        )

    @property
    def num_features(self) -> int:
        return self.config.features[-1]

    def map_layers(self) -> Sequence[nn.Module]:
        return tuple(self.blocks)

    def largest_map(self) -> int:
        return max(
            channels * self.resolution.num_pixels // 4**index for index, channels in enumerate(self.config.channels)
        )
