"""Conventional networks as ONNX files, which onnxruntime answers as torch does.

The batch is the one axis that stays open; all others, the number of steps T among them, are those
of the example. The file holds float32 weights, batch norm folded into them, no dropout, nothing of
the machine that wrote it, and needs no second file. A network is written by torch's dynamo
exporter in its evaluation mode. Spiking networks are refused: ONNX knows no neuron, NIR does.
"""

import copy
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from conversion.quiet_torch import quiet_torch
from snnface.errors import BackendUnavailableError, ConversionError, UnsupportedLayerError
from snnface.files import atomic_path
from snnface.spiking.neurons import SpikingNeuron

__all__ = ["CHECKED_BATCHES", "OPSET", "TOLERANCE", "OnnxExport", "export_onnx", "require_conventional"]

OPSET = 18
"""The one that torch's exporter writes without a later translation; readers of 2023 and after know it."""

CHECKED_BATCHES = (1, 3)
"""The batch sizes at which onnxruntime is asked; the network is traced at another, 2."""

TOLERANCE = 1e-4
"""How far onnxruntime may be off, in parts of the largest answer (of float32 rounding, 1e-6 was seen)."""

MAX_BYTES = 2**31 - 2**24
"""A protobuf message ends at 2 GiB; some room is left for what is not weights."""

OUTPUT = "output"
"""What the answer is called of a network that does not name it."""

