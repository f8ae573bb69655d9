"""Transformers over the features of a clip's frames: encoder and decoder, or an encoder with a class token."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ann_baselines.attention import DecoderBlock, EncoderBlock, require_heads, sinusoids
from snnface.errors import ConfigError

__all__ = ["ClassTokenConfig", "ClassTokenEncoder", "Transformer", "TransformerConfig"]


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """Encoder and decoder; the numbers of heads and blocks are those of the valence and arousal paper.

    Attributes:
        width: of every block; a linear map from the frames' features leads to it.
        hidden: between the two full layers of a block.
        dropout: in the blocks, and of the positions' sum.

    Raises:
        ConfigError: if a size is not positive, or the heads cannot share the width evenly.
    """

    width: int = 1024
    num_heads: int = 4
    num_encoders: int = 6
    num_decoders: int = 6
    hidden: int = 2048
    dropout: float = 0.1

    def __post_init__(self) -> None:
        _require_blocks(min(self.num_encoders, self.num_decoders), self.hidden, self.dropout)
        require_heads(self.width, self.num_heads)


@dataclass(frozen=True, kw_only=True)
class ClassTokenConfig:
    """An encoder that reads a learnt token in front of the frames; see `TransformerConfig`."""

    width: int = 1024
    num_heads: int = 4
    num_layers: int = 6
    hidden: int = 2048
    dropout: float = 0.1

    def __post_init__(self) -> None:
        _require_blocks(self.num_layers, self.hidden, self.dropout)
        require_heads(self.width, self.num_heads)


class Transformer(nn.Module):
    """Every step sees every step: [T, B, D] -> [T, B, width].

    The encoder's blocks make a memory of the sequence; the decoder's read the same sequence
    again, and the memory. Sines and cosines of the step's number are added in front of both.

    Source: Berlincioni et al. 2024, arXiv:2401.16058, sec. 4.1 (4 heads, 6 encoders, 6 decoders on the features);
    Becattini et al. 2024, arXiv:2409.10213, sec. 7 (2 encoders, 2 decoders, 2 heads on coefficients). The papers leave
    unsaid, chosen here: what the decoder is asked (the sequence itself, so that each step has its answer), the width
    (that of the features), full layers of 2048 and dropout 0.1 (the original's), the normalisation (in front of each
    part, so that no warm-up is needed), no mask (steps of padding are seen as the zeros that they are).
    """

    def __init__(self, config: TransformerConfig, *, num_features: int) -> None:
        super().__init__()
        self.config = config
        self.start = _Start(num_features, config.width, config.dropout)
        self.encoder = nn.ModuleList(_block(EncoderBlock, config) for _ in range(config.num_encoders))
        self.ln_memory = nn.LayerNorm(config.width)
        self.decoder = nn.ModuleList(_block(DecoderBlock, config) for _ in range(config.num_decoders))
        self.ln = nn.LayerNorm(config.width)

    @property
    def num_features(self) -> int:
        return self.config.width

    def forward(self, features: Float[Tensor, "T B D"]) -> Float[Tensor, "T B D2"]:
        rows = memory = self.start(features)
        for block in self.encoder:
            memory = block(memory)
        memory = self.ln_memory(memory)
        for block in self.decoder:
            rows = block(rows, memory)
        return self.ln(rows).transpose(0, 1)


class ClassTokenEncoder(nn.Module):
    """A learnt token and every step see each other: [T, B, D] -> [1 + T, B, width], the token first.

    The token, read as "class_token", answers for the clip; the steps, read as "tokens", for themselves.

    Source: Becattini et al. 2024, arXiv:2409.10213, sec. 6 (ResNet18 + Transformer: a CLS token beside the frames for
    the action unit, the outputs of the frames for the face shape). The paper gives neither heads nor blocks: 4 and 6,
    as the same authors have in arXiv:2401.16058. For the rest see `Transformer`; the token has no position.
    """

    def __init__(self, config: ClassTokenConfig, *, num_features: int) -> None:
        super().__init__()
        self.config = config
        self.start = _Start(num_features, config.width, config.dropout)
        self.class_token = nn.Parameter(torch.empty(1, 1, config.width).normal_(std=0.02))
        self.encoder = nn.Sequential(*(_block(EncoderBlock, config) for _ in range(config.num_layers)))
        self.ln = nn.LayerNorm(config.width)

    @property
    def num_features(self) -> int:
        return self.config.width

    def forward(self, features: Float[Tensor, "T B D"]) -> Float[Tensor, "T2 B D2"]:
        steps = self.start(features)
        token = self.class_token.to(steps.dtype).expand(steps.shape[0], -1, -1)
        return self.ln(self.encoder(torch.cat([token, steps], dim=1))).transpose(0, 1)


class _Start(nn.Module):
    """Features to rows of the Transformer's width, with their positions: [T, B, D] -> [B, T, width]."""

    def __init__(self, num_features: int, width: int, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(num_features, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Float[Tensor, "T B D"]) -> Float[Tensor, "B T D2"]:
        rows = self.linear(features.transpose(0, 1))
        positions = sinusoids(rows.shape[1], rows.shape[2]).to(rows.device, rows.dtype)
        return self.dropout(rows + positions)


def _block(
    kind: type[EncoderBlock] | type[DecoderBlock], config: TransformerConfig | ClassTokenConfig
) -> EncoderBlock | DecoderBlock:
    return kind(
        config.width, num_heads=config.num_heads, hidden=config.hidden, activation=nn.ReLU(), dropout=config.dropout
    )


def _require_blocks(fewest: int, hidden: int, dropout: float) -> None:
    if fewest < 1 or hidden < 1 or not 0 <= dropout < 1:
        raise ConfigError(
            "a Transformer needs at least one block of each kind, a positive hidden width and a dropout in [0, 1); got "
            f"{fewest}, {hidden} and {dropout}."
        )
