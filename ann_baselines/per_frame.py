"""A small convolutional network a frame, and an LSTM over the frames: the ANN beside per-frame spiking models."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from snnface.errors import ConfigError
from snnface.events.window import Resolution
from snnface.shapes import require_shape
from snnface.spiking.streaming import State, StreamingModule

__all__ = ["FrameCnn", "FrameCnnConfig", "PerFrame", "PerFrameConfig"]


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


@dataclass(frozen=True, kw_only=True)
class PerFrameConfig:
    """What sees each frame, and what remembers.

    Attributes:
        frame: the network of one frame.
        hidden: width of the LSTM over the frames' features; 0 for none.
        num_layers: of the LSTM.

    Raises:
        ConfigError: if a number is out of its range.
    """

    frame: FrameCnnConfig = FrameCnnConfig()
    hidden: int = 64
    num_layers: int = 1

    def __post_init__(self) -> None:
        if self.hidden < 0 or self.num_layers < 1:
            raise ConfigError(
                f"hidden must be at least 0 and num_layers at least 1; got {self.hidden} and {self.num_layers}."
            )


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


class PerFrame(StreamingModule):
    """Each frame by itself through a `FrameCnn`, then an LSTM: [T, B, C, H, W] -> [T, B, D].

    It keeps every step and looks at no future, so it also runs in pieces.

    Source: Berlincioni et al. 2024, "Neuromorphic Valence and Arousal Estimation", and
    Becattini et al. 2024, arXiv:2409.10213, sec. 6 (frame network + LSTM; heads read the hidden state, at every
    step for the face shape, at the last for the action unit). Departs from them in: a small
    network in place of the pre-trained ResNet18, one LSTM layer.
    """

    def __init__(self, config: PerFrameConfig, *, in_channels: int, resolution: Resolution) -> None:
        super().__init__()
        self.config = config
        self.frame = FrameCnn(config.frame, in_channels=in_channels, resolution=resolution)
        self.lstm = nn.LSTM(config.frame.features, config.hidden, config.num_layers) if config.hidden else None

    @property
    def num_features(self) -> int:
        return self.config.hidden or self.config.frame.features

    def forward(self, inputs: Float[Tensor, "T B C H W"]) -> Float[Tensor, "T B D"]:
        return self._run(inputs, None)[0]

    def advance(self, inputs: Float[Tensor, "T B C H W"], state: State = None) -> tuple[Float[Tensor, "T B D"], State]:
        """Features of the next T steps; the state is the LSTM's (hidden, cell). Equal to `forward` up to rounding."""
        self._require_eval()
        return self._run(inputs, state)

    def _run(self, inputs: Tensor, state: tuple[Tensor, Tensor] | None) -> tuple[Tensor, State]:
        features = self.frame(inputs.flatten(0, 1)).unflatten(0, inputs.shape[:2])
        if self.lstm is None:
            return features, None
        with torch.autocast(features.device.type, enabled=False):
            hidden, state = self.lstm(features.to(self.lstm.weight_ih_l0.dtype), state)
        return hidden, tuple(tensor.detach() for tensor in state)
