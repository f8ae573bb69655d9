"""Neurons over time with an affine input or batch norm, and max-pooling: the operator and its gradient.

Inside, pictures are [T, B, H, W, C] and dense, which is channels_last of [T*B, C, H, W].
"""

import torch
from jaxtyping import Float
from torch import Tensor

from snnface.errors import ShapeError, SnnfaceError
from snnface.spiking import processes
from snnface.spiking.kernels import batch_norm
from snnface.spiking.kernels.cuda import passes
from snnface.spiking.kernels.options import options_of
from snnface.spiking.neurons import LayerOutput, NeuronConfig

__all__ = ["neuron_layer", "normed_layer", "refuse_double_backward", "require_something"]


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
    if scale is None or shift is None:
        scale = shift = None
    return normed_layer(currents, leak, config, scale, shift, voltage=voltage, pool=pool, eps=None)[0]


def normed_layer(
    currents: Tensor,
    leak: Tensor,
    config: NeuronConfig,
    scale: Tensor | None,
    shift: Tensor | None,
    *,
    voltage: Tensor | None,
    pool: int,
    eps: float | None,
) -> tuple[LayerOutput, Tensor]:
    """The output; and with `eps` count, means and biased variances of this batch.

    Args:
        scale, shift: of the currents; with `eps` of the currents normalised by batch
            statistics, as gamma and beta of batch norm.
    """
    require_something(currents)
    spikes, last, count, _, statistics = _neuron_layer(
        _dense(currents, first=2),
        leak.reshape(-1).float(),
        None if scale is None else scale.float(),
        None if shift is None else shift.float(),
        None if voltage is None else _dense(voltage.detach().float(), first=1),
        options_of(config),
        pool,
        eps,
    )
    sizes = spikes.shape[2:4] if currents.ndim == 5 else currents.shape[3:]
    spikes, last = spikes.movedim(-1, 2), last.detach().movedim(-1, 1)
    if currents.ndim != 5:
        last = last.reshape(currents.shape[1:])
        spikes = spikes.reshape(*currents.shape[:3], *sizes)
    return LayerOutput(spikes, last, count), statistics.detach()


def require_something(currents: Tensor) -> None:
    """Check that there is something to compute.

    Raises:
        ShapeError: if there is no step, sample or neuron.
    """
    if currents.numel() == 0:
        raise ShapeError(f"a layer needs at least one step, sample and neuron; got {tuple(currents.shape)}.")


def _dense(values: Tensor, *, first: int) -> Tensor:
    """[..., C, *S] with `first` axes before C as dense [..., H, W, C]; what has no rows or columns has one."""
    if values.ndim == first + 3:
        return values.movedim(first, -1).contiguous()
    channels = values.shape[first : first + 1]
    flat = values.reshape(*values.shape[:first], *(channels or (1,)), -1)
    return flat.movedim(first, -1).unsqueeze(first).contiguous()


def refuse_double_backward(ctx, *gradients):  # type: ignore[no-untyped-def]
    raise SnnfaceError(
        "the CUDA kernels of spiking layers have no double backward; "
        "set SNNFACE_KERNEL=reference to differentiate twice."
    )


