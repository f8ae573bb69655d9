"""Convolution - batch norm - neurons - max-pooling: the operator and its gradient.

torch convolves a few pictures at a time; each part is put where it is kept (and its
moments are taken) while it is still in the cache. Kept for the gradient are the
convolution's output and the inputs, as bytes where they are promised to be small.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from snnface.spiking import processes
from snnface.spiking.kernels import batch_norm, reference
from snnface.spiking.kernels.cpu.native import call, channels_last, number_type, refuse_double_backward
from snnface.spiking.kernels.cpu.neuron_layer import empty_pictures, pooled_sizes, run_backward, run_forward
from snnface.spiking.kernels.options import options_of
from snnface.spiking.neurons import LayerOutput, NeuronConfig

__all__ = ["conv_layer"]

# What a part's convolution gives: small enough to stay in a last-level cache.
PART_BYTES = 8 << 20


def conv_layer(
    inputs: Float[Tensor, "T B C H W"],
    weight: Float[Tensor, "O C k1 k2"],
    leak: Float[Tensor, ""] | Float[Tensor, " O"],
    config: NeuronConfig,
    *,
    norm: nn.BatchNorm2d,
    stride: int = 1,
    padding: int = 0,
    pool: int = 1,
    voltage: Float[Tensor, "B O H2 W2"] | None = None,
    training: bool = False,
    small_inputs: bool = False,
) -> LayerOutput:
    """Convolution, batch norm, neurons over T steps, max-pooling; see `reference.conv_layer`."""
    stored = inputs.dtype
    if torch.is_autocast_enabled("cpu") and stored != torch.float64:
        stored = torch.get_autocast_dtype("cpu")
    real = number_type(stored)
    leaves = (inputs, weight, leak, norm.weight, norm.bias)
    spikes, after, count, _, _, _, statistics = _conv_layer(
        inputs,
        weight,
        leak.to(real),
        norm.weight,
        norm.bias,
        None if training else norm.running_mean,
        None if training else norm.running_var,
        None if voltage is None else voltage.detach().to(real),
        stored,
        options_of(config),
        norm.eps,
        [stride, padding, pool],
        torch.is_grad_enabled() and any(leaf.requires_grad for leaf in leaves),
        small_inputs,
    )
    if training:
        total, mean, variance = _parted(statistics.detach())
        batch_norm.update_running(norm, mean, variance * (total / (total - 1)))
    return LayerOutput(spikes, after.detach(), count)


# ---- the operators ----


@torch.library.custom_op("snnface::conv_layer", mutates_args=())
def _conv_layer(
    inputs: Tensor,
    weight: Tensor,
    leak: Tensor,
    gamma: Tensor,
    beta: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    voltage: Tensor | None,
    stored: torch.dtype,
    options: list[float],
    eps: float,
    sizes: list[int],
    keep: bool,
    small_inputs: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Spikes, voltage and number of spikes; for the gradient the convolution, the inputs, the affine, the statistics.

    The statistics are count (0 where they do not depend on this batch), means and biased variances.
    """
    constant = running_mean is not None and running_var is not None
    spikes, after, _, convolved, kept, _, statistics = _conv_layer_shapes(
        *(inputs, weight, leak, gamma, beta, running_mean, running_var, voltage),
        *(stored, options, eps, sizes, keep, small_inputs),
    )
    kernel = weight.to(stored)
    leak = leak.contiguous()
    start = None if voltage is None else channels_last(voltage, first=1)
    if running_mean is not None and running_var is not None:
        statistics = torch.cat([statistics.new_zeros(1), running_mean.double(), running_var.double()])
    if constant and not keep:
        affine = _affine(gamma, beta, statistics, eps, leak.dtype)
        count = _in_passing(inputs, kernel, leak, affine, start, options, sizes, spikes=spikes, voltage=after)
        return spikes, after, count, convolved, kept, affine, statistics
    whole = convolved if keep else _empty_convolved(inputs, weight, stored, sizes)
    moments = _convolve_into(whole, kept if keep and small_inputs else None, inputs, kernel, sizes)
    if not constant:
        statistics = _over_processes(moments)
    affine = _affine(gamma, beta, statistics, eps, leak.dtype)
    neurons = leak, affine[0], affine[1], start, options, sizes[2]
    count = run_forward(whole, *neurons, spikes=spikes, voltage=after)
    return spikes, after, count, convolved, kept, affine, statistics


