"""An AnnGraph while a traced module is being read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from conversion.ann.graph import AnnGraph, AnnNode, Flatten, Operation
from conversion.ann.refused_layers import SUPPORTED
from conversion.graph import INPUT
from snnface.errors import ConversionError, UnsupportedLayerError

__all__ = ["Call", "Place", "Tracing", "Value"]


@dataclass(frozen=True, slots=True)
class Value:
    """What a traced tensor is: the value of a node, perhaps written in another shape.

    Attributes:
        node: its name.
        node_shape: without the batch axis.
        shape: as the model sees it; the same numbers in the same order.
        is_positive: a ReLU made it, so that a clip from above makes it a clipped ReLU.
    """

    node: str
    node_shape: tuple[int, ...]
    shape: tuple[int, ...]
    is_positive: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the model an operator stands.

    Attributes:
        name: of its module, or of the function in its module.
        kind: "Conv2d", or "the function 'relu'".
        where: "model.py, line 31", or nothing.
    """

    name: str
    kind: str
    where: str = ""

    def refusal(self, reason: str) -> UnsupportedLayerError:
        """The error that names this place."""
        line = f" ({self.where})" if self.where else ""
        return UnsupportedLayerError(
            f"layer {self.name!r} is {self.kind}{line}: {reason}. Conversion supports {SUPPORTED}."
        )


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One operator with all its arguments by name.

    Attributes:
        shape: of its result, without the batch axis; None if the result is no single tensor.
    """

    place: Place
    arguments: Mapping[str, Any]
    shape: tuple[int, ...] | None

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]

    @property
    def value(self) -> Value:
        """What it reads; the first of several."""
        return next(part for part in self.arguments.values() if isinstance(part, Value))


@dataclass(slots=True)
class Tracing:
    """The nodes so far.

    Attributes:
        batch: the size of the traced tensors' first axis.
        is_rounded: the model rounds to float32 in between.
    """

    input_shape: tuple[int, ...]
    batch: int
    nodes: list[AnnNode] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    is_rounded: bool = False

    def add(self, place: Place, operation: Operation, *inputs: Value, shape: tuple[int, ...]) -> Value:
        """One more node; a second one of the same module gets a number behind its name."""
        taken = {INPUT, *(node.name for node in self.nodes)}
        name, number = place.name, 2
        while name in taken:
            name, number = f"{place.name}:{number}", number + 1
        self.nodes.append(AnnNode(name, operation, tuple(value.node for value in inputs), shape, place.where))
        return Value(name, shape, shape)

    def plain(self, place: Place, value: Value) -> Value:
        """The value as a node of the shape that the model sees."""
        if value.shape == value.node_shape:
            return value
        if len(value.shape) == 1:
            return self.add(Place(f"{value.node}.flatten", "flatten", place.where), Flatten(), value, shape=value.shape)
        raise place.refusal(f"it reads {value.node_shape} as {value.shape}, and only flattening is supported")

    def finished(self, answer: Any) -> AnnGraph:
        if not isinstance(answer, Value) or answer.node == INPUT:
            raise ConversionError(
                "the model's answer is its input, or does not depend on it; there is nothing to convert."
            )
        last = self.plain(Place("answer", "the answer"), answer).node
        end = next(number for number, node in enumerate(self.nodes, 1) if node.name == last)
        return AnnGraph(self.input_shape, tuple(self.nodes[:end]), tuple(self.removed))
