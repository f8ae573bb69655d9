"""Where configs become things: the one place that knows every part. Ordinary dicts, type -> constructor."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from ann_baselines.c3d import C3d, C3dConfig
from ann_baselines.cvae import ConditionalVae, ConditionalVaeConfig
from ann_baselines.frame_sequence import FrameSequence, FrameSequenceConfig
from ann_baselines.i3d import I3d, I3dConfig
from ann_baselines.per_frame import PerFrame, PerFrameConfig
from snnface.app.filmed_faces import FilmedFaces, FilmedFacesConfig
from snnface.app.published_faces import PublishedFaces, PublishedFacesConfig
from snnface.app.recipes import BranchConfig, Recipe, SingleTaskConfig, WeightedSumConfig
from snnface.datasets.clip import FaceDataset
from snnface.datasets.coefficient_samples import Coefficients, CoefficientsConfig
from snnface.datasets.picture_samples import PICTURE, REFERENCE
from snnface.datasets.synthetic import SyntheticFaces, SyntheticFacesConfig
from snnface.errors import ConfigError, unknown_name
from snnface.models.face_model import FaceModel
from snnface.models.heads import (
    ClipStepsHead,
    ClipStepsHeadConfig,
    MlpHead,
    MlpHeadConfig,
    VotingHead,
    VotingHeadConfig,
)
from snnface.models.reconstruction import SpikingReconstruction, SpikingReconstructionConfig
from snnface.models.temporal import ClassToken, EveryStep, LastStep, LeakyReadout, MeanOverTime, Tokens
from snnface.representations.base import Representation
from snnface.representations.histogram import HistogramConfig, PolarityHistogram
from snnface.representations.plain_frames import PlainFrames, PlainFramesConfig
from snnface.representations.temporal_binary import TemporalBinary, TemporalBinaryConfig
from snnface.representations.time_surface import TimeSurface, TimeSurfaceConfig
from snnface.representations.voxel_grid import VoxelGrid, VoxelGridConfig
from snnface.spiking.encoder import ConvSnn, ConvSnnConfig
from snnface.spiking.residual import SewResNet, SewResNetConfig
from snnface.tasks.action_units import ActionUnitTask, ActionUnitTaskConfig
from snnface.tasks.base import Task
from snnface.tasks.class_scoring import ClassScoring
from snnface.tasks.face_shape import FaceShapeTask, FaceShapeTaskConfig
from snnface.tasks.reconstruction import ReconstructionTask, ReconstructionTaskConfig
from snnface.tasks.scoring import Scoring
from snnface.tasks.valence_arousal import DIMENSIONS, ValenceArousalTask, ValenceArousalTaskConfig
from snnface.tasks.weighted_sum import WeightedSum

__all__ = [
    "DATASETS",
    "ENCODERS",
    "HEADS",
    "REPRESENTATIONS",
    "TASKS",
    "TEMPORAL",
    "WHOLE_MODELS",
    "class_names_of",
    "dataset_of",
    "labels_read",
    "model_of",
    "representation_of",
    "scorings_of",
    "task_of",
]

DATASETS: dict[type, Callable[..., Any]] = {
    SyntheticFacesConfig: lambda config, cache_dir, step_us, on_progress: SyntheticFaces(
        config, cache_dir, on_progress=on_progress
    ),
    FilmedFacesConfig: lambda config, cache_dir, step_us, on_progress: FilmedFaces(
        config, cache_dir, step_us=step_us, on_progress=on_progress
    ),
    PublishedFacesConfig: lambda config, cache_dir, step_us, on_progress: PublishedFaces(
        config, cache_dir, step_us=step_us, on_progress=on_progress
    ),
}

CLASS_NAMES: dict[type, Callable[..., Any]] = {
    SyntheticFacesConfig: lambda config: SyntheticFaces(config, None).class_names,
    FilmedFacesConfig: lambda config: config.class_names,
    PublishedFacesConfig: lambda config: config.class_names,
}

REPRESENTATIONS: dict[type, Callable[..., Any]] = {
    HistogramConfig: PolarityHistogram,
    TemporalBinaryConfig: TemporalBinary,
    VoxelGridConfig: VoxelGrid,
    TimeSurfaceConfig: TimeSurface,
    PlainFramesConfig: PlainFrames,
}

# Called with the number of channels and the resolution of the pictures.
ENCODERS: dict[type, Callable[..., Any]] = {
    ConvSnnConfig: ConvSnn,
    SewResNetConfig: SewResNet,
    PerFrameConfig: PerFrame,
    FrameSequenceConfig: FrameSequence,
    C3dConfig: lambda config, *, in_channels, resolution: C3d(config, in_channels=in_channels),
    I3dConfig: lambda config, *, in_channels, resolution: I3d(config, in_channels=in_channels),
}

# Models of reconstruction, called as encoders are.
WHOLE_MODELS: dict[type, Callable[..., Any]] = {
    SpikingReconstructionConfig: SpikingReconstruction,
    ConditionalVaeConfig: ConditionalVae,
}

TEMPORAL: dict[str, Callable[[], Any]] = {
    "mean": MeanOverTime,
    "last": LastStep,
    "every": EveryStep,
    "class_token": ClassToken,
    "tokens": Tokens,
}

HEADS: dict[type, Callable[..., Any]] = {
    VotingHeadConfig: VotingHead,
    MlpHeadConfig: MlpHead,
    ClipStepsHeadConfig: ClipStepsHead,
}

# Called with the number of classes, which is 0 where the data has none.
TASKS: dict[type, Callable[..., Any]] = {
    ActionUnitTaskConfig: lambda config, num_classes: ActionUnitTask(config, num_classes=num_classes),
    ValenceArousalTaskConfig: lambda config, num_classes: ValenceArousalTask(config),
    FaceShapeTaskConfig: lambda config, num_classes: FaceShapeTask(config),
    ReconstructionTaskConfig: lambda config, num_classes: ReconstructionTask(config),
}

# Which labels a task looks at.
LABELS: dict[type, Callable[..., tuple[str, ...]]] = {
    ActionUnitTaskConfig: lambda config: (config.target,),
    ValenceArousalTaskConfig: lambda config: config.labels,
    FaceShapeTaskConfig: lambda config: (config.label, f"{config.label}_present"),
    ReconstructionTaskConfig: lambda config: (PICTURE, REFERENCE),
}

# As `TASKS`; most tasks score their answers themselves.
SCORINGS: dict[type, Callable[..., Any]] = TASKS | {
    ActionUnitTaskConfig: lambda config, num_classes: ClassScoring(config.target, num_classes=num_classes)
}


def dataset_of(
    recipe: Recipe, *, cache_dir: Path | None, on_progress: Callable[[int, int], None] | None = None
) -> FaceDataset:
    """The recipe's data set; synthesised on first use, read from `cache_dir` afterwards."""
    step_us = representation_of(recipe).step_us
    return DATASETS[type(recipe.data)](recipe.data, cache_dir, step_us, on_progress)


