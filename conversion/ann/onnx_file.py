"""An ONNX file as a parsed model of bounded size.

Nothing of a file is run. It is a protocol-buffers message, in which two bytes can stand for
an object of a hundred; so its fields are counted before it is parsed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snnface.errors import BackendUnavailableError, ConversionError, DataError, DatasetNotFoundError

__all__ = ["MAX_BYTES", "MAX_FIELDS", "MAX_NODES", "OLDEST_OPSET", "OnnxFile", "open_onnx"]

MAX_BYTES = 2**30
"""Of the file, and of the weights beside it; 268 million float32 numbers."""

MAX_FIELDS = 1_000_000
"""Of the message, at all levels; a ResNet-152 has some ten thousand."""

MAX_NODES = 20_000
"""Operations of the graph, those of its functions written out among them."""

MAX_DEPTH = 64
"""Functions within functions."""

OLDEST_OPSET = 7
"""Before it, operands were broadcast by other rules."""

STANDARD_DOMAINS = ("", "ai.onnx")


@dataclass(frozen=True, slots=True, eq=False)
class OnnxFile:
    """A file that has been looked through.

    Attributes:
        graph: its GraphProto; functions are written out, and no node holds a graph of its own.
        opset: version of the standard operators.
        folder: where files beside it may be read.
    """

    path: Path
    graph: Any
    opset: int

    @property
    def folder(self) -> Path:
        return self.path.parent


def open_onnx(path: Path) -> OnnxFile:
    """Read a file whole.

    Raises:
        DatasetNotFoundError: if it is not there.
        DataError: if it is too large, cut off, or no ONNX file.
        ConversionError: if its operators are older or newer than those known, its functions nest too deep, or it
            has control flow.
        BackendUnavailableError: if the package onnx is not installed.
    """
    onnx, decode_error = _onnx()
    data = _bytes_of(path)
    _require_sound(data, onnx.ModelProto.DESCRIPTOR, path)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except decode_error as error:
        raise _damaged(path, str(error)) from error
    if not model.HasField("graph"):
        raise _damaged(path, "it holds no graph")
    opset = _opset(model.opset_import, path, newest=onnx.defs.onnx_opset_version())
    return OnnxFile(path, _written_out(model, opset, onnx), opset)


def _onnx() -> tuple[Any, type[Exception]]:
    """The package, and the error of the parser below it."""
    try:
        import onnx
        import onnx.inliner
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    except ImportError as error:
        raise BackendUnavailableError(
            f"reading an ONNX file needs onnx; {error.name} is not installed. Install it with: "
            "pip install 'snnface[onnx]'."
        ) from error
    return onnx, DecodeError


def _bytes_of(path: Path) -> bytes:
    if not path.is_file():
        raise DatasetNotFoundError(f"an ONNX file was expected at '{path}'; there is no such file.")
    if (size := path.stat().st_size) > MAX_BYTES:
        raise DataError(
            f"'{path.name}' has {size} bytes; at most {MAX_BYTES} are read. Keep its weights in half precision."
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"'{path.name}' cannot be read: {error.strerror}.") from error


def _damaged(path: Path, why: str) -> DataError:
    return DataError(f"'{path.name}' is no intact ONNX file: {why}. Export or copy it once more.")


def _require_sound(data: bytes, descriptor: Any, path: Path) -> None:
    """Walk the message without building it: tag, length, and into what is a message itself; names must be text.

    Source: Protocol Buffers, encoding (wire types 0, 1, 2 and 5; groups, 3 and 4, are not in ONNX).
    """
    num_fields, at = 0, 0
    open_messages = [(len(data), descriptor)]
    try:
        while open_messages:
            end, descriptor = open_messages[-1]
            if at == end:
                open_messages.pop()
                continue
            num_fields += 1
            if num_fields > MAX_FIELDS:
                raise DataError(
                    f"'{path.name}' holds more than {MAX_FIELDS} fields, more than any network needs; it is not read."
                )
            tag, at = _varint(data, at)
            wire_type = tag & 7
            if wire_type == 2:
                length, at = _varint(data, at)
                field = descriptor.fields_by_number.get(tag >> 3)
                if at + length <= end and field is not None and field.message_type is not None:
                    open_messages.append((at + length, field.message_type))
                    continue
                if field is not None and field.type == field.TYPE_STRING:
                    data[at : at + length].decode()
                at += length
            elif wire_type == 0:
                _, at = _varint(data, at)
            else:
                at += {1: 8, 5: 4}[wire_type]
            if at > end:
                raise IndexError
    except UnicodeDecodeError as error:
        raise _damaged(path, f"a name at byte {at} of {len(data)} is no text") from error
    except (IndexError, KeyError) as error:
        raise _damaged(path, f"it breaks off or is damaged near byte {min(at, len(data))} of {len(data)}") from error


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of 7 bits a byte, and where it ends; IndexError past ten bytes or the end."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise IndexError


def _opset(imports: Iterable[Any], path: Path, *, newest: int) -> int:
    versions = [entry.version for entry in imports if entry.domain in STANDARD_DOMAINS]
    if len(versions) != 1:
        raise _damaged(path, f"it should name one version of the standard operators, and names {len(versions)}")
    if not OLDEST_OPSET <= versions[0] <= newest:
        raise ConversionError(
            f"'{path.name}' uses opset {versions[0]}; {OLDEST_OPSET} to {newest} are read. Export it with "
            "opset_version=18, or translate it with onnx.version_converter."
        )
    return int(versions[0])


def _written_out(model: Any, opset: int, onnx: Any) -> Any:
    """The graph with the bodies of its functions in place of their calls."""
    functions = {(entry.domain, entry.name, entry.overload): entry for entry in model.functions}
    bodies = [model.graph.node, *(function.node for function in functions.values())]
    for node in (node for body in bodies for node in body):
        _require_flat(node)
    num_nodes = _num_nodes(model.graph.node, functions, {}, 0)
    if num_nodes > MAX_NODES:
        raise DataError(f"the graph has {num_nodes} nodes, written out; at most {MAX_NODES} are read.")
    if not functions:
        return model.graph
    for key, function in functions.items():
        if any(entry.domain in STANDARD_DOMAINS and entry.version != opset for entry in function.opset_import):
            raise ConversionError(
                f"function {key[1]!r} uses other versions of the operators than opset {opset} of the graph. "
                "Export the network with a newer torch, which writes no functions."
            )
    return onnx.inliner.inline_local_functions(model).graph


def _require_flat(node: Any) -> None:
    if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
        raise ConversionError(
            f"node {node.name[:80]!r} is {node.op_type[:40]}, whose way depends on its values; a spiking network has "
            "one way. Export the network with fixed control flow."
        )


def _num_nodes(
    nodes: Iterable[Any],
    functions: Mapping[tuple[str, str, str], Any],
    known: dict[tuple[str, str, str], int],
    depth: int,
) -> int:
    """How many nodes a body has when all is written out; a body that calls itself never ends."""
    if depth > MAX_DEPTH:
        raise DataError(f"functions of the file call each other more than {MAX_DEPTH} levels deep, or in a circle.")
    total = 0
    for node in nodes:
        key = (node.domain, node.op_type, node.overload)
        if key in functions and key not in known:
            known[key] = _num_nodes(functions[key].node, functions, known, depth + 1)
        total += known.get(key, 1)
    return total
