"""Attention and the blocks that Transformers are made of, batch first: [B, T, D]."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from snnface.errors import ConfigError

__all__ = ["Attention", "DecoderBlock", "EncoderBlock", "require_heads", "sinusoids"]


class Attention(nn.Module):
    """Every query looks at all of the memory: [B, T, D], [B, S, D] -> [B, T, D].

        out(concat over heads of softmax(q k^T / sqrt(D / num_heads)) v)

    with q = query(queries), k = key(memory), v = value(memory). Projections are plain linear
    layers, so that everything that counts or converts linear layers sees them. Keys have no bias: it
    would add the same to all scores of a query, which the softmax does not see.

    Source: Vaswani et al. 2017, arXiv:1706.03762, sec. 3.2.
    """

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.query, self.value, self.out = (_linear(width, width) for _ in range(3))
        self.key = _linear(width, width, has_bias=False)

    def forward(self, queries: Float[Tensor, "B T D"], memory: Float[Tensor, "B S D"]) -> Float[Tensor, "B T D"]:
        query, key, value = (self._heads(rows) for rows in (self.query(queries), self.key(memory), self.value(memory)))
        return self.out(scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))

    def _heads(self, rows: Float[Tensor, "B T D"]) -> Float[Tensor, "B heads T D2"]:
        return rows.reshape(*rows.shape[:2], self.num_heads, -1).transpose(1, 2)


class EncoderBlock(nn.Module):
    """Self-attention, then two full layers, each on normalised features and added to them.

    Pre-norm: x + f(LN(x)); it trains without a warm-up of the learning rate.

    Args:
        hidden: width between the two full layers.
        activation: between the two full layers.
        dropout: behind the attention and each full layer.

    Source: Vaswani et al. 2017, sec. 3.1; Xiong et al. 2020, arXiv:2002.04745 (pre-norm).
    """

    def __init__(self, width: int, *, num_heads: int, hidden: int, activation: nn.Module, dropout: float = 0.0) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.self_attention = Attention(width, num_heads)
        self.dropout = nn.Dropout(dropout)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = _full_layers(width, hidden, activation, dropout)

    def forward(self, features: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        normal = self.ln_1(features)
        features = features + self.dropout(self.self_attention(normal, normal))
        return features + self.mlp(self.ln_2(features))


class DecoderBlock(nn.Module):
    """As `EncoderBlock`, with attention to a memory between self-attention and full layers. Nothing is masked."""

    def __init__(self, width: int, *, num_heads: int, hidden: int, activation: nn.Module, dropout: float = 0.0) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.self_attention = Attention(width, num_heads)
        self.ln_2 = nn.LayerNorm(width)
        self.cross_attention = Attention(width, num_heads)
        self.dropout = nn.Dropout(dropout)
        self.ln_3 = nn.LayerNorm(width)
        self.mlp = _full_layers(width, hidden, activation, dropout)

    def forward(self, features: Float[Tensor, "B T D"], memory: Float[Tensor, "B S D"]) -> Float[Tensor, "B T D"]:
        normal = self.ln_1(features)
        features = features + self.dropout(self.self_attention(normal, normal))
        features = features + self.dropout(self.cross_attention(self.ln_2(features), memory))
        return features + self.mlp(self.ln_3(features))


def sinusoids(num_steps: int, width: int) -> Float[Tensor, "T D"]:
    """Where in the sequence a step stands, for sequences of any length.

        p[t, 2i] = sin(t / 10000^(2i / D)),   p[t, 2i + 1] = cos(the same)

    Source: Vaswani et al. 2017, sec. 3.5.
    """
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
    angles = torch.arange(num_steps)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :width]


def require_heads(width: int, num_heads: int) -> None:
    """Raises: ConfigError: if a number is not positive, or the heads cannot share the width evenly."""
    if width < 1 or num_heads < 1 or width % num_heads:
        raise ConfigError(
            f"{num_heads} heads of attention need a width that they can share evenly; got {width}. Choose a multiple."
        )


def _full_layers(width: int, hidden: int, activation: nn.Module, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        _linear(width, hidden), activation, nn.Dropout(dropout), _linear(hidden, width), nn.Dropout(dropout)
    )


def _linear(inputs: int, outputs: int, *, has_bias: bool = True) -> nn.Linear:
    layer = nn.Linear(inputs, outputs, bias=has_bias)
    nn.init.xavier_uniform_(layer.weight)
    if has_bias:
        nn.init.zeros_(layer.bias)
    return layer
