"""The spike and its stand-in derivative."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["atan_derivative", "spike"]


def atan_derivative(distance: Float[Tensor, "*N"], alpha: float) -> Float[Tensor, "*N"]:
    """Derivative of the arctangent surrogate at `distance` = voltage - threshold.

        d/dx [ arctan(pi/2 alpha x) / pi + 1/2 ] = (alpha / 2) / (1 + (pi/2 alpha x)^2)

    Source: Fang et al. 2021, arXiv:2007.05785 (alpha = 2 there).
    """
    return (alpha / 2) / (1 + (math.pi / 2 * alpha * distance).square())


class _AtanSpike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, distance, alpha, fires_on_equality):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(distance)
        ctx.alpha = alpha
        return (distance >= 0 if fires_on_equality else distance > 0).to(distance.dtype)

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def]
        (distance,) = ctx.saved_tensors
        return gradient * atan_derivative(distance, ctx.alpha), None, None


def spike(distance: Float[Tensor, "*N"], *, alpha: float = 2.0, fires_on_equality: bool = False) -> Float[Tensor, "*N"]:
    """1 where `distance` (voltage - threshold) is positive, else 0; arctangent gradient.

    Convention: strictly greater, as Lava, NIR, snntorch and norse compare;
    `fires_on_equality` gives spikingjelly's `>=`.
    """
    return _AtanSpike.apply(distance, alpha, fires_on_equality)  # type: ignore[no-untyped-call]
