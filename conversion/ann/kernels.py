"""Linear maps between maps of numbers, composed: two correlations in a row as a single one.

A pool, a scale a channel, zeros around a map, a full layer (a kernel of the map's own size)
and a shortcut (a kernel of one 1 a channel) are all correlations, so all of them compose
here. A vector of N is a map of N channels and one pixel.
"""

from dataclasses import replace

import numpy as np

from conversion.ann.graph import Conv
from conversion.graph import Conv2dSynapse, LinearSynapse, Synapse
from snnface.errors import UnsupportedLayerError

__all__ = ["MAX_WEIGHTS", "MapShape", "composed", "identity", "output_shape", "read_size", "scaled", "synapse_of"]

MAX_WEIGHTS = 2**26
"""Of one composed kernel; in float64 512 MB."""

MapShape = tuple[int, int, int]


def identity(channels: int) -> Conv:
    """Every map as it is."""
    return Conv(np.ones((channels, 1, 1, 1)), groups=channels)


def scaled(kernel: Conv, scale: np.ndarray) -> Conv:
    """Every output map times its number in `scale` [O]."""
    return replace(kernel, weight=kernel.weight * scale.reshape(-1, 1, 1, 1))


def output_shape(kernel: Conv, shape: MapShape) -> MapShape:
    """(C, H, W) -> (O, H', W')."""
    rows, columns = (_output_size(kernel, axis, shape[1 + axis]) for axis in (0, 1))
    return (len(kernel.weight), rows, columns)


def read_size(kernel: Conv, shape: MapShape) -> MapShape:
    """(C, H, W) -> the part from the first row and column on that the kernel reads."""
    ends = (
        (output - 1) * kernel.stride[axis]
        - kernel.padding[axis]
        + kernel.dilation[axis] * (kernel.weight.shape[2 + axis] - 1)
        + 1
        for axis, output in enumerate(output_shape(kernel, shape)[1:])
    )
    rows, columns = (min(end, size) for end, size in zip(ends, shape[1:], strict=True))
    return (shape[0], rows, columns)


def composed(first: Conv, second: Conv, shape: MapShape) -> Conv | None:
    """One kernel for "`first`, then `second`", without biases; None where there is no such kernel.

    There is none if `second` pads with zeros where `first`, carried on past its border,
    would still see the map.

    Args:
        shape: (C, H, W) in front of `first`.

    Raises:
        UnsupportedLayerError: if it had more than MAX_WEIGHTS weights.
    """
    if _only_scales(first):
        repeats = np.arange(len(second.weight)) // (len(second.weight) // second.groups)
        channels = repeats[:, None] * second.weight.shape[1] + np.arange(second.weight.shape[1])
        return replace(second, weight=second.weight * first.weight[channels, 0])
    if _only_scales(second):
        return scaled(first, second.weight[:, 0, 0, 0])
    first, second = _without_dilation(first), _without_dilation(second)
    between, after = output_shape(first, shape), output_shape(second, output_shape(first, shape))
    if not all(_is_exact(first, second, axis, shape[1 + axis], between[1 + axis], after[1 + axis]) for axis in (0, 1)):
        return None
    weight, groups = _joined(first, second)
    stride = (first.stride[0] * second.stride[0], first.stride[1] * second.stride[1])
    padding = [0, 0, 0, 0]
    for axis in (0, 1):
        before = first.padding[axis] + second.padding[axis] * first.stride[axis]
        read = (after[1 + axis] - 1) * stride[axis] + weight.shape[2 + axis]
        padding[axis], padding[axis + 2] = before, max(0, read - shape[1 + axis] - before)
    return Conv(weight, None, stride, (padding[0], padding[1], padding[2], padding[3]), (1, 1), groups)


def synapse_of(kernel: Conv, source: tuple[int, ...], target: tuple[int, ...], bias: np.ndarray | None) -> Synapse:
    """The kernel as a connection between populations of these shapes; a full matrix where one is a vector.

    Zeros on one side more than on the other become zeros in the kernel: connections pad evenly.
    """
    shape = source if len(source) == 3 else (source[0], 1, 1)
    if len(target) == 1 or len(source) == 1:
        return LinearSynapse(_matrix(kernel, shape), bias)
    kernel, padding = _evenly_padded(kernel, shape)
    return Conv2dSynapse(kernel.weight, bias, kernel.stride, padding, kernel.dilation, kernel.groups)


