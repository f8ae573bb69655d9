"""Layers that read spikes, without gradient: sums of weights, no multiplication.

Four inputs that are 0 or 1 are a number below 16, and the sums of the weights for each of the
16 stand in a table: one addition does the work of four multiplications, in the precision of
the weights. Larger whole numbers, up to 255, are summed bit by bit.

Every sum is made in one order, and what is absent changes no bit of it (`spike_layer.cpp`): results
depend neither on the number of threads, nor on how time is cut, nor on what else is in the batch.
Currents are those of the reference to rounding, but for weights that are no finite numbers:
these matter only where a spike meets them (0 * inf is not added).

Where spikes are bfloat16, as under `torch.autocast`, weights are rounded to whole multiples of a quantum
of their map: a power of two, large enough for the sum of any 288 of them in the kernel's order (9 words of 32
channels) to fit 16 bits. The error is of the size that bfloat16 weights would bring; sums of the
rounded weights are exact while they stay below 2^24 quanta, voltages are float32.
"""

import ctypes
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from snnface.errors import DataError
from snnface.spiking.kernels import batch_norm
from snnface.spiking.kernels.cpu.buffers import empty, empty_spikes
from snnface.spiking.kernels.cpu.compiler import unavailable
from snnface.spiking.kernels.cpu.native import call, channels_last, number_type
from snnface.spiking.kernels.cpu.neuron_layer import empty_pictures, pooled_sizes
from snnface.spiking.kernels.cpu.parameters import neuron_params
from snnface.spiking.kernels.options import options_of
from snnface.spiking.kernels.packed_spikes import PackedSpikes, RelayOutput
from snnface.spiking.neurons import NeuronConfig

__all__ = ["flattened", "spike_conv_layer", "spike_full_layer", "spike_product", "unavailable"]


def spike_conv_layer(
    inputs: Float[Tensor, "T B C H W"] | PackedSpikes,
    weight: Float[Tensor, "O C k1 k2"],
    leak: Float[Tensor, ""] | Float[Tensor, " O"],
    config: NeuronConfig,
    *,
    norm: nn.BatchNorm2d,
    stride: int = 1,
    padding: int = 0,
    pool: int = 1,
    voltage: Float[Tensor, "B O H2 W2"] | None = None,
    packed: bool = False,
) -> RelayOutput:
    """Convolution, batch norm in its running statistics, neurons over T steps, max-pooling; see `reference.conv_layer`.

    Args:
        packed: pack the spikes; not in float64.

    Raises:
        DataError: if an input is no whole number from 0 to 255.
    """
    stored = _stored(inputs)
    affine = batch_norm.affine_of(*batch_norm.running_statistics(norm), norm.weight, norm.bias, norm.eps)
    geometry = [stride, padding, pool]
    sums = _Sums.of(inputs, weight, stored, geometry)
    shape = sums.shape
    axes, sizes = (shape.steps, shape.batch), pooled_sizes(sums.sizes, pool)
    spikes: Tensor | PackedSpikes
    if packed:
        spikes = empty_spikes(*axes, shape.maps, sizes, stored)
    else:
        spikes = empty_pictures(axes, shape.maps, sizes, stored)
    return RelayOutput(spikes, *_run_neurons(sums, leak, config, affine, voltage, spikes=spikes))


def spike_full_layer(
    inputs: Float[Tensor, "T B D"] | PackedSpikes,
    weight: Float[Tensor, "D2 D"],
    leak: Float[Tensor, ""] | Float[Tensor, " D2"],
    config: NeuronConfig,
    *,
    voltage: Float[Tensor, "B D2"] | None = None,
    packed: bool = False,
) -> RelayOutput:
    """Full weight matrix, neurons over T steps.

    Args:
        packed: pack the spikes; not in float64.

    Raises:
        DataError: if an input is no whole number from 0 to 255.
    """
    stored = _stored(inputs)
    steps, batch, _ = inputs.shape
    start = None if voltage is None else _as_row(voltage[None])[0]
    sums = _row_sums(inputs, weight, stored)
    spikes: Tensor | PackedSpikes
    # In memory a row of samples is what it is without the axes of pictures.
    if packed:
        spikes = empty_spikes(steps, batch, len(weight), (), stored)
    else:
        spikes = empty((steps, batch, len(weight)), stored)
    after, count = _run_neurons(sums, leak, config, None, start, spikes=spikes)
    return RelayOutput(spikes, _from_row(after[None])[0], count)


