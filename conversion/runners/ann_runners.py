"""ANNs: an ONNX file run by onnxruntime, or what this project reads of a file run by torch."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from conversion.runners.run import READOUT, Run
from snnface.errors import BackendUnavailableError, ConversionError, DatasetNotFoundError

__all__ = ["AnnRunner", "OnnxRunner", "open_ann", "open_onnxruntime"]


@dataclass(frozen=True, slots=True)
class OnnxRunner:
    """An ONNX file in onnxruntime, on the CPU.

    Attributes:
        batch_axis: 0 of a plain ANN; 1 of one that is shown `num_steps` pictures, [T, B, ...].
        batch: how many samples the file takes at once; None for any number.
    """

    session: Any
    input_shape: tuple[int, ...]
    batch_axis: int
    batch: int | None
    num_steps: int | None

    @property
    def has_steps(self) -> bool:
        return self.batch_axis == 1

    def run(self, inputs: np.ndarray) -> Run:
        """Run samples in as many calls as the file's batch needs."""
        entry = self.session.get_inputs()[0]
        dtype = {"tensor(double)": np.float64, "tensor(float16)": np.float16}.get(entry.type, np.float32)
        samples = inputs.shape[self.batch_axis]
        size = samples if self.batch is None else self.batch
        if samples % size:
            raise ConversionError(f"the ONNX file takes {size} samples at once; give a multiple of it, not {samples}.")
        parts = [
            self.session.run(None, {entry.name: piece.astype(dtype)})
            for piece in np.split(inputs, samples // size, axis=self.batch_axis)
        ]
        outputs = self.session.get_outputs()
        names = [READOUT] if len(outputs) == 1 else [output.name for output in outputs]
        answers = {name: np.concatenate([part[place] for part in parts]) for place, name in enumerate(names)}
        return Run(spikes={}, answers=answers)


@dataclass(frozen=True, slots=True)
class AnnRunner:
    """A module, or a graph of this project's ONNX reader: [B, *input_shape] -> answers."""

    model: Callable[[Any], Any]
    input_shape: tuple[int, ...]
    has_steps: bool = False
    num_steps: int | None = None

    def run(self, inputs: np.ndarray) -> Run:
        """Run samples [B, *input_shape] in float32, as onnxruntime does."""
        import torch

        with torch.inference_mode():
            answers = self.model(torch.tensor(inputs, dtype=torch.float32))
        return Run(spikes={}, answers={READOUT: answers.numpy()})


def open_ann(path: Path, dt_s: float | None) -> AnnRunner:
    """An ONNX file, read by `conversion.ann.onnx_reader`; or the .json of `conversion.sequential_file`."""
    if path.suffix == ".json":
        from conversion.sequential_file import load_sequential

        return AnnRunner(*load_sequential(path))
    from conversion.ann.onnx_reader import read_onnx

    graph = read_onnx(path)
    return AnnRunner(graph, graph.input_shape)


def open_onnxruntime(path: Path, dt_s: float | None) -> OnnxRunner:
    """An ONNX file, for onnxruntime.

    Raises:
        DatasetNotFoundError: if there is no such file.
        ConversionError: if onnxruntime cannot read it, it has several inputs, or sizes are open beside the batch.
        BackendUnavailableError: if onnxruntime is not installed.
    """
    try:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as state
    except ImportError as error:
        raise BackendUnavailableError(
            "running an ONNX file needs onnxruntime. Install it with: pip install 'snnface[onnx]'."
        ) from error
    if not path.is_file():
        raise DatasetNotFoundError(f"no file {str(path)!r}.")
    errors = tuple(kind for kind in vars(state).values() if isinstance(kind, type) and issubclass(kind, Exception))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except errors as error:
        raise ConversionError(f"onnxruntime cannot read '{path.name}': {' '.join(str(error).split())[:300]}") from error
    entries = session.get_inputs()
    if len(entries) != 1:
        names = ", ".join(entry.name for entry in entries)
        raise ConversionError(f"'{path.name}' must have one input to be compared; it has {names}.")
    sizes = [size if isinstance(size, int) and size > 0 else None for size in entries[0].shape]
    axis = 1 if len(sizes) > 1 and sizes[1] is None and sizes[0] is not None else 0
    shape = [size for place, size in enumerate(sizes) if place != axis]
    if any(size is None for size in shape) or not math.prod(size or 0 for size in shape):
        raise ConversionError(f"'{path.name}' leaves sizes of its input open beside the batch: {entries[0].shape}.")
    fixed = tuple(size for size in shape if size is not None)
    if axis == 1:
        return OnnxRunner(session, fixed[1:], batch_axis=1, batch=None, num_steps=fixed[0])
    return OnnxRunner(session, fixed, batch_axis=0, batch=sizes[0], num_steps=None)
