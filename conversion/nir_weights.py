"""The nodes between two neuron nodes of a NIR graph as one synapse."""

from collections.abc import Callable
from typing import Any

import nir
import numpy as np

from conversion.fold_pooling import pooled_conv, pooled_linear
from conversion.graph import Conv2dSynapse, LinearSynapse, Synapse
from snnface.errors import ConversionError, UnsupportedLayerError

__all__ = ["BEFORE_WEIGHTS", "WEIGHTS", "require_values", "synapse_from_nodes", "with_gain", "with_readout_weights"]
WEIGHTS = (nir.Conv2d, nir.Affine, nir.Linear)
_POOLS = (nir.SumPool2d, nir.AvgPool2d)
BEFORE_WEIGHTS = (nir.Flatten, nir.Scale, *_POOLS)
_MAX_IDENTITY = 4096


def synapse_from_nodes(chain: list[tuple[str, nir.NIRNode]], shape: tuple[int, ...], target: str) -> Synapse:
    """One synapse for the named nodes between a source of `shape` and the node `target`.

    Raises:
        UnsupportedLayerError: if they hold more than one weight node, or something that
            cannot be folded into it.
    """
    synapse: Synapse | None = None
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
            scale /= rows * columns if isinstance(node, nir.AvgPool2d) else 1
        elif isinstance(node, nir.Scale):
            require_values(name, node, "scale", lambda s: s == s.flat[0], "must be one number for all its elements")
            scale *= float(np.asarray(node.scale).flat[0])
        elif isinstance(node, nir.Flatten):
            is_flat = True
        else:
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
    return Conv2dSynapse(
        weight=weight,
        bias=bias,
        stride=stride,
        padding=_conv_padding(name, node, stride, dilation),
        dilation=dilation,
        groups=int(node.groups),
    )


def _conv_padding(name: str, node: nir.Conv2d, stride: tuple[int, int], dilation: tuple[int, int]) -> tuple[int, int]:
    padding = node.padding.decode() if isinstance(node.padding, bytes) else node.padding
    if not isinstance(padding, str):
        return _pair(name, padding)
    if padding == "valid":
        return (0, 0)
    total = [d * (k - 1) for d, k in zip(dilation, node.weight.shape[2:], strict=True)]
    if padding != "same" or stride != (1, 1) or any(n % 2 for n in total):
        raise UnsupportedLayerError(f"the padding {padding!r} of node {name!r} is not the same on both sides.")
    return (total[0] // 2, total[1] // 2)


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


def with_gain(target: str, synapse: Synapse, gain: np.ndarray, shape: tuple[int, ...]) -> Synapse:
    """The synapse with its outputs multiplied by `gain` (one number, or one a neuron).

    Raises:
        ConversionError: if there are more or fewer neurons than currents.
        UnsupportedLayerError: if the gain differs within a map behind a convolution.
    """
    if gain.ndim == 0 or np.all(gain == gain.flat[0]):
        return _multiplied(synapse, np.array(gain.flat[0]))
    if gain.shape != synapse.output_shape(shape):
        raise ConversionError(
            f"node {target!r} has {gain.shape} neurons; {synapse.output_shape(shape)} currents arrive."
        )
    if isinstance(synapse, LinearSynapse):
        return _multiplied(synapse, gain)
    channels = gain[:, 0, 0]
    if not np.all(gain == channels[:, None, None]):
        raise UnsupportedLayerError(
            f"r or v_threshold of node {target!r} differs within a map; behind a convolution only channels may differ."
        )
    return _multiplied(synapse, channels)


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
