"""What of an ONNX graph depends on no input: computed once, while it is read.

Exporters write the target of a reshape, the amounts of a padding or the statistics of an
input as little computations of their own. These are their operators, and no others.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from conversion.ann.onnx_node import OnnxNode
from conversion.ann.onnx_shapes import reshaped, squeezed, unsqueezed
from conversion.ann.onnx_tensors import array_of
from snnface.errors import DataError

__all__ = ["CONSTANT_OPERATORS", "MAX_ELEMENTS", "folded"]

MAX_ELEMENTS = 2**28
"""Of one constant: as many as the weights of a whole file may be."""


@dataclass(frozen=True, slots=True, eq=False)
class _Constants:
    """A node of which all inputs are known. `inputs` are None where one is left out."""

    node: OnnxNode
    inputs: Sequence[np.ndarray | None]
    folder: Path

    def __getitem__(self, index: int) -> np.ndarray:
        value = self.optional(index)
        if value is None:
            raise ValueError(f"input {index} is left out")
        return value

    def optional(self, index: int) -> np.ndarray | None:
        return self.inputs[index] if index < len(self.inputs) else None

    def axes(self) -> tuple[int, ...] | None:
        """An attribute in old opsets, the second input in newer ones."""
        given = self.optional(1)
        return self.node.integers("axes") if given is None else _integers(given)


def folded(node: OnnxNode, inputs: Sequence[np.ndarray | None], folder: Path) -> np.ndarray:
    """The value of a node that reads constants only; its operator is one of `CONSTANT_OPERATORS`.

    Raises:
        DataError: if its inputs do not fit together, or the result is unreasonably large.
    """
    try:
        # A number that is not finite is found where it would become a weight.
        with np.errstate(all="ignore"):
            return CONSTANT_OPERATORS[node.operator](_Constants(node, inputs, folder))
    except DataError:
        raise
    except (ValueError, IndexError, TypeError, OverflowError) as error:
        raise DataError(f"{node.where} ({node.operator}) computes a constant that cannot be: {error}.") from error


def _integers(array: np.ndarray) -> tuple[int, ...]:
    if array.dtype.kind not in "iu":
        raise ValueError(f"whole numbers were expected, {array.dtype} came")
    return tuple(int(entry) for entry in array.reshape(-1))


def _require_count(count: int) -> None:
    if count > MAX_ELEMENTS:
        raise ValueError(f"it would have {count} elements; at most {MAX_ELEMENTS} are computed")


def _constant(given: _Constants) -> np.ndarray:
    for name in ("value_float", "value_floats"):
        if name in given.node.attributes:
            return np.asarray(given.node.attributes[name], np.float32)
    for name in ("value_int", "value_ints"):
        if name in given.node.attributes:
            return np.asarray(given.node.attributes[name], np.int64)
    if "value" not in given.node.attributes:
        raise ValueError("numbers were expected in it, not texts or a sparse array")
    return _array(given, "value")


def _constant_of_shape(given: _Constants) -> np.ndarray:
    shape = _integers(given[0])
    _require_count(math.prod(shape))
    value = _array(given, "value") if "value" in given.node.attributes else np.zeros(1, np.float32)
    return np.full(shape, value.reshape(()))


def _array(given: _Constants, name: str) -> np.ndarray:
    tensor = given.node.attributes[name]
    if not hasattr(tensor, "data_type"):
        raise ValueError(f"attribute {name!r} is no array")
    return array_of(tensor, given.folder)


def _shape(given: _Constants) -> np.ndarray:
    start, end = given.node.integer("start", 0), given.node.integer("end", given[0].ndim)
    return np.array(given[0].shape[start:end], np.int64)


def _gather(given: _Constants) -> np.ndarray:
    data, indices, axis = given[0], given[1], given.node.integer("axis", 0)
    _require_count(data.size // max(data.shape[axis], 1) * indices.size)
    return np.asarray(np.take(data, _whole(indices), axis=axis))


def _whole(indices: np.ndarray) -> np.ndarray:
    if indices.dtype.kind not in "iu":
        raise ValueError(f"indices of the type {indices.dtype} came")
    return indices


def _concat(given: _Constants) -> np.ndarray:
    arrays = [given[index] for index in range(len(given.inputs))]
    _require_count(sum(array.size for array in arrays))
    return np.concatenate(arrays, axis=given.node.integer("axis", 0))


def _slice(given: _Constants) -> np.ndarray:
    """Ends far outside stand for "to the end", as in Python."""
    old = [given.node.integers(name) for name in ("starts", "ends", "axes")]
    new = [None if (array := given.optional(index)) is None else _integers(array) for index in (1, 2, 3, 4)]
    starts, ends = old[0] or new[0] or (), old[1] or new[1] or ()
    axes, steps = old[2] or new[2] or range(len(starts)), new[3] or [1] * len(starts)
    cuts = [slice(None)] * given[0].ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        cuts[axis] = slice(start, end, step)
    return np.asarray(given[0][tuple(cuts)])


def _squeeze(given: _Constants) -> np.ndarray:
    return given[0].reshape(squeezed(given[0].shape, given.axes()))


def _unsqueeze(given: _Constants) -> np.ndarray:
    return given[0].reshape(unsqueezed(given[0].shape, given.axes() or ()))


def _reshape(given: _Constants) -> np.ndarray:
    allows_zero = bool(given.node.integer("allowzero", 0))
    return given[0].reshape(reshaped(given[0].shape, _integers(given[1]), allows_zero=allows_zero))


def _transpose(given: _Constants) -> np.ndarray:
    return given[0].transpose(given.node.integers("perm"))


def _cast(given: _Constants) -> np.ndarray:
    import onnx

    kinds, kind = onnx.TensorProto, given.node.integer("to", 0)
    if kind not in (kinds.FLOAT, kinds.FLOAT16, kinds.DOUBLE, kinds.INT32, kinds.INT64, kinds.BOOL):
        raise ValueError(f"it casts to type {kind}, which is not read here")
    return given[0].astype(onnx.helper.tensor_dtype_to_np_dtype(kind))


def _divided(first: np.ndarray, second: np.ndarray) -> Any:
    """Whole numbers are divided towards zero."""
    if first.dtype.kind == "f":
        return first / second
    if (second == 0).any():
        raise ValueError("it divides by zero")
    quotient = np.abs(first) // np.abs(second)
    return np.where((first < 0) != (second < 0), -quotient, quotient)


def _arithmetic(compute: Callable[[np.ndarray, np.ndarray], Any]) -> Callable[[_Constants], np.ndarray]:
    def of(given: _Constants) -> np.ndarray:
        first, second = given[0], given[1]
        if first.dtype != second.dtype or first.dtype.kind not in "fiu":
            raise ValueError(f"it mixes {first.dtype} and {second.dtype}")
        _require_count(math.prod(np.broadcast_shapes(first.shape, second.shape)))
        return np.asarray(compute(first, second))

    return of


CONSTANT_OPERATORS: Mapping[str, Callable[[_Constants], np.ndarray]] = {
    "Add": _arithmetic(np.add),
    "Cast": _cast,
    "Concat": _concat,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Div": _arithmetic(_divided),
    "Gather": _gather,
    "Identity": lambda given: given[0],
    "Mul": _arithmetic(np.multiply),
    "Reshape": _reshape,
    "Shape": _shape,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Sub": _arithmetic(np.subtract),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
