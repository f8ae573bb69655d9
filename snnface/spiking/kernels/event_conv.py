"""The first layer of a network that watches events: convolution to spikes, at a cost that goes with the events.

Pictures of events are mostly zeros. The convolution's output is never made: each event
is added, times its weights, to the neurons that it reaches, a tile of neurons at a time
through all steps (`event_conv.cpp`). Batch statistics need no output either: with p the
patch around a pixel and w the weights of a map, mean and variance over all pixels are

    mean = w . m,   var = w . (M - m m^T) w,   m = mean of p,  M = mean of p p^T

and m and M come from sums over pairs of inputs within reach. They are plain functions of
w, so that torch differentiates them; the kernel's own gradient is that of
y = scale (w . p) + shift, all of which follows from the sums of dh (x) p and of dh.

A neuron's h is the sum of the same products as the convolution's in another order, each with
its scale: equal to rounding. Results depend neither on the number of threads nor on how time is cut.
"""

import ctypes

import torch
from jaxtyping import Float
from torch import Tensor, nn

from snnface.errors import ShapeError
from snnface.spiking import processes
from snnface.spiking.kernels import batch_norm
from snnface.spiking.kernels.cpu.buffers import empty, empty_spikes
from snnface.spiking.kernels.cpu.compiler import unavailable
from snnface.spiking.kernels.cpu.native import (
    call,
    channels_last,
    number_type,
    picture_sizes,
    refuse_double_backward,
)
from snnface.spiking.kernels.cpu.parameters import neuron_params
from snnface.spiking.kernels.options import decays_input, options_of
from snnface.spiking.kernels.packed_spikes import RelayOutput
from snnface.spiking.neurons import LayerOutput, NeuronConfig

__all__ = ["MAX_DENSITY", "event_conv_layer", "packed_event_layer", "unavailable"]

# The moments of larger ones cost with the fourth power of their side.
KERNELS = range(1, 12, 2)

# Share of non-zero inputs up to which this path is the faster one in training. Milliseconds of one
# core forward + backward (AMD EPYC with AVX-512, 64 x 64 pixels, 32 maps, T 75), here and by `cpu.conv_layer`
# (here before the forward pass became two fifths faster):
#   batch 8, 2 channels, 3 x 3:  density 0.05: 50 + 74, 172 + 220;  0.5: 114 + 143, 159 + 212
#   batch 4, 2 channels, 3 x 3:  density 0.5 in bfloat16: 58 + 79, 63 + 90;  0.75: 51 + 146, 86 + 105
#   batch 4, 8 channels, 3 x 3:  density 0.1: 114 + 103, 134 + 165;  0.3: 156 + 145, 143 + 168
#   batch 4, 2 channels, 5 x 5:  density 0.1: 48 + 88, 129 + 154;  0.3: 78 + 162, 123 + 142
# In evaluation it is the faster one up to the highest density tried: 1 in float32, 0.5 in bfloat16.
MAX_DENSITY = 0.3


def event_conv_layer(
    inputs: Float[Tensor, "T B C H W"],
    weight: Float[Tensor, "O C k k"],
    leak: Float[Tensor, ""] | Float[Tensor, " O"],
    config: NeuronConfig,
    *,
    norm: nn.BatchNorm2d,
    stride: int = 1,
    padding: int = 0,
    pool: int = 1,
    voltage: Float[Tensor, "B O H W"] | None = None,
    training: bool = False,
    small_inputs: bool = False,
) -> LayerOutput:
    """Convolution, batch norm, neurons over T steps, max-pooling; see `reference.conv_layer`.

    The inputs get no gradient. Under `torch.autocast` only the spikes are in its type:
    currents are float32.

    Raises:
        ShapeError: if stride, padding or pool are none that this kernel knows, or there are no inputs.
    """
    del small_inputs
    sizes = _sizes(inputs, weight, stride=stride, padding=padding, pool=pool)
    stored = _stored(inputs)
    real = number_type(stored)
    pictures = inputs.detach()
    events = _event_rows(pictures, sizes)
    if training:
        mean, variance = _batch_statistics(weight, norm, pictures, sizes)
    else:
        mean, variance = batch_norm.running_statistics(norm)
    scale, shift = batch_norm.affine_of(mean, variance, norm.weight, norm.bias, norm.eps)
    start = None if voltage is None else voltage.detach().to(real)
    affine = scale.to(real), shift.to(real)
    spikes, after, count = _event_conv(
        *events, weight.to(real), *affine, leak.to(real), start, options_of(config), sizes, stored
    )
    return LayerOutput(spikes, after.detach(), count)


