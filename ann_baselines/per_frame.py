"""A network a frame, and an LSTM over the frames: the ANN beside per-frame spiking models."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ann_baselines.frame_cnn import FrameCnnConfig
from ann_baselines.frame_network import FrameConfig, frame_network, step_features
from snnface.errors import ConfigError
from snnface.events.window import Resolution
from snnface.spiking.streaming import State, StreamingModule

__all__ = ["LstmConfig", "PerFrame", "PerFrameConfig"]


@dataclass(frozen=True, kw_only=True)
class LstmConfig:
    """The LSTM over the frames' features; both papers on faces in video have three layers of 256.

    Attributes:
        hidden: width of every layer.
        num_layers: one above the other.
        forget_bias: added to the forget gates' bias at the start: a cell keeps sigmoid(forget_bias) of what it holds
            from step to step (PyTorch's 0: half), so that what was seen long before the last step can be learned.
            Source: Gers, Schmidhuber and Cummins 2000, Neural Computation 12:2451.

    Raises:
        ConfigError: if a width or number is not positive, or the bias not finite.
    """

    hidden: int = 64
    num_layers: int = 1
    forget_bias: float = 0.0

    def __post_init__(self) -> None:
        if self.hidden < 1 or self.num_layers < 1:
            raise ConfigError(
                f"hidden and num_layers must be at least 1; got {self.hidden} and {self.num_layers}. For no memory at "
                "all give no LSTM."
            )
        if not math.isfinite(self.forget_bias):
            raise ConfigError(f"forget_bias must be finite; got {self.forget_bias}.")


@dataclass(frozen=True, kw_only=True)
class PerFrameConfig:
    """What sees each frame, and what remembers.

    Attributes:
        frame: the network of one frame.
        lstm: over the frames' features; None for none.
    """

    frame: FrameConfig = FrameCnnConfig()
    lstm: LstmConfig | None = LstmConfig()


class PerFrame(StreamingModule):
    """Each frame by itself through its network, then an LSTM if there is one: [T, B, C, H, W] -> [T, B, D].

    It keeps every step and looks at no future, so it also runs in pieces. The LSTM runs in
    float32 under autocast, too.

    Source: Berlincioni et al. 2024, arXiv:2401.16058, "Neuromorphic Valence and Arousal Estimation", sec. 4.1 (ResNet18
    and ViT a frame; ResNet18 + LSTM), and Becattini et al. 2024, arXiv:2409.10213, sec. 6 (ResNet18 + LSTM; heads
    read the hidden state, at every step for the face shape, at the last for the action unit), sec. 7 (an LSTM over
    coefficients). The papers leave unsaid, chosen here: one direction (the future is not seen), no dropout between
    layers, a state of zeros at the start of a clip.
    """

    def __init__(self, config: PerFrameConfig, *, in_channels: int, resolution: Resolution) -> None:
        super().__init__()
        self.config = config
        self.frame = frame_network(config.frame, in_channels=in_channels, resolution=resolution)
        lstm = config.lstm
        self.lstm = None if lstm is None else _lstm(self.frame.num_features, lstm)

    @property
    def num_features(self) -> int:
        return self.frame.num_features if self.config.lstm is None else self.config.lstm.hidden

    def forward(self, inputs: Float[Tensor, "T B C H W"]) -> Float[Tensor, "T B D"]:
        return self._run(inputs, None)[0]

    def advance(self, inputs: Float[Tensor, "T B C H W"], state: State = None) -> tuple[Float[Tensor, "T B D"], State]:
        """Features of the next T steps; the state is the LSTM's (hidden, cell). Equal to `forward` up to rounding."""
        self._require_eval()
        return self._run(inputs, state)

    def _run(self, inputs: Tensor, state: tuple[Tensor, Tensor] | None) -> tuple[Tensor, State]:
        features = step_features(self.frame, inputs)
        if self.lstm is None:
            return features, None
        with torch.autocast(features.device.type, enabled=False):
            hidden, state = self.lstm(features.to(next(self.lstm.parameters()).dtype), state)
        return hidden, tuple(tensor.detach() for tensor in state)


def _lstm(num_features: int, config: LstmConfig) -> nn.LSTM:
    lstm = nn.LSTM(num_features, config.hidden, config.num_layers)
    with torch.no_grad():
        for layer in range(config.num_layers):
            # PyTorch's order of gates: input, forget, cell, output.
            getattr(lstm, f"bias_ih_l{layer}")[config.hidden : 2 * config.hidden] += config.forget_bias
    return lstm
