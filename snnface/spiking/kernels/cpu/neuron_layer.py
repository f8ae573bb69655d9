"""Neurons over time with an affine input and max-pooling: the operator and its gradient."""

import ctypes

import torch
from jaxtyping import Float
from torch import Tensor

from snnface.spiking.kernels.cpu.buffers import empty
from snnface.spiking.kernels.cpu.native import call, channels_last, number_type, picture_sizes, refuse_double_backward
from snnface.spiking.kernels.cpu.parameters import neuron_params
from snnface.spiking.kernels.options import options_of
from snnface.spiking.neurons import LayerOutput, NeuronConfig

__all__ = ["empty_pictures", "neuron_layer", "pooled_sizes", "run_backward", "run_forward"]


def neuron_layer(
    currents: Float[Tensor, "T B *N"],
    leak: Float[Tensor, ""] | Float[Tensor, " C"],
    config: NeuronConfig,
    *,
    voltage: Float[Tensor, "B *N"] | None = None,
    scale: Float[Tensor, " C"] | None = None,
    shift: Float[Tensor, " C"] | None = None,
    pool: int = 1,
) -> LayerOutput:
    """Neurons over T steps, then max-pooling; see `reference.neuron_layer`."""
    real = number_type(currents.dtype)
    affine = scale is not None and shift is not None
    spikes, after, count = _neuron_layer(
        currents,
        leak.to(real),
        scale.to(real) if affine and scale is not None else None,
        shift.to(real) if affine and shift is not None else None,
        None if voltage is None else voltage.detach().to(real),
        options_of(config),
        pool,
    )
    return LayerOutput(spikes, after.detach(), count)


# ---- the kernels on tensors whose channels are innermost in memory ----


class _Shape(ctypes.Structure):
    """`struct Shape` of layer.cpp."""

    _fields_ = tuple((name, ctypes.c_int64) for name in ("T", "B", "H", "W", "C", "pool", "threads"))


def _shape(currents: Tensor, pool: int) -> _Shape:
    channels, rows, columns = picture_sizes(currents)
    return _Shape(*currents.shape[:2], rows, columns, channels, pool, torch.get_num_threads())


def run_forward(
    currents: Tensor,
    leak: Tensor,
    scale: Tensor | None,
    shift: Tensor | None,
    start: Tensor | None,
    options: list[float],
    pool: int,
    *,
    spikes: Tensor,
    voltage: Tensor,
) -> Tensor:
    """Fill `spikes` and `voltage` (which may be `start`); the number of spikes before pooling, 0-d float64."""
    count = torch.empty((), dtype=torch.float64)
    sizes = _shape(currents, pool), neuron_params(options)
    values = currents, leak, leak.numel(), scale, shift, start, spikes, voltage, count
    call("layer_forward", currents.dtype, *sizes, *values)
    return count


def run_backward(
    currents: Tensor,
    leak: Tensor,
    scale: Tensor | None,
    shift: Tensor | None,
    pivot: Tensor | None,
    start: Tensor | None,
    d_spikes: Tensor | None,
    d_count: Tensor | None,
    options: list[float],
    pool: int,
    *,
    d_currents: Tensor,
) -> Tensor:
    """Fill `d_currents`; the sums per channel [3, C] for leak, scale (about `pivot`) and shift, in float64."""
    sums = torch.empty(3, currents.shape[2], dtype=torch.float64)
    every = 0.0 if d_count is None else float(d_count)
    sizes = _shape(currents, pool), neuron_params(options)
    values = currents, leak, leak.numel(), scale, shift, pivot, start, d_spikes, every, d_currents, sums
    call("layer_backward", currents.dtype, *sizes, *values)
    return sums


