"""Where configs become things: the one place that knows every part. Ordinary dicts, type -> constructor."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from ann_baselines.c3d import C3d, C3dConfig
from snnface.app.recipes import Recipe
from snnface.datasets.synthetic import SyntheticFaces, SyntheticFacesConfig
from snnface.errors import unknown_name
from snnface.models.face_model import FaceModel
from snnface.models.heads import MlpHead, MlpHeadConfig, VotingHead, VotingHeadConfig
from snnface.models.temporal import LastStep, MeanOverTime
from snnface.representations.base import Representation
from snnface.representations.histogram import HistogramConfig, PolarityHistogram
from snnface.representations.plain_frames import PlainFrames, PlainFramesConfig
from snnface.representations.temporal_binary import TemporalBinary, TemporalBinaryConfig
from snnface.representations.time_surface import TimeSurface, TimeSurfaceConfig
from snnface.representations.voxel_grid import VoxelGrid, VoxelGridConfig
from snnface.spiking.encoder import ConvSnn, ConvSnnConfig
from snnface.tasks.action_units import ActionUnitTask, ActionUnitTaskConfig
from snnface.tasks.base import Task

__all__ = [
    "DATASETS",
    "ENCODERS",
    "HEADS",
    "REPRESENTATIONS",
    "TASKS",
    "TEMPORAL",
    "class_names_of",
    "dataset_of",
    "model_of",
    "representation_of",
    "task_of",
]

DATASETS: dict[type, Callable[..., Any]] = {SyntheticFacesConfig: SyntheticFaces}

REPRESENTATIONS: dict[type, Callable[..., Any]] = {
    HistogramConfig: PolarityHistogram,
    TemporalBinaryConfig: TemporalBinary,
    VoxelGridConfig: VoxelGrid,
    TimeSurfaceConfig: TimeSurface,
    PlainFramesConfig: PlainFrames,
}

ENCODERS: dict[type, Callable[..., Any]] = {
    ConvSnnConfig: lambda config, pictures: ConvSnn(
        config, in_channels=pictures.num_channels, resolution=pictures.resolution
    ),
    C3dConfig: lambda config, pictures: C3d(config, in_channels=pictures.num_channels),
}

TEMPORAL: dict[str, Callable[[], nn.Module]] = {"mean": MeanOverTime, "last": LastStep}

HEADS: dict[type, Callable[..., Any]] = {VotingHeadConfig: VotingHead, MlpHeadConfig: MlpHead}

TASKS: dict[type, Callable[..., Any]] = {ActionUnitTaskConfig: ActionUnitTask}


def dataset_of(
    recipe: Recipe, *, cache_dir: Path | None, on_progress: Callable[[int, int], None] | None = None
) -> SyntheticFaces:
    """The recipe's data set; synthesised on first use, read from `cache_dir` afterwards."""
    return DATASETS[type(recipe.data)](recipe.data, cache_dir, on_progress=on_progress)


def class_names_of(recipe: Recipe) -> tuple[str, ...]:
    """The names of the recipe's classes, in index order; no recording is made for them."""
    names = DATASETS[type(recipe.data)](recipe.data, None).class_names
    if recipe.task.target not in names:
        raise unknown_name("target of classification", recipe.task.target, names)
    return names[recipe.task.target]


def representation_of(recipe: Recipe) -> Representation:
    """The recipe's representation."""
    return REPRESENTATIONS[type(recipe.representation)](recipe.representation)


def model_of(recipe: Recipe, num_classes: int) -> FaceModel:
    """The recipe's model, with fresh weights from the global torch seed."""
    pictures = representation_of(recipe)
    encoder = ENCODERS[type(recipe.encoder)](recipe.encoder, pictures)
    head = HEADS[type(recipe.head)](recipe.head, num_features=encoder.num_features, num_outputs=num_classes)
    return FaceModel(encoder, TEMPORAL[recipe.temporal](), {recipe.task.target: head})


def task_of(recipe: Recipe, num_classes: int) -> Task:
    """The recipe's task."""
    return TASKS[type(recipe.task)](recipe.task, num_classes=num_classes)