def spike_product(inputs: Float[Tensor, "T B D"], weight: Float[Tensor, "D2 D"]) -> Float[Tensor, "T B D2"]:
    """inputs weight^T, in the precision of the weights.

    Raises:
        DataError: if an input is no whole number from 0 to 255.
    """
    sums = _row_sums(inputs, weight, number_type(_stored(inputs)))
    products = torch.empty(*inputs.shape[:2], len(weight), dtype=sums.real)
    call("spike_sums", sums.real, sums.shape, sums.words, sums.planes, sums.weights, products)
    return products


# ---- a full layer is a convolution of 1 x 1 over a row of samples ----


def _as_row(values: Tensor) -> Tensor:
    """[T, B, D] -> [T, 1, D, 1, B]"""
    return values.movedim(1, 2)[:, None, :, None]


def _from_row(values: Tensor) -> Tensor:
    return values[:, 0, :, 0].movedim(2, 1)


def _row_sums(inputs: Tensor | PackedSpikes, weight: Tensor, stored: torch.dtype) -> "_Sums":
    return _Sums.of(inputs, weight, stored, [1, 0, 1])


# ---- calling the kernels ----


def _stored(inputs: Tensor | PackedSpikes) -> torch.dtype:
    """What spikes are stored in."""
    is_cast = torch.is_autocast_enabled("cpu") and inputs.dtype != torch.float64
    return torch.get_autocast_dtype("cpu") if is_cast else inputs.dtype


class _Shape(ctypes.Structure):
    """`struct SpikeShape` of spike_layer.cpp."""

    _fields_ = tuple(
        (name, ctypes.c_int64)
        for name in (
            *("steps", "batch", "height", "width", "channels", "maps", "kernel_height", "kernel_width"),
            *("stride", "padding", "pool", "lanes", "threads"),
        )
    )


