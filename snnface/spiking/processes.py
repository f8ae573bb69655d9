"""Sums over the processes that share each batch (`torch.distributed`)."""

import torch.distributed as dist
from torch import Tensor

__all__ = ["differentiable_sum", "is_distributed", "sum_in_place"]


def is_distributed() -> bool:
    """Do several processes share each batch?"""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def sum_in_place(values: Tensor) -> Tensor:
    """`values`, which become their sum over all processes; without a gradient."""
    if is_distributed():
        dist.all_reduce(values)
    return values


def differentiable_sum(values: Tensor) -> Tensor:
    """The sum over all processes; its gradient is summed over them, too."""
    if not is_distributed():
        return values
    from torch.distributed.nn.functional import all_reduce

    summed: Tensor = all_reduce(values)  # type: ignore[no-untyped-call]
    return summed
