"""A graph read from an ONNX file beside onnxruntime, which reads the file itself."""

import math
from typing import Any

import numpy as np
import torch

from conversion.ann.graph import AnnGraph
from conversion.ann.onnx_file import OnnxFile
from conversion.ann.onnx_node import shown
from snnface.errors import ConversionError

__all__ = ["HALF_TOLERANCE", "TOLERANCE", "compared"]

TOLERANCE = 1e-4
"""How far answers may differ, in parts of the largest one (of float32 rounding, 1e-6 was seen)."""

HALF_TOLERANCE = 2e-2
"""The same for a network that computes in half precision; its numbers have 11 bits."""

_MAX_INPUT = 2**27


def compared(graph: AnnGraph, file: OnnxFile, entry: Any, batch: int | None) -> str:
    """Ask both on random numbers of a normal distribution, with two samples where the batch is open.

    Args:
        entry: the input of the file, a ValueInfoProto.

    Returns:
        "", or a sentence that says why onnxruntime was not asked.

    Raises:
        ConversionError: if onnxruntime cannot run the file, or answers otherwise.
    """
    try:
        from onnxruntime.capi import onnxruntime_pybind11_state as state
    except ImportError:
        return "onnxruntime is not installed: the answers of this graph were not compared with its."
    errors = tuple(kind for kind in vars(state).values() if isinstance(kind, type) and issubclass(kind, Exception))
    shape = (2 if batch is None else batch, *graph.input_shape)
    if math.prod(shape) > _MAX_INPUT:
        raise ConversionError(f"an input of {shape} is too large to compare; export with an open batch axis.")
    import onnx

    dtype = onnx.helper.tensor_dtype_to_np_dtype(entry.type.tensor_type.elem_type)
    inputs = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    try:
        expected = _runtime_answer(file, entry.name, inputs)
    except errors as error:
        reason = " ".join(str(error).split())[:300]
        raise ConversionError(
            f"onnxruntime cannot run '{file.path.name}', so its answers cannot be checked: {reason}"
        ) from error
    found = graph(torch.from_numpy(inputs.astype(np.float32))).numpy()
    _require_equal(found, expected, file, HALF_TOLERANCE if dtype == np.float16 else TOLERANCE)
    return ""


def _runtime_answer(file: OnnxFile, name: str, inputs: np.ndarray) -> np.ndarray:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(file.path, options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {name: inputs})[0], np.float64)


def _require_equal(found: np.ndarray, expected: np.ndarray, file: OnnxFile, tolerance: float) -> None:
    if found.size != expected.size:
        raise ConversionError(
            f"'{file.path.name}' was read with answers of {found.shape}; onnxruntime gives {expected.shape}."
        )
    if not np.isfinite(expected).all():
        raise ConversionError(
            f"'{file.path.name}' answers random numbers with some that are not finite; its weights are too large or "
            "damaged."
        )
    largest = float(np.abs(expected).max())
    off = float(np.abs(found.reshape(-1) - expected.reshape(-1)).max())
    if not off <= tolerance * largest:
        answer = shown(file.graph.output[0].name)
        raise ConversionError(
            f"'{file.path.name}' was read otherwise than onnxruntime runs it: {answer} differs by up to {off:.3g} "
            f"where the largest is {largest:.3g} (at most {tolerance:g} of it is allowed). Please report the file."
        )
