"""Spikes at a bit each: what our own layers hand to each other where nobody else looks.

Between two layers in evaluation, without gradient and unwatched, a spike need not be a number of
2 or 4 bytes: the first writes the words that the second would make anyway (`spikes.h`). They are
the same spikes, so that all results are the same to the bit; `dense` gives the ordinary tensor.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from snnface.spiking.neurons import LayerOutput

__all__ = ["WORD_CHANNELS", "PackedSpikes", "RelayOutput"]

WORD_CHANNELS = 32
"""Channels of a word: eight bytes of four."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PackedSpikes:
    """Spikes [T, B, C, H, W] or [T, B, D], each 0 or 1.

    Attributes:
        words: int64 [ceil(C / 32), T, B, H, W] or [ceil(D / 32), T, B], contiguous: channel c is bit c % 4 of byte
            c // 4 % 8, counted from the lowest, of word c // 32; all other bits are 0.
        channels: C, or D.
        dtype: of the tensor that they stand for.
    """

    words: Tensor
    channels: int
    dtype: torch.dtype

    @property
    def shape(self) -> torch.Size:
        _, steps, batch, *sizes = self.words.shape
        return torch.Size((steps, batch, self.channels, *sizes))

    def outline(self) -> Tensor:
        """A tensor of the same shape and type whose values mean nothing, and take no memory."""
        return torch.empty((), dtype=self.dtype).expand(self.shape)

    def dense(self) -> Tensor:
        """The spikes as numbers."""
        places = torch.arange(WORD_CHANNELS)
        shifts = (places // 4 * 8 + places % 4).reshape(-1, *[1] * (self.words.ndim - 1))
        bits = self.words[:, None] >> shifts & 1
        return bits.flatten(0, 1)[: self.channels].movedim(0, 2).to(self.dtype)


class RelayOutput(NamedTuple):
    """A `LayerOutput` whose spikes may be packed."""

    spikes: Tensor | PackedSpikes
    voltage: Tensor
    num_spikes: Tensor

    def dense(self) -> LayerOutput:
        spikes = self.spikes if isinstance(self.spikes, Tensor) else self.spikes.dense()
        return LayerOutput(spikes, self.voltage, self.num_spikes)
