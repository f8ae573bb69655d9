"""A model is an encoder (space), a temporal part (time) and heads (answers)."""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["FaceModel"]


class FaceModel(nn.Module):
    """Event pictures [T, B, C, H, W] -> one answer [B, K] for every head.

    Args:
        encoder: [T, B, C, H, W] -> [T', B, D]; T' is T, or less for encoders that pool time.
        temporal: [T', B, D] -> [B, D].
        heads: target name -> [B, D] -> [B, K].
    """

    def __init__(self, encoder: nn.Module, temporal: nn.Module, heads: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.encoder = encoder
        self.temporal = temporal
        self.heads = nn.ModuleDict(heads)

    def forward(self, inputs: Float[Tensor, "T B C H W"]) -> dict[str, Float[Tensor, "B K"]]:
        features = self.temporal(self.encoder(inputs))
        return {name: head(features) for name, head in self.heads.items()}
