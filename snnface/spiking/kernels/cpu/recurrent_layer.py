"""Neurons that hear each other's spikes: the operator and its gradient."""

import ctypes

import torch
from jaxtyping import Float
from torch import Tensor

from snnface.spiking.kernels.cpu.native import call, number_type, picture_sizes, refuse_double_backward
from snnface.spiking.kernels.cpu.parameters import neuron_params
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
    """Neurons that also hear each other's spikes, one step later; see `reference.recurrent_layer`.

    The weights of the neurons that fired are added one after the other, so sums are
    rounded in another order than by the matrix product of the reference.
    """
    real = number_type(currents.dtype)
    # Under autocast the weights, and what is heard, are rounded as a matrix product would.
    rounded = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
    rounded = rounded and real == torch.float32
    weight = recurrent.to(torch.bfloat16) if rounded else recurrent
    fired, after, count = _recurrent_layer(
        currents,
        weight.to(real),
        leak.to(real),
        None if voltage is None else voltage.detach().to(real),
        None if spikes is None else spikes.detach().to(real),
        options_of(config),
        rounded,
    )
    return LayerOutput(fired, after.detach(), count)


class _Shape(ctypes.Structure):
    """`struct RecurrentShape` of recurrent.cpp."""

    _fields_ = tuple((name, ctypes.c_int64) for name in ("T", "B", "N", "threads", "rounded"))


def _sizes(currents: Tensor, rounded: bool) -> _Shape:
    picture_sizes(currents)
    return _Shape(*currents.shape, torch.get_num_threads(), int(rounded))


@torch.library.custom_op("snnface::recurrent_layer", mutates_args=())
def _recurrent_layer(
    currents: Tensor,
    recurrent: Tensor,
    leak: Tensor,
    voltage: Tensor | None,
    last: Tensor | None,
    options: list[float],
    rounded: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    fired, after, count = _recurrent_layer_shapes(currents, recurrent, leak, voltage, last, options, rounded)
    shape = _sizes(currents, rounded), neuron_params(options)
    call(
        "recurrent_forward",
        currents.dtype,
        *shape,
        *_dense(currents, recurrent, leak, voltage, last),
        fired,
        after,
        count,
    )
    return fired, after, count


@_recurrent_layer.register_fake
def _recurrent_layer_shapes(
    currents: Tensor,
    recurrent: Tensor,
    leak: Tensor,
    voltage: Tensor | None,
    last: Tensor | None,
    options: list[float],
    rounded: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    fired = torch.empty(currents.shape, dtype=currents.dtype)
    after = torch.empty(currents.shape[1:], dtype=number_type(currents.dtype))
    return fired, after, torch.empty((), dtype=torch.float64)


@torch.library.custom_op("snnface::recurrent_layer_backward", mutates_args=())
def _recurrent_layer_backward(
    currents: Tensor,
    recurrent: Tensor,
    leak: Tensor,
    voltage: Tensor | None,
    last: Tensor | None,
    fired: Tensor,
    d_fired: Tensor | None,
    d_count: Tensor | None,
    options: list[float],
    rounded: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of currents, of the recurrent weight, and of the leak per neuron [N] in float64."""
    _, samples, neurons = currents.shape
    d_currents = torch.empty(currents.shape, dtype=recurrent.dtype)
    d_leak = torch.empty(samples, neurons, dtype=torch.float64)
    every = 0.0 if d_count is None else float(d_count)
    d_fired = None if d_fired is None else d_fired.contiguous()
    shape = _sizes(currents, rounded), neuron_params(options)
    dense = _dense(currents, recurrent, leak, voltage, last)
    call("recurrent_backward", currents.dtype, *shape, *dense, d_fired, every, d_currents, d_leak)
    before = recurrent.new_zeros(samples, neurons) if last is None else last
    heard = torch.cat([before[None], fired[:-1].to(recurrent.dtype)])
    d_recurrent = d_currents.flatten(0, 1).t() @ heard.flatten(0, 1)
    return d_currents.to(currents.dtype, copy=True), d_recurrent, d_leak.sum(0)


@_recurrent_layer_backward.register_fake
def _recurrent_layer_backward_shapes(
    currents: Tensor,
    recurrent: Tensor,
    leak: Tensor,
    voltage: Tensor | None,
    last: Tensor | None,
    fired: Tensor,
    d_fired: Tensor | None,
    d_count: Tensor | None,
    options: list[float],
    rounded: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    d_leak = torch.empty(currents.shape[2], dtype=torch.float64)
    return (
        torch.empty(currents.shape, dtype=currents.dtype),
        torch.empty(recurrent.shape, dtype=recurrent.dtype),
        d_leak,
    )


def _keep(ctx, inputs, output):  # type: ignore[no-untyped-def]
    currents, recurrent, leak, voltage, last, ctx.options, ctx.rounded = inputs
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(output[1])
    ctx.save_for_backward(currents, recurrent, leak, voltage, last, output[0])


def _gradient(ctx, d_fired, d_voltage, d_count):  # type: ignore[no-untyped-def]
    if d_fired is None and d_count is None:
        return (None,) * 7
    d_currents, d_recurrent, d_leak = _recurrent_layer_backward(
        *ctx.saved_tensors, d_fired, d_count, ctx.options, ctx.rounded
    )
    leak = ctx.saved_tensors[2]
    return d_currents, d_recurrent, (d_leak if leak.ndim else d_leak.sum()).to(leak.dtype), None, None, None, None


def _refuse(ctx, *gradients):  # type: ignore[no-untyped-def]
    raise refuse_double_backward("recurrent_layer")


_recurrent_layer.register_autograd(_gradient, setup_context=_keep)
_recurrent_layer_backward.register_autograd(_refuse)


def _dense(
    currents: Tensor, recurrent: Tensor, leak: Tensor, voltage: Tensor | None, last: Tensor | None
) -> tuple[Tensor, Tensor, int, Tensor, Tensor | None, Tensor | None]:
    """As the kernel takes them: the weights from each neuron in a row."""
    start = None if voltage is None else voltage.contiguous()
    said = None if last is None else last.contiguous()
    return currents.contiguous(), leak.contiguous(), leak.numel(), recurrent.t().contiguous(), start, said
