"""Spiking neurons: their parameters, one step, and the module that runs them over time."""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from snnface.errors import ConfigError
from snnface.spiking.surrogate import spike

__all__ = ["NeuronConfig", "NeuronStep", "SpikingNeuron", "neuron_step"]


@dataclass(frozen=True, kw_only=True)
class NeuronConfig:
    """A layer of leaky integrate-and-fire neurons; variants are values.

    Attributes:
        kind: "plif" learns one leak a layer, "lif" keeps it fixed, "if" has none.
        tau: membrane time constant in steps; the initial one for "plif"; unused for "if".
        decay_input: scale the input by 1/tau too (the paper does not).
        reset: to `v_reset`, or by subtracting `threshold - v_reset`.
        fires_on_equality: compare with >= instead of >.
        surrogate_alpha: steepness of the arctangent surrogate.

    Raises:
        ConfigError: if tau is not above 1, or the threshold not above the reset.
    """

    kind: Literal["plif", "lif", "if"] = "plif"
    tau: float = 2.0
    threshold: float = 1.0
    v_reset: float = 0.0
    decay_input: bool = False
    reset: Literal["zero", "subtract"] = "zero"
    fires_on_equality: bool = False
    surrogate_alpha: float = 2.0

    def __post_init__(self) -> None:
        if self.kind != "if" and not self.tau > 1:
            raise ConfigError(f"tau is counted in steps and must be above 1; got {self.tau}.")
        if not self.threshold > self.v_reset:
            raise ConfigError(f"threshold must lie above v_reset; got {self.threshold} and {self.v_reset}.")
        if self.kind == "if" and self.decay_input:
            raise ConfigError("decay_input scales by 1/tau; an integrate-and-fire neuron has no tau.")


class NeuronStep(NamedTuple):
    """What one step gives: the spikes, and the voltage to carry on with."""

    spikes: Tensor
    voltage: Tensor


def neuron_step(
    voltage: Float[Tensor, "B *N"],
    current: Float[Tensor, "B *N"],
    leak: Float[Tensor, ""],
    config: NeuronConfig,
) -> NeuronStep:
    """Advance a layer by one time step.

    Update order: leak and integrate, compare, reset. No synaptic filter, no delay.
    Voltages have no unit.

        h[t] = v[t-1] - leak (v[t-1] - v_reset) + g x[t]      g = leak if decay_input else 1
        s[t] = 1 where h[t] > threshold, else 0
        v[t] = v_reset where s[t], else h[t]                  (reset "zero")
        v[t] = h[t] - s[t] (threshold - v_reset)              (reset "subtract")

    The reset is detached: no gradient flows through the decision to reset.

    Args:
        leak: 1/tau, a 0-d tensor.

    Source: Mastropasqua et al. 2025, eq. 3, after Fang et al. 2021, arXiv:2007.05785.
    """
    charged = voltage - leak * (voltage - config.v_reset) + (leak * current if config.decay_input else current)
    spikes = spike(charged - config.threshold, alpha=config.surrogate_alpha, fires_on_equality=config.fires_on_equality)
    fired = spikes.detach()
    if config.reset == "subtract":
        return NeuronStep(spikes, charged - fired * (config.threshold - config.v_reset))
    return NeuronStep(spikes, charged * (1 - fired) + fired * config.v_reset)


class SpikingNeuron(nn.Module):
    """A layer of neurons over time: currents [T, B, *N] in, spikes [T, B, *N] out.

    State starts fresh (`v_reset`) in every `forward`; streaming callers use `step` and
    carry the voltage themselves. "plif" has one parameter, `w`, with 1/tau = sigmoid(w).

    Source: Fang et al. 2021, arXiv:2007.05785, sec. 3.3 (w shared by the layer).
    """

    def __init__(self, config: NeuronConfig) -> None:
        super().__init__()
        self.config = config
        if config.kind == "plif":
            # sigmoid(w) = 1/tau
            self.w = nn.Parameter(torch.tensor(-math.log(config.tau - 1)))

    @property
    def leak(self) -> Float[Tensor, ""]:
        """1/tau: sigmoid(w) when learnt, fixed, or 0 for integrate-and-fire."""
        if self.config.kind == "plif":
            return torch.sigmoid(self.w)
        return torch.tensor(0.0 if self.config.kind == "if" else 1 / self.config.tau)

    def step(self, current: Float[Tensor, "B *N"], voltage: Float[Tensor, "B *N"] | None = None) -> NeuronStep:
        """One step from `voltage` (None: from rest)."""
        start = torch.full_like(current, self.config.v_reset) if voltage is None else voltage
        return neuron_step(start, current, self.leak, self.config)

    def forward(self, currents: Float[Tensor, "T B *N"]) -> Float[Tensor, "T B *N"]:
        from snnface.spiking.kernels import neuron_sequence

        return neuron_sequence(currents, self.leak, self.config)

    def extra_repr(self) -> str:
        return f"kind={self.config.kind}, tau={self.config.tau}, threshold={self.config.threshold}"