def class_names_of(recipe: Recipe) -> tuple[str, ...]:
    """The names of the recipe's classes, in index order; none where its tasks have none. No recording is made for them.

    Raises:
        ConfigError: if the data have no classes of the target that is to be classified.
    """
    for task in recipe.tasks:
        if isinstance(task, ActionUnitTaskConfig):
            names: Mapping[str, tuple[str, ...]] = CLASS_NAMES[type(recipe.data)](recipe.data)
            if task.target not in names:
                raise unknown_name("target of classification", task.target, names)
            return names[task.target]
    return ()


def representation_of(recipe: Recipe) -> Representation:
    """The recipe's representation; of coefficients only its sizes, for `CoefficientSamples` makes the inputs."""
    if isinstance(recipe.representation, CoefficientsConfig):
        return Coefficients(recipe.representation)
    return REPRESENTATIONS[type(recipe.representation)](recipe.representation)


def model_of(recipe: Recipe) -> nn.Module:
    """The recipe's model, with fresh weights from the global torch seed.

    Raises:
        ConfigError: if model and task do not belong together.
    """
    pictures = representation_of(recipe)
    sizes: dict[str, Any] = {"in_channels": pictures.num_channels, "resolution": pictures.resolution}
    is_whole = type(recipe.encoder) in WHOLE_MODELS
    if is_whole != isinstance(recipe.task, ReconstructionTaskConfig):
        known = ", ".join(sorted(kind.__name__ for kind in WHOLE_MODELS))
        raise ConfigError(
            f"reconstruction needs one of {known} as encoder, other tasks none of these; got "
            f"{type(recipe.encoder).__name__} for {type(recipe.task).__name__}."
        )
    if is_whole:
        return WHOLE_MODELS[type(recipe.encoder)](recipe.encoder, **sizes)
    encoder = ENCODERS[type(recipe.encoder)](recipe.encoder, **sizes)
    temporal: dict[str, nn.Module] = {}
    heads: dict[str, nn.Module] = {}
    for task, branch in zip(recipe.tasks, recipe.branches, strict=True):
        temporal[task.target] = _temporal(recipe, branch)
        heads[task.target] = HEADS[type(branch.head)](
            branch.head, num_features=encoder.num_features, num_outputs=_num_outputs(recipe, task)
        )
    return FaceModel(encoder, temporal if len(temporal) > 1 else temporal[recipe.task.target], heads)


