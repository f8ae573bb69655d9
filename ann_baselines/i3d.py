"""The inflated Inception network: one stream of 3-D convolutions, one feature a clip."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad

from snnface.errors import ConfigError

__all__ = ["I3d", "I3dConfig"]

# Of each Inception block: maps of the 1x1x1 branch; of the two branches 1x1x1, then 3x3x3; of the branch with the
# pool. A single number is the side of the max-pool of stride 2 that stands there.
# Source: Szegedy et al. 2015, arXiv:1409.4842, table 1; Carreira and Zisserman 2017, fig. 3 (pools).
_BLOCKS: tuple[tuple[int, int, int, int, int, int] | int, ...] = (
    (64, 96, 128, 16, 32, 32),
    (128, 128, 192, 32, 96, 64),
    3,
    (192, 96, 208, 16, 48, 64),
    (160, 112, 224, 24, 64, 64),
    (128, 128, 256, 24, 64, 64),
    (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128),
    2,
    (256, 160, 320, 32, 128, 128),
    (384, 192, 384, 48, 128, 128),
)

# What three halvings leave one step of. It also keeps clear of oneDNN 3.12 (torch 2.13 on a CPU), where the
# gradient of the first convolution, 7 steps wide, is wrong or ends the process on clips of 5 to 7 steps.
_FEWEST_STEPS = 8


@dataclass(frozen=True, kw_only=True)
class I3dConfig:
    """Widths of the network.

    Attributes:
        width: maps of the first convolution, 64 in I3D; all others keep their proportion to it.
        features: of the clip, behind the last full layer.

    Raises:
        ConfigError: if a width is not positive.
    """

    width: int = 64
    features: int = 256

    def __post_init__(self) -> None:
        if self.width < 1 or self.features < 1:
            raise ConfigError(f"width and features must be at least 1; got {self.width} and {self.features}.")


class I3d(nn.Module):
    """Inception-v1 with 3-D convolutions, the mean over space and time, a full layer: [T, B, C, H, W] -> [1, B, D].

    Convolutions are followed by batch norm and ReLU and have no bias; convolutions and pools are
    padded, so that pictures of any size are accepted. Time is halved three times (75 steps to 10)
    before the mean, so that the one step that is left stands for the whole clip. Clips of less
    than 8 steps get steps of zeros in front.

    Source: Carreira and Zisserman 2017, arXiv:1705.07750, fig. 3, one of its two streams; "IC3D" in Berlincioni et al.
    2024, arXiv:2401.16058, sec. 4.1, "I3D" with a feature of 256 in Becattini et al. 2024, arXiv:2409.10213, sec. 6.
    The papers leave unsaid, chosen here: how 1024 become 256 (a full layer with ReLU behind the mean), no dropout, and
    that the IC3D of the one is the I3D of the other. Departs from I3D in: padding is symmetric.
    """

    def __init__(self, config: I3dConfig, *, in_channels: int) -> None:
        super().__init__()
        self.config = config
        width = self._scaled(64)
        layers: list[nn.Module] = [
            *_conv(in_channels, width, 7, stride=2),
            nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)),
            *_conv(width, width, 1),
            *_conv(width, self._scaled(192), 3),
            nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)),
        ]
        width = self._scaled(192)
        for block in _BLOCKS:
            if isinstance(block, int):
                layers.append(nn.MaxPool3d(block, stride=2, padding=(block - 1) // 2, ceil_mode=block % 2 == 0))
            else:
                layers.append(_Inception(width, tuple(map(self._scaled, block))))
                width = sum(self._scaled(block[k]) for k in (0, 2, 4, 5))
        self.layers = nn.Sequential(*layers)
        self.full = nn.Sequential(nn.Linear(width, config.features), nn.ReLU())
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    @property
    def num_features(self) -> int:
        return self.config.features

    def forward(self, inputs: Float[Tensor, "T B C H W"]) -> Float[Tensor, "1 B D"]:
        missing = max(0, _FEWEST_STEPS - inputs.shape[0])
        maps = self.layers(pad(inputs.permute(1, 2, 0, 3, 4), (0, 0, 0, 0, missing, 0)))
        return self.full(maps.mean((2, 3, 4)))[None]

    def _scaled(self, width: int) -> int:
        return max(1, width * self.config.width // 64)


class _Inception(nn.Module):
    """Four views of the same maps side by side: 1x1x1; 1x1x1 and 3x3x3, twice; max-pool and 1x1x1."""

    def __init__(self, inputs: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        one, reduce_a, three_a, reduce_b, three_b, pooled = widths
        self.branches = nn.ModuleList(
            [
                nn.Sequential(*_conv(inputs, one, 1)),
                nn.Sequential(*_conv(inputs, reduce_a, 1), *_conv(reduce_a, three_a, 3)),
                nn.Sequential(*_conv(inputs, reduce_b, 1), *_conv(reduce_b, three_b, 3)),
                nn.Sequential(nn.MaxPool3d(3, stride=1, padding=1), *_conv(inputs, pooled, 1)),
            ]
        )

    def forward(self, maps: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B C2 T H W"]:
        return torch.cat([branch(maps) for branch in self.branches], dim=1)


def _conv(inputs: int, outputs: int, side: int, *, stride: int = 1) -> list[nn.Module]:
    conv = nn.Conv3d(inputs, outputs, side, stride=stride, padding=side // 2, bias=False)
    return [conv, nn.BatchNorm3d(outputs), nn.ReLU()]
