"""Neurons that hear each other's spikes: the operator and its gradient."""

import torch
from jaxtyping import Float
from torch import Tensor

from snnface.spiking.kernels.cuda import passes
from snnface.spiking.kernels.cuda.neurons import refuse_double_backward, require_something
from snnface.spiking.kernels.options import options_of
from snnface.spiking.neurons import LayerOutput, NeuronConfig

__all__ = ["recurrent_layer"]


def recurrent_layer(
    currents: Float[Tensor, "T B N"],
    recurrent: Float[Tensor, "N N"],
    leak: Float[Tensor, ""] | Float[Tensor, " N"],
    config: NeuronConfig,
    *,
    voltage: Float[Tensor, "B N"] | None = None,
    spikes: Float[Tensor, "B N"] | None = None,
) -> LayerOutput:
    """Neurons that hear each other's spikes; see `reference.recurrent_layer`.

    A loop over the steps, each one matrix product (torch's) and one Triton program.
    """
    require_something(currents)
    kind = currents.device.type
    product_type = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else torch.float32
    fired, last, count, _, _ = _recurrent_layer(
        currents,
        recurrent,
        leak.reshape(-1).float(),
        None if voltage is None else voltage.detach().float(),
        None if spikes is None else spikes.detach().float(),
        product_type,
        options_of(config),
    )
    return LayerOutput(fired, last.detach(), count)


@torch.library.custom_op("snnface::triton_recurrent_layer", mutates_args=())
def _recurrent_layer(
    currents: Tensor,
    recurrent: Tensor,
    leak: Tensor,
    voltage: Tensor | None,
    spikes: Tensor | None,
    product_type: torch.dtype,
    options: list[float],
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Spikes, voltage, number of spikes; for the gradient what entered and the voltages before each step."""
    fired, _, count, entered, voltages = _recurrent_layer_shapes(
        currents, recurrent, leak, voltage, spikes, product_type, options
    )
    count.zero_()
    weight = recurrent.to(product_type)
    last = torch.zeros_like(entered[0]) if spikes is None else spikes
    now = torch.full_like(entered[0], passes.rest(options)) if voltage is None else voltage.contiguous()
    for step, current in enumerate(currents.float()):
        heard = torch.einsum("bj,ij->bi", last.to(product_type), weight).float()
        voltages[step] = now
        torch.add(current, heard, out=entered[step])
        spiked, now, number = passes.neuron_forward(
            _one_step(entered, step), leak, options, voltage=_pictures(now), scale=None, shift=None, pool=1
        )
        last, now = spiked.reshape(last.shape), now.reshape(last.shape)
        fired[step] = last
        count += number
    return fired, now, count, entered, voltages


@_recurrent_layer.register_fake
def _recurrent_layer_shapes(
    currents: Tensor,
    recurrent: Tensor,
    leak: Tensor,
    voltage: Tensor | None,
    spikes: Tensor | None,
    product_type: torch.dtype,
    options: list[float],
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    entered = currents.new_empty(currents.shape, dtype=torch.float32)
    last = currents.new_empty(currents.shape[1:], dtype=torch.float32)
    count = currents.new_empty((), dtype=torch.float64)
    return currents.new_empty(currents.shape), last, count, entered, torch.empty_like(entered)


@torch.library.custom_op("snnface::triton_recurrent_layer_backward", mutates_args=())
def _recurrent_layer_backward(
    d_fired: Tensor,
    d_count: Tensor,
    entered: Tensor,
    voltages: Tensor,
    fired: Tensor,
    recurrent: Tensor,
    leak: Tensor,
    spikes: Tensor | None,
    options: list[float],
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of what entered and of the recurrent weights; the leak's sum per neuron in float64."""
    d_entered = torch.empty_like(entered)
    d_leak = entered.new_zeros(entered.shape[-1], dtype=torch.float64)
    d_voltage = torch.zeros_like(entered[0])
    weight = recurrent.float()
    for step in reversed(range(len(entered))):
        d_spikes = d_fired[step].float()
        if step + 1 < len(entered):
            d_spikes = d_spikes + d_entered[step + 1] @ weight
        d_step, sums = passes.neuron_backward(
            d_spikes.reshape(1, len(d_spikes), 1, 1, -1), d_count, _one_step(entered, step), leak, options,
            voltage=_pictures(voltages[step]), scale=None, shift=None, pivot=None, pool=1,
            d_voltage=_pictures(d_voltage),
        )  # fmt: skip
        d_entered[step] = d_step.reshape(d_spikes.shape)
        d_leak += sums[0]
    first = torch.zeros_like(entered[0]) if spikes is None else spikes
    before = torch.cat([first[None], fired[:-1].float()])
    return d_entered, torch.einsum("tbi,tbj->ij", d_entered, before), d_leak


@_recurrent_layer_backward.register_fake
def _recurrent_layer_backward_shapes(
    d_fired: Tensor,
    d_count: Tensor,
    entered: Tensor,
    voltages: Tensor,
    fired: Tensor,
    recurrent: Tensor,
    leak: Tensor,
    spikes: Tensor | None,
    options: list[float],
) -> tuple[Tensor, Tensor, Tensor]:
    d_recurrent = torch.empty_like(recurrent, dtype=torch.float32)
    return torch.empty_like(entered), d_recurrent, entered.new_empty(entered.shape[-1], dtype=torch.float64)


def _keep(ctx, inputs, output):  # type: ignore[no-untyped-def]
    currents, recurrent, leak, _, spikes, _, ctx.options = inputs
    fired, last, _, entered, voltages = output
    ctx.currents_type = currents.dtype
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(last, entered, voltages)
    ctx.save_for_backward(entered, voltages, fired, recurrent, leak, spikes)


def _gradient(ctx, d_fired, d_last, d_count, *unused):  # type: ignore[no-untyped-def]
    if d_fired is None and d_count is None:
        return (None,) * 7
    entered, voltages, fired, recurrent, leak, spikes = ctx.saved_tensors
    d_fired = torch.zeros_like(fired) if d_fired is None else d_fired
    d_count = entered.new_zeros((), dtype=torch.float64) if d_count is None else d_count
    d_entered, d_recurrent, d_leak = _recurrent_layer_backward(
        d_fired, d_count, entered, voltages, fired, recurrent, leak, spikes, ctx.options
    )
    d_leak = d_leak if len(leak) > 1 else d_leak.sum(0, keepdim=True)
    gradients = d_entered.to(ctx.currents_type), d_recurrent.to(recurrent.dtype), d_leak.to(leak.dtype)
    return *gradients, None, None, None, None


_recurrent_layer.register_autograd(_gradient, setup_context=_keep)
_recurrent_layer_backward.register_autograd(refuse_double_backward)


def _pictures(values: Tensor) -> Tensor:
    """[B, N] as [B, 1, 1, N], of the same memory."""
    return values[:, None, None]


def _one_step(values: Tensor, step: int) -> Tensor:
    """Step `step` of [T, B, N] as [1, B, 1, 1, N], of the same memory."""
    return values[step][None, :, None, None]
