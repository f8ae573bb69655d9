"""Small ONNX networks, node by node, and what onnxruntime answers to them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

__all__ = ["answer_of", "floats", "ints", "node", "number", "numbers", "onnx_model", "residual_model", "saved"]

NEWEST_IR = 10
"""Of the file format; older than the installed onnx would write, so that onnxruntime of any age reads it."""


def node(operator: str, inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
    """`inputs` are names with blanks between; "_" stands for one left out."""
    names = ["" if name == "_" else name for name in inputs.split()]
    return helper.make_node(operator, names, [output], name=f"/{output}/{operator}", **attributes)


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    """Normal, float32."""
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def number(value: float) -> np.ndarray:
    """Without an axis."""
    return np.array(value, np.float32)


def onnx_model(
    nodes: Sequence[onnx.NodeProto],
    arrays: Mapping[str, np.ndarray],
    *,
    shape: Sequence[int | str | None] = ("batch", 2, 6, 6),
    opset: int = 18,
    kind: int = TensorProto.FLOAT,
    functions: Sequence[onnx.FunctionProto] = (),
    domains: Sequence[str] = (),
) -> onnx.ModelProto:
    """From the input "x" to the output "y"."""
    graph = helper.make_graph(
        list(nodes),
        "network",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, opset_imports=imports, ir_version=NEWEST_IR, functions=list(functions))


def residual_model() -> onnx.ModelProto:
    """Conv, batch norm, ReLU, a residual, mean over the map, three answers: a bit of everything in 3 kB."""
    norm = {name: numbers(4, seed=place) for place, name in enumerate(("gamma", "beta", "mean"))}
    arrays = {
        "conv1.weight": numbers(4, 2, 3, 3),
        "conv2.weight": numbers(4, 4, 3, 3, seed=1),
        "fc.weight": numbers(3, 4),
        "fc.bias": numbers(3),
        "axes": np.array([2, 3], np.int64),
        "target": np.array([0, -1], np.int64),
        "variance": np.array([0.5, 1, 2, 3], np.float32),
        **norm,
    }
    nodes = [
        node("Conv", "x conv1.weight", "a", pads=[1, 1, 1, 1], strides=[2, 2]),
        node("BatchNormalization", "a gamma beta mean variance", "b"),
        node("Relu", "b", "c"),
        node("Conv", "c conv2.weight", "d", pads=[1, 1, 1, 1]),
        node("Add", "d c", "e"),
        node("Relu", "e", "f"),
        node("ReduceMean", "f axes", "g"),
        node("Reshape", "g target", "h"),
        node("Gemm", "h fc.weight fc.bias", "y", transB=1),
    ]
    return onnx_model(nodes, arrays)


def saved(model: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "net.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def answer_of(path: Path, inputs: np.ndarray) -> np.ndarray:
    """By onnxruntime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: inputs})[0])
