"""A spiking residual encoder that a spiking chip can hold."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from snnface.errors import ConfigError
from snnface.events.window import Resolution
from snnface.spiking.layers import SpikingConv2d, SpikingLinear
from snnface.spiking.neurons import NeuronConfig
from snnface.spiking.picture_encoder import PictureEncoder
from snnface.spiking.streaming import State, StreamingModule, advance_all

__all__ = ["SewBlock", "SewResNet", "SewResNetConfig", "SewStage"]


@dataclass(frozen=True, kw_only=True)
class SewResNetConfig:
    """Widths of the residual encoder.

    Attributes:
        stem: maps of the first convolution, which halves the picture by pooling.
        stages: maps of each stage; each halves the picture by a stride of 2.
        features: outputs of each full layer; the last is the encoder's.
        checkpoint: compute the outputs of convolutions again in the backward pass instead of keeping them.

    Raises:
        ConfigError: if a width is missing or not positive, or dropout not a share below 1.
    """

    stem: int = 16
    stages: tuple[int, ...] = (32, 64, 64)
    features: tuple[int, ...] = (210,)
    dropout: float = 0.2
    neuron: NeuronConfig = field(default_factory=NeuronConfig)
    checkpoint: bool = False

    def __post_init__(self) -> None:
        if not self.stages or not self.features:
            raise ConfigError("the encoder needs at least one stage and one full layer.")
        if min((self.stem, *self.stages, *self.features)) < 1:
            raise ConfigError(
                f"widths must be positive; got stem {self.stem}, stages {self.stages}, features {self.features}."
            )
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout must lie in [0, 1); got {self.dropout}.")


class SewBlock(StreamingModule):
    """Spikes plus what two spiking convolutions make of them: s + f(f(s)), each 0, 1 or 2.

    The addition stands behind the neurons (SEW, "ADD"). Where the two convolutions are
    silent the block is the identity, so gradients pass it undamped in any depth; a residual
    that is added in front of the neurons has to go through their surrogate derivative.

    Source: Fang et al. 2021, arXiv:2102.04159, sec. 4 (spike-element-wise ADD).
    """

    def __init__(self, channels: int, neuron: NeuronConfig, *, checkpoint: bool = False) -> None:
        super().__init__()
        self.first, self.second = (
            SpikingConv2d(channels, channels, neuron, pool=1, small_inputs=True, checkpoint=checkpoint)
            for _ in range(2)
        )

    def forward(self, spikes: Float[Tensor, "T B C H W"]) -> Float[Tensor, "T B C H W"]:
        return spikes + self.second(self.first(spikes))

    def advance(
        self, inputs: Float[Tensor, "T B C H W"], state: State = None
    ) -> tuple[Float[Tensor, "T B C H W"], State]:
        spikes, state = advance_all((self.first, self.second), inputs, state)
        return inputs + spikes, state


class SewStage(StreamingModule):
    """A spiking convolution of stride 2, then a SEW block."""

    def __init__(self, in_channels: int, out_channels: int, neuron: NeuronConfig, *, checkpoint: bool = False) -> None:
        super().__init__()
        self.down = SpikingConv2d(
            in_channels, out_channels, neuron, stride=2, pool=1, small_inputs=True, checkpoint=checkpoint
        )
        self.block = SewBlock(out_channels, neuron, checkpoint=checkpoint)

    def forward(self, inputs: Float[Tensor, "T B C H W"]) -> Float[Tensor, "T B C2 H2 W2"]:
        return self.block(self.down(inputs))

    def advance(
        self, inputs: Float[Tensor, "T B C H W"], state: State = None
    ) -> tuple[Float[Tensor, "T B C2 H2 W2"], State]:
        return advance_all((self.down, self.block), inputs, state)


class SewResNet(PictureEncoder):
    """Stem (spiking convolution, pooled) - stages of [strided spiking convolution - SEW block] - full spiking layers.

    Maps event pictures [T, B, C, H, W] to spikes [T, B, D]. With the default configuration,
    two channels and 64 x 64 pixels it has 442 123 parameters.

    Why this kind of residual: it trains like an identity mapping (see `SewBlock`), and it
    still runs where only spikes travel. A block's sum a + b is never sent: whatever reads it
    is linear, conv(a + b) = conv(a) + conv(b), so on the chip it has two connections with
    the same weights, one from each train of spikes. Every stage starts with neurons, so there is one
    block between two such layers, no sum exceeds 2 and no third connection is ever needed.
    Relays delay a by the two layers that b has gone through. The other deep style, shortcuts
    from membrane to membrane (Hu et al. 2021, arXiv:2112.08954), adds real numbers between
    layers, which chips with binary spikes cannot send.

    Batch norm stands between each convolution and its neurons and nowhere else, neither on
    the shortcut nor behind the sum, so that all of it folds into weights.

    Source: Fang et al. 2021, arXiv:2102.04159. Departs from it in: one block a stage, strided spiking
    convolutions between blocks in place of strided blocks with a projected shortcut, full
    spiking layers at the end in place of a mean over the picture.

    Raises:
        ConfigError: if the picture cannot be halved by the stem and every stage.
    """

    def __init__(self, config: SewResNetConfig, *, in_channels: int, resolution: Resolution) -> None:
        super().__init__()
        factor = 2 ** (1 + len(config.stages))
        if resolution.height % factor or resolution.width % factor:
            raise ConfigError(
                f"the stem and {len(config.stages)} stages halve the picture each; {resolution} is not divisible by "
                f"{factor}."
            )
        self.config = config
        self.in_channels = in_channels
        self.resolution = resolution
        self.stem = SpikingConv2d(in_channels, config.stem, config.neuron, checkpoint=config.checkpoint)
        self.stages = nn.Sequential(
            *(
                SewStage(i, o, config.neuron, checkpoint=config.checkpoint)
                for i, o in pairwise((config.stem, *config.stages))
            )
        )
        sizes = (config.stages[-1] * resolution.num_pixels // factor**2, *config.features)
        self.layers = nn.Sequential(
            *(SpikingLinear(i, o, config.neuron, dropout=config.dropout, small_inputs=True) for i, o in pairwise(sizes))
        )

    @property
    def num_features(self) -> int:
        return self.config.features[-1]

    def map_layers(self) -> Sequence[nn.Module]:
        return (self.stem, *self.stages)

    def largest_map(self) -> int:
        return self.config.stem * self.resolution.num_pixels
