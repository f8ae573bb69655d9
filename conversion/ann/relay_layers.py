"""Layers that an ANN does not have and its spiking network needs: neurons that always fire, and copies of others."""

import math
from collections.abc import Sequence

import numpy as np

from conversion.ann.kernels import MAX_WEIGHTS, MapShape
from conversion.ann.network import AnnLayer
from conversion.graph import INPUT, Connection, Conv2dSynapse, LinearSynapse
from snnface.errors import UnsupportedLayerError

__all__ = ["copies_of", "cropped_copy", "ones"]


def ones(name: str, size: MapShape, input_shape: tuple[int, ...]) -> AnnLayer:
    """A map of ones, one channel: neurons with a bias and no weights.

    The bias is above their ceiling, so that they fire at every step whatever their reset is.
    """
    channels, *sizes = input_shape
    padding = tuple(max(0, -(-(size[1 + axis] - sizes[axis]) // 2)) for axis in (0, 1))
    window = tuple(sizes[axis] + 2 * padding[axis] - size[1 + axis] + 1 for axis in (0, 1))
    synapse = Conv2dSynapse(np.zeros((1, channels, *window)), np.full(1, 1.5), padding=(padding[0], padding[1]))
    return AnnLayer(name, size, (Connection(INPUT, synapse),), ceiling=1.0)


def cropped_copy(name: str, source: AnnLayer, size: MapShape) -> AnnLayer:
    """The first rows and columns of a map."""
    channels, rows, columns = size
    first = np.zeros((channels, 1, source.shape[1] - rows + 1, source.shape[2] - columns + 1))
    first[:, :, 0, 0] = 1.0
    synapse = Conv2dSynapse(first, np.zeros(channels), groups=channels)
    return AnnLayer(name, size, (Connection(source.name, synapse),), source.ceiling)


def copies_of(name: str, sources: Sequence[AnnLayer]) -> AnnLayer:
    """The channels of all sources in one map; of maps of different sizes, or vectors, the numbers in one vector.

    Raises:
        UnsupportedLayerError: if a matrix that copies one had more than MAX_WEIGHTS weights.
    """
    is_map = len({source.shape[1:] for source in sources}) == 1 and len(sources[0].shape) == 3
    sizes = [source.shape[0] if is_map else math.prod(source.shape) for source in sources]
    links: list[Connection] = []
    for place, (source, size) in enumerate(zip(sources, sizes, strict=True)):
        if not is_map and sum(sizes) * size > MAX_WEIGHTS:
            raise UnsupportedLayerError(
                f"{name!r} would copy {size} numbers of {source.name!r} with a matrix of {sum(sizes) * size} weights; "
                f"at most {MAX_WEIGHTS} are made. Put a ReLU behind the last sum."
            )
        weight = np.eye(sum(sizes), size, -sum(sizes[:place]))
        bias = None if links else np.zeros(sum(sizes))
        synapse = Conv2dSynapse(weight[..., None, None], bias) if is_map else LinearSynapse(weight, bias)
        links.append(Connection(source.name, synapse))
    return AnnLayer(name, (sum(sizes), *sources[0].shape[1:]) if is_map else (sum(sizes),), tuple(links))
