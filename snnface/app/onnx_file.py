"""A trained conventional network of a recipe as an ONNX file."""

from pathlib import Path

import torch
from rich.console import Console
from torch import nn

from conversion.onnx_export import OnnxExport, export_onnx
from snnface.app.catalog import representation_of
from snnface.app.experiment import open_experiment
from snnface.app.recipes import Recipe
from snnface.errors import ConfigError
from snnface.tasks.reconstruction import ReconstructionTaskConfig

__all__ = ["num_steps_of", "write_onnx"]


def num_steps_of(recipe: Recipe, *, cache_dir: Path | None, console: Console) -> int:
    """T of the recipe's clips, as models see them: padded to the longest. The data are opened, or made, for it."""
    experiment = open_experiment(recipe, cache_dir=cache_dir, console=console)
    labels = next(experiment.label_batches(experiment.dataset.clips[:1]))
    return labels.inputs.shape[0]


def write_onnx(recipe: Recipe, model: nn.Module, path: Path, *, num_steps: int) -> OnnxExport:
    """Write the recipe's model: "inputs" [T, B, C, H, W], any B, to an output for every head.

    A reconstruction reads a "reference" [B, 1, H, W] too, and gives a "picture" [B, 1, H, W].

    Args:
        num_steps: T, which is fixed in the file.

    Raises:
        ConfigError: if there is not at least one step.
        UnsupportedLayerError, ConversionError, BackendUnavailableError, DataError: as `export_onnx`.
    """
    if num_steps < 1:
        raise ConfigError(f"a clip has at least 1 step; got {num_steps}.")
    pictures, generator = representation_of(recipe), torch.Generator().manual_seed(0)
    size = pictures.resolution
    example = {"inputs": torch.rand(num_steps, 1, pictures.num_channels, size.height, size.width, generator=generator)}
    batch_axes = {"inputs": 1}
    if isinstance(recipe.task, ReconstructionTaskConfig):
        example["reference"] = torch.rand(1, 1, size.height, size.width, generator=generator)
        batch_axes["reference"] = 0
    return export_onnx(model, example, path, batch_axes=batch_axes)
