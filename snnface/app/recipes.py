"""Recipes: one complete, serialisable choice of data, representation, model, task and training each.

One function a published experiment, its numbers written once. `RECIPES` is what the
command line offers.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ann_baselines.c3d import C3dConfig
from ann_baselines.cvae import ConditionalVaeConfig
from ann_baselines.per_frame import PerFrameConfig
from snnface.app.filmed_faces import FilmedFacesConfig
from snnface.datasets.synthesis.presets import PresetName, SynthesisConfig, preset_named
from snnface.datasets.synthetic import SyntheticFacesConfig
from snnface.errors import ConfigError, unknown_name
from snnface.events.window import Resolution
from snnface.models.heads import MlpHeadConfig, VotingHeadConfig
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
    "RECIPES",
    "BranchConfig",
    "Recipe",
    "SplitConfig",
    "WeightedSumConfig",
    "WeightedTaskConfig",
    "recipe_named",
]

DataConfig = SyntheticFacesConfig | FilmedFacesConfig
EncoderConfig = (
    ConvSnnConfig | SewResNetConfig | C3dConfig | PerFrameConfig | SpikingReconstructionConfig | ConditionalVaeConfig
)
TemporalChoice = Literal["mean", "last", "every"] | LeakyReadoutConfig
HeadConfig = VotingHeadConfig | MlpHeadConfig


@dataclass(frozen=True, kw_only=True)
class SplitConfig:
    """How many subjects are kept apart; all others are trained on."""

    validation_subjects: int = 4
    test_subjects: int = 6

    def __post_init__(self) -> None:
        if self.validation_subjects < 1 or self.test_subjects < 1:
            raise ConfigError("validation and test need at least one subject each.")


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
        encoder: of the pictures; for reconstruction the whole model, which has neither temporal part nor head.
        temporal, head: for the task's target, in a weighted sum that of its first task.
        further: for the targets of the other tasks of a weighted sum, in its order.
        seed: the root of all randomness of the run (the data set has its own).

    Raises:
        ConfigError: if there are not as many branches as tasks.
    """

    name: str
    source: str
    data: DataConfig
    split: SplitConfig = field(default_factory=SplitConfig)
    representation: RepresentationConfig = field(default_factory=HistogramConfig)
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


def demo_plif() -> Recipe:
    """The micro-expression network at a size that trains in a minute on two cores.

    Source: Mastropasqua et al. 2025, "Exploring Spatial-Temporal Dynamics in Event-based
    Facial Micro-Expression Analysis", sec. 4.3.
    Departs from the paper in: synthetic faces, 8 action units, 32 x 32 pictures, 16 and 32
    maps, 128 and 80 features, counts cut at 15, 20 epochs.
    """
    return Recipe(
        name="demo-plif",
        source="Mastropasqua et al. 2025, sec. 4.3, made small; synthetic faces",
        data=SyntheticFacesConfig(),
        representation=HistogramConfig(resolution=Resolution(height=32, width=32), max_count=15),
        encoder=ConvSnnConfig(channels=(16, 32), features=(128, 80)),
        training=TrainingConfig(num_epochs=20, batch_size=16, learning_rate=3e-3),
    )


def demo_c3d() -> Recipe:
    """The 3D-CNN baseline on the same data, split and pictures as `demo_plif`.

    Source: Mastropasqua et al. 2025, sec. 5 (after Tran et al. 2015, arXiv:1412.0767).
    Departs from the paper in: as `demo_plif`; 16, 32 and 64 maps.
    """
    spiking = demo_plif()
    return Recipe(
        name="demo-c3d",
        source="Mastropasqua et al. 2025, sec. 5, made small; synthetic faces",
        data=spiking.data,
        split=spiking.split,
        representation=spiking.representation,
        encoder=C3dConfig(channels=((16,), (32,), (64,))),
        head=MlpHeadConfig(),
        training=TrainingConfig(num_epochs=20, batch_size=16, learning_rate=1e-3),
    )


def micro_expression_plif() -> Recipe:
    """The PLIF conv-SNN of the micro-expression paper, whole, on synthetic faces.

    Source: Mastropasqua et al. 2025, sec. 3 (21 action units, about 510 clips of 2.5 s), 4.3
    and 5, table 5 (event row).
    Departs from the paper in: the recordings are not public, so synthetic faces stand in
    (25 subjects, one posed clip a unit of 2.77 s); one split by subjects instead of
    leave-one-out.
    """
    return Recipe(
        name="micro-expression-plif",
        source="Mastropasqua et al. 2025, sec. 4.3 and 5, table 5; synthetic faces in place of the recordings",
        data=SyntheticFacesConfig(
            action_units=(2, 4, 5, 6, 9, 12, 15, 17, 23, 26, 41, 43, 45, 51, 52, 53, 54, 61, 62, 63, 64),
            clips_per_action_unit=1,
            clip_ms=2772,
            regime="posed",
        ),
        training=TrainingConfig(num_epochs=100, batch_size=8, learning_rate=1e-3),
    )


