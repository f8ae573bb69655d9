"""The spike and its stand-in derivatives.

Each is the derivative of a smooth step (`primitive`), so that a gradient check has
something to hold on to. Peers of the same form, with the same `alpha`:

    atan        spikingjelly ATan, snntorch atan
    sigmoid     spikingjelly Sigmoid, snntorch sigmoid
    triangle    spikingjelly PiecewiseQuadratic; norse "triangle" for alpha = 1
    superspike  snntorch fast_sigmoid; norse "super" for alpha = 1 (norse 1.1 leaves its alpha out)
"""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Surrogate", "derivative", "primitive", "spike"]

Surrogate = Literal["atan", "sigmoid", "triangle", "superspike"]


def derivative(distance: Float[Tensor, "*N"], surrogate: Surrogate, alpha: float) -> Float[Tensor, "*N"]:
    """The surrogate's derivative at `distance` = voltage - threshold.

        atan        (alpha / 2) / (1 + (pi/2 alpha x)^2)
        sigmoid     alpha sg (1 - sg), sg = 1 / (1 + exp(-alpha x))
        triangle    alpha max(0, 1 - alpha |x|)
        superspike  1 / (1 + alpha |x|)^2

    The first three enclose an area of 1; the last has a peak of 1.

    Source: Fang et al. 2021, arXiv:2007.05785 (atan, alpha = 2 there); Esser et al. 2016,
    arXiv:1603.08270 (triangle); Zenke and Ganguli 2018, arXiv:1705.11146 (superspike).
    """
    if surrogate == "atan":
        return (alpha / 2) / (1 + (math.pi / 2 * alpha * distance).square())
    if surrogate == "sigmoid":
        smooth = torch.sigmoid(alpha * distance)
        return alpha * smooth * (1 - smooth)
    if surrogate == "triangle":
        return alpha * (1 - alpha * distance.abs()).clamp(min=0)
    return 1 / (1 + alpha * distance.abs()).square()


def primitive(distance: Float[Tensor, "*N"], surrogate: Surrogate, alpha: float) -> Float[Tensor, "*N"]:
    """The smooth step whose derivative is `derivative`; 1/2 at the threshold ("superspike": 0)."""
    if surrogate == "atan":
        return torch.arctan(math.pi / 2 * alpha * distance) / math.pi + 0.5
    if surrogate == "sigmoid":
        return torch.sigmoid(alpha * distance)
    if surrogate == "triangle":
        scaled = (alpha * distance).clamp(-1, 1)
        return 0.5 + scaled - 0.5 * scaled * scaled.abs()
    return distance / (1 + alpha * distance.abs())


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, distance, surrogate, alpha, fires_on_equality):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(distance)
        ctx.surrogate, ctx.alpha = surrogate, alpha
        return (distance >= 0 if fires_on_equality else distance > 0).to(distance.dtype)

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def]
        (distance,) = ctx.saved_tensors
        return gradient * derivative(distance, ctx.surrogate, ctx.alpha), None, None, None


def spike(
    distance: Float[Tensor, "*N"],
    *,
    surrogate: Surrogate = "atan",
    alpha: float = 2.0,
    fires_on_equality: bool = False,
) -> Float[Tensor, "*N"]:
    """1 where `distance` (voltage - threshold) is positive, else 0; the gradient is the surrogate's.

    Convention: strictly greater, as Lava, NIR, snntorch and norse compare;
    `fires_on_equality` gives spikingjelly's `>=`. NaN does not fire.
    """
    return _Spike.apply(distance, surrogate, alpha, fires_on_equality)  # type: ignore[no-untyped-call]
