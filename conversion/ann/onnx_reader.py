"""ONNX files as ANN graphs.

Read by hand, operator by operator (onnx_operators), and compared with onnxruntime's answers. What
depends on no input is computed while reading (onnx_constants); dropout and casts are left out.
"""

from pathlib import Path
from typing import Any

import numpy as np

from conversion.ann.graph import AnnGraph
from conversion.ann.onnx_constants import CONSTANT_OPERATORS, folded
from conversion.ann.onnx_file import OnnxFile, open_onnx
from conversion.ann.onnx_node import OnnxNode, shown
from conversion.ann.onnx_operators import OPERATORS, refused
from conversion.ann.onnx_runtime import compared
from conversion.ann.onnx_tensors import require_readable
from conversion.ann.onnx_values import Value, Values
from snnface.errors import ConversionError, DataError

__all__ = ["read_onnx"]

_ANY_BATCH = 1_000_003
"""Stands for an open batch axis in computations of shapes; a prime, so that no other axis gives it by chance."""

_MAX_BATCH = 4096


def read_onnx(path: Path, input_shape: tuple[int, ...] | None = None) -> AnnGraph:
    """Read a feed-forward network.

    Weights are widened to float64. After reading, the graph is asked beside onnxruntime on random
    numbers, and the largest difference must be below 1e-4 of the largest answer; where onnxruntime
    is not installed, `removed` says that it was not asked.

    Args:
        input_shape: (C, H, W) or (N,), without the batch axis, for files that leave sizes open.

    Raises:
        DatasetNotFoundError: if there is no such file.
        DataError: if the file, or one with its weights, is damaged, cut off, too large, in another folder, or
            holds NaN.
        UnsupportedLayerError: names the first node without a spiking counterpart.
        ConversionError: if the network has several inputs or answers, its sizes are open, or onnxruntime answers
            otherwise.
        BackendUnavailableError: if onnx is not installed.
    """
    file = open_onnx(path)
    entry = _input_of(file)
    batch, shape = _sizes(entry, input_shape)
    values = Values(entry.name, shape, _ANY_BATCH if batch is None else batch, file)
    for proto in file.graph.node:
        node = OnnxNode.of(proto)
        values.define(node, _result(node, values, file.folder))
    last = _answer(file, values)
    nodes = values.live(last)
    if not nodes:
        raise ConversionError(f"'{file.path.name}' answers its input as it is; a network with weights was expected.")
    graph = AnnGraph(shape, nodes, tuple(values.removed))
    note = compared(graph, file, entry, batch)
    return AnnGraph(shape, nodes, (*graph.removed, note)) if note else graph


def _result(node: OnnxNode, values: Values, folder: Path) -> Value | np.ndarray:
    if node.operator not in OPERATORS and node.operator not in CONSTANT_OPERATORS:
        raise refused(node)
    operands = [values.operand(node, index) if name else None for index, name in enumerate(node.inputs)]
    constants = [operand for operand in operands if not isinstance(operand, Value)]
    if len(constants) == len(operands) and node.operator in CONSTANT_OPERATORS:
        return folded(node, constants, folder)
    if node.operator not in OPERATORS:
        raise refused(node)
    return OPERATORS[node.operator](node, values)


def _input_of(file: OnnxFile) -> Any:
    """The one input; files of old list their weights among the inputs, too."""
    graph = file.graph
    if graph.sparse_initializer:
        raise ConversionError(f"'{file.path.name}' has sparse weights; export it with dense ones.")
    stored: set[str] = set()
    for tensor in graph.initializer:
        if tensor.name in stored:
            raise DataError(f"'{file.path.name}' has two arrays {shown(tensor.name)}; names must differ.")
        require_readable(tensor, file.folder)
        stored.add(tensor.name)
    inputs = [entry for entry in graph.input if entry.name not in stored]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise ConversionError(
            f"a network with one input and one answer was expected; '{file.path.name}' has {len(inputs)} inputs "
            f"{_names(inputs)} and {len(graph.output)} answers {_names(graph.output)}. Export the part that has one "
            "of each."
        )
    return inputs[0]


def _names(entries: Any) -> str:
    return f"({', '.join(shown(entry.name) for entry in entries[:8])})"


def _sizes(entry: Any, input_shape: tuple[int, ...] | None) -> tuple[int | None, tuple[int, ...]]:
    """Size of the batch axis, None if it is open, and the shape without it."""
    import onnx

    kinds, kind = onnx.TensorProto, entry.type.tensor_type
    if kind.elem_type not in (kinds.FLOAT, kinds.FLOAT16, kinds.DOUBLE):
        raise ConversionError(
            f"input {shown(entry.name)} should be floating-point numbers; it has the ONNX type {kind.elem_type}. "
            "Export the network with a float input."
        )
    found = [dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim]
    if not found and input_shape is not None:
        found = [None] * (1 + len(input_shape))
    if len(found) not in (2, 4):
        raise ConversionError(
            f"input {shown(entry.name)} should have the axes [batch, channels, rows, columns] or [batch, numbers]; it "
            f"has {len(found)}. Export the part that sees one picture."
        )
    batch, sizes = found[0], found[1:]
    if input_shape is not None:
        if len(input_shape) != len(sizes) or any(
            have not in (None, want) for have, want in zip(sizes, input_shape, strict=True)
        ):
            raise ConversionError(f"the input shape {input_shape} was asked for; the file has {_axes(sizes)}.")
        sizes = list(input_shape)
    shape = tuple(size for size in sizes if size is not None)
    if len(shape) != len(sizes):
        raise ConversionError(
            f"input {shown(entry.name)} leaves sizes open, {_axes(sizes)}; a spiking network has fixed ones. Give "
            "input_shape, or export it with only the batch axis open."
        )
    if min(shape) < 1 or not 1 <= (1 if batch is None else batch) <= _MAX_BATCH or max(shape) > 2**24:
        raise ConversionError(f"input {shown(entry.name)} has the axes {_axes(found)}; they are no sizes of a network.")
    return batch, shape


def _axes(sizes: list[int | None]) -> str:
    return f"({', '.join('open' if size is None else str(size) for size in sizes)})"


def _answer(file: OnnxFile, values: Values) -> Value:
    """What the file gives as its output, as a node of the graph."""
    name = file.graph.output[0].name
    last = values.given(name)
    if not isinstance(last, Value):
        raise ConversionError(f"the answer {shown(name)} of '{file.path.name}' does not depend on its input.")
    if len(last.shape) == 1:
        last = values.plain(OnnxNode("output", name, (name,), name, {}), last)
    if last.shape != values.own_shape(last):
        values.removed.append(f"the answer's shape {last.shape} is given as {values.own_shape(last)}, in that order.")
    return last
