"""Spiking neurons: their parameters, one step, and the module that runs them over time."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from snnface.errors import ConfigError
from snnface.spiking.streaming import StreamingModule
from snnface.spiking.surrogate import Surrogate, spike

__all__ = ["LayerOutput", "NeuronConfig", "NeuronStep", "SpikingNeuron", "neuron_step"]


@dataclass(frozen=True, kw_only=True)
class NeuronConfig:
    """A layer of leaky integrate-and-fire neurons; variants are values.

    Attributes:
        kind: "plif" learns the leak, "lif" keeps it fixed, "if" has none.
        tau: membrane time constant in steps; the initial one for "plif"; unused for "if".
        decay_input: scale the input by 1/tau too (the paper does not).
        reset: to `v_reset`, or by subtracting `threshold - v_reset`.
        fires_on_equality: compare with >= instead of >.
        surrogate: the stand-in derivative of the spike; see `surrogate.derivative`.
        surrogate_alpha: its steepness.
        detach_reset: let no gradient through the decision to reset.
        leak_per: one learnt leak a "layer", or one a "channel".

    Raises:
        ConfigError: if tau is not above 1, the threshold not above the reset, or the
            steepness not positive; if a neuron without tau shall scale by it, or a leak
            that is not learnt shall differ by channel.
    """

    kind: Literal["plif", "lif", "if"] = "plif"
    tau: float = 2.0
    threshold: float = 1.0
    v_reset: float = 0.0
    decay_input: bool = False
    reset: Literal["zero", "subtract"] = "zero"
    fires_on_equality: bool = False
    surrogate: Surrogate = "atan"
    surrogate_alpha: float = 2.0
    detach_reset: bool = True
    leak_per: Literal["layer", "channel"] = "layer"

    def __post_init__(self) -> None:
        if self.kind != "if" and not self.tau > 1:
            raise ConfigError(f"tau is counted in steps and must be above 1; got {self.tau}.")
        if not self.threshold > self.v_reset:
            raise ConfigError(f"threshold must lie above v_reset; got {self.threshold} and {self.v_reset}.")
        if not 0 < self.surrogate_alpha < math.inf:
            raise ConfigError(f"surrogate_alpha must be positive and finite; got {self.surrogate_alpha}.")
        if self.kind == "if" and self.decay_input:
            raise ConfigError("decay_input scales by 1/tau; an integrate-and-fire neuron has no tau.")
        if self.kind != "plif" and self.leak_per == "channel":
            raise ConfigError(f'a leak per channel is learnt; use kind="plif" instead of "{self.kind}".')


class NeuronStep(NamedTuple):
    """What one step gives: the spikes, and the voltage to carry on with."""

    spikes: Tensor
    voltage: Tensor


class LayerOutput(NamedTuple):
    """What a layer gives for a whole sequence.

    Attributes:
        spikes: [T, B, ...] after pooling, in the dtype of the currents.
        voltage: [B, ...] before pooling, to carry on with; no gradient flows through it.
        num_spikes: how many spikes there were before pooling; 0-d, float64, differentiable.
    """

    spikes: Tensor
    voltage: Tensor
    num_spikes: Tensor


def neuron_step(
    voltage: Float[Tensor, "B *N"],
    current: Float[Tensor, "B *N"],
    leak: Float[Tensor, ""] | Float[Tensor, " C"],
    config: NeuronConfig,
) -> NeuronStep:
    """Advance a layer by one time step.

    Update order: leak and integrate, compare, reset. No synaptic filter, no delay.
    Voltages have no unit. Float operations are made in the order written.

        h[t] = v[t-1] - leak (v[t-1] - v_reset) + g x[t]      g = leak if decay_input else 1
        s[t] = 1 where h[t] - threshold > 0, else 0
        v[t] = h[t] (1 - s[t]) + s[t] v_reset                 (reset "zero")
        v[t] = h[t] - s[t] (threshold - v_reset)              (reset "subtract")

    With `detach_reset` no gradient flows through the decision to reset. Currents must be
    finite: NaN never fires, and what follows an infinite one is not defined.

    Args:
        leak: 1/tau, 0-d, or one a channel (the axis after B).

    Source: Mastropasqua et al. 2025, eq. 3, after Fang et al. 2021, arXiv:2007.05785.
    """
    if leak.ndim:
        leak = leak.reshape(-1, *[1] * (voltage.ndim - 2))
    charged = voltage - leak * (voltage - config.v_reset) + (leak * current if config.decay_input else current)
    spikes = spike(
        charged - config.threshold,
        surrogate=config.surrogate,
        alpha=config.surrogate_alpha,
        fires_on_equality=config.fires_on_equality,
    )
    fired = spikes.detach() if config.detach_reset else spikes
    if config.reset == "subtract":
        return NeuronStep(spikes, charged - fired * (config.threshold - config.v_reset))
    return NeuronStep(spikes, charged * (1 - fired) + fired * config.v_reset)


class SpikingNeuron(StreamingModule):
    """A layer of neurons over time: currents [T, B, *N] in, spikes [T, B, *N] out.

    State starts fresh (`v_reset`) in every `forward`; streaming callers use `advance` or
    `step` and carry the voltage themselves. "plif" has one parameter, `w`, with
    1/tau = sigmoid(w); its shape is [] or [C].

    Args:
        num_channels: size of the axis after B, for a leak per channel.

    Source: Fang et al. 2021, arXiv:2007.05785, sec. 3.3 (w shared by the layer).

    Raises:
        ConfigError: if a leak per channel has no number of channels.
    """

    def __init__(self, config: NeuronConfig, num_channels: int | None = None) -> None:
        super().__init__()
        self.config = config
        self.watchers: list[Callable[[LayerOutput, int, Tensor | None], None]] = []
        self.keeps_trains = 0
        if config.kind == "plif":
            shape = () if config.leak_per == "layer" else (num_channels,)
            if None in shape:
                raise ConfigError("a leak per channel needs num_channels, the size of the axis after B.")
            # sigmoid(w) = 1/tau
            self.w = nn.Parameter(torch.full(shape, -math.log(config.tau - 1)))  # type: ignore[arg-type]

    @property
    def leak(self) -> Float[Tensor, ""] | Float[Tensor, " C"]:
        """1/tau: sigmoid(w) when learnt, fixed, or 0 for integrate-and-fire."""
        if self.config.kind == "plif":
            return torch.sigmoid(self.w)
        return torch.tensor(0.0 if self.config.kind == "if" else 1 / self.config.tau)

    def forward(self, currents: Float[Tensor, "T B *N"]) -> Float[Tensor, "T B *N"]:
        return self.advance(currents)[0]

    def advance(
        self, inputs: Float[Tensor, "T B *N"], state: Float[Tensor, "B *N"] | None = None
    ) -> tuple[Float[Tensor, "T B *N"], Float[Tensor, "B *N"]]:
        """Spikes of the next T steps from the voltage `state` (None: from rest), and the voltage after them."""
        from snnface.spiking.kernels import neuron_layer

        output = neuron_layer(inputs, self.leak, self.config, voltage=state)
        self.report(output, inputs.numel(), output.spikes)
        return output.spikes, output.voltage

    def step(self, inputs: Float[Tensor, "B *N"], state: Float[Tensor, "B *N"] | None = None) -> NeuronStep:
        """One step from the voltage `state` (None: from rest)."""
        spikes, voltage = super().step(inputs, state)
        return NeuronStep(spikes, voltage)

    def report(self, output: LayerOutput, num_updates: int, trains: Tensor | None) -> None:
        """Tell whoever watches (`activity`) what the layer did.

        Args:
            num_updates: neurons x steps x samples.
            trains: spikes [T, B, ...] before pooling; needed while `keeps_trains` is not 0.
        """
        for watch in self.watchers:
            watch(output, num_updates, trains)

    def extra_repr(self) -> str:
        return f"kind={self.config.kind}, tau={self.config.tau}, threshold={self.config.threshold}"
