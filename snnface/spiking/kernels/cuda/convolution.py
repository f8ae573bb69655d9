"""Convolution - batch norm - neurons - max-pooling; and a convolution that keeps its inputs as bytes."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from snnface.spiking.kernels import batch_norm, reference
from snnface.spiking.kernels.cuda.neurons import neuron_layer, normed_layer, refuse_double_backward
from snnface.spiking.neurons import LayerOutput, NeuronConfig

__all__ = ["conv_layer"]


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
    """Convolution (torch's), batch norm, neurons over T steps, max-pooling; see `reference.conv_layer`.

    Kept for the gradient are the convolution's output and its inputs, as bytes where they
    are promised to be small. Sparse inputs are convolved as dense ones: the event-driven
    path is the CPU's.
    """
    currents = _convolve(inputs.flatten(0, 1), weight, stride=stride, padding=padding, small_inputs=small_inputs)
    currents = currents.reshape(*inputs.shape[:2], *currents.shape[1:])
    if not training:
        scale, shift = reference.batch_affine(currents.flatten(0, 1), norm, training=False)
        return neuron_layer(currents, leak, config, voltage=voltage, scale=scale, shift=shift, pool=pool)
    output, statistics = normed_layer(
        currents, leak, config, norm.weight, norm.bias, voltage=voltage, pool=pool, eps=norm.eps
    )
    total, (mean, variance) = statistics[0], statistics[1:].reshape(2, -1).unbind()
    batch_norm.update_running(norm, mean, variance * (total / (total - 1)))
    return output


def _convolve(pictures: Tensor, weight: Tensor, *, stride: int, padding: int, small_inputs: bool) -> Tensor:
    if not (small_inputs and weight.requires_grad and torch.is_grad_enabled()):
        return reference.convolve(pictures, weight, stride=stride, padding=padding)
    kind = pictures.device.type
    if torch.is_autocast_enabled(kind):
        pictures, weight = (values.to(torch.get_autocast_dtype(kind)) for values in (pictures, weight))
    convolved: Tensor = _convolve_bytes(pictures, weight, [stride, stride], [padding, padding])[0]
    return convolved


@torch.library.custom_op("snnface::convolve_bytes", mutates_args=())
def _convolve_bytes(
    pictures: Tensor, weight: Tensor, stride: Sequence[int], padding: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """The convolution, and the pictures (whole numbers from 0 to 255) as bytes."""
    convolved = reference.convolve(pictures, weight, stride=stride[0], padding=padding[0])
    kept = pictures.to(torch.uint8, memory_format=torch.channels_last)
    return convolved.clone() if convolved._base is not None else convolved, kept


@_convolve_bytes.register_fake
def _convolve_bytes_shapes(
    pictures: Tensor, weight: Tensor, stride: Sequence[int], padding: Sequence[int]
) -> tuple[Tensor, Tensor]:
    kept = torch.empty_like(pictures, dtype=torch.uint8, memory_format=torch.channels_last)
    return reference.convolve(pictures, weight, stride=stride[0], padding=padding[0]), kept


@torch.library.custom_op("snnface::convolve_bytes_backward", mutates_args=())
def _convolve_bytes_backward(
    gradient: Tensor,
    kept: Tensor,
    weight: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    wanted: Sequence[bool],
) -> tuple[Tensor, Tensor]:
    """Gradients of pictures and weight; empty where not wanted."""
    d_pictures, d_weight, _ = torch.ops.aten.convolution_backward(
        gradient.contiguous(memory_format=torch.channels_last),
        kept.to(weight.dtype),
        weight.contiguous(memory_format=torch.channels_last),
        *(None, stride, padding, [1, 1], False, [0, 0], 1, [*wanted, False]),
    )
    nothing = gradient.new_empty(0)
    return nothing if d_pictures is None else d_pictures, nothing.clone() if d_weight is None else d_weight


@_convolve_bytes_backward.register_fake
def _convolve_bytes_backward_shapes(
    gradient: Tensor,
    kept: Tensor,
    weight: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    wanted: Sequence[bool],
) -> tuple[Tensor, Tensor]:
    d_pictures = torch.empty_like(kept, dtype=weight.dtype) if wanted[0] else gradient.new_empty(0)
    return d_pictures, torch.empty_like(weight) if wanted[1] else gradient.new_empty(0)


def _keep_convolution(ctx, inputs, output):  # type: ignore[no-untyped-def]
    _, weight, ctx.stride, ctx.padding = inputs
    ctx.mark_non_differentiable(output[1])
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(output[1], weight)


def _convolution_gradient(ctx, gradient, unused):  # type: ignore[no-untyped-def]
    if gradient is None:
        return None, None, None, None
    wanted = list(ctx.needs_input_grad[:2])
    gradients = _convolve_bytes_backward(gradient, *ctx.saved_tensors, ctx.stride, ctx.padding, wanted)
    d_pictures, d_weight = (value if asked else None for value, asked in zip(gradients, wanted, strict=True))
    return d_pictures, d_weight, None, None


_convolve_bytes.register_autograd(_convolution_gradient, setup_context=_keep_convolution)
_convolve_bytes_backward.register_autograd(refuse_double_backward)
