"""One operation of an ONNX graph: its name, what it reads, and its attributes with their types checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conversion.ann.onnx_file import STANDARD_DOMAINS
from snnface.errors import DataError, UnsupportedLayerError

__all__ = ["OnnxNode", "plain_name", "shown"]

MAX_NAME = 80


@dataclass(frozen=True, slots=True, eq=False)
class OnnxNode:
    """A NodeProto.

    Attributes:
        operator: "Conv", ...; with its domain in front if that is not the standard one.
        name: as the file has it, or else that of its value.
        inputs: names of values, "" where an optional one is left out.
        output: its first value.
        attributes: name -> number, text, TensorProto, or a list of numbers.
    """

    operator: str
    name: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Any]

    @staticmethod
    def of(node: Any) -> "OnnxNode":
        """Of a NodeProto.

        Raises:
            DataError: if it has no value, or an attribute is damaged.
        """
        import onnx

        operator = node.op_type if node.domain in STANDARD_DOMAINS else f"{node.domain}::{node.op_type}"
        if not node.output or not node.output[0]:
            raise DataError(f"node {shown(node.name)} ({shown(operator)}) gives no value; the file is damaged.")
        name = node.name or node.output[0]
        try:
            attributes = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
        except ValueError as error:
            raise DataError(f"node {shown(name)}: an attribute cannot be read: {error}.") from error
        return OnnxNode(operator, name, tuple(node.input), node.output[0], attributes)

    @property
    def where(self) -> str:
        """For messages: "node '/layer1/Conv'"."""
        return f"node {shown(self.name)}"

    def has_input(self, index: int) -> bool:
        return index < len(self.inputs) and self.inputs[index] != ""

    def integer(self, name: str, default: int) -> int:
        value = self.attributes.get(name, default)
        if not isinstance(value, int):
            raise self._wrong(name, "a whole number")
        return value

    def number(self, name: str, default: float) -> float:
        value = self.attributes.get(name, default)
        if not isinstance(value, float | int):
            raise self._wrong(name, "a number")
        return float(value)

    def text(self, name: str, default: str) -> str:
        value = self.attributes.get(name, default.encode())
        if not isinstance(value, bytes):
            raise self._wrong(name, "a text")
        return value.decode(errors="replace")

    def integers(self, name: str) -> tuple[int, ...] | None:
        """None if it is left out."""
        if name not in self.attributes:
            return None
        value = self.attributes[name]
        if not isinstance(value, list) or not all(isinstance(entry, int) for entry in value):
            raise self._wrong(name, "a list of whole numbers")
        return tuple(value)

    def unsupported(self, why: str) -> UnsupportedLayerError:
        """An error about this node: `why` continues "node 'a' (Conv) ..."."""
        return UnsupportedLayerError(f"{self.where} ({shown(self.operator)[1:-1]}) {why}")

    def _wrong(self, name: str, expected: str) -> DataError:
        return DataError(
            f"{self.where} ({self.operator}): attribute {name!r} should be {expected}; the file is damaged."
        )


def shown(name: str) -> str:
    """A name of the file as messages show it: escaped and not too long."""
    return repr(name if len(name) <= MAX_NAME else f"{name[:MAX_NAME]}...")


def plain_name(name: str) -> str:
    """A name of the file as one of a layer, as the module has it where torch wrote the scopes.

    >>> plain_name("/layer1/layer1.0/conv1/Conv")
    'layer1.0.conv1.Conv'
    >>> plain_name("node_relu_1")
    'node_relu_1'
    """
    scopes: list[str] = []
    for scope in re.sub(r"[^\w.:/-]+", "_", name[:MAX_NAME]).split("/"):
        if scopes and scope.startswith(f"{scopes[-1]}."):
            scopes.pop()
        scopes.append(scope)
    return ".".join(scope for scope in scopes if scope) or "node"
