"""Neurons in the integers of a Loihi-like chip, with a gradient: what quantisation-aware training runs."""

from dataclasses import dataclass

import torch
from torch import Tensor

from snnface.spiking.neurons import LayerOutput, NeuronConfig
from snnface.spiking.quantisation import IntegerLayer
from snnface.spiking.surrogate import derivative

__all__ = ["integer_neurons"]

_V_LIMIT = 2**23 - 1
_DECAY_ONE = 4096


@dataclass(frozen=True, slots=True)
class _Numbers:
    """One layer's neurons: v keeps `kept` of itself a step, fires above `theta`; `unit` is 64 S, state per float."""

    kept: float
    theta: int
    unit: float


def integer_neurons(
    currents: Tensor,
    bias: Tensor,
    leak: Tensor,
    layer: IntegerLayer,
    config: NeuronConfig,
    *,
    voltage: Tensor | None = None,
) -> LayerOutput:
    """Spikes of currents that are sums of integer weights, [T, B, ...], exactly as the chip has them:

        v = clip(trunc(v (4096 - dv) / 4096) + 64 currents[t] + (bias_mant << bias_exp), +-(2^23 - 1))
        s = v > 64 vth;   v = 0 where s

    in float64, where all of this is exact. Left out: u is taken to stay within its 24 bits (the
    quantiser's report warns where it could not), so a sum beyond 2^17 wraps on the chip only.

    The gradient is that of a float neuron at the same voltages, h = v / (64 S), with leak dv / 4096,
    the surrogate at h - vth / S, and straight through every rounding:

        dh[t] = ds[t] H'(h[t] - V) + dv[t] (1 - s[t]),  dv[t-1] = (1 - a) dh[t],  dx[t] = dh[t]
        da = -sum dh[t] v[t-1]

    Args:
        bias: float64, the float bias that `layer` has in integers, broadcastable to [B, ...].
        leak: float64, 0-d, likewise.
        voltage: of the step before, in units of v, [B, ...]; None is rest.
        config: says which surrogate, and whether the reset lets gradients through.

    Source: lava-nc 0.10.0 (the neuron); Bengio et al. 2013, arXiv:1308.3432 (straight through).
    """
    integers = torch.as_tensor(layer.bias_mant << layer.bias_exp, dtype=torch.float64, device=currents.device)
    numbers = _Numbers((_DECAY_ONE - layer.dv) / _DECAY_ONE, layer.vth << 6, 64 * layer.scale)
    start = torch.zeros(currents.shape[1:], dtype=torch.float64, device=currents.device)
    if voltage is not None:
        start.copy_(voltage)
    spikes, last, num_spikes = _IntegerNeurons.apply(currents, bias, leak, integers, start, numbers, config)  # type: ignore[no-untyped-call]
    return LayerOutput(spikes, last, num_spikes)


class _IntegerNeurons(torch.autograd.Function):
    @staticmethod
    def forward(ctx, currents, bias, leak, integers, start, numbers, config):  # type: ignore[no-untyped-def]
        keeps = any(ctx.needs_input_grad)
        # Whole numbers below 2^24 are exact in float32, too.
        charged = torch.empty_like(currents) if keeps else None
        spikes = torch.empty_like(currents)
        v = start.clone()
        for step, current in enumerate(currents):
            v.mul_(numbers.kept).trunc_().add_(current, alpha=64).add_(integers).clamp_(-_V_LIMIT, _V_LIMIT)
            if charged is not None:
                charged[step] = v
            fired = v > numbers.theta
            spikes[step] = fired
            v.masked_fill_(fired, 0)
        ctx.save_for_backward(charged, start)
        ctx.numbers, ctx.config, ctx.bias_shape = numbers, config, bias.shape
        ctx.mark_non_differentiable(v)
        return spikes, v, spikes.sum(dtype=torch.float64)

    @staticmethod
    def backward(ctx, d_spikes, _, d_num_spikes):  # type: ignore[no-untyped-def]
        charged, start = ctx.saved_tensors
        numbers, config = ctx.numbers, ctx.config
        d_currents = torch.empty_like(charged)
        d_voltage = torch.zeros_like(charged[0])
        d_bias = charged.new_zeros(charged.shape[1:])
        d_leak = torch.zeros((), dtype=torch.float64, device=charged.device)
        for step in reversed(range(len(charged))):
            fired = charged[step] > numbers.theta
            d_fired = d_spikes[step] + d_num_spikes.to(d_spikes)
            if not config.detach_reset:
                d_fired = d_fired - d_voltage * charged[step] / numbers.unit
            distance = (charged[step] - numbers.theta) / numbers.unit
            slope = derivative(distance, config.surrogate, config.surrogate_alpha)
            d_charged = d_voltage.masked_fill(fired, 0).addcmul(d_fired, slope)
            # A weight is 1 / S of a float weight; unit = 64 S.
            torch.mul(d_charged, 64 / numbers.unit, out=d_currents[step])
            d_bias += d_charged
            before = start if step == 0 else charged[step - 1].masked_fill(charged[step - 1] > numbers.theta, 0)
            d_leak -= (d_charged * before).sum(dtype=torch.float64) / numbers.unit
            d_voltage = d_charged * numbers.kept
        return d_currents, d_bias.double().sum_to_size(ctx.bias_shape), d_leak, None, None, None, None