def micro_expression_c3d() -> Recipe:
    """The 3D-CNN of the micro-expression paper (13.06 x 2^20 parameters), whole, on synthetic faces.

    Source: Mastropasqua et al. 2025, sec. 5, table 5 (3DCNN row).
    Departs from the paper in: as `micro_expression_plif`; the layer widths are chosen to meet
    the published parameter count, which is all that the paper says of them.
    """
    spiking = micro_expression_plif()
    return Recipe(
        name="micro-expression-c3d",
        source="Mastropasqua et al. 2025, sec. 5, table 5; synthetic faces in place of the recordings",
        data=spiking.data,
        encoder=C3dConfig(),
        head=MlpHeadConfig(hidden=(368,)),
        training=TrainingConfig(num_epochs=100, batch_size=8, learning_rate=1e-4),
    )


def demo_sew() -> Recipe:
    """The residual spiking network on the same data, split and pictures as `demo_plif`.

    Source: Fang et al. 2021, "Deep Residual Learning in Spiking Neural Networks", arXiv:2102.04159, sec. 4 (SEW
    blocks that add).
    Departs from the paper in: one block a stage, 32 x 32 pictures of faces instead of ImageNet or gestures.
    """
    spiking = demo_plif()
    return replace(
        spiking,
        name="demo-sew",
        source="Fang et al. 2021, arXiv:2102.04159, sec. 4, made small; synthetic faces",
        encoder=SewResNetConfig(stem=16, stages=(32, 32), features=(80,)),
    )


def valence_arousal_plif() -> Recipe:
    """Valence and arousal in every step by a spiking network: a leaky readout of spikes, then a linear answer.

    Source: Berlincioni et al., "Neuromorphic Valence and Arousal Estimation", sec. 4 and 5.1 (the task, frame by
    frame, and its metrics); the paper has no spiking network.
    Departs from the paper in: synthetic people instead of AFEW-VA, filmed by an event camera instead of emulated
    from video, polarity counts of 33 ms instead of TBR, 32 x 32 pixels, one split by subjects.
    """
    return Recipe(
        name="valence-arousal-plif",
        source="Berlincioni et al., Neuromorphic Valence and Arousal Estimation, sec. 4; spiking, synthetic faces",
        data=FilmedFacesConfig(source=_small_set("valence-arousal", num_identities=20, repetitions=4, clip_ms=2970)),
        representation=SMALL_PICTURES,
        encoder=ConvSnnConfig(channels=(16, 32), features=(128, 64)),
        temporal=LeakyReadoutConfig(tau=8.0),
        head=MlpHeadConfig(),
        task=ValenceArousalTaskConfig(ccc_weight=0.1),
        training=TrainingConfig(num_epochs=30, batch_size=8, learning_rate=3e-3),
    )


def cross_modal_plif() -> Recipe:
    """Action units and face shape by one spiking network: L_AU + lambda L_alpha, lambda 0.1.

    Source: Becattini et al. 2024, "Neuromorphic Facial Analysis with Cross-Modal Supervision", sec. 5; the paper
    has no spiking network.
    Departs from the paper in: synthetic people instead of FACEMORPHIC, before a DAVIS of 173 x 130 pixels; eight
    posed units, 16 coefficients fitted to the true landmarks instead of 32 fitted to found ones, 32 x 32 pixels.
    """
    return Recipe(
        name="cross-modal-plif",
        source="Becattini et al. 2024, arXiv:2409.10213, sec. 5; a spiking net, synthetic faces",
        data=FilmedFacesConfig(
            source=_small_set("facemorphic", action_units=FEW_UNITS, num_identities=20, repetitions=1, clip_ms=2772),
            num_coefficients=16,
        ),
        representation=SMALL_PICTURES,
        encoder=ConvSnnConfig(channels=(16, 32), features=(128, 80)),
        further=(BranchConfig(temporal=LeakyReadoutConfig(tau=4.0), head=MlpHeadConfig()),),
        task=WeightedSumConfig(
            parts=(
                WeightedTaskConfig(task=ActionUnitTaskConfig()),
                WeightedTaskConfig(task=FaceShapeTaskConfig(), weight=0.1),
            )
        ),
        training=TrainingConfig(num_epochs=30, batch_size=8, learning_rate=3e-3),
    )


