"""Fan-out and reach of the weighted layers of PyTorch, whatever framework's network they stand in."""

from typing import TypeAlias

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

__all__ = ["WEIGHTED", "Weighted", "frame_shape", "module_fan_out", "module_reach"]

Weighted: TypeAlias = (
    nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
)

WEIGHTED = (
    *(nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
)
"""Layers whose operations follow from their inputs and weights."""


def frame_shape(layer: Weighted, inputs: Tensor) -> tuple[int, ...]:
    """The shape of one input of the layer, without any axes of steps and samples."""
    return tuple(inputs.shape[-1:] if isinstance(layer, nn.Linear) else inputs.shape[1 - layer.weight.ndim :])


def module_fan_out(layer: Weighted, shape: tuple[int, ...], *, only_nonzero: bool = False) -> Float[Tensor, "*shape"]:
    """Existing connections of each element of one input; exact in float64.

    It is the derivative of the sum of all outputs where every weight is 1, so that strides, borders, dilation and
    groups need no formulas of their own. Connections to a padding that repeats the picture count.

    Args:
        only_nonzero: leave out connections whose weight is 0.

    >>> module_fan_out(nn.Conv2d(1, 1, 3, padding=1), (1, 3, 3))[0].tolist()
    [[4.0, 6.0, 4.0], [6.0, 9.0, 6.0], [4.0, 6.0, 4.0]]
    """
    weight = layer.weight.detach()
    ones = (weight != 0).double() if only_nonzero else torch.ones_like(weight, dtype=torch.float64)
    with torch.enable_grad():
        inputs = torch.ones(1, *shape, dtype=torch.float64, device=weight.device, requires_grad=True)
        (found,) = torch.autograd.grad(_applied(layer, inputs, ones).sum(), inputs)
    return found[0]


def module_reach(layer: Weighted, events: Bool[Tensor, "F *shape"]) -> Bool[Tensor, "F *out"]:
    """Outputs that at least one event reaches, through weights of zero too."""
    ones = torch.ones_like(layer.weight.detach(), dtype=torch.float32)
    if isinstance(layer, nn.Linear):
        return events.any(dim=-1, keepdim=True).expand(-1, layer.out_features)
    return _applied(layer, events.float(), ones) > 0


def _applied(layer: Weighted, inputs: Tensor, weight: Tensor) -> Tensor:
    """The layer with other weights and without biases; its hooks do not notice."""
    if isinstance(layer, nn.Linear):
        return nn.functional.linear(inputs, weight)
    if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        return layer._conv_forward(inputs, weight, None)
    transposed = getattr(nn.functional, f"conv_transpose{layer.weight.ndim - 2}d")
    products: Tensor = transposed(
        inputs, weight, None, layer.stride, layer.padding, layer.output_padding, layer.groups, layer.dilation
    )
    return products
