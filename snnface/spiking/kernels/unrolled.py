"""The sequence in one autograd node: plain torch in place, the backward pass by hand.

Autograd through T steps keeps about six tensors a step; this keeps one (the voltage
before reset) and runs the adjoint recursion itself:

    h[t] = (1 - a) v[t-1] + a v_reset + g x[t],   s[t] = H(h[t] - V),   a the leak
    v[t] = (1 - s[t]) h[t] + s[t] v_reset                 or  h[t] - s[t] (V - v_reset)

    dh[t] = ds[t] H'(h[t] - V) + dv[t] k[t]               k = 1 - s (zero) or 1 (subtract)
    dv[t-1] = (1 - a) dh[t],   dx[t] = g dh[t]
    da = sum over t of dh[t] (v_reset - v[t-1] + (x[t] if g = a))

with s detached in the reset, as in the definition.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from snnface.spiking.neurons import NeuronConfig
from snnface.spiking.surrogate import atan_derivative

__all__ = ["neuron_sequence"]


def neuron_sequence(
    currents: Float[Tensor, "T B *N"], leak: Float[Tensor, ""], config: NeuronConfig
) -> Float[Tensor, "T B *N"]:
    """Spikes of a layer over T steps, from rest; equal to `reference.neuron_sequence`."""
    return _NeuronSequence.apply(currents, leak.to(currents), config)  # type: ignore[no-untyped-call]


def _reset(charged: Tensor, spikes: Tensor, config: NeuronConfig) -> Tensor:
    if config.reset == "subtract":
        return charged - spikes * (config.threshold - config.v_reset)
    return charged * (1 - spikes) + spikes * config.v_reset


def _spikes(charged: Tensor, config: NeuronConfig) -> Tensor:
    distance = charged - config.threshold
    return (distance >= 0 if config.fires_on_equality else distance > 0).to(charged.dtype)


class _NeuronSequence(torch.autograd.Function):
    @staticmethod
    def forward(ctx, currents, leak, config):  # type: ignore[no-untyped-def]
        charged = torch.empty_like(currents)
        spikes = torch.empty_like(currents)
        voltage = torch.full_like(currents[0], config.v_reset)
        for step, current in enumerate(currents):
            # The same order of operations as `neuron_step`, so that results are equal to the bit.
            torch.sub(voltage, leak * (voltage - config.v_reset), out=charged[step])
            charged[step].add_(leak * current if config.decay_input else current)
            spikes[step] = _spikes(charged[step], config)
            voltage = _reset(charged[step], spikes[step], config)
        ctx.save_for_backward(charged, leak, currents if config.decay_input else None)
        ctx.config = config
        return spikes

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def]
        charged, leak, currents = ctx.saved_tensors
        config = ctx.config
        d_currents = torch.empty_like(charged)
        d_voltage = torch.zeros_like(charged[0])
        d_leak = torch.zeros_like(leak)
        for step in reversed(range(len(charged))):
            spikes = _spikes(charged[step], config)
            kept = d_voltage if config.reset == "subtract" else d_voltage * (1 - spikes)
            d_charged = kept.addcmul(
                gradient[step], atan_derivative(charged[step] - config.threshold, config.surrogate_alpha)
            )
            d_currents[step] = leak * d_charged if config.decay_input else d_charged
            if ctx.needs_input_grad[1]:
                before = torch.full_like(charged[0], config.v_reset)
                if step:
                    before = _reset(charged[step - 1], _spikes(charged[step - 1], config), config)
                pull = config.v_reset - before
                d_leak += (d_charged * (pull + currents[step] if config.decay_input else pull)).sum()
            d_voltage = (1 - leak) * d_charged
        return d_currents, d_leak, None