Axes = tuple[int | str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxExport:
    """What was written.

    Attributes:
        inputs, outputs: name -> its axes, "batch" where any size may stand.
        operators: ONNX operator -> number of nodes.
        difference: the largest |torch - onnxruntime| of all checked answers, in parts of the largest answer.
    """

    inputs: Mapping[str, Axes]
    outputs: Mapping[str, Axes]
    operators: Mapping[str, int]
    difference: float


def export_onnx(
    model: nn.Module, example: Mapping[str, Tensor], path: Path, *, batch_axes: Mapping[str, int]
) -> OnnxExport:
    """Write a network that does not spike as one ONNX file, after onnxruntime has given its answers.

    They are compared on random numbers between the least and the greatest of the example, at the
    batch sizes of `CHECKED_BATCHES`. If they differ, or anything else goes wrong, nothing is left
    at `path` but what was there before. The model stays unchanged.

    Args:
        example: argument name of the model's `forward` -> an input, one clip or more; inputs of the
            file bear these names.
        batch_axes: the same names -> which axis is the batch (1 for event pictures [T, B, C, H, W]).

    Returns:
        The names and axes of inputs and outputs. A dictionary of answers gives an output a name; a
        single tensor is called "output".

    Raises:
        UnsupportedLayerError: if the network spikes.
        ConversionError: if it cannot be traced with an open batch, is too large for one file, or
            onnxruntime's answers differ from the network's.
        BackendUnavailableError: if onnx, onnxscript or onnxruntime is not installed.
        DataError: if the disk refuses the file.
    """
    require_conventional(model)
    _require_size(model)
    if example.keys() != batch_axes.keys():
        raise ConversionError(
            f"every input needs its batch axis: inputs {', '.join(example)}, axes of {', '.join(batch_axes)}."
        )
    with quiet_torch():
        _require_onnx()
        twin = copy.deepcopy(model).cpu().float().eval()
        program, names = _traced(twin, {name: value.cpu().float() for name, value in example.items()}, batch_axes)
        with atomic_path(path) as temporary:
            program.save(temporary, external_data=False)
            operators = Counter(node.op_type for node in program.model.graph)
            # The weights stand in the file now; a second copy of them may be large.
            del program
            inputs, outputs, difference = _checked(temporary, twin, example, batch_axes, names)
    return OnnxExport(inputs=inputs, outputs=outputs, operators=dict(sorted(operators.items())), difference=difference)


def require_conventional(model: nn.Module) -> None:
    """Check that no layer spikes.

    Raises:
        UnsupportedLayerError: names the first that does.
    """
    for name, module in model.named_modules():
        if isinstance(module, SpikingNeuron):
            raise UnsupportedLayerError(
                f"layer {name!r} spikes ({type(module).__name__}), and ONNX has no such neuron. Write the network as "
                "NIR instead (conversion.nir_export; `snnface export RUN` without --onnx)."
            )


def _require_size(model: nn.Module) -> None:
    num_bytes = 4 * sum(tensor.numel() for tensor in (*model.parameters(), *model.buffers()))
    if num_bytes > MAX_BYTES:
        raise ConversionError(
            f"an ONNX file holds less than 2 GiB; the weights of this network are {num_bytes / 2**30:.1f} GiB. "
            "Make it narrower."
        )


def _require_onnx() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise BackendUnavailableError(
            f"ONNX files need onnx, onnxscript and onnxruntime; {error.name} is not installed. "
            "Install them with: pip install 'snnface[onnx]'."
        ) from error


@contextmanager
def _plain_attention() -> Iterator[None]:
    """nn.MultiheadAttention as single operators: ONNX does not know the fused ones that it takes in evaluation."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def _traced(model: nn.Module, example: Mapping[str, Tensor], batch_axes: Mapping[str, int]) -> tuple[Any, list[str]]:
    """The ONNX program, and the names of its outputs."""
    # A batch of one would be taken for a constant.
    inputs = {name: _repeated(value, batch_axes[name], 2) for name, value in example.items()}
    with torch.no_grad(), _plain_attention():
        names = list(_named(model(**inputs)))
        try:
            # Not by torch.onnx from the start: it takes LSTMs apart into loops.
            exported = torch.export.export(
                model,
                (),
                inputs,
                dynamic_shapes={name: {axis: torch.export.Dim("batch")} for name, axis in batch_axes.items()},
                strict=False,
                # What is assumed of the batch is not for all sizes provable (of pictures of one pixel); it is checked.
                prefer_deferred_runtime_asserts_over_guards=True,
            )
            program = torch.onnx.export(
                exported,
                dynamo=True,
                opset_version=OPSET,
                output_names=names,
                dynamic_shapes={name: {axis: "batch"} for name, axis in batch_axes.items()},
                verbose=False,
            )
        except RuntimeError as error:
            raise ConversionError(
                f"{type(model).__name__} cannot be traced with an open batch: {_reason(error)} Its forward may branch "
                "on T and on sizes, but on no value, and takes the batch's size from tensor.shape (no len(), no int())."
            ) from error
    assert program is not None
    _forget_origin(program.model)
    return program, names


def _named(answers: object) -> dict[str, Tensor]:
    named: dict[str, Any] = answers if isinstance(answers, dict) else {OUTPUT: answers}
    if not named or not all(isinstance(answer, Tensor) for answer in named.values()):
        raise ConversionError(
            f"a network with one answer, or a dictionary of named answers, was expected; got {type(answers).__name__}."
        )
    return named


def _repeated(value: Tensor, axis: int, size: int) -> Tensor:
    return value.index_select(axis, torch.arange(size) % value.shape[axis])


def _reason(error: BaseException) -> str:
    """What the exporter says in its first point, or line, as a sentence."""
    lines = [line.strip() for line in str(error).strip().splitlines()] or [type(error).__name__]
    reason = next((line.removeprefix("- ") for line in lines if line.startswith("- ")), lines[0])
    return reason if reason.endswith(".") else f"{reason}."


def _forget_origin(model: Any) -> None:
    """Leave out the exporter's notes: source lines with the paths of this machine, which readers need not."""
    model.metadata_props.clear()
    graph = model.graph
    graph.metadata_props.clear()
    for node in graph.all_nodes():
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()
    for value in (*graph.inputs, *graph.initializers.values()):
        value.metadata_props.clear()


def _checked(
    path: Path, model: nn.Module, example: Mapping[str, Tensor], batch_axes: Mapping[str, int], names: list[str]
) -> tuple[dict[str, Axes], dict[str, Axes], float]:
    """Axes of inputs and outputs, and the largest difference, of a file that is well-formed and answers rightly."""
    import onnx
    import onnxruntime

    onnx.checker.check_model(path, full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    if (found := {entry.name for entry in session.get_inputs()}) != example.keys():
        raise ConversionError(
            f"inputs {', '.join(example)} were expected in the file; it has {', '.join(sorted(found)) or 'none'}. The "
            "network must read every input, and not answer one as it is. No file was written."
        )
    generator = torch.Generator().manual_seed(0)
    differences = []
    for size in CHECKED_BATCHES:
        inputs = {name: _drawn(value, batch_axes[name], size, generator) for name, value in example.items()}
        with torch.no_grad():
            expected = {name: answer.numpy() for name, answer in _named(model(**inputs)).items()}
        found = session.run(names, {name: value.numpy() for name, value in inputs.items()})
        differences += [_difference(name, expected[name], answer) for name, answer in zip(names, found, strict=True)]
    read, given = (
        {entry.name: tuple(entry.shape) for entry in entries}
        for entries in (session.get_inputs(), session.get_outputs())
    )
    return read, given, max(differences)


def _drawn(example: Tensor, axis: int, size: int, generator: torch.Generator) -> Float[Tensor, "*axes"]:
    shape = [size if place == axis else extent for place, extent in enumerate(example.shape)]
    low, high = (float(bound) for bound in example.aminmax())
    return low + (high - low) * torch.rand(shape, generator=generator)


def _difference(name: str, expected: Float32[np.ndarray, "*axes"], found: Float32[np.ndarray, "*axes2"]) -> float:
    """The largest difference in parts of the largest answer."""
    if expected.shape != found.shape:
        raise ConversionError(
            f"output {name!r} should have the shape {expected.shape}; onnxruntime gives {found.shape}. "
            "No file was written."
        )
    if not np.isfinite(expected).all():
        raise ConversionError(
            f"the network answers {name!r} with numbers that are not finite; its weights are damaged."
        )
    largest, off = float(np.abs(expected).max()), float(np.abs(expected - found).max())
    if not off <= TOLERANCE * largest:
        raise ConversionError(
            f"onnxruntime answers {name!r} otherwise than the network: off by up to {off:.3g} where the largest answer "
            f"is {largest:.3g} (at most {TOLERANCE:g} of it is allowed). No file was written."
        )
    return off / largest if largest else 0.0