def valence_arousal_lstm() -> Recipe:
    """The conventional counterpart of `valence_arousal_plif`: a CNN on each picture, then an LSTM.

    Source: Berlincioni et al., "Neuromorphic Valence and Arousal Estimation", sec. 4.1 (ResNet + LSTM).
    Departs from the paper in: as `valence_arousal_plif`; three convolutions instead of ResNet18, one LSTM of 64
    instead of three of 256.
    """
    return replace(
        valence_arousal_plif(),
        name="valence-arousal-lstm",
        source="Berlincioni et al., Neuromorphic Valence and Arousal Estimation, sec. 4.1, made small; synthetic faces",
        encoder=PerFrameConfig(),
        temporal="every",
        training=TrainingConfig(num_epochs=30, batch_size=8, learning_rate=1e-3),
    )


def cross_modal_lstm() -> Recipe:
    """The conventional counterpart of `cross_modal_plif`: a CNN on each picture, then an LSTM.

    Source: Becattini et al. 2024, arXiv:2409.10213, sec. 6 (ResNet18 + LSTM).
    Departs from the paper in: as `cross_modal_plif`; three convolutions instead of ResNet18, an LSTM of 64.
    """
    return replace(
        cross_modal_plif(),
        name="cross-modal-lstm",
        source="Becattini et al. 2024, arXiv:2409.10213, sec. 6, made small; synthetic faces",
        encoder=PerFrameConfig(),
        temporal="last",
        head=MlpHeadConfig(),
        further=(BranchConfig(temporal="every"),),
        training=TrainingConfig(num_epochs=30, batch_size=8, learning_rate=1e-3),
    )


def reconstruction_plif() -> Recipe:
    """The face now, from its events and a picture a third of a second ago, by a spiking network.

    Source: Mastropasqua et al. 2025, "Exploring Spatial-Temporal Dynamics in Event-based Facial Micro-Expression
    Analysis", sec. 4.4 and table 6 (the task and its metrics); the paper has no spiking network.
    Departs from the paper in: synthetic people before a DAVIS of 173 x 130 pixels, faces cut to 32 x 32, eight
    action units, windows of ten event pictures, a reference picture, one split by subjects.
    """
    return Recipe(
        name="reconstruction-plif",
        source="Mastropasqua et al. 2025, sec. 4.4, table 6; a spiking net, a reference picture, synthetic faces",
        data=FilmedFacesConfig(
            source=_small_set(
                "micro", action_units=FEW_UNITS, num_identities=16, clip_ms=990, cameras=("davis", "davis_frames")
            ),
            frames="davis_frames",
            window_steps=10,
        ),
        representation=SMALL_PICTURES,
        encoder=SpikingReconstructionConfig(),
        task=ReconstructionTaskConfig(),
        training=TrainingConfig(num_epochs=30, batch_size=16, learning_rate=3e-3),
    )


def reconstruction_cvae() -> Recipe:
    """The conditional autoencoder of the micro-expression paper on the data of `reconstruction_plif`.

    Source: Mastropasqua et al. 2025, sec. 4.4 and 5 (two convolutions, 32 latent numbers, MSE and divergence).
    Departs from the paper in: as `reconstruction_plif`; 16 and 32 maps, 128 features; it sees the reference too.
    """
    return replace(
        reconstruction_plif(),
        name="reconstruction-cvae",
        source="Mastropasqua et al. 2025, sec. 4.4, table 6, made small; a reference picture, synthetic faces",
        encoder=ConditionalVaeConfig(channels=(16, 32), hidden=128, sees_reference=True),
        training=TrainingConfig(num_epochs=30, batch_size=16, learning_rate=1e-3),
    )


SMALL_PICTURES = HistogramConfig(resolution=Resolution(height=32, width=32), max_count=15)
FEW_UNITS = (2, 4, 9, 12, 15, 26, 45, 51)


def _small_set(preset: PresetName, **changes: Any) -> SynthesisConfig:
    """A preset before a small DAVIS alone, which films in seconds a take; the grid is as coarse as its pictures."""
    config = preset_named(preset)
    small: dict[str, Any] = {
        "cameras": ("davis",),
        "davis": Resolution(height=130, width=173),
        "scene": replace(config.scene, cell=0.035),
    }
    return replace(config, **(small | changes))


RECIPES: dict[str, Callable[[], Recipe]] = {
    "demo-plif": demo_plif,
    "demo-c3d": demo_c3d,
    "demo-sew": demo_sew,
    "micro-expression-plif": micro_expression_plif,
    "micro-expression-c3d": micro_expression_c3d,
    "valence-arousal-plif": valence_arousal_plif,
    "valence-arousal-lstm": valence_arousal_lstm,
    "cross-modal-plif": cross_modal_plif,
    "cross-modal-lstm": cross_modal_lstm,
    "reconstruction-plif": reconstruction_plif,
    "reconstruction-cvae": reconstruction_cvae,
}


def recipe_named(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        ConfigError: if there is none; lists the nearest names.
    """
    if name not in RECIPES:
        raise unknown_name("recipe", name, RECIPES)
    return RECIPES[name]()
