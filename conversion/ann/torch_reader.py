"""Trained torch modules as AnnGraphs.

Modules are traced with torch.export, not torch.fx: it runs `forward` as it stands (checks
of shapes, loops and hooks included) on tensors without data, so that only control flow
that depends on data stops it; and it gives few ATen operators, so that nn.ReLU, F.relu,
torch.relu, x.relu_() and one ReLU module used three times are all the same to read.
Every operator knows its module and the source lines that called it.
"""

import copy
import operator
import re
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind

from conversion.ann.aten_rules import RULES
from conversion.ann.graph import AnnGraph
from conversion.ann.refused_layers import REFUSED_MODULES, REFUSED_OPERATORS
from conversion.ann.tracing import Call, Place, Tracing, Value
from conversion.graph import INPUT
from conversion.quiet_torch import quiet_torch
from snnface.errors import ConversionError, UnsupportedLayerError

__all__ = ["read_module"]

_BATCH = 2
"""Of the tensors that are traced. The comparison uses another, so that a fixed batch is found."""

_LINES = re.compile(r'File "([^"]*)", line (\d+)')
_FOREIGN = (Path(torch.__file__).parent.as_posix(), "/jaxtyping/", "/beartype/", "<", Path(__file__).as_posix())
"""Parts of paths that are not the model's own source."""

_MODEL_ERRORS = (RuntimeError, TypeError, ValueError, LookupError, AttributeError, AssertionError, ArithmeticError)
"""What a `forward` raises that does not fit its input."""


def read_module(model: nn.Module, input_shape: tuple[int, ...]) -> AnnGraph:
    """Read a model in its evaluation mode; the model stays unchanged.

    The graph is compared with the model, in float64 on random input, before it is returned.

    Args:
        model: takes one tensor [B, *input_shape] and gives one.
        input_shape: (C, H, W) or (N,), without the batch axis.

    Raises:
        UnsupportedLayerError: if the model holds something without a spiking form, or control
            flow that depends on data; the message names the layer and the source line.
        ConversionError: if the model does not take such an input, holds NaN or infinite
            weights, or the graph does not compute what it computes.
    """
    double = _copied(model)
    generator = torch.Generator().manual_seed(0)
    sample = torch.randn(_BATCH + 1, *input_shape, dtype=torch.float64, generator=generator)
    wanted = _answer(double, sample)
    program = _exported(double, sample[:_BATCH])
    tracing = Tracing(input_shape=input_shape, batch=_BATCH)
    graph = tracing.finished(_traced(program, tracing))
    _require_same(graph, sample, wanted, 1e-5 if tracing.is_rounded else 1e-9)
    return graph


def _copied(model: nn.Module) -> nn.Module:
    """In double precision and evaluation mode."""
    if isinstance(model, torch.jit.ScriptModule):
        raise UnsupportedLayerError("the model is compiled TorchScript; give the nn.Module that it was made from.")
    try:
        return copy.deepcopy(model).cpu().double().eval()
    except (RuntimeError, TypeError) as error:
        raise ConversionError(
            f"the model cannot be copied: {_first_line(error)}. Give one whose parameters are plain tensors (of "
            "torch.nn.utils.weight_norm, for one, remove_weight_norm makes them)."
        ) from error


@torch.no_grad()
def _answer(model: nn.Module, sample: Tensor) -> Tensor:
    try:
        answer = model(sample)
    except _MODEL_ERRORS as error:
        raise ConversionError(
            f"the model cannot read an input of {tuple(sample.shape)} (batch first): {_first_line(error)}. Give the "
            "input_shape that it was trained with, without the batch axis."
        ) from error
    if isinstance(answer, dict):
        answer = tuple(answer.values())
    if isinstance(answer, tuple | list) and len(answer) == 1:
        (answer,) = answer
    if not isinstance(answer, Tensor):
        kind = f"{len(answer)} values" if isinstance(answer, tuple | list) else type(answer).__name__
        raise UnsupportedLayerError(
            f"the model answers with {kind}; one tensor is expected. Wrap it in a module that gives the one to convert."
        )
    return answer


def _exported(model: nn.Module, sample: Tensor) -> ExportedProgram:
    try:
        with quiet_torch(), torch.no_grad():
            return torch.export.export(model, (sample,), strict=False)
    except _MODEL_ERRORS as error:
        raise UnsupportedLayerError(
            f"the model cannot be traced without data{_line_of(error)}: {_first_line(error)}. Its forward must not "
            "decide by the values of its input (if, while, int(x), x.item()); move such code out of the model."
        ) from error


def _traced(program: ExportedProgram, tracing: Tracing) -> Any:
    """The answer: a Value, or a tensor if it depends on no input."""
    known: dict[str, Any] = {}
    for spec in program.graph_signature.input_specs:
        name = spec.arg.name
        if spec.kind == InputKind.USER_INPUT:
            known[name] = Value(INPUT, tracing.input_shape, tracing.input_shape)
        else:
            tensors = program.state_dict if spec.target in program.state_dict else program.constants
            tensor = tensors[str(spec.target)]
            known[name] = tensor.detach() if isinstance(tensor, Tensor) else tensor
    outputs = _run(program.graph_module, known, tracing)
    kinds = [spec.kind for spec in program.graph_signature.output_specs]
    return next(value for value, kind in zip(outputs, kinds, strict=True) if kind == OutputKind.USER_OUTPUT)


