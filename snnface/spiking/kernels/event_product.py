"""The product of a matrix and spikes: sums of the weight rows of those that are there.

Most inputs of a full layer are zero. A row's sums are made in the order of its inputs,
whatever rows are beside it: results depend neither on the number of threads nor on how
time is cut.
"""

import ctypes
from collections.abc import MutableMapping

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from snnface.spiking.kernels.cpu.compiler import unavailable
from snnface.spiking.kernels.cpu.native import call

__all__ = ["event_product", "unavailable"]


def event_product(inputs: Float[Tensor, "*N D"], weight: Float[Tensor, "D2 D"]) -> Float[Tensor, "*N D2"]:
    """inputs weight^T without gradient, in the number type of the weights."""
    rows = inputs.flatten(0, -2).contiguous()
    products = weight.new_empty(len(rows), len(weight))
    shape = _Shape(*rows.shape, len(weight), torch.get_num_threads())
    call("event_product", rows.dtype, shape, rows, _transposed(weight), products)
    return products.view(*inputs.shape[:-1], len(weight))


class _Shape(ctypes.Structure):
    """`struct ProductShape` of event_product.cpp."""

    _fields_ = tuple((name, ctypes.c_int64) for name in ("rows", "inputs", "outputs", "threads"))


_kept: MutableMapping[Tensor, tuple[tuple[int, int], Tensor]] = WeakIdKeyDictionary()


def _transposed(weight: Tensor) -> Tensor:
    """The weights of each input in a row; made again when the weights have changed."""
    if weight.is_inference():
        return weight.detach().t().contiguous()
    state = weight.data_ptr(), weight._version
    if weight not in _kept or _kept[weight][0] != state:
        _kept[weight] = state, weight.detach().t().contiguous()
    return _kept[weight][1]
