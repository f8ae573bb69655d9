"""What the names of an ONNX graph stand for while it is read: values of the network, and constants.

A reshape that moves no number is no operation: a value keeps the node that made it, and only
the shape in which ONNX sees it changes. It is flattened where an operation needs a vector.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from conversion.ann.graph import AnnNode, Flatten, Operation
from conversion.ann.onnx_file import OnnxFile
from conversion.ann.onnx_node import OnnxNode, plain_name, shown
from conversion.ann.onnx_tensors import array_of
from conversion.graph import INPUT
from snnface.errors import ConversionError, DataError

__all__ = ["Value", "Values"]

MAX_ELEMENTS = 2**26
"""Of one value of one sample; a map of 64 channels at 1280 x 720 has 59 million."""

MAX_CONSTANTS = 2**32
"""Bytes of all constants and widened weights together."""


@dataclass(frozen=True, slots=True)
class Value:
    """Something that depends on the input.

    Attributes:
        name: of the node of the AnnGraph that makes it, or INPUT.
        shape: as ONNX sees it, without the batch axis; the node's own shape has the same numbers in the same order.
    """

    name: str
    shape: tuple[int, ...]


class Values:
    """All names that are known so far, and the nodes made of them.

    Attributes:
        nodes: of the AnnGraph to be, by name, in order.
        removed: one sentence for each operation that is left out.
        batch: size of the batch axis; where that is open, a number that no other axis has.
    """

    def __init__(self, input_name: str, input_shape: tuple[int, ...], batch: int, file: OnnxFile) -> None:
        self.opset: int = file.opset
        self.batch = batch
        self.nodes: dict[str, AnnNode] = {}
        self.removed: list[str] = []
        self._folder = file.folder
        self._stored = {tensor.name: tensor for tensor in file.graph.initializer}
        self._known: dict[str, Value | np.ndarray] = {input_name: Value(INPUT, input_shape)}
        self._shapes = {INPUT: input_shape}
        self._twins: Counter[str] = Counter()
        self._num_bytes = 0

    # ---- names of the file

    def operand(self, node: OnnxNode, index: int) -> Value | np.ndarray:
        """What a node reads at this place.

        Raises:
            DataError: if it reads nothing there, or what no node before it gives.
        """
        if not node.has_input(index):
            raise DataError(f"{node.where} ({node.operator}) has no input {index}; the file is damaged.")
        name = node.inputs[index]
        if name not in self._known and name in self._stored:
            self._remember(name, array_of(self._stored[name], self._folder))
        if name not in self._known:
            raise DataError(
                f"{node.where} ({node.operator}) reads {shown(name)}, which no node before it gives. Nodes must be in "
                "order, without circles: export the network once more."
            )
        return self._known[name]

    def define(self, node: OnnxNode, value: Value | np.ndarray) -> None:
        """Give the output of a node its meaning."""
        if node.output in self._known or node.output in self._stored:
            raise DataError(f"{node.where} gives {shown(node.output)} a second time; names must differ.")
        self._remember(node.output, value)

    def _remember(self, name: str, value: Value | np.ndarray) -> None:
        if isinstance(value, np.ndarray):
            self._spend(value.nbytes, name)
        self._known[name] = value

    def _spend(self, num_bytes: int, name: str) -> None:
        self._num_bytes += num_bytes
        if self._num_bytes > MAX_CONSTANTS:
            raise DataError(
                f"weights and constants exceed {MAX_CONSTANTS} bytes at {shown(name)}; a smaller network was expected."
            )

    def given(self, name: str) -> Value | np.ndarray | None:
        """What a name of the file stands for; None if for nothing."""
        return self._known.get(name)

    # ---- operands of one kind

    def value(self, node: OnnxNode, index: int = 0) -> Value:
        """An operand that depends on the input."""
        operand = self.operand(node, index)
        if isinstance(operand, np.ndarray):
            raise node.unsupported(f"computes with {shown(node.inputs[index])}, where the network's values should be.")
        return operand

    def constant(self, node: OnnxNode, index: int) -> np.ndarray:
        """An operand that does not depend on the input."""
        operand = self.operand(node, index)
        if isinstance(operand, Value):
            raise node.unsupported(
                f"takes {shown(node.inputs[index])} from the input, where a constant is needed: a spiking network has "
                "fixed weights and sizes."
            )
        return operand

    def weights(self, node: OnnxNode, index: int, shape: Sequence[int | None] | None = None) -> np.ndarray:
        """A constant, float64 and finite; of this shape, where None stands for any size."""
        array = self.constant(node, index)
        name = shown(node.inputs[index])
        if array.dtype.kind != "f":
            raise node.unsupported(f"has weights {name} of the type {array.dtype}; convert the float network.")
        if shape is not None and (
            array.ndim != len(shape)
            or any(want not in (None, have) for want, have in zip(shape, array.shape, strict=True))
        ):
            wanted = ", ".join("any" if size is None else str(size) for size in shape)
            raise DataError(
                f"{node.where} ({node.operator}): {name} should have the shape ({wanted}), not {array.shape}."
            )
        if not np.isfinite(array).all():
            raise DataError(
                f"{node.where} ({node.operator}): weights {name} hold NaN or infinite numbers. Export a network whose "
                "training did not diverge."
            )
        self._spend(8 * array.size, node.inputs[index])
        return array.astype(np.float64)

    def integers(self, node: OnnxNode, index: int) -> tuple[int, ...] | None:
        """A constant list of whole numbers; None if it is left out."""
        if not node.has_input(index):
            return None
        array = self.constant(node, index)
        if array.dtype.kind not in "iu" or array.size > 64:
            raise DataError(
                f"{node.where} ({node.operator}): {shown(node.inputs[index])} should be a few whole numbers."
            )
        return tuple(int(entry) for entry in array.reshape(-1))

    def scalar(self, node: OnnxNode, index: int, default: float) -> float:
        """A constant of one element; `default` if it is left out."""
        if not node.has_input(index):
            return default
        array = self.constant(node, index)
        if array.size != 1 or array.dtype.kind not in "fiu":
            raise node.unsupported(f"takes {shown(node.inputs[index])} of {array.shape}; one number is converted.")
        return float(array.reshape(()))

    # ---- values as operations need them

    def own_shape(self, value: Value) -> tuple[int, ...]:
        """The shape in which its node makes it."""
        return self._shapes[value.name]

    def plain(self, node: OnnxNode, value: Value) -> Value:
        """A value as the AnnGraph has it: a map [C, H, W] or a vector [N], flattened if ONNX sees a vector."""
        own = self.own_shape(value)
        if value.shape == own:
            return value
        if len(value.shape) == 1:
            return self.add(node, Flatten(), (value,), value.shape, name=f"{value.name}.flat")
        raise node.unsupported(
            f"reads a value of {own} in the shape {value.shape}; of all reshapes only flattening is converted."
        )

    def map_of(self, node: OnnxNode, index: int = 0) -> Value:
        """An operand [C, H, W]."""
        value = self.plain(node, self.value(node, index))
        if len(value.shape) != 3:
            raise node.unsupported(f"needs a map (channels, rows, columns); its input has the shape {value.shape}.")
        return value

    def vector_of(self, node: OnnxNode, index: int = 0) -> Value:
        """An operand [N]."""
        value = self.plain(node, self.value(node, index))
        if len(value.shape) != 1:
            raise node.unsupported(f"needs a vector; its input has the shape {value.shape}. Flatten it before.")
        return value

    def operation_of(self, value: Value) -> Operation | None:
        """What made it; None of the input."""
        return self.nodes[value.name].operation if value.name in self.nodes else None

    # ---- the graph to be

    def add(
        self, node: OnnxNode, operation: Operation, inputs: Sequence[Value], shape: tuple[int, ...], *, name: str = ""
    ) -> Value:
        """One more node of the AnnGraph; the same flattening of the same value is made once."""
        name = name or plain_name(node.name)
        if isinstance(operation, Flatten) and name in self.nodes:
            return Value(name, self._shapes[name])
        if math.prod(shape) > MAX_ELEMENTS or min(shape, default=1) < 1:
            raise ConversionError(f"{node.where} ({node.operator}) would give a value of {shape}; that is no network.")
        free = self._free(name)
        self.nodes[free] = AnnNode(free, operation, tuple(value.name for value in inputs), shape, node.where)
        self._shapes[free] = shape
        return Value(free, shape)

    def _free(self, name: str) -> str:
        """The name, or with a number if it is taken: layers may share weights, and with them their name."""
        free = name
        while free in self._shapes:
            self._twins[name] += 1
            free = f"{name}_{self._twins[name] + 1}"
        return free

    def viewed(self, value: Value, shape: tuple[int, ...], node: OnnxNode) -> Value:
        """The same numbers in another shape, the batch axis among them.

        Raises:
            UnsupportedLayerError: if the batch would not be the first axis any more.
        """
        if not shape or shape[0] != self.batch:
            raise node.unsupported(
                "mixes the batch with other axes: samples must stay apart. Export the network with an open batch axis, "
                "and let it take the size of the batch from x.shape[0], not from len(x) or the example."
            )
        return replace(value, shape=shape[1:])

    def full_shape(self, value: Value) -> tuple[int, ...]:
        """With the batch axis."""
        return (self.batch, *value.shape)

    def live(self, last: Value) -> tuple[AnnNode, ...]:
        """The nodes that `last` depends on, in order."""
        needed = {last.name}
        for name, node in reversed(self.nodes.items()):
            if name in needed:
                needed.update(node.inputs)
        return tuple(node for name, node in self.nodes.items() if name in needed)