def pooled_sizes(sizes: tuple[int, ...], pool: int) -> tuple[int, ...]:
    """Rows and columns after pooling."""
    return sizes if pool == 1 else tuple(size // pool for size in sizes)


def empty_pictures(axes: tuple[int, ...], channels: int, sizes: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """[*axes, C, *sizes] with the channels innermost in memory."""
    return empty((*axes, *sizes, channels), dtype).movedim(-1, len(axes))


# ---- the operators ----


@torch.library.custom_op("snnface::neuron_layer", mutates_args=())
def _neuron_layer(
    currents: Tensor,
    leak: Tensor,
    scale: Tensor | None,
    shift: Tensor | None,
    voltage: Tensor | None,
    options: list[float],
    pool: int,
) -> tuple[Tensor, Tensor, Tensor]:
    spikes, after, _ = _neuron_layer_shapes(currents, leak, scale, shift, voltage, options, pool)
    dense = channels_last(currents, first=2)
    start = None if voltage is None else channels_last(voltage, first=1)
    leak = leak.contiguous()
    return spikes, after, run_forward(dense, leak, scale, shift, start, options, pool, spikes=spikes, voltage=after)


@_neuron_layer.register_fake
def _neuron_layer_shapes(
    currents: Tensor,
    leak: Tensor,
    scale: Tensor | None,
    shift: Tensor | None,
    voltage: Tensor | None,
    options: list[float],
    pool: int,
) -> tuple[Tensor, Tensor, Tensor]:
    steps, samples, channels, *sizes = currents.shape
    spikes = empty_pictures((steps, samples), channels, pooled_sizes(tuple(sizes), pool), currents.dtype)
    after = empty_pictures((samples,), channels, tuple(sizes), number_type(currents.dtype))
    return spikes, after, torch.empty((), dtype=torch.float64)


@torch.library.custom_op("snnface::neuron_layer_backward", mutates_args=())
def _neuron_layer_backward(
    currents: Tensor,
    leak: Tensor,
    scale: Tensor | None,
    shift: Tensor | None,
    voltage: Tensor | None,
    d_spikes: Tensor | None,
    d_count: Tensor | None,
    options: list[float],
    pool: int,
) -> tuple[Tensor, Tensor]:
    dense = channels_last(currents, first=2)
    start = None if voltage is None else channels_last(voltage, first=1)
    d_spikes = None if d_spikes is None else channels_last(d_spikes, first=2)
    d_currents = empty_pictures(tuple(currents.shape[:2]), currents.shape[2], tuple(currents.shape[3:]), currents.dtype)
    gradients = d_spikes, d_count, options, pool
    return d_currents, run_backward(
        dense, leak.contiguous(), scale, shift, None, start, *gradients, d_currents=d_currents
    )


@_neuron_layer_backward.register_fake
def _neuron_layer_backward_shapes(
    currents: Tensor,
    leak: Tensor,
    scale: Tensor | None,
    shift: Tensor | None,
    voltage: Tensor | None,
    d_spikes: Tensor | None,
    d_count: Tensor | None,
    options: list[float],
    pool: int,
) -> tuple[Tensor, Tensor]:
    steps, samples, channels, *sizes = currents.shape
    d_currents = empty_pictures((steps, samples), channels, tuple(sizes), currents.dtype)
    return d_currents, torch.empty(3, channels, dtype=torch.float64)


def _keep(ctx, inputs, output):  # type: ignore[no-untyped-def]
    *tensors, ctx.options, ctx.pool = inputs
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(output[1])
    ctx.save_for_backward(*tensors)


def _gradient(ctx, d_spikes, d_voltage, d_count):  # type: ignore[no-untyped-def]
    currents, leak, scale, shift, voltage = ctx.saved_tensors
    if d_spikes is None and d_count is None:
        return (None,) * 7
    d_currents, sums = _neuron_layer_backward(
        currents, leak, scale, shift, voltage, d_spikes, d_count, ctx.options, ctx.pool
    )
    d_leak = (sums[0] if leak.ndim else sums[0].sum()).to(leak.dtype)
    if scale is None:
        return d_currents, d_leak, None, None, None, None, None
    return d_currents, d_leak, sums[1].to(scale.dtype), sums[2].to(scale.dtype), None, None, None


def _refuse(ctx, *gradients):  # type: ignore[no-untyped-def]
    raise refuse_double_backward("neuron_layer")


_neuron_layer.register_autograd(_gradient, setup_context=_keep)
_neuron_layer_backward.register_autograd(_refuse)