@torch.library.custom_op("snnface::triton_neuron_layer", mutates_args=())
def _neuron_layer(
    currents: Tensor,
    leak: Tensor,
    scale: Tensor | None,
    shift: Tensor | None,
    voltage: Tensor | None,
    options: list[float],
    pool: int,
    eps: float | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Spikes, voltage, number of spikes; for the gradient the affine [2, C] that ran, and the statistics.

    With `eps` scale and shift are those of a batch norm over the statistics of this batch:
    count, means, biased variances.
    """
    affine = currents.new_empty(0, dtype=torch.float32)
    statistics = currents.new_empty(0, dtype=torch.float64)
    if scale is not None and shift is not None:
        affine = torch.stack([scale, shift])
        if eps is not None:
            statistics = _statistics(currents)
            mean, variance = statistics[1:].reshape(2, -1).unbind()
            affine = torch.stack(batch_norm.affine_of(mean, variance, scale, shift, eps))
    spikes, last, count = passes.neuron_forward(
        currents,
        leak,
        options,
        voltage=voltage,
        scale=None if scale is None else affine[0],
        shift=None if scale is None else affine[1],
        pool=pool,
    )
    return spikes, last, count, affine, statistics


@_neuron_layer.register_fake
def _neuron_layer_shapes(
    currents: Tensor,
    leak: Tensor,
    scale: Tensor | None,
    shift: Tensor | None,
    voltage: Tensor | None,
    options: list[float],
    pool: int,
    eps: float | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    steps, batch, height, width, channels = currents.shape
    spikes = currents.new_empty(steps, batch, height // pool, width // pool, channels)
    last = currents.new_empty(batch, height, width, channels, dtype=torch.float32)
    count = currents.new_empty((), dtype=torch.float64)
    affine = currents.new_empty((0,) if scale is None else (2, channels), dtype=torch.float32)
    statistics = currents.new_empty(0 if eps is None else 1 + 2 * channels, dtype=torch.float64)
    return spikes, last, count, affine, statistics


@torch.library.custom_op("snnface::triton_neuron_layer_backward", mutates_args=())
def _neuron_layer_backward(
    d_spikes: Tensor,
    d_count: Tensor,
    currents: Tensor,
    leak: Tensor,
    voltage: Tensor | None,
    affine: Tensor,
    statistics: Tensor,
    options: list[float],
    pool: int,
    eps: float | None,
) -> tuple[Tensor, Tensor]:
    """Gradient to the currents; sums per channel [3, C] for leak, shift and scale, in float64."""
    has_scale = affine.numel() > 0
    pivot = statistics[1 : 1 + currents.shape[-1]].float() if eps is not None else torch.zeros_like(affine[:1]).sum(0)
    d_currents, sums = passes.neuron_backward(
        d_spikes.contiguous(),
        d_count,
        currents,
        leak,
        options,
        voltage=voltage,
        scale=affine[0] if has_scale else None,
        shift=affine[1] if has_scale else None,
        pivot=pivot if has_scale else None,
        pool=pool,
    )
    if eps is not None:
        _through_statistics(d_currents, currents, sums, affine[0], pivot, statistics, eps)
    elif has_scale:
        passes.add_affine(d_currents, affine[0].contiguous())
    return d_currents, sums


@_neuron_layer_backward.register_fake
def _neuron_layer_backward_shapes(
    d_spikes: Tensor,
    d_count: Tensor,
    currents: Tensor,
    leak: Tensor,
    voltage: Tensor | None,
    affine: Tensor,
    statistics: Tensor,
    options: list[float],
    pool: int,
    eps: float | None,
) -> tuple[Tensor, Tensor]:
    return torch.empty_like(currents), currents.new_empty(3, currents.shape[-1], dtype=torch.float64)


def _keep_layer(ctx, inputs, output):  # type: ignore[no-untyped-def]
    currents, leak, _, _, voltage, ctx.options, ctx.pool, ctx.eps = inputs
    spikes, last, _, affine, statistics = output
    ctx.spikes = spikes.shape, spikes.dtype
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(last, affine, statistics)
    ctx.save_for_backward(currents, leak, voltage, affine, statistics)


def _layer_gradient(ctx, d_spikes, d_last, d_count, *unused):  # type: ignore[no-untyped-def]
    if d_spikes is None and d_count is None:
        return (None,) * 8
    currents, leak, voltage, affine, statistics = ctx.saved_tensors
    shape, dtype = ctx.spikes
    d_spikes = currents.new_zeros(shape, dtype=dtype) if d_spikes is None else d_spikes
    d_count = currents.new_zeros((), dtype=torch.float64) if d_count is None else d_count
    d_currents, sums = _neuron_layer_backward(
        d_spikes, d_count, currents, leak, voltage, affine, statistics, ctx.options, ctx.pool, ctx.eps
    )
    d_leak, d_shift, d_scale = (row.float() for row in sums)
    if len(leak) == 1:
        d_leak = sums[0].sum(0, keepdim=True).float()
    if affine.numel() == 0:
        d_scale = d_shift = None
    return d_currents, d_leak, d_scale, d_shift, None, None, None, None


_neuron_layer.register_autograd(_layer_gradient, setup_context=_keep_layer)
_neuron_layer_backward.register_autograd(refuse_double_backward)


def _statistics(currents: Tensor) -> Tensor:
    """Count, means and biased variances per channel, over all processes."""
    sums = torch.stack(passes.channel_sums(currents)).flatten()
    count = currents.numel() // currents.shape[-1]
    everywhere = processes.sum_in_place(torch.cat([sums.new_full((1,), count), sums]))
    total, (means, squares) = everywhere[:1], everywhere[1:].reshape(2, -1).unbind()
    if count < 2:  # Asking the card for the total makes the machine wait for it.
        batch_norm.require_statistics(int(total))
    means = means / total
    return torch.cat([total, means, (squares / total - means.square()).clamp(min=0)])


def _through_statistics(
    d_currents: Tensor,
    currents: Tensor,
    sums: Tensor,
    scale: Tensor,
    pivot: Tensor,
    statistics: Tensor,
    eps: float,
) -> None:
    """The gradient to y becomes that to the currents, in place; the scale's sum that to gamma."""
    total, (mean, variance) = statistics[0], statistics[1:].reshape(2, -1).unbind()
    # The sums were taken about the rounded mean.
    sums[2] -= sums[1] * (mean - pivot)
    by_shift, by_scale = processes.sum_in_place(sums[1:].clone())
    slope, offset = batch_norm.centring(
        by_scale, by_shift, total=total, mean=mean, variance=variance, scale=scale, eps=eps
    )
    offset -= slope * (mean - pivot)
    passes.add_affine(d_currents, scale.contiguous(), currents, (slope.float(), pivot, offset.float()))
    sums[2] /= torch.sqrt(variance + eps)
