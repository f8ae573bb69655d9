"""Average and sum pooling folded into the connection behind them.

Pooling is linear, so it needs no neurons: the weights behind it are repeated over the
window. Exact in real numbers; the cost is kh * kw times the kernel memory.
"""

import numpy as np

from conversion.graph import Conv2dSynapse, LinearSynapse
from snnface.errors import UnsupportedLayerError

__all__ = ["pooled_conv", "pooled_linear"]


def pooled_conv(
    synapse: Conv2dSynapse, window: tuple[int, int], *, input_shape: tuple[int, ...], is_mean: bool
) -> Conv2dSynapse:
    """One convolution that does "pool, then `synapse`".

    The kernel is `kron(weight, ones(window))`, divided by the window's size for a mean;
    stride and padding grow by the window. Pooling has stride = window and no padding.

    Args:
        input_shape: (C, H, W) in front of the pooling.

    Raises:
        UnsupportedLayerError: if pooling leaves rows or columns over and the convolution
            is padded: its padding would then read them.
    """
    leftover = any(size % step for size, step in zip(input_shape[1:], window, strict=True))
    if leftover and any(synapse.padding):
        raise UnsupportedLayerError(
            f"pooling {input_shape[1:]} by {window} leaves pixels over, which a padded convolution behind it would "
            "read. Choose a picture size that the window divides, or a convolution without padding."
        )
    weight = np.kron(_without_dilation(synapse), np.ones((1, 1, *window)))
    return Conv2dSynapse(
        weight=weight / (window[0] * window[1]) if is_mean else weight,
        bias=synapse.bias,
        stride=(synapse.stride[0] * window[0], synapse.stride[1] * window[1]),
        padding=(synapse.padding[0] * window[0], synapse.padding[1] * window[1]),
        groups=synapse.groups,
    )


def pooled_linear(
    synapse: LinearSynapse, window: tuple[int, int], *, input_shape: tuple[int, ...], is_mean: bool
) -> LinearSynapse:
    """One linear layer that does "pool, flatten, then `synapse`".

    Every weight is repeated over its window; pixels that pooling leaves over get 0.

    Args:
        input_shape: (C, H, W) in front of the pooling.
    """
    channels, height, width = input_shape
    rows, columns = height // window[0], width // window[1]
    maps = synapse.weight.reshape(-1, channels, rows, columns)
    weight = np.zeros((len(maps), channels, height, width))
    weight[:, :, : rows * window[0], : columns * window[1]] = np.kron(maps, np.ones((1, 1, *window)))
    if is_mean:
        weight /= window[0] * window[1]
    return LinearSynapse(weight=weight.reshape(len(maps), -1), bias=synapse.bias)


def _without_dilation(synapse: Conv2dSynapse) -> np.ndarray:
    """The kernel with its dilation written out as zeros."""
    if synapse.dilation == (1, 1):
        return synapse.weight
    *channels, rows, columns = synapse.weight.shape
    wide = np.zeros((*channels, synapse.dilation[0] * (rows - 1) + 1, synapse.dilation[1] * (columns - 1) + 1))
    wide[..., :: synapse.dilation[0], :: synapse.dilation[1]] = synapse.weight
    return wide
