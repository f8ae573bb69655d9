"""What a recipe is: one complete, serialisable choice of data, representation, model, task and training."""

from dataclasses import dataclass, field
from typing import Literal

from ann_baselines.c3d import C3dConfig
from ann_baselines.cvae import ConditionalVaeConfig
from ann_baselines.frame_sequence import FrameSequenceConfig
from ann_baselines.i3d import I3dConfig
from ann_baselines.per_frame import PerFrameConfig
from snnface.app.filmed_faces import FilmedFacesConfig
from snnface.app.published_set import PublishedFacesConfig
from snnface.datasets.coefficient_samples import CoefficientsConfig
from snnface.datasets.protocols import ProtocolConfig, SplitConfig
from snnface.datasets.synthetic import SyntheticFacesConfig
from snnface.errors import ConfigError
from snnface.models.heads import ClipStepsHeadConfig, MlpHeadConfig, VotingHeadConfig
from snnface.models.reconstruction import SpikingReconstructionConfig
from snnface.models.temporal import LeakyReadoutConfig
from snnface.representations import HistogramConfig, RepresentationConfig
from snnface.spiking.encoder import ConvSnnConfig
from snnface.spiking.residual import SewResNetConfig
from snnface.tasks.action_units import ActionUnitTaskConfig
from snnface.tasks.face_shape import FaceShapeTaskConfig
from snnface.tasks.reconstruction import ReconstructionTaskConfig
from snnface.tasks.valence_arousal import ValenceArousalTaskConfig
from snnface.training.optim import TrainingConfig

__all__ = [
    "BranchConfig",
    "Recipe",
    "SingleTaskConfig",
    "TemporalChoice",
    "WeightedSumConfig",
    "WeightedTaskConfig",
]

DataConfig = SyntheticFacesConfig | FilmedFacesConfig | PublishedFacesConfig
EncoderConfig = (
    ConvSnnConfig
    | SewResNetConfig
    | C3dConfig
    | I3dConfig
    | PerFrameConfig
    | FrameSequenceConfig
    | SpikingReconstructionConfig
    | ConditionalVaeConfig
)
TemporalChoice = Literal["mean", "last", "every", "class_token", "tokens"] | LeakyReadoutConfig
HeadConfig = VotingHeadConfig | MlpHeadConfig | ClipStepsHeadConfig


@dataclass(frozen=True, kw_only=True)
class BranchConfig:
    """How one target is answered from the encoder's features: over time, then by a head."""

    temporal: TemporalChoice = "mean"
    head: HeadConfig = field(default_factory=MlpHeadConfig)


@dataclass(frozen=True, kw_only=True)
class WeightedTaskConfig:
    """A task within a weighted sum."""

    task: ActionUnitTaskConfig | ValenceArousalTaskConfig | FaceShapeTaskConfig
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.weight < float("inf"):
            raise ConfigError(f"the weight of a task must be at least 0; got {self.weight}.")


@dataclass(frozen=True, kw_only=True)
class WeightedSumConfig:
    """Several tasks at once: the sum of weight * loss.

    Raises:
        ConfigError: if there is no task, or two have one target.
    """

    parts: tuple[WeightedTaskConfig, ...]

    def __post_init__(self) -> None:
        targets = [part.task.target for part in self.parts]
        if not targets or len(set(targets)) < len(targets):
            raise ConfigError(f"a weighted sum needs tasks of different targets; got {', '.join(targets) or 'none'}.")

    @property
    def target(self) -> str:
        """That of the first task."""
        return self.parts[0].task.target


SingleTaskConfig = ActionUnitTaskConfig | ValenceArousalTaskConfig | FaceShapeTaskConfig | ReconstructionTaskConfig
TaskConfig = SingleTaskConfig | WeightedSumConfig


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A point in the grid data set x representation x model x task, with seed and source.

    Attributes:
        source: the paper, section and table that it follows, and what it departs from.
        split: the protocol: who is trained on, chosen by and judged on.
        encoder: of the pictures; for reconstruction the whole model, which has neither temporal part nor head.
        temporal: over time, for the task's target; in a weighted sum that of its first task.
        head: behind it, for the same target.
        further: for the targets of the other tasks of a weighted sum, in its order.
        seed: the root of all randomness of the run (the data set has its own).

    Raises:
        ConfigError: if there are not as many branches as tasks.
    """

    name: str
    source: str
    data: DataConfig
    split: ProtocolConfig = field(default_factory=SplitConfig)
    representation: RepresentationConfig | CoefficientsConfig = field(default_factory=HistogramConfig)
    encoder: EncoderConfig = field(default_factory=ConvSnnConfig)
    temporal: TemporalChoice = "mean"
    head: HeadConfig = field(default_factory=VotingHeadConfig)
    further: tuple[BranchConfig, ...] = ()
    task: TaskConfig = field(default_factory=ActionUnitTaskConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    seed: int = 0

    def __post_init__(self) -> None:
        if len(self.tasks) != 1 + len(self.further):
            raise ConfigError(
                f"{len(self.tasks)} tasks need temporal and head, and {len(self.tasks) - 1} further branches; got "
                f"{len(self.further)}."
            )

    @property
    def tasks(self) -> tuple[SingleTaskConfig, ...]:
        """The one task, or those of a weighted sum."""
        return (
            tuple(part.task for part in self.task.parts) if isinstance(self.task, WeightedSumConfig) else (self.task,)
        )

    @property
    def branches(self) -> tuple[BranchConfig, ...]:
        """One for each of `tasks`."""
        return (BranchConfig(temporal=self.temporal, head=self.head), *self.further)
