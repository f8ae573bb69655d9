"""Pools of an ONNX graph, and zeros around its maps."""

from conversion.ann.graph import AveragePool, MaxPool, Pad, Relu
from conversion.ann.onnx_node import OnnxNode
from conversion.ann.onnx_values import Value, Values
from conversion.ann.onnx_window import Window, window_of
from snnface.errors import DataError

__all__ = ["average_pool", "global_average_pool", "max_pool", "pad", "reduce_mean"]


def average_pool(node: OnnxNode, values: Values) -> Value:
    value, window = _pool(node, values)
    if window.dilation != (1, 1):
        raise node.unsupported("averages over a window with holes (dilations).")
    counts_padding = bool(node.integer("count_include_pad", 0)) or not any(window.padding)
    value, border = _bordered(node, values, value, window, is_zero=counts_padding)
    pool = AveragePool(window.size, window.stride, border, counts_padding)
    return values.add(node, pool, (value,), (value.shape[0], *window.output))


def max_pool(node: OnnxNode, values: Values) -> Value:
    value, window = _pool(node, values)
    is_positive = isinstance(values.operation_of(value), Relu)
    value, border = _bordered(node, values, value, window, is_zero=is_positive)
    pool = MaxPool(window.size, window.stride, border, window.dilation)
    return values.add(node, pool, (value,), (value.shape[0], *window.output))


def _pool(node: OnnxNode, values: Values) -> tuple[Value, Window]:
    value = values.map_of(node)
    size = node.integers("kernel_shape") or ()
    if len(size) != 2:
        raise DataError(f"{node.where} ({node.operator}): kernel_shape {size} should be two numbers.")
    return value, window_of(node, (size[0], size[1]), (value.shape[1], value.shape[2]))


def _bordered(
    node: OnnxNode, values: Values, value: Value, window: Window, *, is_zero: bool
) -> tuple[Value, tuple[int, int]]:
    """The border as an argument of the pool; where it cannot be, as zeros around the map, if it `is_zero`."""
    top, left, bottom, right = window.padding
    if (top, left) == (bottom, right) and 2 * top <= window.size[0] and 2 * left <= window.size[1]:
        return value, (top, left)
    if not is_zero:
        raise node.unsupported(
            f"has a border of {window.padding} (top, left, bottom, right) that is not zeros. Pad alike on both sides."
        )
    return _padded(node, values, value, window.padding), (0, 0)


def _padded(node: OnnxNode, values: Values, value: Value, padding: tuple[int, int, int, int]) -> Value:
    (channels, rows, columns), (top, left, bottom, right) = value.shape, padding
    shape = (channels, rows + top + bottom, columns + left + right)
    return values.add(node, Pad(padding), (value,), shape, name=f"{value.name}.padded")


def global_average_pool(node: OnnxNode, values: Values) -> Value:
    value = values.map_of(node)
    return _averaged(node, values, value, (value.shape[1], value.shape[2]))


def _averaged(node: OnnxNode, values: Values, value: Value, window: tuple[int, int]) -> Value:
    shape = (value.shape[0], value.shape[1] // window[0], value.shape[2] // window[1])
    return values.add(node, AveragePool(window, window), (value,), shape)


def reduce_mean(node: OnnxNode, values: Values) -> Value:
    """Over rows or columns or both; the axes are an attribute before opset 18, an input since."""
    value = values.value(node)
    axes = values.integers(node, 1) if values.opset >= 18 else node.integers("axes")
    if not axes and node.integer("noop_with_empty_axes", 0):
        return value
    ndim = 1 + len(value.shape)
    own = values.own_shape(value)
    places = {axis + ndim if axis < 0 else axis for axis in axes or range(ndim)}
    if not places <= {2, 3} or max(places) >= ndim or own[: len(value.shape)] != value.shape:
        raise node.unsupported(
            f"averages over axes {tuple(axes or ())} of {ndim}; rows and columns (2, 3) are converted."
        )
    made = _averaged(node, values, Value(value.name, own), (own[1] if 2 in places else 1, own[2] if 3 in places else 1))
    kept = [made.shape[place - 1] for place in range(1, ndim) if node.integer("keepdims", 1) or place not in places]
    return Value(made.name, tuple(kept))


def pad(node: OnnxNode, values: Values) -> Value:
    """Zeros around a map; the amounts are an attribute before opset 11, an input since."""
    value = values.map_of(node)
    if (mode := node.text("mode", "constant")) != "constant":
        raise node.unsupported(f"pads by {mode[:40]!r}; only zeros are converted.")
    is_old = values.opset < 11
    filling = node.number("value", 0.0) if is_old else values.scalar(node, 2, 0.0)
    if filling != 0:
        raise node.unsupported(f"pads with {filling:g}; only zeros are converted.")
    pads = (node.integers("pads") if is_old else values.integers(node, 1)) or ()
    axes = (None if is_old else values.integers(node, 3)) or tuple(range(4))
    if len(pads) != 2 * len(axes):
        raise DataError(f"{node.where} (Pad): {len(pads)} amounts are given for {len(axes)} axes; two each are needed.")
    ends = dict.fromkeys(range(4), (0, 0))
    ends.update(
        {
            axis % 4: pair
            for axis, pair in zip(axes, zip(pads[: len(axes)], pads[len(axes) :], strict=True), strict=True)
        }
    )
    if any(ends[0] + ends[1]) or min(pads) < 0 or max(pads) > 2**16:
        raise node.unsupported(f"pads by {pads}; zeros around rows and columns are converted, none cut off.")
    if not any(pads):
        return value
    (top, bottom), (left, right) = ends[2], ends[3]
    return _padded(node, values, value, (top, left, bottom, right))