def task_of(recipe: Recipe) -> Task:
    """The recipe's task."""
    if isinstance(recipe.task, WeightedSumConfig):
        return WeightedSum([(_made(TASKS, recipe, part.task), part.weight) for part in recipe.task.parts])
    return _made(TASKS, recipe, recipe.task)


def scorings_of(recipe: Recipe) -> tuple[Scoring, ...]:
    """How the answers are judged: one scoring for each of the recipe's tasks."""
    return tuple(_made(SCORINGS, recipe, task) for task in recipe.tasks)


def labels_read(recipe: Recipe) -> tuple[str, ...]:
    """The labels that the recipe's tasks look at."""
    return tuple(name for task in recipe.tasks for name in LABELS[type(task)](task))


def _made(kinds: Mapping[type, Callable[..., Any]], recipe: Recipe, task: SingleTaskConfig) -> Any:
    return kinds[type(task)](task, num_classes=len(class_names_of(recipe)))


def _temporal(recipe: Recipe, branch: BranchConfig) -> nn.Module:
    """The temporal part of a branch; refused where it does not fit the encoder's steps, or the head not its own."""
    has_token = isinstance(recipe.encoder, FrameSequenceConfig) and recipe.encoder.has_class_token
    if has_token != (branch.temporal in ("class_token", "tokens")):
        raise ConfigError(
            'the temporal parts "class_token" and "tokens" belong to an encoder with a class token (ClassTokenConfig), '
            f"and it to them; got {branch.temporal!r} behind {type(recipe.encoder).__name__}."
        )
    part = TEMPORAL[branch.temporal]() if isinstance(branch.temporal, str) else LeakyReadout(branch.temporal)
    if part.keeps_steps and isinstance(branch.head, ClipStepsHeadConfig):
        raise ConfigError(
            f'a head of all steps reads one feature a clip; {branch.temporal!r} gives one a step. Choose "last" or '
            '"mean", or a head that answers step by step.'
        )
    return part


def _num_outputs(recipe: Recipe, task: SingleTaskConfig) -> int:
    if isinstance(task, ActionUnitTaskConfig):
        return len(class_names_of(recipe))
    if isinstance(task, ValenceArousalTaskConfig):
        return len(DIMENSIONS)
    found = 0 if isinstance(recipe.data, SyntheticFacesConfig) else recipe.data.num_coefficients
    if not found:
        raise ConfigError(
            f"the task of {task.target!r} needs data with coefficients; give data.num_coefficients of recorded faces."
        )
    return found
