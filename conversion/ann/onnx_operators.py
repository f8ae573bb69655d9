"""The ONNX operators that a network may have, as operations of the AnnGraph."""

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from conversion.ann.graph import Add, ChannelAffine, Conv, Linear, Relu, Softmax
from conversion.ann.onnx_node import OnnxNode, plain_name
from conversion.ann.onnx_pools import average_pool, global_average_pool, max_pool, pad, reduce_mean
from conversion.ann.onnx_shapes import flattened, reshaped, squeezed, unsqueezed
from conversion.ann.onnx_values import Value, Values
from conversion.ann.onnx_window import window_of
from snnface.errors import DataError, UnsupportedLayerError

__all__ = ["OPERATORS", "refused"]

Result = Value | np.ndarray

_LARGEST_FLOAT32 = float(np.finfo(np.float32).max)


def refused(node: OnnxNode) -> UnsupportedLayerError:
    """The error for an operator that is not in the table."""
    if re.search("uantize|QLinear|Integer", node.operator):
        return node.unsupported(
            "belongs to a network that is quantised to integers; convert the float network it was made of "
            "(the spiking network is quantised later, by its own rules)."
        )
    return node.unsupported(
        f"has no spiking counterpart here. Networks of {', '.join(sorted(OPERATORS))} are converted: replace it and "
        "train once more, or convert the part before it."
    )


# ---- weights


def _conv(node: OnnxNode, values: Values) -> Result:
    value, groups = values.map_of(node), node.integer("group", 1)
    weight = values.weights(node, 1, (None, None, None, None))
    outputs, inputs, *size = weight.shape
    if groups < 1 or outputs % groups or inputs * groups != value.shape[0] or min(weight.shape) < 1:
        raise DataError(
            f"{node.where} (Conv): weights {weight.shape} in {groups} groups do not fit a map of {value.shape}."
        )
    if (node.integers("kernel_shape") or tuple(size)) != tuple(size):
        raise DataError(
            f"{node.where} (Conv): kernel_shape {node.integers('kernel_shape')} is not that of the weights."
        )
    bias = values.weights(node, 2, (outputs,)) if node.has_input(2) else None
    window = window_of(node, (size[0], size[1]), (value.shape[1], value.shape[2]))
    conv = Conv(weight, bias, window.stride, window.padding, window.dilation, groups)
    return values.add(node, conv, (value,), (outputs, *window.output), name=_layer_name(node))


def _gemm(node: OnnxNode, values: Values) -> Result:
    value, weight = values.vector_of(node), values.weights(node, 1, (None, None))
    if node.integer("transA", 0):
        raise node.unsupported("transposes its input (transA), and with it the batch.")
    if not node.integer("transB", 0):
        weight = weight.T
    bias = None
    if node.has_input(2):
        given = np.asarray(node.number("beta", 1.0) * values.weights(node, 2))
        bias = _per_channel(node, given, (weight.shape[0],))
    return _linear(node, values, value, node.number("alpha", 1.0) * weight, bias)


def _matmul(node: OnnxNode, values: Values) -> Result:
    return _linear(node, values, values.vector_of(node), values.weights(node, 1, (None, None)).T, None)


def _linear(node: OnnxNode, values: Values, value: Value, weight: np.ndarray, bias: np.ndarray | None) -> Value:
    if weight.shape[1] != value.shape[0] or weight.shape[0] < 1:
        raise DataError(
            f"{node.where} ({node.operator}): weights from {weight.shape[1]} to {weight.shape[0]} numbers do not fit "
            f"an input of {value.shape[0]}."
        )
    linear = Linear(np.ascontiguousarray(weight), bias)
    return values.add(node, linear, (value,), (weight.shape[0],), name=_layer_name(node))


def _layer_name(node: OnnxNode) -> str:
    """As the model calls it: by its weights ("fc.weight") where the file kept their name, or by the node."""
    layer, point, last = node.inputs[1].rpartition(".")
    if point and last == "weight" and re.fullmatch(r"[\w.]{1,80}", layer):
        return layer
    return plain_name(node.name).removesuffix(f".{node.operator}")


def _batch_norm(node: OnnxNode, values: Values) -> Result:
    value = values.plain(node, values.value(node))
    if node.integer("training_mode", 0) or not node.integer("spatial", 1):
        raise node.unsupported("uses statistics of the batch. Export the network in evaluation mode (model.eval()).")
    gamma, beta, mean, variance = (values.weights(node, index, (value.shape[0],)) for index in (1, 2, 3, 4))
    spread = variance + node.number("epsilon", 1e-5)
    if not (spread > 0).all():
        raise DataError(f"{node.where} (BatchNormalization): a variance is negative; the weights are damaged.")
    scale = gamma / np.sqrt(spread)
    return values.add(node, ChannelAffine(scale, beta - mean * scale), (value,), value.shape)


