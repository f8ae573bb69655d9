"""A feed-forward ANN as a graph of operations, whatever file or module it was read from.

    reader (torch_reader, onnx_reader)  ->  AnnGraph  ->  conversion.ann.network  ->  thresholds, weights, spikes

Each node is one operation and the name of its value; weights are float64 arrays. What a
network does only while it learns (dropout) is not in it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from conversion.graph import INPUT
from snnface.errors import ConversionError

__all__ = [
    "Add",
    "AnnGraph",
    "AnnNode",
    "AveragePool",
    "ChannelAffine",
    "Conv",
    "Flatten",
    "Linear",
    "MaxPool",
    "Operation",
    "Pad",
    "Relu",
    "Softmax",
]

Sides = tuple[int, int, int, int]
"""Top, left, bottom, right."""


@dataclass(frozen=True, slots=True, eq=False)
class Conv:
    """A 2-D correlation. weight [O, I / groups, kh, kw], bias [O] or None; stride and dilation (rows, columns)."""

    weight: np.ndarray
    bias: np.ndarray | None = None
    stride: tuple[int, int] = (1, 1)
    padding: Sides = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    def __call__(self, inputs: Tensor) -> Tensor:
        weight, bias = _tensor(self.weight, inputs), None if self.bias is None else _tensor(self.bias, inputs)
        padded = _padded(inputs, self.padding)
        return functional.conv2d(padded, weight, bias, self.stride, 0, self.dilation, self.groups)


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """weight [O, I], bias [O] or None; of a vector [B, I]."""

    weight: np.ndarray
    bias: np.ndarray | None = None

    def __call__(self, inputs: Tensor) -> Tensor:
        return functional.linear(
            inputs, _tensor(self.weight, inputs), None if self.bias is None else _tensor(self.bias, inputs)
        )


@dataclass(frozen=True, slots=True, eq=False)
class ChannelAffine:
    """scale [C] x + shift [C], a channel: a batch norm with its running statistics, or the scaling of an input."""

    scale: np.ndarray
    shift: np.ndarray

    def __call__(self, inputs: Tensor) -> Tensor:
        wide = (-1, *[1] * (inputs.ndim - 2))
        return inputs * _tensor(self.scale, inputs).reshape(wide) + _tensor(self.shift, inputs).reshape(wide)


@dataclass(frozen=True, slots=True)
class Relu:
    """Clipped at 0 below, and at `ceiling` above (6 for ReLU6) unless that is None."""

    ceiling: float | None = None

    def __call__(self, inputs: Tensor) -> Tensor:
        return inputs.clamp(min=0.0, max=self.ceiling)


@dataclass(frozen=True, slots=True)
class Add:
    """The sum of two or more values of one shape."""

    def __call__(self, first: Tensor, *others: Tensor) -> Tensor:
        for other in others:
            first = first + other
        return first


@dataclass(frozen=True, slots=True)
class AveragePool:
    """Mean over windows; `counts_padding` divides by the whole window at the border, too."""

    window: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int] = (0, 0)
    counts_padding: bool = True

    def __call__(self, inputs: Tensor) -> Tensor:
        return functional.avg_pool2d(
            inputs, self.window, self.stride, self.padding, count_include_pad=self.counts_padding
        )


@dataclass(frozen=True, slots=True)
class MaxPool:
    """Maximum over windows."""

    window: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)

    def __call__(self, inputs: Tensor) -> Tensor:
        return functional.max_pool2d(inputs, self.window, self.stride, self.padding, self.dilation)


@dataclass(frozen=True, slots=True)
class Pad:
    """Zeros around a map."""

    padding: Sides

    def __call__(self, inputs: Tensor) -> Tensor:
        return _padded(inputs, self.padding)


@dataclass(frozen=True, slots=True)
class Flatten:
    """(C, H, W) -> (C H W,), in that order."""

    def __call__(self, inputs: Tensor) -> Tensor:
        return inputs.flatten(1)


@dataclass(frozen=True, slots=True)
class Softmax:
    """Over the answers; `is_log` for its logarithm."""

    is_log: bool = False

    def __call__(self, inputs: Tensor) -> Tensor:
        return inputs.log_softmax(1) if self.is_log else inputs.softmax(1)


Operation = Conv | Linear | ChannelAffine | Relu | Add | AveragePool | MaxPool | Pad | Flatten | Softmax


@dataclass(frozen=True, slots=True, eq=False)
class AnnNode:
    """One operation and its value.

    Attributes:
        name: of its value; of a layer with weights the name that the model gives it ("layer1.0.conv1").
        inputs: names of the values it reads, INPUT among them.
        shape: of its value, without the batch axis.
        where: where it was found, for messages: "resnet.py, line 31", "node 'Conv_3'".
    """

    name: str
    operation: Operation
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    where: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class AnnGraph:
    """A whole network with one input and one output.

    Attributes:
        input_shape: (C, H, W) or (N,), without the batch axis.
        nodes: in an order in which each reads only earlier ones; the last one is the output.
        removed: what the reader left out, one sentence each ("dropout 'drop' does nothing when evaluated").

    Raises:
        ConversionError: if a name repeats, or a node reads what does not come before it, a weight is NaN or
            infinite, or there is no node.
    """

    input_shape: tuple[int, ...]
    nodes: tuple[AnnNode, ...]
    removed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        known = {INPUT}
        for node in self.nodes:
            if node.name in known:
                raise ConversionError(f"values of a graph must have different names; {node.name!r} occurs twice.")
            if unknown := [name for name in node.inputs if name not in known]:
                raise ConversionError(f"node {node.name!r} reads {unknown[0]!r}, which does not come before it.")
            known.add(node.name)
            if name := _not_finite(node.operation):
                raise ConversionError(
                    f"the {name} of layer {node.name!r} holds NaN or infinite values. Train the model again, or choose "
                    "an earlier checkpoint."
                )
        if not self.nodes:
            raise ConversionError("a graph needs at least one operation; this one has none.")

    def values(self, inputs: Tensor) -> Iterator[tuple[AnnNode, Tensor]]:
        """Every node with its value [B, *shape], in order; in the type of `inputs` [B, *input_shape]."""
        last_use = self._last_uses()
        known: dict[str, Tensor] = {INPUT: inputs}
        for node in self.nodes:
            known[node.name] = node.operation(*(known[name] for name in node.inputs))
            yield node, known[node.name]
            # So that memory holds what is still to be read, not the whole network.
            for name in {*node.inputs, node.name}:
                if last_use.get(name, node.name) == node.name:
                    del known[name]

    @torch.no_grad()
    def __call__(self, inputs: Tensor) -> Tensor:
        """[B, *input_shape] -> the last value [B, *shape]."""
        value = inputs
        for _, value in self.values(inputs):  # noqa: B007
            pass
        return value

    def _last_uses(self) -> Mapping[str, str]:
        return {name: node.name for node in self.nodes for name in node.inputs}


def _not_finite(operation: Operation) -> str | None:
    """The field that holds NaN or infinite values."""
    arrays = ((part.name, getattr(operation, part.name)) for part in fields(operation))
    return next(
        (name for name, value in arrays if isinstance(value, np.ndarray) and not np.isfinite(value).all()), None
    )


def _tensor(array: np.ndarray, like: Tensor) -> Tensor:
    return torch.as_tensor(array, dtype=like.dtype, device=like.device)


def _padded(inputs: Tensor, padding: Sides) -> Tensor:
    top, left, bottom, right = padding
    return functional.pad(inputs, (left, right, top, bottom)) if any(padding) else inputs
