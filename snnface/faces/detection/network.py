"""The network that finds the 68 points in a face patch, and says whether it is a face at all."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["LandmarkNet", "PatchAnswer", "normalised"]

_CHANNELS = (16, 32, 64, 96)
_MAP_CHANNELS = 48
_NUM_POINTS = 68


@dataclass(frozen=True, slots=True, eq=False)
class PatchAnswer:
    """What the network says of patches.

    Attributes:
        points: (x, y), -1..1 from edge to edge of the patch.
        spread: how far each point's probability map reaches around its mean, in the same unit.
        logit: how much it looks like a face; above 0: more likely than not.
    """

    points: Float[Tensor, "B 68 2"]
    spread: Float[Tensor, "B 68"]
    logit: Float[Tensor, " B"]


class LandmarkNet(nn.Module):
    """Four scales down, two up again; a probability map a point, whose mean is the point.

    96 x 96 grey -> maps of 24 x 24; 0.37 million parameters. The mean of a map is finer than
    its cells and can be trained directly.

    Source: the mean of a map: Nibali et al. 2018, arXiv:1801.07372, sec. 3.
    """

    def __init__(self) -> None:
        super().__init__()
        one, two, three, four = _CHANNELS
        self.stem = _block(1, one, size=5, stride=2)
        self.quarter = nn.Sequential(_block(one, two, stride=2), _block(two, two))
        self.eighth = nn.Sequential(_block(two, three, stride=2), _block(three, three))
        self.sixteenth = nn.Sequential(_block(three, four, stride=2), _block(four, four), _block(four, four))
        self.narrow_eighth = nn.Conv2d(four, three, 1)
        self.mix_eighth = _block(three, three)
        self.narrow_quarter = nn.Conv2d(three, _MAP_CHANNELS, 1)
        self.keep_quarter = nn.Conv2d(two, _MAP_CHANNELS, 1)
        self.mix_quarter = _block(_MAP_CHANNELS, _MAP_CHANNELS)
        self.maps = nn.Conv2d(_MAP_CHANNELS, _NUM_POINTS, 1)
        self.face = nn.Sequential(nn.Linear(2 * four, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, patches: Float[Tensor, "B 1 S S"]) -> PatchAnswer:
        """Args: patches: as `normalised` gives them."""
        quarter = self.quarter(self.stem(patches))
        eighth = self.eighth(quarter)
        sixteenth = self.sixteenth(eighth)
        eighth = self.mix_eighth(_doubled(self.narrow_eighth(sixteenth)) + eighth)
        mixed = self.mix_quarter(_doubled(self.narrow_quarter(eighth)) + self.keep_quarter(quarter))
        points, spread = _mean_and_spread(self.maps(mixed))
        pooled = torch.cat([sixteenth.mean((2, 3)), sixteenth.amax((2, 3))], 1)
        return PatchAnswer(points, spread, self.face(pooled)[:, 0])


def normalised(patches: Float[Tensor, "B S S"]) -> Float[Tensor, "B 1 S S"]:
    """Patches with mean 0 and spread 1, whatever their light; a plain one becomes all zeros."""
    mean = patches.mean((1, 2), keepdim=True)
    spread = patches.std((1, 2), keepdim=True)
    return ((patches - mean) / (spread + 1.0))[:, None].contiguous(memory_format=torch.channels_last)


def _block(inputs: int, outputs: int, *, size: int = 3, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


def _doubled(maps: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C _ _"]:
    return nn.functional.interpolate(maps, scale_factor=2, mode="nearest")


def _mean_and_spread(maps: Float[Tensor, "B L H W"]) -> tuple[Float[Tensor, "B L 2"], Float[Tensor, "B L"]]:
    share = maps.flatten(2).softmax(2).view(maps.shape)
    across, down = (
        # Centres of the cells, with -1 and 1 at the edges of the patch.
        (torch.arange(count, dtype=maps.dtype, device=maps.device) + 0.5) * 2 / count - 1
        for count in (maps.shape[3], maps.shape[2])
    )
    columns, rows = share.sum(2), share.sum(3)
    x, y = columns @ across, rows @ down
    variance = columns @ across.square() - x.square() + rows @ down.square() - y.square()
    return torch.stack([x, y], -1), (variance.clamp(min=0) / 2 + 1e-8).sqrt()
