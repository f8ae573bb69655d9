"""Becattini et al. 2024, "Neuromorphic Facial Analysis with Cross-Modal Supervision", arXiv:2409.10213."""

from dataclasses import replace
from typing import Literal

from ann_baselines import (
    ClassTokenConfig,
    FlatFrameConfig,
    FrameCnnConfig,
    FrameSequenceConfig,
    I3dConfig,
    LstmConfig,
    PerFrameConfig,
    ResNet18Config,
    TransformerConfig,
)
from snnface.app.filmed_faces import FilmedFacesConfig
from snnface.app.recipes.recipe import (
    BranchConfig,
    EncoderConfig,
    Recipe,
    TemporalChoice,
    WeightedSumConfig,
    WeightedTaskConfig,
)
from snnface.app.recipes.small_sets import FEW_UNITS, SMALL_PICTURES, SMALL_SENSOR, small_set
from snnface.datasets.augmentation import AugmentationConfig
from snnface.datasets.coefficient_samples import CoefficientsConfig
from snnface.datasets.protocols import ShareOfSubjectsConfig, SplitConfig
from snnface.datasets.synthesis.presets import preset_named
from snnface.events.window import Resolution
from snnface.faces.detection.face_crop import FaceCrop
from snnface.models.heads import ClipStepsHeadConfig, MlpHeadConfig, VotingHeadConfig
from snnface.models.temporal import LeakyReadoutConfig
from snnface.representations import HistogramConfig, PlainFramesConfig
from snnface.spiking.encoder import ConvSnnConfig
from snnface.tasks.action_units import ActionUnitTaskConfig
from snnface.tasks.face_shape import FaceShapeTaskConfig
from snnface.training.optim import TrainingConfig

__all__ = [
    "CrossModalModel",
    "CrossModalTask",
    "cross_modal",
    "cross_modal_coefficients",
    "cross_modal_lstm",
    "cross_modal_plif",
    "cross_modal_snn",
]

PAPER = "Becattini et al. 2024, arXiv:2409.10213"
SMALL_FACES = FilmedFacesConfig(
    source=small_set("facemorphic", action_units=FEW_UNITS, num_identities=20, repetitions=1, clip_ms=2772),
    num_coefficients=16,
)
# More people, and frames beside their events.
TABLE_FACES = FilmedFacesConfig(
    source=small_set(
        "facemorphic",
        action_units=FEW_UNITS,
        num_identities=32,
        repetitions=1,
        clip_ms=2772,
        cameras=("davis", "rgb"),
        rgb=SMALL_SENSOR,
    ),
    num_coefficients=16,
)
SMALL_STEPS = 84
# Of the preset "facemorphic"; FACEMORPHIC itself is cut to 75, as the paper has it.
STEPS = 90

CrossModalModel = Literal["resnet-lstm", "transformer", "i3d"]
CrossModalTask = Literal["both", "events", "rgb"]
"""Units and face shape from events, units alone from events, units alone from frames."""

PAPER_SIZE: dict[CrossModalModel, EncoderConfig] = {
    "resnet-lstm": PerFrameConfig(frame=ResNet18Config(), lstm=LstmConfig(hidden=256, num_layers=3)),
    "transformer": FrameSequenceConfig(frame=ResNet18Config(), sequence=ClassTokenConfig()),
    "i3d": I3dConfig(),
}
SMALL: dict[CrossModalModel, EncoderConfig] = {
    "resnet-lstm": PerFrameConfig(frame=FrameCnnConfig(), lstm=LstmConfig(hidden=64, forget_bias=5.0)),
    "transformer": FrameSequenceConfig(
        frame=FrameCnnConfig(), sequence=ClassTokenConfig(width=64, num_layers=2, hidden=128)
    ),
    "i3d": I3dConfig(width=8, features=64),
}
SMALL_SNN = ConvSnnConfig(channels=(16, 32), features=(128, 80))
# How each network answers for the clip, and for its steps.
TEMPORAL: dict[CrossModalModel, tuple[TemporalChoice, TemporalChoice]] = {
    "resnet-lstm": ("last", "every"),
    "transformer": ("class_token", "tokens"),
    "i3d": ("last", "last"),
}
# Coefficients hardly reach 1: times ten, the loss on them is of the size of that on the units.
LAMBDA, ALPHA_SCALE = 0.5, 10.0
SIDE, SMALL_SIDE = 224, 32
# Frames show who somebody is before what the face does: with as many epochs as events are given, the loss was still
# near that of a guess. No shape is learned from them, so clips may be mirrored.
FRAMES_TRAINING = TrainingConfig(
    num_epochs=60, batch_size=8, learning_rate=1e-3, augmentation=AugmentationConfig(flip=0.5, max_shift=1)
)
HEAD = MlpHeadConfig(hidden=(128,))


