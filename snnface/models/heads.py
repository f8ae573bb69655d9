"""Heads: features [B, D] -> answers [B, K], or with T in front. A head bears the name of the target it predicts."""

from dataclasses import dataclass
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from snnface.errors import ConfigError

__all__ = ["ClipStepsHead", "ClipStepsHeadConfig", "MlpHead", "MlpHeadConfig", "VotingHead", "VotingHeadConfig"]


@dataclass(frozen=True, kw_only=True)
class VotingHeadConfig:
    """Votes are as many as the features divide into: nothing to set."""


class VotingHead(nn.Module):
    """Every class is the mean of its own run of neighbouring features: class k of K reads D/K of them.

    An average pooling whose size and stride are D/K; no parameters. The mean over time
    and the vote commute.

    Source: Mastropasqua et al. 2025, sec. 4.3.2 (210 features, 21 classes, 10 votes).

    Raises:
        ConfigError: if the features do not divide evenly among the classes.
    """

    def __init__(self, config: VotingHeadConfig, *, num_features: int, num_outputs: int) -> None:
        super().__init__()
        if num_features % num_outputs:
            raise ConfigError(
                f"{num_features} features cannot be shared out evenly among {num_outputs} classes; "
                f"make the encoder's last width a multiple of {num_outputs}."
            )
        self.num_outputs = num_outputs
        self.num_votes = num_features // num_outputs

    def forward(self, features: Float[Tensor, "*B D"]) -> Float[Tensor, "*B K"]:
        return features.reshape(*features.shape[:-1], self.num_outputs, self.num_votes).mean(-1)


@dataclass(frozen=True, kw_only=True)
class MlpHeadConfig:
    """Full layers with ReLU between them; `hidden` may be empty."""

    hidden: tuple[int, ...] = ()
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if min(self.hidden, default=1) < 1 or not 0 <= self.dropout < 1:
            raise ConfigError(f"hidden widths must be positive and dropout in [0, 1); got {self}.")


class MlpHead(nn.Module):
    """Linear - ReLU - dropout for every hidden width, then a linear layer to the answers."""

    def __init__(self, config: MlpHeadConfig, *, num_features: int, num_outputs: int) -> None:
        super().__init__()
        widths = (num_features, *config.hidden)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(config.dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], num_outputs))

    def forward(self, features: Float[Tensor, "*B D"]) -> Float[Tensor, "*B K"]:
        return self.layers(features)


@dataclass(frozen=True, kw_only=True)
class ClipStepsHeadConfig:
    """The full layers of `MlpHead`, the last of which answers for all steps.

    Attributes:
        num_steps: of every clip; the papers' clips have 75.

    Raises:
        ConfigError: if there is no step, or a width or the dropout is out of its range.
    """

    num_steps: int = 75
    hidden: tuple[int, ...] = (128,)
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.num_steps < 1:
            raise ConfigError(f"num_steps must be at least 1; got {self.num_steps}.")
        MlpHeadConfig(hidden=self.hidden, dropout=self.dropout)


class ClipStepsHead(nn.Module):
    """Answers of every step from one feature of the whole clip, side by side in one layer: [B, D] -> [T, B, K].

    Source: Becattini et al. 2024, arXiv:2409.10213, sec. 6 (I3D regresses the coefficients of all 75 frames at once).
    """

    def __init__(self, config: ClipStepsHeadConfig, *, num_features: int, num_outputs: int) -> None:
        super().__init__()
        self.num_steps = config.num_steps
        self.mlp = MlpHead(
            MlpHeadConfig(hidden=config.hidden, dropout=config.dropout),
            num_features=num_features,
            num_outputs=config.num_steps * num_outputs,
        )

    def forward(self, features: Float[Tensor, "B D"]) -> Float[Tensor, "T B K"]:
        return self.mlp(features).unflatten(1, (self.num_steps, -1)).transpose(0, 1)
