"""Launching the Triton programs on tensors [T, B, H, W, C]; values only, no autograd."""

import math
from typing import Any, NamedTuple

import torch
import triton
from jaxtyping import Float, Float32, Float64
from torch import Tensor

from snnface.errors import ShapeError
from snnface.spiking.kernels.cuda import channel_programs, programs
from snnface.spiking.kernels.options import SURROGATES

__all__ = ["add_affine", "channel_sums", "neuron_backward", "neuron_forward", "rest"]

_MOST_STEPS = 8
"""Steps whose loads are in flight together; the backward pass holds as many voltages in registers.

For 2 x 2 pooling five: more spill on compute capability 8.0 and 9.0 (as ptxas reports)."""

_THREADS = 128
_EXACT = {"enable_fp_fusion": False, "num_warps": _THREADS // 32}
"""A product and a sum stay two roundings, in LLVM and in ptxas; else spikes would differ from the definition's."""


def neuron_forward(
    currents: Float[Tensor, "T B H W C"],
    leak: Float32[Tensor, " L"],
    options: list[float],
    *,
    voltage: Float32[Tensor, "B H W C"] | None,
    scale: Float32[Tensor, " C"] | None,
    shift: Float32[Tensor, " C"] | None,
    pool: int,
) -> tuple[Float[Tensor, "T B H2 W2 C"], Float32[Tensor, "B H W C"], Float64[Tensor, ""]]:
    """Pooled spikes, the last voltage, and the number of spikes before pooling.

    Args:
        leak: [1] or [C].
        options: `options_of` a `NeuronConfig`.
    """
    num_steps, batch, height, width, channels = currents.shape
    tile = _tile(currents, pool, per_thread=8)
    spikes = currents.new_empty(num_steps, batch, height // pool, width // pool, channels)
    last = currents.new_empty(batch, height, width, channels, dtype=torch.float32)
    counts = currents.new_empty(tile.grid, dtype=torch.float32)
    with torch.cuda.device(currents.get_device()):
        programs.forward[tile.grid](
            currents, leak, _or(voltage, last), _or(scale, leak), _or(shift, leak), spikes, last, counts,
            *tile.sizes, last.numel(), spikes[0].numel(),
            **_rule(options), **tile.constants, LEAK_PER_CHANNEL=len(leak) > 1,
            HAS_VOLTAGE=voltage is not None, HAS_SCALE=scale is not None, **_EXACT,
        )  # fmt: skip
    return spikes, last, counts.sum(dtype=torch.float64)


def neuron_backward(
    d_spikes: Float[Tensor, "T B H2 W2 C"],
    d_num_spikes: Float[Tensor, ""],
    currents: Float[Tensor, "T B H W C"],
    leak: Float32[Tensor, " L"],
    options: list[float],
    *,
    voltage: Float32[Tensor, "B H W C"] | None,
    scale: Float32[Tensor, " C"] | None,
    shift: Float32[Tensor, " C"] | None,
    pivot: Float32[Tensor, " C"] | None,
    pool: int,
    d_voltage: Float32[Tensor, "B H W C"] | None = None,
) -> tuple[Float[Tensor, "T B H W C"], Float64[Tensor, "3 C"]]:
    """Gradient to y = currents * scale + shift, and sums per channel.

    Args:
        d_voltage: gradient to the last voltage; that to the first one is put there.

    Returns:
        dy, and the sums of what the leak gets, of dy, and of dy (currents - pivot); the
        last two are empty if there is no scale.
    """
    tile = _tile(currents, pool, per_thread=4)
    num_neurons = currents[0].numel()
    d_currents = torch.empty_like(currents)
    sums = currents.new_empty(3, tile.grid[0], currents.shape[-1], dtype=torch.float32)
    num_kept = max(1, math.ceil(len(currents) / tile.constants["STEPS"]) - 1)
    kept = currents.new_empty(num_kept, num_neurons, dtype=torch.float32)
    with torch.cuda.device(currents.get_device()):
        programs.backward[tile.grid](
            d_spikes, d_num_spikes.float(), currents, leak, _or(voltage, kept), _or(scale, leak),
            _or(shift, leak), _or(pivot, leak), d_currents, _or(d_voltage, kept), sums, kept,
            *tile.sizes, num_neurons, d_spikes[0].numel(), sums[0].numel(),
            **_rule(options), **_slope(options), **tile.constants,
            LEAK_PER_CHANNEL=len(leak) > 1, CARRIES=d_voltage is not None,
            HAS_VOLTAGE=voltage is not None, HAS_SCALE=scale is not None, **_EXACT,
        )  # fmt: skip
    return d_currents, sums.sum(1, dtype=torch.float64)


def channel_sums(currents: Float[Tensor, "T B H W C"]) -> tuple[Float64[Tensor, " C"], Float64[Tensor, " C"]]:
    """Sum and sum of squares of each channel, accumulated in float64."""
    channels = currents.shape[-1]
    num_rows = currents.numel() // channels
    height, width = _block(channels)
    # Enough programs for any card; more only makes the second sum longer.
    rows_each = height * math.ceil(num_rows / (height * 1024))
    grid = (math.ceil(num_rows / rows_each), math.ceil(channels / width))
    sums = currents.new_empty(2, grid[0], channels, dtype=torch.float64)
    with torch.cuda.device(currents.get_device()):
        channel_programs.moments[grid](
            currents, sums, num_rows, rows_each, channels, sums[0].numel(), ROWS=height, CHANNELS=width, **_EXACT
        )
    total, squares = sums.sum(1)
    return total, squares


def add_affine(
    gradient: Float[Tensor, "T B H W C"],
    slope: Float32[Tensor, " C"],
    currents: Float[Tensor, "T B H W C"] | None = None,
    centre: tuple[Float32[Tensor, " C"], Float32[Tensor, " C"], Float32[Tensor, " C"]] | None = None,
) -> None:
    """gradient := slope * gradient, in place; with (a, pivot, b) = `centre` plus a (currents - pivot) + b."""
    channels = gradient.shape[-1]
    num_rows = gradient.numel() // channels
    height, width = _block(channels)
    with torch.cuda.device(gradient.get_device()):
        channel_programs.add_affine[(math.ceil(num_rows / height), math.ceil(channels / width))](
            gradient, _or(currents, gradient), slope, *(centre or (slope, slope, slope)), num_rows, channels,
            HAS_VALUES=currents is not None, ROWS=height, CHANNELS=width, **_EXACT,
        )  # fmt: skip


def _block(channels: int) -> tuple[int, int]:
    """Rows and channels that a program over [rows, C] takes at a time."""
    width = min(triton.next_power_of_2(channels), 64)
    return 1024 // width, width


class _Tile(NamedTuple):
    """How a layer is cut into programs: see `programs`."""

    grid: tuple[int, int]
    sizes: tuple[int, ...]
    constants: dict[str, int]


def _tile(currents: Tensor, pool: int, *, per_thread: int) -> _Tile:
    num_steps, batch, height, width, channels = currents.shape
    num_neurons = currents[0].numel()
    if num_neurons * _MOST_STEPS >= 2**31:
        raise ShapeError(
            f"the CUDA kernel takes fewer than {2**31 // _MOST_STEPS} neurons a step; got {num_neurons}. "
            "Use smaller batches."
        )
    rows = batch * math.ceil(height / pool) * math.ceil(width / pool)
    # Small layers are cut into small tiles, one window a thread: a card runs some 500 programs at a time.
    most = _THREADS * max(1, per_thread // pool**2)
    size = min(most, max(_THREADS, triton.next_power_of_2(rows * channels // 512)))
    across = min(triton.next_power_of_2(channels), 64)
    windows = size // across
    steps = _steps(num_steps, most=max(1, min(_MOST_STEPS, 20 // pool**2)))
    return _Tile(
        (math.ceil(rows / windows), math.ceil(channels / across)),
        (num_steps, height, width, channels, rows),
        {"POOL": pool, "WINDOWS": windows, "CHANNELS": across, "STEPS": steps, "EVEN": num_steps % steps == 0},
    )


def _steps(num_steps: int, *, most: int) -> int:
    """Steps of a chunk: one that divides the clip's, if it is not too small."""
    if num_steps <= most:
        return num_steps
    return next((steps for steps in range(most, most // 2, -1) if num_steps % steps == 0), most)


def rest(options: list[float]) -> float:
    """The voltage that a neuron starts from."""
    return options[1]


def _rule(options: list[float]) -> dict[str, Any]:
    threshold, v_reset, _, subtract, decay_input, on_equality, _, _ = options
    return {
        "THRESHOLD": threshold,
        "V_RESET": v_reset,
        "DECAY_INPUT": bool(decay_input),
        "SUBTRACT": bool(subtract),
        "ON_EQUALITY": bool(on_equality),
    }


def _slope(options: list[float]) -> dict[str, Any]:
    """What only the gradient asks for."""
    _, _, alpha, *_, surrogate, detach_reset = options
    return {"SURROGATE": SURROGATES[int(surrogate)], "ALPHA": alpha, "DETACH_RESET": bool(detach_reset)}


def _or(tensor: Tensor | None, other: Tensor) -> Tensor:
    """A program needs some pointer, also for what it will not read."""
    return other if tensor is None else tensor