def cross_modal(model: CrossModalModel, task: CrossModalTask = "both", *, is_quick: bool = False) -> Recipe:
    """One of the paper's networks: action units, with or without the loss on face shape; quick: made small.

    Source: Becattini et al. 2024, arXiv:2409.10213, sec. 6, tables 3 to 5 (33 ms, cross-entropy, Adam 1e-3, 80 % of the
    users for training).
    Departs from the paper in: synthetic people instead of FACEMORPHIC, coefficients fitted to true landmarks;
    ResNet18 from nothing instead of ImageNet's with frozen convolutions; lambda 0.5 of coefficients times ten, 100
    epochs, two validation subjects and six layers of the transformer, which it does not give. Quick: eight units of 32
    people before a small DAVIS, 16 coefficients, 32 x 32 pixels, small networks (three convolutions for ResNet18), one
    split, fewer epochs; the LSTM remembers long from the start, and learns more slowly from clips that are moved; from
    frames all three learn for 60 epochs, from mirrored clips too.
    """
    side = SMALL_SIDE if is_quick else SIDE
    faces = _faces(is_quick, side)
    clip_answer, step_answer = TEMPORAL[model]
    steps_head = ClipStepsHeadConfig(num_steps=SMALL_STEPS if is_quick else STEPS) if model == "i3d" else HEAD
    suffix = ("" if task == "both" else f"-{task}") + ("-quick" if is_quick else "")
    training = TrainingConfig(num_epochs=20 if is_quick else 100, batch_size=8, learning_rate=1e-3, schedule="constant")
    if is_quick and model == "resnet-lstm":
        # What its last answer needs was seen forty steps before; unmoved, it learns so few clips by heart instead.
        training = replace(training, num_epochs=40, learning_rate=5e-4, augmentation=AugmentationConfig(max_shift=1))
    recipe = Recipe(
        name=f"cross-modal-{model}{suffix}",
        source=f"{PAPER}, sec. 6, tables 3 to 5{', made small' if is_quick else ''}; synthetic faces",
        data=faces,
        split=SplitConfig(validation_subjects=4, test_subjects=8) if is_quick else ShareOfSubjectsConfig(),
        representation=HistogramConfig(resolution=Resolution(height=side, width=side), max_count=15),
        encoder=(SMALL if is_quick else PAPER_SIZE)[model],
        temporal=clip_answer,
        head=HEAD,
        further=(BranchConfig(temporal=step_answer, head=steps_head),),
        task=_both(ActionUnitTaskConfig(loss="cross_entropy")),
        training=training,
    )
    if task == "both":
        return recipe
    faces = replace(faces, num_coefficients=0)
    alone = _units_alone(recipe, faces)
    if task == "events":
        return alone
    framed = _of_frames(alone, faces)
    return replace(framed, training=FRAMES_TRAINING) if is_quick else framed


