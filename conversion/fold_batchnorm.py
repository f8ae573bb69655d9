"""Batch normalisation folded into the weights before it.

With the running statistics of evaluation mode, batch norm is a scale and a shift per
output channel, so a convolution or linear layer can carry it.
"""

from typing import NamedTuple

from jaxtyping import Float, Float64
from torch import Tensor, nn

from snnface.errors import UnsupportedLayerError

__all__ = ["BATCHNORMS", "Folded", "fold_batchnorm"]

BATCHNORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


class Folded(NamedTuple):
    """Weights that include the batch norm, in float64."""

    weight: Float64[Tensor, "O *I"]
    bias: Float64[Tensor, " O"]


def fold_batchnorm(weight: Float[Tensor, "O *I"], bias: Float[Tensor, " O"] | None, bn: nn.Module) -> Folded:
    """One layer's weights with the batch norm behind it, computed in float64.

        scale = gamma / sqrt(var + eps)
        weight' = scale * weight,   bias' = scale * (bias - mean) + beta

    Conventions: running statistics (evaluation mode), first axis is the output channel,
    a missing bias is 0, missing gamma and beta are 1 and 0.

    Args:
        bn: a BatchNorm1d or BatchNorm2d.

    Raises:
        UnsupportedLayerError: if it is another module, or keeps no running statistics.

    Source: Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm 2.
    """
    if not isinstance(bn, BATCHNORMS):
        raise UnsupportedLayerError(f"only BatchNorm1d and BatchNorm2d can be folded; got {type(bn).__name__}.")
    if bn.running_mean is None or bn.running_var is None:
        raise UnsupportedLayerError(
            "a batch norm without running statistics depends on the batch and cannot be folded. "
            "Train it with track_running_stats=True."
        )
    scale = (bn.running_var.detach().double() + bn.eps).rsqrt()
    if bn.weight is not None:
        scale = scale * bn.weight.detach().double()
    shift = -bn.running_mean.detach().double() if bias is None else bias.detach().double() - bn.running_mean.double()
    beta = 0.0 if bn.bias is None else bn.bias.detach().double()
    wide = scale.reshape(-1, *[1] * (weight.ndim - 1))
    return Folded(weight.detach().double() * wide, shift * scale + beta)
