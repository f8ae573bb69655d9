"""The window of an ONNX convolution or pooling: size, steps, borders, and the map that comes out."""

from dataclasses import dataclass

from conversion.ann.graph import Sides
from conversion.ann.onnx_node import OnnxNode
from snnface.errors import DataError

__all__ = ["Window", "window_of"]

Pair = tuple[int, int]

_LARGEST = 2**16


@dataclass(frozen=True, slots=True)
class Window:
    """Sizes are (rows, columns); `output` is the size of the map that comes out."""

    size: Pair
    stride: Pair
    dilation: Pair
    padding: Sides
    output: Pair


def window_of(node: OnnxNode, size: Pair, extent: Pair) -> Window:
    """The window of a node over a map of `extent` (rows, columns).

    Raises:
        DataError: if an attribute is not two whole numbers (four for pads), or the window is larger than the map.
        UnsupportedLayerError: if the border is cut off, or rounded up so that a window hangs over it.
    """
    stride, dilation = (_pair(node, name) for name in ("strides", "dilations"))
    reach = tuple(step * (length - 1) + 1 for step, length in zip(dilation, size, strict=True))
    ends = [_ends(node, axis, extent[axis], reach[axis], stride[axis]) for axis in (0, 1)]
    free = [length + sum(end) - span for length, end, span in zip(extent, ends, reach, strict=True)]
    if min(free) < 0 or min(size) < 1:
        raise DataError(f"{node.where} ({node.operator}): a window of {size} does not fit into a map of {extent}.")
    if node.integer("ceil_mode", 0) and any(rest % step for rest, step in zip(free, stride, strict=True)):
        raise node.unsupported(
            f"rounds the size of its map up (ceil_mode), so that a window hangs over the border of {extent}. Export "
            "it with ceil_mode=False, or choose an input size that needs no rounding."
        )
    (top, bottom), (left, right) = ends
    rows, columns = (rest // step + 1 for rest, step in zip(free, stride, strict=True))
    return Window(size, stride, dilation, (top, left, bottom, right), (rows, columns))


def _ends(node: OnnxNode, axis: int, length: int, reach: int, stride: int) -> Pair:
    """The border of an axis (0 rows, 1 columns) before and after."""
    rule = node.text("auto_pad", "NOTSET")
    if rule == "NOTSET":
        pads = node.integers("pads") or (0, 0, 0, 0)
        if len(pads) != 4 or not all(-_LARGEST <= pad <= _LARGEST for pad in pads):
            raise DataError(f"{node.where} ({node.operator}): pads {pads} should be four numbers, one a side.")
        if min(pads) < 0:
            raise node.unsupported(f"cuts off the border of its map (pads {pads}). Crop the input before the network.")
        return pads[axis], pads[axis + 2]
    if rule == "VALID":
        return 0, 0
    if rule not in ("SAME_UPPER", "SAME_LOWER"):
        raise DataError(f"{node.where} ({node.operator}): auto_pad {rule[:40]!r} is not one that ONNX knows.")
    total = max((-(-length // stride) - 1) * stride + reach - length, 0)
    less, more = total // 2, total - total // 2
    return (less, more) if rule == "SAME_UPPER" else (more, less)


def _pair(node: OnnxNode, name: str) -> Pair:
    values = node.integers(name) or (1, 1)
    if len(values) != 2 or not all(1 <= value <= _LARGEST for value in values):
        raise DataError(f"{node.where} ({node.operator}): {name} {values} should be two numbers of at least 1.")
    return values[0], values[1]