def cross_modal_coefficients(model: Literal["transformer", "lstm"], *, is_quick: bool = False) -> Recipe:
    """Action units from the face's coefficients over time, without a picture.

    Source: Becattini et al. 2024, arXiv:2409.10213, sec. 7, table 2 (transformer of two and two layers with two heads;
    LSTM of 256; 32 coefficients).
    Departs from the paper in: as `cross_modal`.
    """
    faces = _faces(is_quick, SMALL_SIDE if is_quick else SIDE)
    paper = _units_alone(cross_modal("transformer", is_quick=is_quick), faces)
    count = faces.num_coefficients
    transformer = TransformerConfig(width=32, num_heads=2, num_encoders=2, num_decoders=2, hidden=128)
    return replace(
        paper,
        name=f"cross-modal-coefficients-{model}{'-quick' if is_quick else ''}",
        source=f"{PAPER}, sec. 7, table 2{', made small' if is_quick else ''}; synthetic faces",
        representation=CoefficientsConfig(num_coefficients=count),
        encoder=FrameSequenceConfig(frame=FlatFrameConfig(), sequence=transformer)
        if model == "transformer"
        else PerFrameConfig(frame=FlatFrameConfig(), lstm=LstmConfig(hidden=256)),
        temporal="mean" if model == "transformer" else "last",
    )


def cross_modal_snn(*, is_quick: bool = False) -> Recipe:
    """Action units and face shape by one spiking network, on the people of `cross_modal`.

    Source: Becattini et al. 2024, arXiv:2409.10213, sec. 6 (tasks and losses); the paper has no spiking network. Its
    encoder is that of Mastropasqua et al. 2025, sec. 4.3.
    Departs from the paper in: as `cross_modal`; squared error of the votes instead of cross-entropy.
    """
    paper = cross_modal("resnet-lstm", is_quick=is_quick)
    side = 32 if is_quick else 64
    return replace(
        paper,
        name="cross-modal-snn-quick" if is_quick else "cross-modal-snn",
        source=f"{PAPER}, sec. 6; a spiking net, synthetic faces",
        data=_faces(is_quick, side),
        representation=HistogramConfig(resolution=Resolution(height=side, width=side), max_count=15),
        encoder=ConvSnnConfig(channels=(16, 32), features=(128, 80))
        if is_quick
        else ConvSnnConfig(features=(512, 240)),
        temporal="mean",
        head=VotingHeadConfig(),
        further=(BranchConfig(temporal=LeakyReadoutConfig(tau=4.0), head=MlpHeadConfig()),),
        task=_both(ActionUnitTaskConfig()),
        training=TrainingConfig(
            num_epochs=20 if is_quick else 100, batch_size=8, learning_rate=3e-3 if is_quick else 1e-3
        ),
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
        data=SMALL_FACES,
        representation=SMALL_PICTURES,
        encoder=SMALL_SNN,
        further=(BranchConfig(temporal=LeakyReadoutConfig(tau=4.0), head=MlpHeadConfig()),),
        task=_both(ActionUnitTaskConfig(), weight=0.1, scale=1.0),
        training=TrainingConfig(num_epochs=30, batch_size=8, learning_rate=3e-3),
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


def _faces(is_quick: bool, side: int) -> FilmedFacesConfig:
    """The EVK4's pictures of the preset take hours to film; the DAVIS stands in for it."""
    if is_quick:
        return replace(TABLE_FACES, crop=FaceCrop(size=side, is_moving=False))
    source = replace(preset_named("facemorphic"), cameras=("davis", "rgb"))
    return FilmedFacesConfig(source=source, crop=FaceCrop(size=side, is_moving=False), num_coefficients=32)


def _both(units: ActionUnitTaskConfig, *, weight: float = LAMBDA, scale: float = ALPHA_SCALE) -> WeightedSumConfig:
    shape = WeightedTaskConfig(task=FaceShapeTaskConfig(scale=scale), weight=weight)
    return WeightedSumConfig(parts=(WeightedTaskConfig(task=units), shape))


def _units_alone(recipe: Recipe, faces: FilmedFacesConfig) -> Recipe:
    return replace(recipe, data=faces, further=(), task=ActionUnitTaskConfig(loss="cross_entropy"))


def _of_frames(recipe: Recipe, faces: FilmedFacesConfig) -> Recipe:
    pictures = PlainFramesConfig(colour="rgb", resolution=recipe.representation.resolution)
    return replace(recipe, data=replace(faces, events=None, frames="rgb"), representation=pictures)