@_conv_layer.register_fake
def _conv_layer_shapes(
    inputs: Tensor,
    weight: Tensor,
    leak: Tensor,
    gamma: Tensor,
    beta: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    voltage: Tensor | None,
    stored: torch.dtype,
    options: list[float],
    eps: float,
    sizes: list[int],
    keep: bool,
    small_inputs: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    steps, samples, channels, rows, columns = inputs.shape
    outputs = _convolved_sizes(inputs, weight, sizes)
    num_maps = weight.shape[0]
    real = number_type(stored)
    spikes = empty_pictures((steps, samples), num_maps, pooled_sizes(outputs, sizes[2]), stored)
    after = empty_pictures((samples,), num_maps, outputs, real)
    convolved = _empty_convolved(inputs, weight, stored, sizes) if keep else torch.empty(0, dtype=stored)
    if keep and small_inputs:
        kept = empty_pictures((steps, samples), channels, (rows, columns), torch.uint8)
    else:
        kept = torch.empty(0, dtype=torch.uint8)
    count = torch.empty((), dtype=torch.float64)
    affine = torch.empty(2, num_maps, dtype=real)
    return spikes, after, count, convolved, kept, affine, torch.empty(1 + 2 * num_maps, dtype=torch.float64)


@torch.library.custom_op("snnface::conv_layer_backward", mutates_args=())
def _conv_layer_backward(
    inputs: Tensor,
    weight: Tensor,
    leak: Tensor,
    voltage: Tensor | None,
    convolved: Tensor,
    affine: Tensor,
    statistics: Tensor,
    d_spikes: Tensor | None,
    d_count: Tensor | None,
    inputs_type: torch.dtype,
    options: list[float],
    eps: float,
    sizes: list[int],
    wanted: list[bool],
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of inputs and weight (where wanted), and of leak, gamma and beta [3, O] in float64."""
    start = None if voltage is None else channels_last(voltage, first=1)
    d_spikes = None if d_spikes is None else channels_last(d_spikes, first=2)
    count, mean, variance = _parted(statistics)
    pivot = mean.to(affine.dtype)
    gradient = empty_pictures(convolved.shape[:2], convolved.shape[2], convolved.shape[3:], convolved.dtype)
    neurons = leak.contiguous(), affine[0], affine[1], pivot, start, d_spikes, d_count, options, sizes[2]
    sums = run_backward(convolved, *neurons, d_currents=gradient)
    # The sums were taken about the rounded mean.
    sums[1] -= sums[2] * (mean - pivot)
    centre = _centre(sums, affine, pivot, statistics, eps) if float(count) else None
    sums[1] /= torch.sqrt(variance + eps)
    d_inputs, d_weight = _convolution_gradients(
        inputs, weight, convolved, gradient, centre, inputs_type=inputs_type, sizes=sizes, wanted=wanted
    )
    return d_inputs, d_weight, sums


@_conv_layer_backward.register_fake
def _conv_layer_backward_shapes(
    inputs: Tensor,
    weight: Tensor,
    leak: Tensor,
    voltage: Tensor | None,
    convolved: Tensor,
    affine: Tensor,
    statistics: Tensor,
    d_spikes: Tensor | None,
    d_count: Tensor | None,
    inputs_type: torch.dtype,
    options: list[float],
    eps: float,
    sizes: list[int],
    wanted: list[bool],
) -> tuple[Tensor, Tensor, Tensor]:
    steps, samples, channels, rows, columns = inputs.shape
    d_inputs = torch.empty(0, dtype=inputs_type)
    if wanted[0]:
        d_inputs = empty_pictures((steps, samples), channels, (rows, columns), inputs_type)
    return d_inputs, torch.empty_like(weight), torch.empty(3, weight.shape[0], dtype=torch.float64)


def _keep(ctx, inputs, output):  # type: ignore[no-untyped-def]
    pictures, weight, leak, _, _, _, _, voltage, _, options, eps, sizes, _, small_inputs = inputs
    _, after, _, convolved, kept, affine, statistics = output
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(after, convolved, kept, affine, statistics)
    ctx.inputs_type, ctx.options, ctx.eps, ctx.sizes = pictures.dtype, options, eps, sizes
    ctx.save_for_backward(kept if small_inputs else pictures, weight, leak, voltage, convolved, affine, statistics)


def _gradient(ctx, d_spikes, d_voltage, d_count, *unused):  # type: ignore[no-untyped-def]
    if d_spikes is None and d_count is None:
        return (None,) * 14
    inputs, weight, leak, voltage, convolved, affine, statistics = ctx.saved_tensors
    wanted = list(ctx.needs_input_grad[:2])
    d_inputs, d_weight, sums = _conv_layer_backward(
        *(inputs, weight, leak, voltage, convolved, affine, statistics, d_spikes, d_count),
        *(ctx.inputs_type, ctx.options, ctx.eps, ctx.sizes, wanted),
    )
    d_leak = (sums[0] if leak.ndim else sums[0].sum()).to(leak.dtype)
    d_gamma, d_beta = sums[1].to(weight.dtype), sums[2].to(weight.dtype)
    first = d_inputs if wanted[0] else None, d_weight if wanted[1] else None
    return *first, d_leak, d_gamma, d_beta, *(None,) * 9


def _refuse(ctx, *gradients):  # type: ignore[no-untyped-def]
    raise refuse_double_backward("conv_layer")


_conv_layer.register_autograd(_gradient, setup_context=_keep)
_conv_layer_backward.register_autograd(_refuse)


# ---- what they are made of ----


def _convolved_sizes(inputs: Tensor, weight: Tensor, sizes: list[int]) -> tuple[int, ...]:
    """Rows and columns that the convolution gives."""
    stride, padding, _ = sizes
    pairs = zip(inputs.shape[3:], weight.shape[2:], strict=True)
    return tuple((size + 2 * padding - side) // stride + 1 for size, side in pairs)


def _empty_convolved(inputs: Tensor, weight: Tensor, stored: torch.dtype, sizes: list[int]) -> Tensor:
    return empty_pictures(tuple(inputs.shape[:2]), weight.shape[0], _convolved_sizes(inputs, weight, sizes), stored)


def _parts(num_pictures: int, picture_bytes: int, *, multiple: int) -> list[slice]:
    """Runs of pictures that fit the cache, each (but the last) a multiple of `multiple` long."""
    length = max(PART_BYTES // picture_bytes // multiple, 1) * multiple
    # torch rounds a single picture's convolution otherwise: none may be left alone.
    while num_pictures > 1 and (length == 1 or num_pictures % length == 1):
        length += multiple
    return [slice(i, min(i + length, num_pictures)) for i in range(0, num_pictures, length)]


def _picture_bytes(pictures: Tensor) -> int:
    """Bytes of one picture of [T, B, C, H, W]."""
    return max(pictures[0, 0].numel() * pictures.element_size(), 1)


def _convolve_into(whole: Tensor, kept: Tensor | None, inputs: Tensor, weight: Tensor, sizes: list[int]) -> Tensor:
    """Fill `whole` with the convolution and `kept` with the inputs; the moments of `whole` (see statistics.cpp)."""
    moments = torch.zeros(1 + 2 * len(weight), dtype=torch.float64)
    pictures, outputs = inputs.flatten(0, 1), whole.flatten(0, 1)
    copies = None if kept is None else kept.flatten(0, 1)
    for part in _parts(len(pictures), _picture_bytes(whole), multiple=1):
        few = pictures[part].contiguous(memory_format=torch.channels_last)
        convolved = reference.convolve(few.to(weight.dtype), weight, stride=sizes[0], padding=sizes[1])
        rows = convolved.numel() // len(weight)
        into = outputs[part], moments, torch.get_num_threads()
        call("moments", weight.dtype, channels_last(convolved, first=1), rows, len(weight), *into)
        if copies is not None:
            call("bytes", few.dtype, few, few.numel(), copies[part], torch.get_num_threads())
    return moments


def _in_passing(
    inputs: Tensor,
    weight: Tensor,
    leak: Tensor,
    affine: Tensor,
    start: Tensor | None,
    options: list[float],
    sizes: list[int],
    *,
    spikes: Tensor,
    voltage: Tensor,
) -> Tensor:
    """Fill `spikes` and `voltage`, a few steps at a time; the convolution is not kept. The number of spikes."""
    stride, padding, pool = sizes
    num_samples = inputs.shape[1]
    rows, columns = _convolved_sizes(inputs, weight, sizes)
    count = torch.zeros((), dtype=torch.float64)
    picture_bytes = len(weight) * rows * columns * weight.element_size()
    for part in _parts(inputs.shape[0] * num_samples, picture_bytes, multiple=num_samples):
        steps = slice(part.start // num_samples, -(-part.stop // num_samples))
        few = inputs[steps].flatten(0, 1).to(weight.dtype)
        convolved = reference.convolve(few, weight, stride=stride, padding=padding)
        currents = channels_last(convolved, first=1).view(-1, num_samples, *convolved.shape[1:])
        neurons = leak, affine[0], affine[1], start, options, pool
        count += run_forward(currents, *neurons, spikes=spikes[steps], voltage=voltage)
        start = voltage
    return count


def _affine(gamma: Tensor, beta: Tensor, statistics: Tensor, eps: float, real: torch.dtype) -> Tensor:
    """Scale and shift [2, O] of batch norm with these statistics; see `reference.batch_affine`."""
    _, mean, variance = _parted(statistics)
    return torch.stack(batch_norm.affine_of(mean, variance, gamma, beta, eps)).to(real)


def _parted(statistics: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Count [1], means [O] and squares or variances [O] from one tensor of all three."""
    maps = len(statistics) // 2
    return statistics[:1], statistics[1 : 1 + maps], statistics[1 + maps :]


def _over_processes(moments: Tensor) -> Tensor:
    """Count, means and biased variances of all processes, from the moments of this one."""
    count, mean, squares = _parted(moments)
    sums = processes.sum_in_place(torch.cat([count, count * mean]))
    total, common = sums[:1], sums[1:] / sums[:1]
    squares = processes.sum_in_place(squares + count * (mean - common).square())
    batch_norm.require_statistics(int(total))
    return torch.cat([total, common, squares / total])


def _centre(sums: Tensor, affine: Tensor, pivot: Tensor, statistics: Tensor, eps: float) -> list[Tensor]:
    """What batch statistics add to a gradient, as slope * (x - pivot) + shift per channel: [slope, pivot, shift]."""
    total, mean, variance = _parted(statistics)
    by_scale, by_shift = processes.sum_in_place(sums[1:].clone())
    slope, offset = batch_norm.centring(
        by_scale, by_shift, total=total, mean=mean, variance=variance, scale=affine[0], eps=eps
    )
    return [slope.to(pivot.dtype), pivot, (offset - slope * (mean - pivot)).to(pivot.dtype)]


def _convolution_gradients(
    inputs: Tensor,
    weight: Tensor,
    convolved: Tensor,
    gradient: Tensor,
    centre: list[Tensor] | None,
    *,
    inputs_type: torch.dtype,
    sizes: list[int],
    wanted: list[bool],
) -> tuple[Tensor, Tensor]:
    """Gradients of inputs and weight from that of the convolution, which is used up."""
    stride, padding, _ = sizes
    stored = gradient.dtype
    kernel = weight.to(stored, memory_format=torch.channels_last)
    d_weight = torch.zeros(weight.shape, dtype=weight.dtype)
    d_inputs = _room_for(inputs, inputs_type, gradient) if wanted[0] else torch.empty(0, dtype=inputs_type)
    if not any(wanted):
        return d_inputs, d_weight
    pictures, currents, gradients = inputs.flatten(0, 1), convolved.flatten(0, 1), gradient.flatten(0, 1)
    geometry = [stride, stride], [padding, padding], [1, 1], False, [0, 0], 1
    for part in _parts(len(pictures), _picture_bytes(gradient), multiple=1):
        d = gradients[part]
        if centre is not None:
            rows = d.numel() // len(weight)
            call("centre_gradient", stored, d, currents[part], rows, len(weight), *centre, torch.get_num_threads())
        few = pictures[part].to(stored).contiguous(memory_format=torch.channels_last)
        by_input, by_weight, _ = torch.ops.aten.convolution_backward(d, few, kernel, None, *geometry, [*wanted, False])
        if wanted[0]:
            d_inputs.flatten(0, 1)[part].copy_(by_input)
        if wanted[1]:
            d_weight += by_weight
    return d_inputs, d_weight


def _room_for(inputs: Tensor, inputs_type: torch.dtype, gradient: Tensor) -> Tensor:
    """An empty gradient of the inputs; over that of the convolution where they are of one size."""
    steps, samples, channels, *sizes = inputs.shape
    if inputs_type == gradient.dtype and inputs[0, 0].numel() == gradient[0, 0].numel():
        flat = gradient.movedim(2, -1).reshape(steps, samples, *sizes, channels)
        return flat.movedim(-1, 2)
    return empty_pictures((steps, samples), channels, tuple(sizes), inputs_type)
