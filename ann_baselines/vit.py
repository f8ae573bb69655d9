"""The Vision Transformer of the valence and arousal paper: one frame in patches."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ann_baselines.attention import EncoderBlock, require_heads
from snnface.errors import ConfigError
from snnface.events.window import Resolution
from snnface.shapes import require_shape

__all__ = ["Vit", "VitConfig"]


@dataclass(frozen=True, kw_only=True)
class VitConfig:
    """Sizes of the network; the defaults are the paper's, but for the width, which it does not give.

    Attributes:
        patch: side of a patch in pixels.
        width: features of a patch, and of the frame.
        depth: number of blocks.
        num_heads: of the attention in each block.

    Raises:
        ConfigError: if a size is not positive, or the heads cannot share the width evenly.
    """

    patch: int = 8
    width: int = 256
    depth: int = 4
    num_heads: int = 4

    def __post_init__(self) -> None:
        if self.patch < 1 or self.depth < 1:
            raise ConfigError(f"patch and depth must be at least 1; got {self.patch} and {self.depth}.")
        require_heads(self.width, self.num_heads)


class Vit(nn.Module):
    """Patches and a class token through blocks of attention; the token is the answer: [N, C, H, W] -> [N, D].

    Every patch becomes a row of features by one linear map, gets the learnt embedding of its
    place added (row by row from the top left, behind the token's), and all look at each other.
    The features are the token's, normalised. Full layers are four times as wide as a row, with
    GELU. The picture may have any size that is whole in patches; weights belong to one size.

    Source: Dosovitskiy et al. 2021, arXiv:2010.11929, sec. 3.1; four heads, depth 4 and patches of 8 at 224 x 224
    pixels in Berlincioni et al. 2024, arXiv:2401.16058, sec. 4.1. The paper does not give the width: 256, so that a
    head has 64 features as in every published ViT; nor dropout: none, as is usual for ViT.

    Raises:
        ConfigError: if a side of the picture is not divisible by the patch's.
    """

    def __init__(self, config: VitConfig, *, in_channels: int, resolution: Resolution) -> None:
        super().__init__()
        if resolution.height % config.patch or resolution.width % config.patch:
            raise ConfigError(f"patches of {config.patch} pixels must fill the picture; {resolution} leaves a rest.")
        self.config = config
        self.in_channels = in_channels
        self.resolution = resolution
        width, num_patches = config.width, resolution.num_pixels // config.patch**2
        self.conv_proj = nn.Conv2d(in_channels, width, config.patch, stride=config.patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embedding = nn.Parameter(torch.empty(1, 1 + num_patches, width).normal_(std=0.02))
        self.layers = nn.Sequential(
            *(
                EncoderBlock(width, num_heads=config.num_heads, hidden=4 * width, activation=nn.GELU())
                for _ in range(config.depth)
            )
        )
        self.ln = nn.LayerNorm(width)
        nn.init.trunc_normal_(self.conv_proj.weight, std=math.sqrt(1 / (in_channels * config.patch**2)))

    @property
    def num_features(self) -> int:
        return self.config.width

    def forward(self, frames: Float[Tensor, "N C H W"]) -> Float[Tensor, "N D"]:
        size = self.resolution
        require_shape(frames, f"N {self.in_channels} {size.height} {size.width}", what="a frame of the network")
        patches = self.conv_proj(frames).flatten(2).transpose(1, 2)
        token = self.class_token.to(patches.dtype).expand(patches.shape[0], -1, -1)
        rows = torch.cat([token, patches], dim=1) + self.pos_embedding
        return self.ln(self.layers(rows)[:, 0])
