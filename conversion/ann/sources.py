"""Where a trained ANN comes from, by what its path is: a run folder, weights, a Sequential, ONNX."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Union

import numpy as np

from snnface.errors import ConfigError, DatasetNotFoundError

if TYPE_CHECKING:
    from torch import nn

    from conversion.ann.graph import AnnGraph

__all__ = ["GROUP", "AnnSource", "OwnData", "Samples", "open_source"]

GROUP = "conversion.ann_sources"
"""Entry points: "folder" -> a function (path) that gives an `AnnSource`; of packages that write run folders."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """What an ANN is shown.

    Attributes:
        inputs: [B, *input_shape].
        labels: class indices [B], or values [B, K]; or None.
    """

    inputs: np.ndarray
    labels: np.ndarray | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class OwnData:
    """The data that a source has of its own.

    Attributes:
        name: of the set.
        is_synthetic: it was made by a program.
        task: what the answers are.
        scores: answers to all samples of `evaluation` [B, K] -> metric -> value, as the source's own task has them.
        event_bins: number T -> the samples of `evaluation` in the same order, in pieces, each as T parts that add up
            to it, [T, b, *input_shape]; None where samples are no sums of events.
    """

    name: str
    is_synthetic: bool
    task: Literal["classification", "regression"]
    calibration: Samples
    training: Samples
    evaluation: Samples
    scores: Callable[[np.ndarray], Mapping[str, float]]
    event_bins: Callable[[int], Iterator[np.ndarray] | None]


@dataclass(frozen=True, slots=True, eq=False)
class AnnSource:
    """A trained ANN.

    Attributes:
        model: in evaluation mode; [B, *input_shape] -> answers [B, K].
        own: None where the user must bring data.
        notes: what of the source is not in `model`, one sentence each.
    """

    model: Union["nn.Module", "AnnGraph"]
    own: OwnData | None = None
    notes: tuple[str, ...] = ()


def open_source(path: Path, *, architecture: str | None, input_shape: tuple[int, ...] | None) -> AnnSource:
    """The ANN at a path.

    Args:
        path: a run folder; a .json of `sequential_file`; a .onnx; or a state dict (.safetensors, or of torch.save).
        architecture: of a state dict: a name of `architectures`, or "package.module:callable".
        input_shape: of the samples; for .onnx files that leave sizes open.

    Raises:
        DatasetNotFoundError: if there is nothing at `path`.
        ConfigError: if the path does not say what it is, or the architecture is missing or too much.
        SnnfaceError: as the reader of its kind.
    """
    if not path.exists():
        raise DatasetNotFoundError(f"no file or folder {str(path)!r}; name a trained ANN.")
    kind = "folder" if path.is_dir() else path.suffix
    if (kind in _STATES) != (architecture is not None):
        if architecture is not None:
            raise ConfigError(f"'{path.name}' knows its architecture; leave out --architecture.")
        raise ConfigError(
            f"'{path.name}' holds weights only; say of what with --architecture, {_architectures()}."
            + (f" Or give '{path.stem}.json', which lies beside it." if path.with_suffix(".json").is_file() else "")
        )
    if kind == "folder":
        return _folder(path)
    if kind == ".onnx":
        from conversion.ann.onnx_reader import read_onnx

        return AnnSource(read_onnx(path, input_shape))
    if kind == ".json":
        from conversion.sequential_file import load_sequential

        return AnnSource(load_sequential(path)[0])
    if kind in _STATES:
        from conversion.ann.architectures import load_architecture

        assert architecture is not None
        return AnnSource(load_architecture(architecture, path))
    raise ConfigError(
        f"'{path.name}' is no ANN by its name; expected a run folder, .onnx, .json, or a state dict: "
        f"{', '.join(_STATES)}."
    )


_STATES = (".safetensors", ".pt", ".pth")


def _folder(path: Path) -> AnnSource:
    for entry in entry_points(group=GROUP):
        if entry.name == "folder":
            source: AnnSource = entry.load()(path)
            return source
    raise ConfigError(
        f"{str(path)!r} is a folder, and nothing that is installed reads run folders as ANNs. Install snnface whole, "
        "or name a file."
    )


def _architectures() -> str:
    from conversion.ann.architectures import ARCHITECTURES

    return f"one of {', '.join(ARCHITECTURES)}, or package.module:callable"
