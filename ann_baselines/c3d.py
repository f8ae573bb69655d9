"""The 3-D convolutional baseline of the micro-expression paper."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from snnface.errors import ConfigError

__all__ = ["C3d", "C3dConfig"]


@dataclass(frozen=True, kw_only=True)
class C3dConfig:
    """Widths of the 3-D CNN; the defaults, with a head of one hidden layer of 368, give 13.06 x 2^20 parameters.

    Attributes:
        channels: output maps of each stage; a stage of several convolutions is a tuple.
            Every stage ends with a max-pool: the first over space only, the others over
            space and time.

    Raises:
        ConfigError: if there is no stage or an empty one.
    """

    channels: tuple[tuple[int, ...], ...] = ((64,), (128,), (256, 256), (512, 512))

    def __post_init__(self) -> None:
        if not self.channels or not all(self.channels):
            raise ConfigError("a 3-D CNN needs at least one stage, and every stage at least one width.")


class C3d(nn.Module):
    """Stages of [conv 3x3x3 - BN - ReLU] and max-pool; global mean over space; time is kept.

    Maps [T, B, C, H, W] to [T', B, D], T' = ceil(T / 2^(stages - 1)), for clips of any
    length (pools round up).

    Source: Tran et al. 2015, arXiv:1412.0767 (C3D), as the micro-expression paper's
    baseline "adapted for variable clip length". Departs from C3D: two convolutions fewer
    (as the published parameter count has it), batch norm, mean over space instead of
    the two 4096-wide layers.
    """

    def __init__(self, config: C3dConfig, *, in_channels: int) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        width = in_channels
        for stage, widths in enumerate(config.channels):
            for out in widths:
                layers += [nn.Conv3d(width, out, 3, padding=1, bias=False), nn.BatchNorm3d(out), nn.ReLU()]
                width = out
            layers.append(nn.MaxPool3d((1 if stage == 0 else 2, 2, 2), ceil_mode=True))
        self.layers = nn.Sequential(*layers)

    @property
    def num_features(self) -> int:
        return self.config.channels[-1][-1]

    def forward(self, inputs: Float[Tensor, "T B C H W"]) -> Float[Tensor, "T2 B D"]:
        maps = self.layers(inputs.permute(1, 2, 0, 3, 4))
        return maps.mean((3, 4)).permute(2, 0, 1)
