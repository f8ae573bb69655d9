"""Batch norm as an affine map of each channel: the algebra that all kernels share, in float64."""

import torch
from torch import Tensor, nn

from snnface.errors import DataError

__all__ = ["affine_of", "centring", "require_statistics", "running_statistics", "update_running"]


def require_statistics(count: int) -> None:
    """Check that a variance can be taken of so many values a channel.

    Raises:
        DataError: if there is one value only.
    """
    if count < 2:
        raise DataError(
            f"batch norm needs at least two values a channel to train on; got {count}. "
            "Use longer clips, larger pictures or larger batches."
        )


def running_statistics(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Means and variances [C] of evaluation mode.

    Raises:
        DataError: if `norm` keeps none.
    """
    if norm.running_mean is None or norm.running_var is None:
        raise DataError("the batch norm has no running statistics; it cannot run in evaluation mode.")
    return norm.running_mean.double(), norm.running_var.double()


@torch.no_grad()
def update_running(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    """Move the running statistics as torch does; the variance is the unbiased one."""
    if norm.running_mean is None or norm.running_var is None or norm.num_batches_tracked is None:
        return
    norm.num_batches_tracked += 1
    momentum = 1 / norm.num_batches_tracked if norm.momentum is None else norm.momentum
    norm.running_mean += momentum * (mean - norm.running_mean).to(norm.running_mean)
    norm.running_var += momentum * (variance - norm.running_var).to(norm.running_var)


def affine_of(mean: Tensor, variance: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """scale = gamma / sqrt(var + eps) and shift = beta - mean scale, rounded once to the type of the parameters."""
    scale = gamma.double() / torch.sqrt(variance + eps)
    shift = beta.double() - mean * scale
    return scale.to(gamma.dtype), shift.to(gamma.dtype)


def centring(
    by_scale: Tensor, by_shift: Tensor, *, total: Tensor, mean: Tensor, variance: Tensor, scale: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    """What statistics of the batch add to the gradient of x, as slope * (x - mean) + offset per channel.

    Args:
        by_scale, by_shift: sums over all processes of dy (x - mean) and of dy.
        total: the number of values a channel, over all processes.
    """
    slope = -scale.double() * by_scale / (variance + eps) / total
    return slope, -scale.double() * by_shift / total
