"""Features of single frames beside features of short chunks of video."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad

from snnface.errors import ConfigError

__all__ = ["Fusion", "FusionConfig"]


@dataclass(frozen=True, kw_only=True)
class FusionConfig:
    """Sizes of the two heads; the paper's, but for the hidden width, which it does not give.

    Attributes:
        chunk: frames that the video head sees at once.
        hidden: width of the first full layer of each head.
        features: width of the second, the head's outputs.

    Raises:
        ConfigError: if a size is not positive.
    """

    chunk: int = 6
    hidden: int = 512
    features: int = 128

    def __post_init__(self) -> None:
        if min(self.chunk, self.hidden, self.features) < 1:
            raise ConfigError(f"sizes must be positive; got {self}.")


class Fusion(nn.Module):
    """What a frame shows beside what its chunk of frames shows: [T, B, D] -> [T, B, 2 features].

    The frame head sees the features of one frame, the video head those of all frames of a chunk
    in one row, oldest first. Chunks follow each other without overlap. A clip that is no whole number
    of chunks is padded with zeros in front, as clips are that are too short, so that the last
    frame ends the last chunk; zeros do not answer.

    Source: Berlincioni et al. 2024, arXiv:2401.16058, sec. 4.1 (ResNet + Fusion: "multiple linear layers" to
    128 for each head, chunks of 6 frames; the final MLP of two layers is the model's head). The paper leaves unsaid,
    chosen here: two layers with ReLU, 512 wide between them, and what becomes of clips that six does not divide.
    """

    def __init__(self, config: FusionConfig, *, num_features: int) -> None:
        super().__init__()
        self.config = config
        self.frame_head = _head(num_features, config)
        self.video_head = _head(num_features * config.chunk, config)

    @property
    def num_features(self) -> int:
        return 2 * self.config.features

    def forward(self, features: Float[Tensor, "T B D"]) -> Float[Tensor, "T B D2"]:
        num_steps, chunk = len(features), self.config.chunk
        whole = pad(features, (0, 0, 0, 0, -num_steps % chunk, 0))
        chunks = whole.reshape(-1, chunk, *whole.shape[1:]).transpose(1, 2).flatten(2)
        of_video = self.video_head(chunks).repeat_interleave(chunk, dim=0)[-num_steps:]
        return torch.cat([self.frame_head(features), of_video], dim=2)


def _head(num_inputs: int, config: FusionConfig) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(num_inputs, config.hidden), nn.ReLU(), nn.Linear(config.hidden, config.features), nn.ReLU()
    )
