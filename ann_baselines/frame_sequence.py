"""A network a frame, then something that looks at the whole clip of frames at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from ann_baselines.frame_cnn import FrameCnnConfig
from ann_baselines.frame_network import FrameConfig, frame_network, step_features
from ann_baselines.fusion import Fusion, FusionConfig
from ann_baselines.transformer import ClassTokenConfig, ClassTokenEncoder, Transformer, TransformerConfig
from snnface.events.window import Resolution

__all__ = ["FrameSequence", "FrameSequenceConfig"]


@dataclass(frozen=True, kw_only=True)
class FrameSequenceConfig:
    """What sees each frame, and what sees their features together; what only remembers is `PerFrameConfig`'s.

    Attributes:
        frame: the network of one frame.
        sequence: over the frames' features.
    """

    frame: FrameConfig = FrameCnnConfig()
    sequence: TransformerConfig | ClassTokenConfig | FusionConfig = TransformerConfig()

    @property
    def has_class_token(self) -> bool:
        """Does the first step of the answer stand for the clip, and the frames' come behind it?"""
        return isinstance(self.sequence, ClassTokenConfig)


class FrameSequence(nn.Module):
    """Each frame by itself through its network, then all together: [T, B, C, H, W] -> [T, B, D].

    Clips of any length. A class token's features come before the steps': [1 + T, B, D].

    Source: of the sequence parts see `Transformer`, `ClassTokenEncoder` and `Fusion`.
    """

    def __init__(self, config: FrameSequenceConfig, *, in_channels: int, resolution: Resolution) -> None:
        super().__init__()
        self.config = config
        self.frame = frame_network(config.frame, in_channels=in_channels, resolution=resolution)
        self.sequence = _SEQUENCES[type(config.sequence)](config.sequence, num_features=self.frame.num_features)

    @property
    def num_features(self) -> int:
        return self.sequence.num_features

    def forward(self, inputs: Float[Tensor, "T B C H W"]) -> Float[Tensor, "T2 B D"]:
        return self.sequence(step_features(self.frame, inputs))


_SEQUENCES: dict[type, Callable[..., Any]] = {
    TransformerConfig: Transformer,
    ClassTokenConfig: ClassTokenEncoder,
    FusionConfig: Fusion,
}