# ---- ReLU, in its many forms


def _relu(node: OnnxNode, values: Values) -> Result:
    return _rectified(node, values, values.value(node), None)


def _clip(node: OnnxNode, values: Values) -> Result:
    """Its bounds are attributes before opset 11, inputs since."""
    if values.opset < 11:
        low, high = (node.number(name, limit) for name, limit in (("min", -np.inf), ("max", np.inf)))
    else:
        low, high = (values.scalar(node, index, limit) for index, limit in ((1, -np.inf), (2, np.inf)))
    return _between(node, values, values.value(node), low, high)


def _maximum(node: OnnxNode, values: Values) -> Result:
    value, bound = _value_and_bound(node, values)
    return _between(node, values, value, bound, np.inf)


def _minimum(node: OnnxNode, values: Values) -> Result:
    """After a ReLU, its upper end."""
    value, bound = _value_and_bound(node, values)
    low = 0.0 if isinstance(values.operation_of(value), Relu) else -np.inf
    return _between(node, values, value, low, bound)


def _value_and_bound(node: OnnxNode, values: Values) -> tuple[Value, float]:
    operands = [values.operand(node, index) for index in range(len(node.inputs))]
    places = [place for place, operand in enumerate(operands) if isinstance(operand, np.ndarray)]
    if len(operands) != 2 or len(places) != 1:
        raise node.unsupported("compares values of the network with each other. Only a constant bound is converted.")
    return values.value(node, 1 - places[0]), values.scalar(node, places[0], 0.0)


def _between(node: OnnxNode, values: Values, value: Value, low: float, high: float) -> Value:
    if low != 0 or not high > 0:
        raise node.unsupported(
            f"clips between {low:g} and {high:g}; rates of spikes begin at 0. Use ReLU, or a clip from 0 to a "
            "positive number."
        )
    return _rectified(node, values, value, None if high >= _LARGEST_FLOAT32 else high)


def _rectified(node: OnnxNode, values: Values, value: Value, ceiling: float | None) -> Value:
    """ReLU; of what is one already, that one with the lower of both ceilings."""
    before = values.nodes.get(value.name)
    if before is None or not isinstance(before.operation, Relu):
        plain = values.plain(node, value)
        return values.add(node, Relu(ceiling), (plain,), plain.shape)
    old = before.operation.ceiling
    if ceiling is None or (old is not None and old <= ceiling):
        return value
    made = values.add(node, Relu(ceiling), (Value(before.inputs[0], before.shape),), before.shape)
    return Value(made.name, value.shape)


# ---- sums, and scalings by constants


def _add(node: OnnxNode, values: Values) -> Result:
    if isinstance(values.operand(node, 0), Value) and isinstance(values.operand(node, 1), Value):
        return _sum(node, values)
    value, constant = _value_and_constant(node, values)
    return _scaled(node, values, value, np.ones(()), constant)


def _subtract(node: OnnxNode, values: Values) -> Result:
    value, constant = _value_and_constant(node, values)
    is_first = isinstance(values.operand(node, 0), Value)
    return _scaled(
        node, values, value, np.array(1.0 if is_first else -1.0), np.asarray(-constant if is_first else constant)
    )


def _multiply(node: OnnxNode, values: Values) -> Result:
    value, constant = _value_and_constant(node, values)
    return _scaled(node, values, value, constant, np.zeros(()))


def _divide(node: OnnxNode, values: Values) -> Result:
    value, constant = _value_and_constant(node, values)
    if not isinstance(values.operand(node, 0), Value):
        raise node.unsupported("divides by a value of the network; that is not linear.")
    if not constant.all():
        raise DataError(f"{node.where} (Div) divides by zero.")
    return _scaled(node, values, value, np.asarray(1 / constant), np.zeros(()))


def _sum(node: OnnxNode, values: Values) -> Result:
    terms = [values.plain(node, values.value(node, index)) for index in range(len(node.inputs))]
    if len(terms) == 1:
        return terms[0]
    shapes = {term.shape for term in terms}
    if len(shapes) != 1:
        raise node.unsupported(f"adds values of different shapes, {sorted(shapes)}; only equal ones are converted.")
    return values.add(node, Add(), terms, terms[0].shape)


def _value_and_constant(node: OnnxNode, values: Values) -> tuple[Value, np.ndarray]:
    if len(node.inputs) != 2:
        raise DataError(f"{node.where} ({node.operator}) needs two inputs; it has {len(node.inputs)}.")
    places = [place for place in (0, 1) if not isinstance(values.operand(node, place), Value)]
    if len(places) != 1:
        raise node.unsupported(
            "computes with two values of the network; only their sum, and scaling by constants, are converted."
        )
    return values.value(node, 1 - places[0]), values.weights(node, places[0])