def packed_event_layer(
    inputs: Float[Tensor, "T B C H W"],
    weight: Float[Tensor, "O C k k"],
    leak: Float[Tensor, ""] | Float[Tensor, " O"],
    config: NeuronConfig,
    *,
    norm: nn.BatchNorm2d,
    stride: int = 1,
    padding: int = 0,
    pool: int = 1,
    voltage: Float[Tensor, "B O H W"] | None = None,
) -> RelayOutput:
    """`event_conv_layer` in evaluation without gradient, its spikes packed; not in float64.

    Raises:
        ShapeError: as `event_conv_layer`.
    """
    sizes = _sizes(inputs, weight, stride=stride, padding=padding, pool=pool)
    steps, batch, _, height, width, maps, *_ = sizes
    scale, shift = batch_norm.affine_of(*batch_norm.running_statistics(norm), norm.weight, norm.bias, norm.eps)
    values = (parameter.to(torch.float32) for parameter in (weight, scale, shift, leak))
    start = None if voltage is None else voltage.to(torch.float32)
    spikes = empty_spikes(steps, batch, maps, (height // pool, width // pool), _stored(inputs))
    layer = *_event_rows(inputs, sizes), *values, start, options_of(config), sizes
    return RelayOutput(spikes, *_run_forward(torch.uint8, spikes.words, *layer))


def _sizes(inputs: Tensor, weight: Tensor, *, stride: int, padding: int, pool: int) -> list[int]:
    """T, B, C, H, W, O, k, pool."""
    kernel = weight.shape[2]
    picture_sizes(inputs)
    if kernel not in KERNELS or stride != 1 or padding != kernel // 2 or pool not in (1, 2):
        raise ShapeError(
            "the event-driven layer has an odd kernel up to 11, stride 1, padding that keeps the size, pool 1 or 2; "
            f"got kernel {kernel}, stride {stride}, padding {padding}, pool {pool}. Use conv_layer."
        )
    return [*inputs.shape, weight.shape[0], kernel, pool]


def _stored(inputs: Tensor) -> torch.dtype:
    """What spikes are stored in."""
    is_cast = torch.is_autocast_enabled("cpu") and inputs.dtype != torch.float64
    return torch.get_autocast_dtype("cpu") if is_cast else inputs.dtype


# ---- batch norm ----


def _batch_statistics(
    weight: Tensor, norm: nn.BatchNorm2d, pictures: Tensor, sizes: list[int]
) -> tuple[Tensor, Tensor]:
    """Mean and biased variance [O] of the convolution over all processes; moves the running ones."""
    num_steps, num_samples, _, height, width, *_ = sizes
    total = num_steps * num_samples * height * width
    first, second = _event_moments(pictures.to(number_type(pictures.dtype)).contiguous(), sizes)
    # The moments have no gradient, and each process differentiates w in all of them: nothing to reduce on the way back.
    if processes.is_distributed():
        sums = processes.sum_in_place(torch.cat([first, second.flatten(), first.new_tensor([total])]))
        first, second, total = sums[: len(first)], sums[len(first) : -1].view_as(second), int(sums[-1])
    batch_norm.require_statistics(total)
    first, second = first / total, second / total
    flat = weight.double().flatten(1)
    mean = flat @ first
    variance = ((flat @ (second - torch.outer(first, first))) * flat).sum(1)
    batch_norm.update_running(norm, mean.detach(), variance.detach() * (total / (total - 1)))
    return mean, variance


# ---- the operators; sizes are T, B, C, H, W, O, k, pool ----


class _Shape(ctypes.Structure):
    """`struct EventShape` of event_conv.cpp."""

    _fields_ = tuple(
        (name, ctypes.c_int64)
        for name in ("steps", "batch", "channels", "height", "width", "maps", "kernel", "pool", "threads")
    )


def _shape(sizes: list[int]) -> _Shape:
    return _Shape(*sizes, torch.get_num_threads())


@torch.library.custom_op("snnface::event_rows", mutates_args=())
def _event_rows(inputs: Tensor, sizes: list[int]) -> tuple[Tensor, Tensor, Tensor]:
    """The inputs that are not zero, by rows [B, H, T, C]: a bit for each, where each row's begin, and their values."""
    marks, offsets = _empty_rows(inputs, sizes)
    num_events = torch.empty((), dtype=torch.int64)
    # Channels that lie innermost, as the layer before leaves its spikes, are read so.
    pictures = inputs.flatten(0, 1) if inputs.is_contiguous() else channels_last(inputs, first=2).flatten(0, 1)
    layout = pictures, int(not pictures.is_contiguous())
    call("event_scan", inputs.dtype, _shape(sizes), *layout, marks, offsets, num_events)
    values = inputs.new_empty(int(num_events), dtype=number_type(inputs.dtype))
    call("event_values", inputs.dtype, _shape(sizes), *layout, marks, offsets, values)
    return marks, offsets, values


def _empty_rows(inputs: Tensor, sizes: list[int]) -> tuple[Tensor, Tensor]:
    num_steps, num_samples, channels, height, width, *_ = sizes
    rows = (num_samples, height, num_steps, channels)
    return (
        inputs.new_empty((*rows, (width + 63) // 64), dtype=torch.int64),
        inputs.new_empty(rows, dtype=torch.int64),
    )


@_event_rows.register_fake
def _event_rows_shapes(inputs: Tensor, sizes: list[int]) -> tuple[Tensor, Tensor, Tensor]:
    num_events = torch.library.get_ctx().new_dynamic_size()
    return *_empty_rows(inputs, sizes), inputs.new_empty(num_events, dtype=number_type(inputs.dtype))


@torch.library.custom_op("snnface::event_moments", mutates_args=())
def _event_moments(inputs: Tensor, sizes: list[int]) -> tuple[Tensor, Tensor]:
    """Sums over all pixels of the patch [C k k] around each, and of its products with itself [C k k, C k k]."""
    first, second = _event_moments_shapes(inputs, sizes)
    call("event_moments", inputs.dtype, _shape(sizes), inputs, first, second)
    return first, second


@_event_moments.register_fake
def _event_moments_shapes(inputs: Tensor, sizes: list[int]) -> tuple[Tensor, Tensor]:
    taps = sizes[2] * sizes[6] ** 2
    return inputs.new_empty((taps,), dtype=torch.float64), inputs.new_empty((taps, taps), dtype=torch.float64)


@torch.library.custom_op("snnface::event_conv", mutates_args=())
def _event_conv(
    marks: Tensor,
    offsets: Tensor,
    values: Tensor,
    weight: Tensor,
    scale: Tensor,
    shift: Tensor,
    leak: Tensor,
    voltage: Tensor | None,
    options: list[float],
    sizes: list[int],
    stored: torch.dtype,
) -> tuple[Tensor, Tensor, Tensor]:
    num_steps, num_samples, _, height, width, maps, _, pool = sizes
    spikes = empty((num_steps, num_samples, height // pool, width // pool, maps), stored).movedim(-1, 2)
    layer = marks, offsets, values, weight, scale, shift, leak, voltage, options, sizes
    return spikes, *_run_forward(stored, spikes, *layer)


@_event_conv.register_fake
def _event_conv_shapes(
    marks: Tensor,
    offsets: Tensor,
    values: Tensor,
    weight: Tensor,
    scale: Tensor,
    shift: Tensor,
    leak: Tensor,
    voltage: Tensor | None,
    options: list[float],
    sizes: list[int],
    stored: torch.dtype,
) -> tuple[Tensor, Tensor, Tensor]:
    num_steps, num_samples, _, height, width, maps, _, pool = sizes
    spikes = weight.new_empty((num_steps, num_samples, height // pool, width // pool, maps), dtype=stored)
    after = weight.new_empty((num_samples, height, width, maps))
    return spikes.movedim(-1, 2), after.movedim(-1, 1), weight.new_empty((), dtype=torch.float64)


def _run_forward(
    stored: torch.dtype,
    spikes: Tensor,
    marks: Tensor,
    offsets: Tensor,
    values: Tensor,
    weight: Tensor,
    scale: Tensor,
    shift: Tensor,
    leak: Tensor,
    voltage: Tensor | None,
    options: list[float],
    sizes: list[int],
) -> tuple[Tensor, Tensor]:
    """Fill `spikes`; the voltage [B, O, H, W], and the number of spikes before pooling."""
    _, num_samples, _, height, width, maps, *_ = sizes
    after = empty((num_samples, height, width, maps), weight.dtype).movedim(-1, 1)
    count = torch.empty((), dtype=torch.float64)
    layer = _layer(marks, offsets, values, weight, scale, shift, leak, voltage, options, sizes)
    call("event_forward", stored, *layer, spikes, after, count)
    return after, count


def _layer(
    marks: Tensor,
    offsets: Tensor,
    values: Tensor,
    weight: Tensor,
    scale: Tensor,
    shift: Tensor,
    leak: Tensor,
    voltage: Tensor | None,
    options: list[float],
    sizes: list[int],
) -> tuple[ctypes.Structure | Tensor | int | None, ...]:
    """The arguments that the forward and the backward kernel begin with."""
    start = None if voltage is None else channels_last(voltage, first=1)
    dense = (weight.contiguous(), scale.contiguous(), shift.contiguous(), leak.contiguous())
    return _shape(sizes), neuron_params(options), marks, offsets, values, *dense, leak.numel(), start


@torch.library.custom_op("snnface::event_conv_backward", mutates_args=())
def _event_conv_backward(
    marks: Tensor,
    offsets: Tensor,
    values: Tensor,
    weight: Tensor,
    scale: Tensor,
    shift: Tensor,
    leak: Tensor,
    voltage: Tensor | None,
    d_spikes: Tensor | None,
    d_count: Tensor | None,
    options: list[float],
    sizes: list[int],
    stored: torch.dtype,
) -> tuple[Tensor, Tensor, Tensor]:
    """Sums in float64: of dh times patch [O, C, k, k], of dh [O], of dh times what the leak pulls v by [O]."""
    num_steps, num_samples, _, height, width, maps, _, pool = sizes
    if d_spikes is None:
        d_spikes = torch.zeros((num_steps, num_samples, maps, height // pool, width // pool), dtype=stored)
    outer = torch.empty(weight.shape, dtype=torch.float64)
    sums = torch.empty(2, maps, dtype=torch.float64)
    call(
        "event_backward",
        stored,
        *_layer(marks, offsets, values, weight, scale, shift, leak, voltage, options, sizes),
        *(channels_last(d_spikes, first=2), 0.0 if d_count is None else float(d_count)),
        *(outer, sums[0], sums[1]),
    )
    return outer, sums[0].clone(), sums[1].clone()


@_event_conv_backward.register_fake
def _event_conv_backward_shapes(
    marks: Tensor,
    offsets: Tensor,
    values: Tensor,
    weight: Tensor,
    scale: Tensor,
    shift: Tensor,
    leak: Tensor,
    voltage: Tensor | None,
    d_spikes: Tensor | None,
    d_count: Tensor | None,
    options: list[float],
    sizes: list[int],
    stored: torch.dtype,
) -> tuple[Tensor, Tensor, Tensor]:
    maps = weight.new_empty((len(weight),), dtype=torch.float64)
    return weight.new_empty(weight.shape, dtype=torch.float64), maps, maps.clone()


def _keep(ctx, inputs, output):  # type: ignore[no-untyped-def]
    *tensors, ctx.options, ctx.sizes, ctx.stored = inputs
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(output[1])
    ctx.save_for_backward(*tensors)


def _gradient(ctx, d_spikes, d_voltage, d_count):  # type: ignore[no-untyped-def]
    saved = ctx.saved_tensors  # once: under checkpointing every reading computes them again
    _, _, _, weight, scale, shift, leak, _ = saved
    if d_spikes is None and d_count is None:
        return (None,) * 11
    outer, dh_sum, leak_sum = _event_conv_backward(*saved, d_spikes, d_count, ctx.options, ctx.sizes, ctx.stored)
    # h = v - leak (v - v_reset) + gain (scale x + shift), with x = w . patch
    dh_x_sum = (outer * weight.double()).sum((1, 2, 3))
    gain: Tensor | float = 1.0
    if decays_input(ctx.options):
        gain = leak.double()
        leak_sum = leak_sum + scale * dh_x_sum + shift * dh_sum
    d_weight = (outer * (gain * scale)[:, None, None, None]).to(weight)
    d_scale, d_shift = (gain * dh_x_sum).to(scale), (gain * dh_sum).to(shift)
    d_leak = (leak_sum if leak.ndim else leak_sum.sum()).to(leak)
    return None, None, None, d_weight, d_scale, d_shift, d_leak, None, None, None, None


def _refuse(ctx, *gradients):  # type: ignore[no-untyped-def]
    raise refuse_double_backward("event_conv_layer")


_event_conv.register_autograd(_gradient, setup_context=_keep)
_event_conv_backward.register_autograd(_refuse)
