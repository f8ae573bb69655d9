"""What each ATen operator of a traced module is in an AnnGraph."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from conversion.ann.aten_arguments import (
    bias_of,
    constant_of,
    map_of,
    numbers_of,
    pair,
    per_channel,
    result_shape,
    weights_of,
)
from conversion.ann.aten_pools import adaptive_pool, average_pool, max_pool, max_pool_with_indices, mean, pad
from conversion.ann.graph import Add, ChannelAffine, Conv, Linear, Relu, Sides, Softmax
from conversion.ann.tracing import Call, Tracing, Value

__all__ = ["RULES"]


def _conv(tracing: Tracing, call: Call) -> Value:
    value, weight = map_of(tracing, call, call["input"]), weights_of(call, "weight")
    stride, dilation = pair(call["stride"]), pair(call["dilation"])
    if isinstance(call["padding"], str):
        padding = (0, 0, 0, 0) if call["padding"] == "valid" else _same_padding(weight.shape, dilation)
    else:
        padding = pair(call["padding"]) * 2
    operation = Conv(weight, bias_of(call), stride, padding, dilation, int(call["groups"]))
    return tracing.add(call.place, operation, value, shape=result_shape(call))


def _same_padding(shape: tuple[int, ...], dilation: tuple[int, int]) -> Sides:
    """Of what does not divide by two the greater half stands behind, as in torch."""
    rows, columns = (dilation[axis] * (shape[2 + axis] - 1) for axis in (0, 1))
    return (rows // 2, columns // 2, rows - rows // 2, columns - columns // 2)


def _linear(tracing: Tracing, call: Call) -> Value:
    return _full(tracing, call, call["input"], weights_of(call, "weight"), bias_of(call))


def _matmul(tracing: Tracing, call: Call) -> Value:
    other = call["other"] if "other" in call.arguments else call["mat2"]
    value = call["self"]
    if isinstance(value, Value) and isinstance(other, Value):
        raise call.place.refusal("it multiplies two values that depend on the input, which no synapse does")
    if not isinstance(value, Value) or other.ndim != 2:
        raise call.place.refusal("only a vector times a constant matrix is a full layer")
    return _full(tracing, call, value, numbers_of(other).T, None)


def _addmm(tracing: Tracing, call: Call) -> Value:
    if isinstance(call["self"], Value) or isinstance(call["mat2"], Value) or (call["beta"], call["alpha"]) != (1, 1):
        raise call.place.refusal("only a vector times a constant matrix plus a constant is a full layer")
    weight = numbers_of(call["mat2"]).T
    return _full(tracing, call, call["mat1"], weight, np.broadcast_to(numbers_of(call["self"]), len(weight)).copy())


def _full(tracing: Tracing, call: Call, value: Value, weight: np.ndarray, bias: np.ndarray | None) -> Value:
    if len(value.shape) != 1:
        raise call.place.refusal(f"it reads a map {value.shape}; put a Flatten before it")
    return tracing.add(call.place, Linear(weight, bias), tracing.plain(call.place, value), shape=(len(weight),))


def _batch_norm(tracing: Tracing, call: Call) -> Value:
    if call["training"] or call["running_mean"] is None:
        raise call.place.refusal(
            "a batch norm without running statistics depends on the batch; train it with track_running_stats=True"
        )
    scale = 1 / np.sqrt(numbers_of(call["running_var"]) + call["eps"])
    if call["weight"] is not None:
        scale = scale * weights_of(call, "weight")
    beta = 0.0 if call["bias"] is None else weights_of(call, "bias")
    shift = beta - numbers_of(call["running_mean"]) * scale
    return _affine(tracing, call, call["input"], scale, shift)


def _relu(tracing: Tracing, call: Call) -> Value:
    return _clipped(tracing, call, 0.0, None)


def _relu6(tracing: Tracing, call: Call) -> Value:
    return _clipped(tracing, call, 0.0, 6.0)


def _hardtanh(tracing: Tracing, call: Call) -> Value:
    return _clipped(tracing, call, call["min_val"], call["max_val"])


def _clamp(tracing: Tracing, call: Call) -> Value:
    return _clipped(tracing, call, call.arguments.get("min"), call.arguments.get("max"))


def _maximum(tracing: Tracing, call: Call) -> Value:
    return _clipped(tracing, call, constant_of(call), None)


def _minimum(tracing: Tracing, call: Call) -> Value:
    return _clipped(tracing, call, None, constant_of(call))


def _clipped(tracing: Tracing, call: Call, lower: object, upper: object) -> Value:
    value = call.value
    low, high = _bound(call, lower), _bound(call, upper)
    if low is None and value.is_positive:
        low = 0.0
    if low != 0 or (high is not None and not high > 0):
        shown = f"{'-inf' if low is None else low:}..{'inf' if high is None else high}"
        raise call.place.refusal(f"it clips to {shown}; spikes need a lower end of 0 and an upper one above it")
    ceiling = None if high is None or math.isinf(high) else high
    clipped = tracing.add(call.place, Relu(ceiling), value, shape=value.node_shape)
    return replace(clipped, shape=value.shape, is_positive=True)


def _bound(call: Call, bound: object) -> float | None:
    if bound is None or isinstance(bound, int | float):
        return None if bound is None else float(bound)
    if isinstance(bound, Tensor) and bound.numel() > 0 and bool((bound == bound.flatten()[0]).all()):
        return float(bound.flatten()[0])
    raise call.place.refusal("it clips to different numbers, or to a value that depends on the input")


def _add(tracing: Tracing, call: Call) -> Value:
    return _sum(tracing, call, call["self"], call["other"], 1.0, float(call.arguments.get("alpha", 1)))


def _sub(tracing: Tracing, call: Call) -> Value:
    return _sum(tracing, call, call["self"], call["other"], 1.0, -float(call.arguments.get("alpha", 1)))


def _rsub(tracing: Tracing, call: Call) -> Value:
    return _sum(tracing, call, call["self"], call["other"], -float(call.arguments.get("alpha", 1)), 1.0)


def _sum(tracing: Tracing, call: Call, first: object, second: object, scale: float, other_scale: float) -> Value:
    if isinstance(first, Value) and isinstance(second, Value):
        if first.shape != second.shape:
            raise call.place.refusal(f"it adds values of different shapes, {first.shape} and {second.shape}")
        parts = [_times(tracing, call, first, scale), _times(tracing, call, second, other_scale)]
        if parts[0].node_shape != parts[1].node_shape:
            parts = [tracing.plain(call.place, part) for part in parts]
        total = tracing.add(call.place, Add(), *parts, shape=parts[0].node_shape)
        return replace(total, shape=first.shape)
    if not isinstance(first, Value):
        first, second, scale, other_scale = second, first, other_scale, scale
    assert isinstance(first, Value)
    shift = per_channel(call, second, first.shape) * other_scale
    return _affine(tracing, call, first, np.full(len(shift), scale), shift)


def _times(tracing: Tracing, call: Call, value: Value, scale: float) -> Value:
    channels = value.shape[0]
    return value if scale == 1 else _affine(tracing, call, value, np.full(channels, scale), np.zeros(channels))


def _mul(tracing: Tracing, call: Call) -> Value:
    if isinstance(call["self"], Value) and isinstance(call["other"], Value):
        raise call.place.refusal("it multiplies two values that depend on the input (a gate), which no synapse does")
    scale = per_channel(call, constant_of(call), call.value.shape)
    return _affine(tracing, call, call.value, scale, np.zeros(len(scale)))


def _div(tracing: Tracing, call: Call) -> Value:
    if isinstance(call["other"], Value) or call.arguments.get("rounding_mode") is not None:
        raise call.place.refusal("only division by a constant, without rounding, can be converted")
    scale = 1 / per_channel(call, call["other"], call.value.shape)
    return _affine(tracing, call, call.value, scale, np.zeros(len(scale)))


def _neg(tracing: Tracing, call: Call) -> Value:
    return _times(tracing, call, call.value, -1.0)


def _affine(tracing: Tracing, call: Call, value: Value, scale: np.ndarray, shift: np.ndarray) -> Value:
    value = tracing.plain(call.place, value)
    return tracing.add(call.place, ChannelAffine(scale, shift), value, shape=value.shape)


def _reshaped(tracing: Tracing, call: Call) -> Value:
    shape = result_shape(call)
    if math.prod(shape) != math.prod(call.value.shape):
        raise call.place.refusal("it joins different samples of the batch; keep the first axis")
    return replace(call.value, shape=shape)


def _dropout(tracing: Tracing, call: Call) -> Value:
    if call["train"]:
        raise call.place.refusal("it drops values when evaluated, too; pass training=self.training")
    tracing.removed.append(f"dropout {call.place.name!r}: does nothing when evaluated")
    return call.value


def _same(tracing: Tracing, call: Call) -> Value:
    return call.value


def _cast(tracing: Tracing, call: Call) -> Value:
    wanted = call.arguments.get("dtype")
    if wanted not in (None, torch.float32, torch.float64):
        raise call.place.refusal(f"it rounds to {wanted}; only float32 and float64 are read")
    tracing.is_rounded |= wanted == torch.float32
    return call.value


def _softmax(tracing: Tracing, call: Call) -> Value:
    return _softmax_of(tracing, call, is_log=False)


def _log_softmax(tracing: Tracing, call: Call) -> Value:
    return _softmax_of(tracing, call, is_log=True)


def _softmax_of(tracing: Tracing, call: Call, *, is_log: bool) -> Value:
    value = call.value
    if call["dim"] not in (1, -len(value.shape)):
        raise call.place.refusal("a softmax can only go where it stands behind the answers, over their axis")
    return tracing.add(call.place, Softmax(is_log), tracing.plain(call.place, value), shape=value.shape)


RULES: dict[str, Callable[[Tracing, Call], Value | tuple[Value, None]]] = {
    "conv2d": _conv,
    "linear": _linear,
    **dict.fromkeys(("matmul", "mm"), _matmul),
    "addmm": _addmm,
    "batch_norm": _batch_norm,
    "relu": _relu,
    "relu6": _relu6,
    "hardtanh": _hardtanh,
    **dict.fromkeys(("clamp", "clip", "clamp_min", "clamp_max"), _clamp),
    "maximum": _maximum,
    "minimum": _minimum,
    "add": _add,
    **dict.fromkeys(("sub", "subtract"), _sub),
    "rsub": _rsub,
    **dict.fromkeys(("mul", "multiply"), _mul),
    **dict.fromkeys(("div", "divide", "true_divide"), _div),
    "neg": _neg,
    "avg_pool2d": average_pool,
    "adaptive_avg_pool2d": adaptive_pool,
    "mean": mean,
    "max_pool2d": max_pool,
    "max_pool2d_with_indices": max_pool_with_indices,
    **dict.fromkeys(("pad", "constant_pad_nd"), pad),
    **dict.fromkeys(("flatten", "view", "reshape", "view_as", "squeeze", "unsqueeze", "unflatten"), _reshaped),
    **dict.fromkeys(("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout"), _dropout),
    **dict.fromkeys(("contiguous", "clone", "alias", "detach", "lift_fresh_copy"), _same),
    **dict.fromkeys(("to", "_to_copy"), _cast),
    **dict.fromkeys(("softmax", "special_softmax"), _softmax),
    **dict.fromkeys(("log_softmax", "special_log_softmax"), _log_softmax),
}
"""ATen operator, without the underscore of its in-place form -> what it adds to the graph."""
