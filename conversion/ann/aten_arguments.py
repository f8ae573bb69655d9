"""Arguments of ATen operators as numbers, or a refusal."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from conversion.ann.tracing import Call, Tracing, Value

__all__ = ["bias_of", "constant_of", "map_of", "numbers_of", "pair", "per_channel", "result_shape", "weights_of"]


def map_of(tracing: Tracing, call: Call, value: object) -> Value:
    if not isinstance(value, Value):
        raise call.place.refusal("its weights depend on the input, which no synapse does")
    if len(value.shape) != 3:
        raise call.place.refusal(f"it reads {value.shape}; it needs (C, H, W)")
    return tracing.plain(call.place, value)


def result_shape(call: Call) -> tuple[int, ...]:
    assert call.shape is not None
    return call.shape


def constant_of(call: Call) -> object:
    """The other operand of a value, or the other value."""
    return call["other"] if isinstance(call["self"], Value) else call["self"]


def weights_of(call: Call, name: str) -> np.ndarray:
    if isinstance(call[name], Value):
        raise call.place.refusal("its weights depend on the input, which no synapse does")
    return numbers_of(call[name])


def bias_of(call: Call) -> np.ndarray | None:
    return None if call["bias"] is None else weights_of(call, "bias")


def numbers_of(tensor: Tensor) -> np.ndarray:
    return tensor.detach().to(torch.float64).numpy().copy()


def per_channel(call: Call, constant: object, shape: tuple[int, ...]) -> np.ndarray:
    """A number a channel of a value of `shape`; the constant may be written in any shape that torch broadcasts."""
    try:
        wide = (
            torch.as_tensor(constant, dtype=torch.float64).expand(1, *shape)[0].flatten(1) if len(shape) > 1 else None
        )
        if wide is None:
            return numbers_of(torch.as_tensor(constant, dtype=torch.float64).expand(1, *shape)[0])
    except RuntimeError as error:
        raise call.place.refusal("its constant is larger than the value that it is for") from error
    if not bool((wide == wide[:, :1]).all()):
        raise call.place.refusal("its constant differs from pixel to pixel; one number a channel can be folded")
    return numbers_of(wide[:, 0])


def pair(value: int | Sequence[int]) -> tuple[int, int]:
    sizes = (value,) if isinstance(value, int) else tuple(value)
    return (int(sizes[0]), int(sizes[-1]))
