"""From features over time to one answer: [T, B, D] -> [B, D]."""

from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["LastStep", "MeanOverTime"]


class MeanOverTime(nn.Module):
    """The mean of every step: for spikes, the firing rate."""

    def forward(self, features: Float[Tensor, "T B D"]) -> Float[Tensor, "B D"]:
        return features.mean(0)


class LastStep(nn.Module):
    """The last step alone."""

    def forward(self, features: Float[Tensor, "T B D"]) -> Float[Tensor, "B D"]:
        return features[-1]
