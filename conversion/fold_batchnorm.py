"""Batch normalisation folded into the weights before it.

With the running statistics of evaluation mode, batch norm is a scale and a shift per
output channel, so a convolution or linear layer can carry it.
"""

import copy
from typing import NamedTuple

from jaxtyping import Float, Float64
from torch import Tensor, nn

from snnface.errors import UnsupportedLayerError

__all__ = ["BATCHNORMS", "Folded", "fold_batchnorm", "fold_sequential"]

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


def fold_sequential(model: nn.Sequential) -> nn.Sequential:
    """A copy of `model` in which every batch norm is folded into the layer before it.

    Nested Sequentials are folded inside; a batch norm becomes an Identity, so the names of
    all other layers stay. The weights keep their type. The input is left unchanged.

    Raises:
        UnsupportedLayerError: if a batch norm does not stand directly behind a Conv2d
            (BatchNorm2d) or Linear (BatchNorm1d); the message names it.
    """
    folded = copy.deepcopy(model).eval()
    _fold_children(folded, prefix="")
    return folded


def _fold_children(model: nn.Sequential, prefix: str) -> None:
    before: nn.Module | None = None
    for name, module in list(model.named_children()):
        if isinstance(module, nn.Sequential):
            _fold_children(module, prefix=f"{prefix}{name}.")
        if isinstance(module, BATCHNORMS):
            partner = nn.Linear if isinstance(module, nn.BatchNorm1d) else nn.Conv2d
            if not isinstance(before, nn.Linear | nn.Conv2d) or type(before) is not partner:
                raise UnsupportedLayerError(
                    f"layer '{prefix}{name}' is {type(module).__name__} and must stand directly behind a "
                    f"{partner.__name__}; it stands behind "
                    f"{'nothing' if before is None else type(before).__name__}."
                )
            _carry(before, module)
            setattr(model, name, nn.Identity())
        if not isinstance(module, nn.Identity | nn.Dropout):
            before = module


def _carry(layer: nn.Conv2d | nn.Linear, bn: nn.Module) -> None:
    weight, bias = fold_batchnorm(layer.weight, layer.bias, bn)
    dtype = layer.weight.dtype
    layer.weight = nn.Parameter(weight.to(dtype))
    layer.bias = nn.Parameter(bias.to(dtype))
