"""From features over time to what the heads read: [T, B, D] -> [B, D], or [T, B, D] where the steps are kept.

Features may be maps, [T, B, C, H, W]. Every part also runs in pieces: `advance(features,
state)` takes the steps that have come and returns what the whole sequence up to them would
give, with the state to carry on with.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from snnface.errors import ConfigError
from snnface.spiking.streaming import State

__all__ = ["ClassToken", "EveryStep", "LastStep", "LeakyReadout", "LeakyReadoutConfig", "MeanOverTime", "Tokens"]


@dataclass(frozen=True, kw_only=True)
class LeakyReadoutConfig:
    """Attributes:
        tau: the time constant in steps that training starts from.

    Raises:
        ConfigError: if it is not above 1.
    """

    tau: float = 4.0

    def __post_init__(self) -> None:
        if not self.tau > 1:
            raise ConfigError(f"tau is counted in steps and must be above 1; got {self.tau}.")


class MeanOverTime(nn.Module):
    """The mean of every step: for spikes, the firing rate. In pieces: the mean so far."""

    keeps_steps = False

    def forward(self, features: Float[Tensor, "T B *D"]) -> Float[Tensor, "B *D"]:
        return features.mean(0)

    def advance(self, features: Float[Tensor, "T B *D"], state: State = None) -> tuple[Float[Tensor, "B *D"], State]:
        total, num_steps = features.sum(0), torch.tensor(len(features))
        if state is not None:
            total, num_steps = total + state[0], num_steps + state[1]
        return total / num_steps, (total, num_steps)


class LastStep(nn.Module):
    """The last step alone."""

    keeps_steps = False

    def forward(self, features: Float[Tensor, "T B *D"]) -> Float[Tensor, "B *D"]:
        return features[-1]

    def advance(self, features: Float[Tensor, "T B *D"], state: State = None) -> tuple[Float[Tensor, "B *D"], State]:
        return features[-1], None


class EveryStep(nn.Module):
    """The features as they are: an answer at every step, for losses over steps."""

    keeps_steps = True

    def forward(self, features: Float[Tensor, "T B *D"]) -> Float[Tensor, "T B *D"]:
        return features

    def advance(self, features: Float[Tensor, "T B *D"], state: State = None) -> tuple[Float[Tensor, "T B *D"], State]:
        return features, None


class ClassToken(nn.Module):
    """The first step alone: of an encoder that puts a token for the whole clip in front of the steps."""

    keeps_steps = False

    def forward(self, features: Float[Tensor, "T B *D"]) -> Float[Tensor, "B *D"]:
        return features[0]

    def advance(self, features: Float[Tensor, "T B *D"], state: State = None) -> tuple[Float[Tensor, "B *D"], State]:
        token = features[0] if state is None else state
        return token, token


class Tokens(nn.Module):
    """All steps but the first, which is the clip's: beside `ClassToken` what `EveryStep` is elsewhere."""

    keeps_steps = True

    def forward(self, features: Float[Tensor, "T B *D"]) -> Float[Tensor, "T2 B *D"]:
        return features[1:]

    def advance(self, features: Float[Tensor, "T B *D"], state: State = None) -> tuple[Float[Tensor, "T2 B *D"], State]:
        return (features[1:] if state is None else features), True


class LeakyReadout(nn.Module):
    """Non-spiking neurons that leak: their potential is the answer at every step.

        f[t] = f[t-1] - a (f[t-1] - s[t]),   f[-1] = 0,   a = sigmoid(w) = 1 / tau

    One learnable `w`. For spikes s, f is a rate over the last tau steps, or so. A linear
    head behind it and the readout commute: the head's answers are the potentials of neurons
    that the spikes reach through the head's weights.
    """

    keeps_steps = True

    def __init__(self, config: LeakyReadoutConfig) -> None:
        super().__init__()
        self.config = config
        self.w = nn.Parameter(torch.tensor(-math.log(config.tau - 1)))

    @property
    def leak(self) -> Float[Tensor, ""]:
        """1/tau."""
        return torch.sigmoid(self.w)

    def forward(self, features: Float[Tensor, "T B *D"]) -> Float[Tensor, "T B *D"]:
        return self.advance(features)[0]

    def advance(self, features: Float[Tensor, "T B *D"], state: State = None) -> tuple[Float[Tensor, "T B *D"], State]:
        leak = self.leak
        potential = torch.zeros_like(features[0]) if state is None else state
        potentials = []
        for step in features:
            potential = potential - leak * (potential - step)
            potentials.append(potential)
        return torch.stack(potentials), potential.detach()
