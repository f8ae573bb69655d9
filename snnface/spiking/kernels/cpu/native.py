"""Calling the compiled kernels with tensors."""

import ctypes

import torch
from torch import Tensor

from snnface.errors import ShapeError, SnnfaceError
from snnface.spiking.kernels.cpu.compiler import library

__all__ = ["call", "channels_last", "number_type", "picture_sizes", "pointer", "refuse_double_backward"]

_SUFFIXES = {torch.float32: "float32", torch.bfloat16: "bfloat16", torch.float64: "float64", torch.uint8: "packed"}


def call(name: str, dtype: torch.dtype, *arguments: Tensor | ctypes.Structure | int | float | None) -> None:
    """Run the kernel `name` for numbers stored as `dtype` (uint8: packed spikes); tensors go as pointers."""
    function = getattr(library(), f"{name}_{_SUFFIXES[dtype]}")
    function(*map(_argument, arguments))


def _argument(value: Tensor | ctypes.Structure | int | float | None) -> object:
    if value is None:
        return ctypes.c_void_p(None)
    if isinstance(value, Tensor):
        return pointer(value)
    if isinstance(value, ctypes.Structure):
        return ctypes.byref(value)
    return ctypes.c_int64(value) if isinstance(value, int) else ctypes.c_double(value)


def pointer(values: Tensor) -> ctypes.c_void_p:
    """Where the numbers of a dense tensor begin."""
    return ctypes.c_void_p(values.data_ptr())


def number_type(stored: torch.dtype) -> torch.dtype:
    """What numbers stored so are computed in: the type of voltages, leaks, scales and shifts."""
    return torch.float64 if stored == torch.float64 else torch.float32


def picture_sizes(currents: Tensor) -> tuple[int, int, int]:
    """Channels, rows and columns of [T, B, C, ...]; what has no columns has one.

    Raises:
        ShapeError: if there is nothing to compute.
    """
    if currents.numel() == 0:
        raise ShapeError(f"a layer needs at least one step, sample and neuron; got {tuple(currents.shape)}.")
    channels, *rest = currents.shape[2:]
    rows = rest[0] if rest else 1
    return channels, rows, currents[0, 0, 0].numel() // rows


def channels_last(values: Tensor, *, first: int) -> Tensor:
    """The same numbers with the channels (axis `first`) innermost in memory; a view where they are so already."""
    if values.ndim == first + 3:
        folded = values.flatten(0, first - 1) if first > 1 else values
        return folded.contiguous(memory_format=torch.channels_last).view(values.shape)
    if values.ndim == first + 1:
        return values.contiguous()
    return values.movedim(first, -1).contiguous().movedim(-1, first)


def refuse_double_backward(name: str) -> SnnfaceError:
    """The error for a gradient of a gradient."""
    return SnnfaceError(
        f"the CPU kernel of {name} has no double backward; set SNNFACE_KERNEL=reference to differentiate twice."
    )
