"""Average and sum pooling folded into the connection behind them.

Pooling is linear, so it needs no neurons: the weights behind it are repeated over the
window. Exact in real numbers; the cost is kh * kw times the kernel memory.
"""

import numpy as np

from conversion.ann.graph import Conv
from conversion.ann.kernels import MapShape, composed, output_shape, synapse_of
from conversion.graph import Conv2dSynapse, LinearSynapse
from snnface.errors import UnsupportedLayerError

__all__ = ["pooled_conv", "pooled_linear"]


def pooled_conv(
    synapse: Conv2dSynapse, window: tuple[int, int], *, input_shape: tuple[int, ...], is_mean: bool
) -> Conv2dSynapse:
    """One convolution that does "pool, then `synapse`".

    Pooling has stride = window and no padding.

    Args:
        input_shape: (C, H, W) in front of the pooling.

    Raises:
        UnsupportedLayerError: if pooling leaves rows or columns over and the convolution
            is padded: its padding would then read them.
    """
    shape = _map_shape(input_shape)
    pool = _pool(shape[0], window, is_mean)
    padding = (*synapse.padding, *synapse.padding)
    behind = Conv(synapse.weight, None, synapse.stride, padding, synapse.dilation, synapse.groups)
    kernel = composed(pool, behind, shape)
    if kernel is None:
        raise UnsupportedLayerError(
            f"pooling {input_shape[1:]} by {window} leaves pixels over, which a padded convolution behind it would "
            "read. Choose a picture size that the window divides, or a convolution without padding."
        )
    folded = synapse_of(kernel, shape, output_shape(kernel, shape), synapse.bias)
    assert isinstance(folded, Conv2dSynapse)
    return folded


def pooled_linear(
    synapse: LinearSynapse, window: tuple[int, int], *, input_shape: tuple[int, ...], is_mean: bool
) -> LinearSynapse:
    """One linear layer that does "pool, flatten, then `synapse`".

    Pixels that pooling leaves over get 0.

    Args:
        input_shape: (C, H, W) in front of the pooling.
    """
    shape = _map_shape(input_shape)
    pool = _pool(shape[0], window, is_mean)
    kernel = composed(pool, Conv(synapse.weight.reshape(-1, *output_shape(pool, shape))), shape)
    assert kernel is not None
    folded = synapse_of(kernel, shape, (len(synapse.weight),), synapse.bias)
    assert isinstance(folded, LinearSynapse)
    return folded


def _pool(channels: int, window: tuple[int, int], is_mean: bool) -> Conv:
    number = 1 / (window[0] * window[1]) if is_mean else 1.0
    return Conv(np.full((channels, 1, *window), number), stride=window, groups=channels)


def _map_shape(shape: tuple[int, ...]) -> MapShape:
    channels, height, width = shape
    return channels, height, width