def _run(module: fx.GraphModule, known: dict[str, Any], tracing: Tracing) -> tuple[Any, ...]:
    """The outputs of a traced module; only what they depend on is read."""
    (output,) = (node for node in module.graph.nodes if node.op == "output")
    needed = _needed(output)
    for node in module.graph.nodes:
        if node not in needed or node.op in ("placeholder", "output"):
            continue
        if node.op == "get_attr":
            known[node.name] = _attribute(module, str(node.target))
            continue
        arguments = fx.node.map_arg(node.args, lambda part: known[part.name])
        options = fx.node.map_arg(node.kwargs, lambda part: known[part.name])
        called = [part for part in arguments if isinstance(part, fx.GraphModule)]
        if called and len(called) == 1:  # autocast and no_grad blocks
            (inner,) = called
            passed = arguments[arguments.index(inner) + 1 :]
            names = [part.name for part in inner.graph.nodes if part.op == "placeholder"]
            known[node.name] = _run(inner, dict(zip(names, passed, strict=True)), tracing)
        else:
            known[node.name] = _operator(tracing, node, arguments, options)
    answers = fx.node.map_arg(output.args[0], lambda part: known[part.name])
    return tuple(answers)


def _operator(tracing: Tracing, node: fx.Node, arguments: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """The value of one operator: a Value, or a tensor or number where it reads no input."""
    target: Any = node.target
    if not any(isinstance(part, Value) for part in _leaves([*arguments, *options.values()])):
        with torch.no_grad():
            return target(*arguments, **options)
    if target is operator.getitem:
        return arguments[0][arguments[1]]
    name = target._schema.name.removeprefix("aten::") if hasattr(target, "_schema") else str(target)
    name = name.removesuffix("_")
    place = _place_of(node, name)
    for path, module in _modules_of(node):
        if module in REFUSED_MODULES:
            raise Place(path, module, place.where).refusal(REFUSED_MODULES[module])
    if name not in RULES:
        raise place.refusal(REFUSED_OPERATORS.get(name, "it has no spiking counterpart here"))
    bound = {part.name: part.default_value for part in target._schema.arguments if part.has_default_value()}
    bound |= dict(zip((part.name for part in target._schema.arguments), arguments, strict=False)) | dict(options)
    result = node.meta.get("val")
    return RULES[name](tracing, Call(place, bound, tuple(result.shape[1:]) if isinstance(result, Tensor) else None))


def _leaves(parts: Iterable[Any]) -> Iterator[Any]:
    for part in parts:
        if isinstance(part, list | tuple):
            yield from _leaves(part)
        else:
            yield part


def _modules_of(node: fx.Node) -> list[tuple[str, str]]:
    """The path and the class of every module around an operator, the outermost first."""
    return [(path, kind.rpartition(".")[2]) for path, kind in node.meta.get("nn_module_stack", {}).values()]


def _place_of(node: fx.Node, function: str) -> Place:
    """Where an operator stands; one that a module of torch.nn calls has the name of that module."""
    modules = node.meta.get("nn_module_stack", {}).values()
    path, kind = next(iter(reversed(modules)), ("", ""))
    lines = _LINES.findall(node.meta.get("stack_trace") or "")
    own = [(file, line) for file, line in lines if _is_own(file)]
    where = f"{Path(own[-1][0]).name}, line {own[-1][1]}" if own else ""
    if kind.startswith("torch.nn."):
        return Place(path, kind.rpartition(".")[2], where)
    return Place(f"{path}.{node.name}" if path else node.name, f"the function {function!r}", where)


def _needed(output: fx.Node) -> set[fx.Node]:
    needed: set[fx.Node] = set()
    waiting = [output]
    while waiting:
        node = waiting.pop()
        if node not in needed:
            needed.add(node)
            waiting += node.all_input_nodes
    return needed


def _attribute(module: nn.Module, path: str) -> Any:
    value: Any = module
    for part in path.split("."):
        value = getattr(value, part)
    return value


def _require_same(graph: AnnGraph, sample: Tensor, wanted: Tensor, tolerance: float) -> None:
    difference = float((graph(sample).flatten(1) - wanted.detach().flatten(1)).abs().max())
    if not difference <= tolerance * float(wanted.abs().max()):
        raise ConversionError(
            f"the graph that was read differs from the model by {difference} on random input. The model may draw "
            "random numbers, change its own state, or mix the samples of a batch; convert a plain, trained one."
        )


def _line_of(error: BaseException) -> str:
    """Where in the user's own code an error came up, as " (model.py, line 3)"."""
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_own(frame.filename)]
    return f" ({Path(lines[-1].filename).name}, line {lines[-1].lineno})" if lines else ""


def _is_own(file: str) -> bool:
    """Whether a source file is the model's: not torch's, this one, or that of a check of types."""
    return not any(part in Path(file).as_posix() for part in _FOREIGN)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