def _output_size(kernel: Conv, axis: int, size: int) -> int:
    read = size + kernel.padding[axis] + kernel.padding[axis + 2]
    return int((read - kernel.dilation[axis] * (kernel.weight.shape[2 + axis] - 1) - 1) // kernel.stride[axis] + 1)


def _only_scales(kernel: Conv) -> bool:
    is_single = kernel.weight.shape[1:] == (1, 1, 1) and kernel.groups == len(kernel.weight)
    return is_single and kernel.stride == (1, 1) and not any(kernel.padding)


def _is_exact(first: Conv, second: Conv, axis: int, size: int, between: int, after: int) -> bool:
    """Whether `first`, carried on by a step on both sides, sees nothing but zeros, where `second` looks there."""
    window, stride, before = first.weight.shape[2 + axis], first.stride[axis], first.padding[axis]
    if second.padding[axis] and window - 1 >= stride + before:
        return False
    last = (after - 1) * second.stride[axis] + second.weight.shape[2 + axis] - 1 - second.padding[axis]
    return last < between or between * stride - before >= size


def _joined(first: Conv, second: Conv) -> tuple[np.ndarray, int]:
    """The composed weights [O, I / groups, kh, kw] of undilated kernels, and the groups."""
    is_first_single = first.weight.shape[1] == 1 and first.groups == len(first.weight)
    is_second_single = second.weight.shape[1] == 1 and second.groups == len(second.weight)
    if not is_first_single and not is_second_single:
        first, second = _dense(first), _dense(second)
    inputs = second.weight.shape[1] if is_first_single else first.weight.shape[1]
    sizes = [(second.weight.shape[2 + axis] - 1) * first.stride[axis] + first.weight.shape[2 + axis] for axis in (0, 1)]
    _require_room(len(second.weight) * inputs * sizes[0] * sizes[1])
    weight = np.zeros((len(second.weight), inputs, *sizes))
    per_group = len(second.weight) // second.groups
    channels = (np.arange(len(second.weight)) // per_group)[:, None] * inputs + np.arange(inputs)
    for y, x in np.ndindex(*second.weight.shape[2:]):
        for u, v in np.ndindex(*first.weight.shape[2:]):
            tap, inner = second.weight[:, :, y, x], first.weight[:, :, u, v]
            inner = inner[channels, 0] if is_first_single else inner
            product = tap * inner if is_first_single or is_second_single else tap @ inner
            weight[:, :, y * first.stride[0] + u, x * first.stride[1] + v] += product
    return weight, second.groups if is_first_single else first.groups


def _dense(kernel: Conv) -> Conv:
    """Its groups written out as zeros."""
    if kernel.groups == 1:
        return kernel
    outputs, inputs = len(kernel.weight) // kernel.groups, kernel.weight.shape[1]
    _require_room(kernel.weight.size * kernel.groups)
    weight = np.zeros((len(kernel.weight), inputs * kernel.groups, *kernel.weight.shape[2:]))
    for group in range(kernel.groups):
        rows = slice(group * outputs, (group + 1) * outputs)
        weight[rows, group * inputs : (group + 1) * inputs] = kernel.weight[rows]
    return replace(kernel, weight=weight, groups=1)


def _without_dilation(kernel: Conv) -> Conv:
    if kernel.dilation == (1, 1):
        return kernel
    *channels, rows, columns = kernel.weight.shape
    wide = np.zeros((*channels, kernel.dilation[0] * (rows - 1) + 1, kernel.dilation[1] * (columns - 1) + 1))
    wide[..., :: kernel.dilation[0], :: kernel.dilation[1]] = kernel.weight
    return replace(kernel, weight=wide, dilation=(1, 1))


def _matrix(kernel: Conv, shape: MapShape) -> np.ndarray:
    """[O, C H W] of a kernel with an output of one pixel."""
    _require_room(len(kernel.weight) * int(np.prod(shape)))
    kernel = _dense(_without_dilation(kernel))
    top, left = kernel.padding[:2]
    seen = kernel.weight[:, :, top : top + shape[1], left : left + shape[2]]
    matrix = np.zeros((len(seen), *shape))
    matrix[:, :, : seen.shape[2], : seen.shape[3]] = seen
    return matrix.reshape(len(seen), -1)


def _evenly_padded(kernel: Conv, shape: MapShape) -> tuple[Conv, tuple[int, int]]:
    """The same outputs with as many zeros on both sides of an axis."""
    if kernel.padding[:2] == kernel.padding[2:]:
        return kernel, kernel.padding[:2]
    padding, widths = [], []
    for axis in (0, 1):
        before, size, stride = kernel.padding[axis], shape[1 + axis], kernel.stride[axis]
        window = kernel.dilation[axis] * (kernel.weight.shape[2 + axis] - 1) + 1
        outputs = _output_size(kernel, axis, size)
        both = max(before, (outputs - 1) * stride + window - size - before)
        more = both - before
        padding.append(both)
        widths.append((more, max(0, size + 2 * both - window - more - (outputs * stride - 1))))
    if any(width != (0, 0) for width in widths):
        kernel = _without_dilation(kernel)
        kernel = replace(kernel, weight=np.pad(kernel.weight, ((0, 0), (0, 0), *widths)))
    return kernel, (padding[0], padding[1])


def _require_room(num_weights: int) -> None:
    if num_weights > MAX_WEIGHTS:
        raise UnsupportedLayerError(
            f"layers without a ReLU between them would need one matrix of {num_weights} weights; at most "
            f"{MAX_WEIGHTS} are made. Put a ReLU between them, or pool before them."
        )