@dataclass(frozen=True, kw_only=True)
class _Sums:
    """A convolution that is ready to be summed.

    Attributes:
        real: what is summed, and how.
        sizes: rows and columns that it gives.
        words: the inputs, a bit each, for each of the bits `planes` that occur in them.
        weights, quanta: see `_Arranged`.
    """

    shape: _Shape
    real: torch.dtype
    sizes: tuple[int, ...]
    words: Tensor
    planes: int
    weights: Tensor
    quanta: Tensor | None

    @classmethod
    def of(cls, inputs: Tensor | PackedSpikes, weight: Tensor, stored: torch.dtype, geometry: list[int]) -> "_Sums":
        """Of inputs [T, B, C, H, W] and a weight [O, C, k1, k2], or of rows [T, B, D] and [O, D].

        Args:
            stored: bfloat16 takes weights of 16 bits.
            geometry: stride, padding and pool.
        """
        given = inputs if isinstance(inputs, Tensor) else inputs.outline()
        pictures, kernel = (given, weight) if weight.ndim == 4 else (_as_row(given), weight[:, :, None, None])
        stride, padding, _ = geometry
        steps, batch, channels, *rest = pictures.shape
        maps, _, *sides = kernel.shape
        sizes = tuple((size + 2 * padding - side) // stride + 1 for size, side in zip(rest, sides, strict=True))
        lanes = _lanes(maps, stored)
        shape = _Shape(steps, batch, *rest, channels, maps, *sides, *geometry, lanes, torch.get_num_threads())
        words, planes = (inputs.words, 1) if isinstance(inputs, PackedSpikes) else _packed(pictures, shape)
        if planes < 0:
            raise _broken_promise(given)
        arranged = _arranged(kernel, weight, stored)
        return cls(shape=shape, real=number_type(stored), sizes=sizes, words=words, planes=planes, **arranged._asdict())


def flattened(pictures: PackedSpikes) -> PackedSpikes:
    """[T, B, C, H, W] -> [T, B, C H W], in the order of `Tensor.flatten`."""
    steps, batch, channels, height, width = pictures.shape
    rows = empty_spikes(steps, batch, channels * height * width, (), pictures.dtype)
    shape = _Shape(steps, batch, height, width, channels, *[1] * 7, torch.get_num_threads())
    call("spike_flatten", torch.uint8, shape, pictures.words, rows.words)
    return rows


def _packed(inputs: Tensor, shape: _Shape) -> tuple[Tensor, int]:
    """A bit of every input, for each bit that occurs; and which bits occur, or -1 if they are no small numbers."""
    dense = channels_last(inputs, first=2)
    steps, batch, channels, *sizes = inputs.shape
    size = -(-channels // 32), steps * batch, *sizes
    words, seen = torch.empty(1, *size, dtype=torch.int64), torch.empty((), dtype=torch.int64)
    call("spike_pack", inputs.dtype, shape, dense, 0, words, seen)
    planes = int(seen)
    if planes > 1:
        present = [plane for plane in range(8) if planes >> plane & 1]
        words = torch.empty(len(present), *size, dtype=torch.int64)
        for plane, to in zip(present, words, strict=True):
            call("spike_pack", inputs.dtype, shape, dense, plane, to, seen)
    return words, planes


def _broken_promise(inputs: Tensor) -> DataError:
    place = (~((inputs >= 0) & (inputs <= 255) & (inputs == inputs.round()))).nonzero()[0].tolist()
    return DataError(
        "a layer built with small_inputs reads whole numbers from 0 to 255; it was given "
        f"{float(inputs[tuple(place)])} at {place}. Build it without small_inputs, or give it spikes."
    )


def _run_neurons(
    sums: _Sums,
    leak: Tensor,
    config: NeuronConfig,
    affine: tuple[Tensor, Tensor] | None,
    voltage: Tensor | None,
    *,
    spikes: Tensor | PackedSpikes,
) -> tuple[Tensor, Tensor]:
    """Fill `spikes`; the voltage [B, O, H2, W2], and the number of spikes before pooling."""
    shape, real = sums.shape, sums.real
    after = empty_pictures((shape.batch,), shape.maps, sums.sizes, real)
    count = torch.empty((), dtype=torch.float64)
    start = None if voltage is None else channels_last(voltage.to(real), first=1)
    leak = leak.to(real).contiguous()
    scale, shift = (None, None) if affine is None else (values.to(real).contiguous() for values in affine)
    neurons = neuron_params(options_of(config))
    weights = sums.words, sums.planes, sums.weights, sums.quanta
    stored, memory = (spikes.dtype, spikes) if isinstance(spikes, Tensor) else (torch.uint8, spikes.words)
    call("spike_layer", stored, shape, neurons, *weights, leak, leak.numel(), scale, shift, start, memory, after, count)
    return after, count


# ---- weights ----


_RUN = 9
"""Words of 32 channels whose sums fit 16 bits; `RUN` of spike_layer.cpp."""


class _Arranged(NamedTuple):
    """Weights [O, C, k1, k2] as [slices of maps][k1][k2][words * 32][lanes].

    Attributes:
        weights: numbers, or int16: multiples of the quanta.
        quanta: float32 [slices * lanes], or None.
    """

    weights: Tensor
    quanta: Tensor | None


def _lanes(maps: int, stored: torch.dtype) -> int:
    """Maps that are summed together: vectors of 128 bytes, or of 64 where that is enough."""
    size = number_type(stored).itemsize
    return (128 if maps * size > 64 or stored == torch.bfloat16 else 64) // size


_kept: MutableMapping[Tensor, tuple[tuple[int, int, torch.dtype], _Arranged]] = WeakIdKeyDictionary()


def _arranged(weight: Tensor, owner: Tensor, stored: torch.dtype) -> _Arranged:
    """What `_arrange` makes; made again when the weights have changed."""
    if owner.is_inference():
        return _arrange(weight, stored)
    state = owner.data_ptr(), owner._version, stored
    if owner not in _kept or _kept[owner][0] != state:
        _kept[owner] = state, _arrange(weight, stored)
    return _kept[owner][1]


def _arrange(weight: Tensor, stored: torch.dtype) -> _Arranged:
    maps, channels, *_ = weight.shape
    lanes = _lanes(maps, stored)
    padded = nn.functional.pad(
        weight.detach().to(number_type(stored)), (0, 0, 0, 0, 0, -channels % 32, 0, -maps % lanes)
    )
    dense = padded.reshape(-1, lanes, *padded.shape[1:]).permute(0, 3, 4, 2, 1).contiguous()
    # An infinite weight has no multiple of anything.
    is_narrow = stored == torch.bfloat16 and bool(dense.isfinite().all())
    return _narrowed(dense) if is_narrow else _Arranged(dense, None)


def _narrowed(weights: Tensor) -> _Arranged:
    """Weights as multiples of the smallest power of two, for each map, with which every run of words fits 16 bits."""
    slices, *_, lanes = weights.shape
    sizes = weights.abs().reshape(slices, -1, 32, lanes).sum(2)
    runs = nn.functional.pad(sizes, (0, 0, 0, -sizes.shape[1] % _RUN)).reshape(slices, -1, _RUN, lanes).sum(2)
    # Rounding adds at most half a quantum to each of the weights of a run.
    room = 2**15 - 1 - 32 * _RUN // 2
    exponents = torch.frexp((runs.amax(1) / room).clamp_min(torch.finfo(torch.float32).tiny)).exponent
    quanta = torch.ldexp(torch.ones(exponents.shape), exponents)
    whole = (weights / quanta[:, None, None, None]).round()
    return _Arranged(whole.to(torch.int16), quanta.flatten().contiguous())
