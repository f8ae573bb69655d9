"""The nodes between two neuron nodes of a NIR graph as one synapse."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import nir
import numpy as np

from conversion.fold_pooling import pooled_conv, pooled_linear
from conversion.graph import Conv2dSynapse, LinearSynapse, Synapse
from snnface.errors import ConversionError, UnsupportedLayerError

__all__ = [
    "BEFORE_WEIGHTS",
    "WEIGHTS",
    "per_output",
    "require_declared",
    "require_numbers",
    "require_values",
    "synapse_from_nodes",
    "with_drive",
    "with_gain",
    "with_readout_weights",
]

WEIGHTS = (nir.Conv2d, nir.Affine, nir.Linear)
_POOLS = (nir.SumPool2d, nir.AvgPool2d)
BEFORE_WEIGHTS = (nir.Flatten, nir.Scale, *_POOLS)
_MAX_IDENTITY = 4096


def synapse_from_nodes(chain: list[tuple[str, nir.NIRNode]], shape: tuple[int, ...], target: str) -> Synapse:
    """One synapse for the named nodes between a source of `shape` and the node `target`.

    Raises:
        UnsupportedLayerError: if they hold more than one weight node, or something that
            cannot be folded into it.
        ConversionError: if a node declares another input than the one that arrives.
    """
    synapse: Synapse | None = None
    arriving = shape
    window, scale, is_flat = (1, 1), 1.0, len(shape) == 1
    for name, node in chain:
        if synapse is not None and not (isinstance(node, nir.Flatten) and isinstance(synapse, LinearSynapse)):
            raise UnsupportedLayerError(
                f"node {name!r} ({type(node).__name__}) stands behind weights without neurons between. "
                "Merge the two into one layer."
            )
        if isinstance(node, _POOLS):
            if is_flat:
                raise UnsupportedLayerError(f"node {name!r} pools a flat vector; it needs (C, H, W).")
            rows, columns = _pool_window(name, node)
            window = (window[0] * rows, window[1] * columns)
            arriving = (arriving[0], arriving[1] // rows, arriving[2] // columns)
            scale /= rows * columns if isinstance(node, nir.AvgPool2d) else 1
        elif isinstance(node, nir.Scale):
            require_values(name, node, "scale", lambda s: s == s.flat[0], "must be one number for all its elements")
            scale *= float(np.asarray(node.scale).flat[0])
        elif isinstance(node, nir.Flatten):
            if synapse is None and not is_flat:
                require_declared(name, (node.input_type or {}).get("input"), arriving)
            is_flat = True
        else:
            if isinstance(node, nir.Conv2d) and not is_flat:
                require_declared(name, node.input_shape, arriving[1:])
            synapse = _weights(name, node, is_flat)
    if synapse is None:
        synapse = _identity(target, shape, is_flat)
    if window != (1, 1):
        fold = pooled_conv if isinstance(synapse, Conv2dSynapse) else pooled_linear
        synapse = fold(synapse, window, input_shape=shape, is_mean=False)  # type: ignore[arg-type]
    return _multiplied(synapse, np.array(scale), bias_too=False)


def _pool_window(name: str, node: nir.NIRNode) -> tuple[int, int]:
    kernel, stride, padding = (_pair(name, getattr(node, field)) for field in ("kernel_size", "stride", "padding"))
    if kernel != stride or padding != (0, 0):
        raise UnsupportedLayerError(
            f"node {name!r} pools {kernel} with stride {stride} and padding {padding}; "
            "only a stride of the window's size without padding can be folded."
        )
    return kernel


def _weights(name: str, node: nir.NIRNode, is_flat: bool) -> Synapse:
    bias = None if isinstance(node, nir.Linear) else require_numbers(f"node {name!r}", "bias", node.bias)
    bias = None if bias is None or not bias.any() else bias.astype(np.float64)
    weight = require_numbers(f"node {name!r}", "weight", node.weight).astype(np.float64)
    if weight.ndim != (4 if isinstance(node, nir.Conv2d) else 2):
        raise UnsupportedLayerError(f"the weights of node {name!r} have the shape {weight.shape}.")
    if not np.isfinite(weight).all() or (bias is not None and not np.isfinite(bias).all()):
        raise UnsupportedLayerError(f"the weights of node {name!r} must be finite; they hold NaN or infinite values.")
    if not isinstance(node, nir.Conv2d):
        if not is_flat:
            raise UnsupportedLayerError(f"node {name!r} reads a map; put a Flatten in front of it.")
        return LinearSynapse(weight, bias)
    if is_flat:
        raise UnsupportedLayerError(f"node {name!r} is a convolution and reads a flat vector; it needs (C, H, W).")
    stride, dilation = _pair(name, node.stride), _pair(name, node.dilation)
    padding, weight = _conv_padding(name, node, weight, stride, dilation)
    return Conv2dSynapse(weight, bias, stride, padding, dilation, int(node.groups))


def _conv_padding(
    name: str, node: nir.Conv2d, weight: np.ndarray, stride: tuple[int, int], dilation: tuple[int, int]
) -> tuple[tuple[int, int], np.ndarray]:
    """Zeros on both sides of rows and columns, and the kernel for them."""
    padding = node.padding.decode() if isinstance(node.padding, bytes) else node.padding
    if not isinstance(padding, str):
        return _pair(name, padding), weight
    if padding == "valid":
        return (0, 0), weight
    total = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    # An even kernel has one zero more behind than in front: as an odd one, whose first tap is 0, it has as many.
    odd = [n % 2 for n in total]
    if padding != "same" or stride != (1, 1) or any(extra and d > 1 for extra, d in zip(odd, dilation, strict=True)):
        raise UnsupportedLayerError(
            f"the padding {padding!r} of node {name!r} is not the same on both sides. Write it as numbers."
        )
    widened = np.pad(weight, ((0, 0), (0, 0), (odd[0], 0), (odd[1], 0)))
    return ((total[0] + odd[0]) // 2, (total[1] + odd[1]) // 2), widened


def _identity(target: str, shape: tuple[int, ...], is_flat: bool) -> Synapse:
    """One-to-one weights, for neurons that read others directly."""
    if not is_flat:
        return Conv2dSynapse(np.ones((shape[0], 1, 1, 1)), groups=shape[0])
    size = int(np.prod(shape))
    if size > _MAX_IDENTITY:
        raise UnsupportedLayerError(
            f"node {target!r} reads {size} elements directly; as a matrix that is limited to {_MAX_IDENTITY}. "
            "Put weights in front of it."
        )
    return LinearSynapse(np.eye(size))


def with_readout_weights(name: str, synapse: Synapse, shape: tuple[int, ...]) -> Synapse:
    """The weights of a readout, a full matrix or a convolution that keeps the size of the maps.

    Neurons read directly get one-to-one weights.

    Raises:
        UnsupportedLayerError: if the output `name` reads any other convolution.
    """
    if isinstance(synapse, LinearSynapse):
        return synapse
    if synapse.weight.shape[2:] == (1, 1) and synapse.groups == shape[0] and synapse.bias is None:
        identity = _identity(name, shape, is_flat=True)
        assert isinstance(identity, LinearSynapse)
        return LinearSynapse(identity.weight * synapse.weight.flat[0])
    rows, columns = synapse.weight.shape[2:]
    plain = (synapse.stride, synapse.dilation, synapse.groups) == ((1, 1), (1, 1), 1)
    if not plain or rows != columns or rows % 2 == 0 or synapse.padding != (rows // 2, columns // 2):
        raise UnsupportedLayerError(
            f"the output {name!r} reads a convolution that does not keep the size of its maps; a readout is a full "
            "weight matrix, or a square, odd kernel with stride 1 and the padding that keeps the size."
        )
    return synapse


def with_gain(target: str, synapse: Synapse, gain: np.ndarray, neurons: tuple[int, ...]) -> Synapse:
    """The synapse into `neurons` with its outputs multiplied by `gain` (one number, or one a neuron).

    Raises:
        UnsupportedLayerError: if the gain differs within a map.
    """
    if gain.size == 1:
        return _multiplied(synapse, np.array(gain.flat[0]))
    channels = per_output(gain, neurons)
    if channels is None:
        raise UnsupportedLayerError(
            f"r of node {target!r} differs within a map and is not above 0 everywhere, and the outputs of a "
            "convolution share their weights; only channels may differ in sign."
        )
    return _multiplied(synapse, channels)


def with_drive(synapse: Synapse, drive: np.ndarray) -> Synapse:
    """The synapse with a current [C] that is added at every step."""
    return replace(synapse, bias=drive if synapse.bias is None else synapse.bias + drive)


def per_output(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
    """[C] of values that broadcast to neurons (C, H, W) or (N,); None where they differ within a map."""
    rows = np.broadcast_to(values if values.size > 1 else values.reshape(()), shape).reshape(shape[0], -1)
    return rows[:, 0].copy() if np.all(rows == rows[:, :1]) else None


def require_declared(name: str, declared: Any, arriving: tuple[int, ...]) -> None:
    """Check a shape that node `name` declares, if it does; axes of one element do not count.

    Raises:
        ConversionError: if it is not the one that arrives.
    """
    if declared is None:
        return
    sizes = tuple(int(size) for size in np.atleast_1d(declared))
    if [size for size in sizes if size != 1] != [size for size in arriving if size != 1]:
        raise ConversionError(
            f"node {name!r} declares a shape of {sizes}; {arriving} arrives there. One of the layers before it is of "
            "another network, or its stride or padding is."
        )


def _multiplied(synapse: Synapse, factor: np.ndarray, *, bias_too: bool = True) -> Synapse:
    """The synapse with its outputs (one factor, or one each) multiplied."""
    bias = synapse.bias if synapse.bias is None or not bias_too else synapse.bias * factor
    wide = factor.reshape(*factor.shape, *[1] * (synapse.weight.ndim - 1)) if factor.ndim else factor
    weight = synapse.weight * wide
    if isinstance(synapse, LinearSynapse):
        return LinearSynapse(weight, bias)
    return Conv2dSynapse(weight, bias, synapse.stride, synapse.padding, synapse.dilation, synapse.groups)


def _pair(name: str, value: Any) -> tuple[int, int]:
    numbers = [int(n) for n in np.atleast_1d(value)]
    if len(numbers) not in (1, 2):
        raise UnsupportedLayerError(f"node {name!r} has a size of {numbers}; one or two numbers were expected.")
    return (numbers[0], numbers[-1])


def require_values(name: str, node: nir.NIRNode, field: str, holds: Callable[[np.ndarray], Any], sentence: str) -> None:
    """Check a parameter of a node; `sentence` says what it must be.

    Raises:
        UnsupportedLayerError: if it is empty, not finite or `holds` is not true of it.
    """
    values = require_numbers(f"node {name!r}", field, getattr(node, field))
    if not values.size or not np.all(np.isfinite(values) & holds(values)):
        raise UnsupportedLayerError(f"{field} of node {name!r} {sentence}; got {_range(values)}.")


def require_numbers(owner: str, field: str, value: Any) -> np.ndarray:
    """`value` as an array of numbers.

    Raises:
        UnsupportedLayerError: if it is something else, such as text.
    """
    values = np.asarray(value)
    if values.dtype.kind not in "fiub":
        raise UnsupportedLayerError(f"{field} of {owner} must be numbers; got {value!r}.")
    return values


def _range(values: np.ndarray) -> str:
    return f"{values.min()} to {values.max()}" if values.size else "nothing"
