"""How many connections leave each input element: the number that one spike costs.

A convolution's fan-out is not constant: elements near the border, or between strides,
reach fewer outputs. Everything here is integer arithmetic, exact for any size.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

from conversion.graph import Conv2dSynapse, LinearSynapse, Synapse

__all__ = [
    "conv_fan_out",
    "dense_with_padding",
    "fan_out",
    "fan_out_nonzero",
    "textbook_fan_out",
    "transposed_fan_out",
    "weights_per_tap",
]


def fan_out(synapse: Synapse, input_shape: tuple[int, ...]) -> Int64[np.ndarray, "..."]:
    """Existing output connections of each input element, zero weights included.

    Returns:
        int64 of `input_shape`; its sum is the layer's dense operations, padding not counted.

    >>> conv = Conv2dSynapse(weight=np.ones((1, 1, 3, 3)), padding=(1, 1))
    >>> fan_out(conv, (1, 3, 3))[0].tolist()
    [[4, 6, 4], [6, 9, 6], [4, 6, 4]]
    """
    if isinstance(synapse, LinearSynapse):
        return np.full(input_shape, synapse.weight.shape[0], np.int64)
    return _conv(synapse, np.ones(synapse.weight.shape, bool), input_shape)


def fan_out_nonzero(synapse: Synapse, input_shape: tuple[int, ...]) -> Int64[np.ndarray, "..."]:
    """As `fan_out`, only connections whose weight is not zero."""
    if isinstance(synapse, LinearSynapse):
        return np.count_nonzero(synapse.weight, axis=0).astype(np.int64).reshape(input_shape)
    return _conv(synapse, synapse.weight != 0, input_shape)


def dense_with_padding(synapse: Synapse, input_shape: tuple[int, ...]) -> int:
    """The textbook number of multiplications, which counts those with padding too."""
    if isinstance(synapse, LinearSynapse):
        return int(synapse.weight.size)
    return int(np.prod(synapse.output_shape(input_shape)[1:])) * int(synapse.weight.size)


def textbook_fan_out(synapse: Synapse) -> int:
    """Fan-out of any input element as Lemaire et al. 2022 (arXiv:2210.13107) estimate it, borders ignored.

    >>> textbook_fan_out(Conv2dSynapse(weight=np.ones((4, 1, 3, 3)), stride=(2, 2)))
    16
    """
    if isinstance(synapse, LinearSynapse):
        return int(synapse.weight.shape[0])
    taps = [-(-kernel // stride) for kernel, stride in zip(synapse.weight.shape[2:], synapse.stride, strict=True)]
    return int(synapse.weight.shape[0]) // synapse.groups * int(np.prod(taps))


def conv_fan_out(
    per_tap: Int64[np.ndarray, "I *kernel"],
    input_size: Sequence[int],
    *,
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
) -> Int64[np.ndarray, "I *size"]:
    """Fan-out of a convolution over any number of axes.

    Whether kernel tap k of an axis meets a valid output at input position i does not
    depend on the other axes, so the sum over taps factors axis by axis.

    Args:
        per_tap: output channels that read input channel c through tap k.
        padding: (before, after) per axis.
    """
    result = per_tap
    for axis, size in enumerate(input_size):
        taps = _axis_taps(
            size, per_tap.shape[1 + axis], stride=stride[axis], padding=padding[axis], dilation=dilation[axis]
        )
        result = np.tensordot(result, taps.sum(axis=1), axes=([1], [0]))
    return result


def transposed_fan_out(
    num_outputs: int,
    input_size: Sequence[int],
    output_size: Sequence[int],
    *,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> Int64[np.ndarray, "*size"]:
    """Fan-out of each position of one input channel of a transposed convolution over any number of axes.

    Tap k of the input at position i is added to the output at i * stride - padding + k * dilation; the
    taps that fall beside the output are cut off and do not count.

    Args:
        num_outputs: output channels that read one input channel.

    >>> transposed_fan_out(1, (3,), (4,), kernel=(4,), stride=(2,), padding=(2,), dilation=(1,)).tolist()
    [2, 4, 2]
    """
    result = np.full((1,) * len(input_size), num_outputs, np.int64)
    for axis, size in enumerate(input_size):
        starts = np.arange(size) * stride[axis] - padding[axis]
        reached = starts[:, None] + np.arange(kernel[axis]) * dilation[axis]
        taps = ((reached >= 0) & (reached < output_size[axis])).sum(axis=1)
        result = result * np.expand_dims(taps, tuple(other for other in range(len(input_size)) if other != axis))
    return result


def _axis_taps(
    size: int, kernel: int, *, stride: int, padding: tuple[int, int], dilation: int
) -> Int64[np.ndarray, "kernel out size"]:
    """1 where tap k of output o reads input position i, along one axis."""
    num_outputs = (size + sum(padding) - dilation * (kernel - 1) - 1) // stride + 1
    outputs = np.arange(num_outputs)
    taps = np.zeros((kernel, num_outputs, size), np.int64)
    for tap in range(kernel):
        position = outputs * stride - padding[0] + tap * dilation
        inside = (position >= 0) & (position < size)
        taps[tap, outputs[inside], position[inside]] = 1
    return taps


def weights_per_tap(counted: np.ndarray, groups: int) -> Int64[np.ndarray, "I *kernel"]:
    """Sum a mask over [O, I / groups, *kernel] weights to [I, *kernel]: counted weights per input channel and tap."""
    outputs, inputs = counted.shape[:2]
    grouped = counted.reshape(groups, outputs // groups, *counted.shape[1:]).sum(axis=1, dtype=np.int64)
    return grouped.reshape(groups * inputs, *counted.shape[2:])


def _conv(synapse: Conv2dSynapse, counted: np.ndarray, input_shape: tuple[int, ...]) -> Int64[np.ndarray, "..."]:
    return conv_fan_out(
        weights_per_tap(counted, synapse.groups),
        input_shape[1:],
        stride=synapse.stride,
        padding=[(pad, pad) for pad in synapse.padding],
        dilation=synapse.dilation,
    )