def _scaled(node: OnnxNode, values: Values, value: Value, scale: np.ndarray, shift: np.ndarray) -> Value:
    plain = values.plain(node, value)
    affine = ChannelAffine(_per_channel(node, scale, plain.shape), _per_channel(node, shift, plain.shape))
    return values.add(node, affine, (plain,), plain.shape)


def _per_channel(node: OnnxNode, constant: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """[C] of a constant that is broadcast to a value [1, *shape]."""
    try:
        rows = np.broadcast_to(constant, (1, *shape)).reshape(shape[0], -1)
    except ValueError as error:
        raise node.unsupported(
            f"has a constant of {constant.shape}, which does not fit a value of {shape} sample by sample."
        ) from error
    if not (rows == rows[:, :1]).all():
        raise node.unsupported("has a constant with another number for each pixel; one a channel is converted.")
    return rows[:, 0].copy()


# ---- what moves or changes no number


def _reshape(node: OnnxNode, values: Values) -> Result:
    value, target = values.value(node), values.integers(node, 1) or ()
    allows_zero = bool(node.integer("allowzero", 0))
    return _viewed(node, values, value, lambda shape: reshaped(shape, target, allows_zero=allows_zero))


def _flatten(node: OnnxNode, values: Values) -> Result:
    axis = node.integer("axis", 1)
    return _viewed(node, values, values.value(node), lambda shape: flattened(shape, axis))


def _squeeze(node: OnnxNode, values: Values) -> Result:
    axes = _axes(node, values)
    return _viewed(node, values, values.value(node), lambda shape: squeezed(shape, axes))


def _unsqueeze(node: OnnxNode, values: Values) -> Result:
    axes = _axes(node, values) or ()
    return _viewed(node, values, values.value(node), lambda shape: unsqueezed(shape, axes))


def _axes(node: OnnxNode, values: Values) -> Sequence[int] | None:
    return node.integers("axes") if values.opset < 13 else values.integers(node, 1)


def _viewed(node: OnnxNode, values: Values, value: Value, moved: Callable[[tuple[int, ...]], tuple[int, ...]]) -> Value:
    try:
        shape = moved(values.full_shape(value))
    except ValueError as error:
        raise DataError(
            f"{node.where} ({node.operator}) does not fit its input of {value.shape} a sample: {error}. If the file "
            "was exported for another input size, export it once more."
        ) from error
    return values.viewed(value, shape, node)


def _dropout(node: OnnxNode, values: Values) -> Result:
    if node.has_input(2) and values.constant(node, 2).any():
        raise node.unsupported("is in training mode. Export the network in evaluation mode (model.eval()).")
    values.removed.append(f"{node.where} (Dropout) does nothing when evaluated.")
    return values.value(node)


def _cast(node: OnnxNode, values: Values) -> Result:
    import onnx

    kinds = onnx.TensorProto
    if node.integer("to", 0) not in (kinds.FLOAT, kinds.FLOAT16, kinds.BFLOAT16, kinds.DOUBLE):
        raise node.unsupported("turns values of the network into whole numbers.")
    values.removed.append(f"{node.where} (Cast) changes the precision only.")
    return values.value(node)


def _shape(node: OnnxNode, values: Values) -> Result:
    full = values.full_shape(values.value(node))
    return np.array(full[node.integer("start", 0) : node.integer("end", len(full))], np.int64)


def _softmax(node: OnnxNode, values: Values) -> Result:
    value = values.vector_of(node)
    if node.integer("axis", 1 if values.opset < 13 else -1) not in (1, -1):
        raise node.unsupported("is taken over the batch.")
    return values.add(node, Softmax(is_log=node.operator == "LogSoftmax"), (value,), value.shape)


OPERATORS: Mapping[str, Callable[[OnnxNode, Values], Result]] = {
    "Add": _add,
    "AveragePool": average_pool,
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "Clip": _clip,
    "Conv": _conv,
    "Div": _divide,
    "Dropout": _dropout,
    "Flatten": _flatten,
    "Gemm": _gemm,
    "GlobalAveragePool": global_average_pool,
    "Identity": lambda node, values: values.value(node),
    "LogSoftmax": _softmax,
    "MatMul": _matmul,
    "Max": _maximum,
    "MaxPool": max_pool,
    "Min": _minimum,
    "Mul": _multiply,
    "Pad": pad,
    "ReduceMean": reduce_mean,
    "Relu": _relu,
    "Reshape": _reshape,
    "Shape": _shape,
    "Softmax": _softmax,
    "Squeeze": _squeeze,
    "Sub": _subtract,
    "Sum": _sum,
    "Unsqueeze": _unsqueeze,
}
