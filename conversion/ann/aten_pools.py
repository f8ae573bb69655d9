"""What pools and pads of a traced module are in an AnnGraph."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np

from conversion.ann.aten_arguments import map_of, pair, result_shape
from conversion.ann.graph import AveragePool, Linear, MaxPool, Pad
from conversion.ann.tracing import Call, Tracing, Value

__all__ = ["adaptive_pool", "average_pool", "max_pool", "max_pool_with_indices", "mean", "pad"]


def average_pool(tracing: Tracing, call: Call) -> Value:
    window, padding = pair(call["kernel_size"]), pair(call["padding"])
    stride = pair(call["stride"] or window)
    value = map_of(tracing, call, call["self"])
    if call["divisor_override"] is not None:
        raise call.place.refusal("divisor_override is not supported; scale the next weights instead")
    _require_floor(call, value, window, stride, padding)
    pool = AveragePool(window, stride, padding, bool(call["count_include_pad"]) or not any(padding))
    return tracing.add(call.place, pool, value, shape=result_shape(call))


def adaptive_pool(tracing: Tracing, call: Call) -> Value:
    value, shape = map_of(tracing, call, call["self"]), result_shape(call)
    windows: list[int] = []
    strides: list[int] = []
    for size, outputs in zip(value.shape[1:], shape[1:], strict=True):
        starts = [place * size // outputs for place in range(outputs)]
        lengths = {-(-(place + 1) * size // outputs) - start for place, start in enumerate(starts)}
        steps = {after - before for before, after in pairwise(starts)} or {size}
        if len(lengths) > 1 or len(steps) > 1 or 0 in steps:
            raise call.place.refusal(f"it pools {value.shape[1:]} to {shape[1:]}, which windows of one size cannot do")
        windows += lengths
        strides += steps
    pool = AveragePool((windows[0], windows[1]), (strides[0], strides[1]))
    return tracing.add(call.place, pool, value, shape=shape)


def mean(tracing: Tracing, call: Call) -> Value:
    """A mean over rows and columns, also over one after the other, or over both written as one axis; or a vote."""
    value, dims = call["self"], call.arguments.get("dim")
    count = len(value.shape) + 1
    axes = {axis % count for axis in (dims or ())}
    if len(value.node_shape) == 1 and len(value.shape) == 2 and axes == {2}:
        return _vote(tracing, call, value)
    if not axes or axes & {0, 1} or len(value.node_shape) != 3:
        raise call.place.refusal("only a mean over rows and columns is a pool")
    rows, columns = value.node_shape[1:]
    if math.prod(value.shape[axis - 1] for axis in axes) == rows * columns:
        window = (rows, columns)
    elif value.shape == value.node_shape:
        window = (rows if 2 in axes else 1, columns if 3 in axes else 1)
    else:
        raise call.place.refusal(f"it reads {value.node_shape} as {value.shape}, and only flattening is supported")
    shape = (value.node_shape[0], rows // window[0], columns // window[1])
    source = replace(value, shape=value.node_shape)
    return replace(tracing.add(call.place, AveragePool(window, window), source, shape=shape), shape=result_shape(call))


def _vote(tracing: Tracing, call: Call, value: Value) -> Value:
    """A vector's neighbours averaged in runs of one length: a full layer."""
    answers, votes = value.shape
    weight = np.kron(np.eye(answers), np.full((1, votes), 1 / votes))
    source = replace(value, shape=value.node_shape)
    return replace(tracing.add(call.place, Linear(weight), source, shape=(answers,)), shape=result_shape(call))


def max_pool(tracing: Tracing, call: Call) -> Value:
    window, padding, dilation = pair(call["kernel_size"]), pair(call["padding"]), pair(call["dilation"])
    stride = pair(call["stride"] or window)
    value = map_of(tracing, call, call["self"])
    spans = (dilation[0] * (window[0] - 1) + 1, dilation[1] * (window[1] - 1) + 1)
    _require_floor(call, value, spans, stride, padding)
    shape = _floored(value.shape, spans, stride, padding)
    return tracing.add(call.place, MaxPool(window, stride, padding, dilation), value, shape=shape)


def max_pool_with_indices(tracing: Tracing, call: Call) -> tuple[Value, None]:
    return max_pool(tracing, call), None


def _require_floor(
    call: Call, value: Value, window: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
) -> None:
    ceiling = tuple(
        -(-(size + 2 * before - span) // step)
        for size, span, step, before in zip(value.shape[1:], window, stride, padding, strict=True)
    )
    floor = tuple(size - 1 for size in _floored(value.shape, window, stride, padding)[1:])
    if call["ceil_mode"] and ceiling != floor:
        raise call.place.refusal(
            "ceil_mode pools over windows of different sizes; choose sizes that the stride divides"
        )


def _floored(
    shape: tuple[int, ...], window: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
) -> tuple[int, ...]:
    sizes = ((shape[1 + axis] + 2 * padding[axis] - window[axis]) // stride[axis] + 1 for axis in (0, 1))
    return (shape[0], *sizes)


def pad(tracing: Tracing, call: Call) -> Value:
    widths = [int(width) for width in call["pad"]]
    if call.arguments.get("mode", "constant") != "constant" or call["value"]:
        raise call.place.refusal("only padding with zeros can be converted")
    if not any(widths):
        return call.value
    value = map_of(tracing, call, call["self"])
    left, right, top, bottom = (*widths, 0, 0, 0, 0)[:4]
    if len(widths) > 4 or min(widths) < 0:
        raise call.place.refusal("it must add rows and columns, no channels, and crop nothing")
    return tracing.add(call.place, Pad((top, left, bottom, right)), value, shape=result_shape(call))
