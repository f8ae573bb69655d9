"""Berlincioni et al. 2024, "Neuromorphic Valence and Arousal Estimation", arXiv:2401.16058."""

from dataclasses import replace
from typing import Literal

from ann_baselines import (
    FrameCnnConfig,
    FrameSequenceConfig,
    FusionConfig,
    I3dConfig,
    LstmConfig,
    PerFrameConfig,
    ResNet18Config,
    TransformerConfig,
    VitConfig,
)
from snnface.app.filmed_faces import FilmedFacesConfig
from snnface.app.recipes.recipe import EncoderConfig, Recipe
from snnface.app.recipes.small_sets import MIRRORED, SMALL_PICTURES, small_set
from snnface.datasets.protocols import SplitConfig, SubjectFoldsConfig
from snnface.datasets.synthesis.presets import preset_named
from snnface.events.window import Resolution
from snnface.faces.detection.face_crop import FaceCrop
from snnface.models.heads import ClipStepsHeadConfig, MlpHeadConfig
from snnface.models.temporal import LeakyReadoutConfig
from snnface.representations import HistogramConfig, TemporalBinaryConfig
from snnface.spiking.encoder import ConvSnnConfig
from snnface.tasks.valence_arousal import ValenceArousalTaskConfig
from snnface.training.optim import TrainingConfig

__all__ = [
    "ValenceArousalModel",
    "valence_arousal",
    "valence_arousal_lstm",
    "valence_arousal_plif",
    "valence_arousal_snn",
]

PAPER = "Berlincioni et al. 2024, arXiv:2401.16058"
SMALL_FACES = FilmedFacesConfig(
    source=small_set("valence-arousal", num_identities=20, repetitions=4, clip_ms=2970),
)
# Many people, and few takes of each: with every doubling of the faces to learn from, valence of new ones is told
# better. Two dozen of them are tested, for differences of a few hundredths are drowned in those between a dozen.
TABLE_FACES = FilmedFacesConfig(
    source=small_set("valence-arousal", num_identities=90, repetitions=2, clip_ms=2970),
)
TABLE_SPLIT = SplitConfig(validation_subjects=6, test_subjects=24)
# IC3D answers all frames of a chunk at once; the other networks answer clips of any length.
CHUNK = 6

ValenceArousalModel = Literal["resnet18", "vit", "fusion", "ic3d", "resnet-lstm", "transformer"]

PAPER_SIZE: dict[ValenceArousalModel, EncoderConfig] = {
    "resnet18": PerFrameConfig(frame=ResNet18Config(), lstm=None),
    "vit": PerFrameConfig(frame=VitConfig(), lstm=None),
    "fusion": FrameSequenceConfig(frame=ResNet18Config(), sequence=FusionConfig()),
    "ic3d": I3dConfig(),
    "resnet-lstm": PerFrameConfig(frame=ResNet18Config(), lstm=LstmConfig(hidden=256, num_layers=3)),
    "transformer": FrameSequenceConfig(frame=ResNet18Config(), sequence=TransformerConfig()),
}
SMALL: dict[ValenceArousalModel, EncoderConfig] = {
    "resnet18": PerFrameConfig(frame=ResNet18Config(width=8, features=128), lstm=None),
    "vit": PerFrameConfig(frame=VitConfig(patch=8, width=64), lstm=None),
    "fusion": FrameSequenceConfig(frame=FrameCnnConfig(), sequence=FusionConfig(hidden=128, features=64)),
    "ic3d": I3dConfig(width=8, features=64),
    "resnet-lstm": PerFrameConfig(frame=FrameCnnConfig(), lstm=LstmConfig(hidden=64)),
    "transformer": FrameSequenceConfig(
        frame=FrameCnnConfig(),
        sequence=TransformerConfig(width=64, num_encoders=2, num_decoders=2, hidden=128),
    ),
}

SMALL_SNN = ConvSnnConfig(channels=(16, 32), features=(128, 64))


def valence_arousal(model: ValenceArousalModel, *, bits: Literal[8, 16] = 8, is_quick: bool = False) -> Recipe:
    """One of the paper's networks on temporal binary representations of 5 ms a bit; quick: made small.

    Source: Berlincioni et al. 2024, arXiv:2401.16058, sec. 4 and 5.1, tables 1, 2 and 4 (224 x 224 pixels, AdamW 1e-4
    halved every 50 epochs, folds by subject).
    Departs from the paper in: synthetic people instead of AFEW-VA, filmed by an event camera instead of emulated
    from video; ResNet18 from nothing instead of ImageNet's, so never frozen; 100 epochs and five folds, which it does
    not give. Weights are chosen on validation subjects by the squared error, which is what is minimised and what the
    paper's tables lead with; how the paper chooses, it does not say. Quick: 32 x 32 pixels, small networks (three
    convolutions for ResNet18 in front of sequences), one split, fewer epochs at a higher rate, mirrored clips.
    """
    side = 32 if is_quick else 224
    is_chunked = model == "ic3d"
    suffix = ("-16bit" if bits == 16 else "") + ("-quick" if is_quick else "")
    return Recipe(
        name=f"valence-arousal-{model}{suffix}",
        source=f"{PAPER}, sec. 4.1, tables 1 to 5{', made small' if is_quick else ''}; synthetic faces",
        data=replace(_faces(is_quick, side), window_steps=CHUNK if is_chunked else None),
        split=TABLE_SPLIT if is_quick else SubjectFoldsConfig(),
        representation=TemporalBinaryConfig(num_bins=bits, resolution=Resolution(height=side, width=side)),
        encoder=(SMALL if is_quick else PAPER_SIZE)[model],
        temporal="last" if is_chunked else "every",
        head=ClipStepsHeadConfig(num_steps=CHUNK) if is_chunked else MlpHeadConfig(hidden=(128,)),
        task=ValenceArousalTaskConfig(),
        training=_quick_training(model)
        if is_quick
        else TrainingConfig(
            num_epochs=100, batch_size=8, learning_rate=1e-4, optimiser="adamw", weight_decay=0.01, schedule="halving"
        ),
    )


def _faces(is_quick: bool, side: int) -> FilmedFacesConfig:
    source = TABLE_FACES.source if is_quick else replace(preset_named("valence-arousal"), cameras=("davis",))
    return FilmedFacesConfig(source=source, crop=FaceCrop(size=side, is_moving=False))


def _quick_training(model: ValenceArousalModel) -> TrainingConfig:
    """Six hundred steps: valence is learned after arousal, and was not yet after two hundred."""
    return TrainingConfig(
        num_epochs=20,
        batch_size=64 if model == "ic3d" else 4,
        learning_rate=1e-3,
        optimiser="adamw",
        weight_decay=0.01,
        augmentation=MIRRORED,
    )


def valence_arousal_snn(*, is_quick: bool = False) -> Recipe:
    """Valence and arousal in every step by a spiking network, on the people of `valence_arousal`.

    Source: Berlincioni et al. 2024, arXiv:2401.16058, sec. 4 and 5.1 (task and metrics); the paper has no spiking
    network. Its encoder is that of Mastropasqua et al. 2025, sec. 4.3.
    Departs from the paper in: as `valence_arousal`; polarity counts of 33 ms, which a chip can be fed, instead of TBR.
    """
    paper = valence_arousal("fusion", is_quick=is_quick)
    side = 32 if is_quick else 64
    return replace(
        paper,
        name="valence-arousal-snn-quick" if is_quick else "valence-arousal-snn",
        source=f"{PAPER}, sec. 4; a spiking net, synthetic faces",
        data=_faces(is_quick, side),
        representation=HistogramConfig(resolution=Resolution(height=side, width=side), max_count=15),
        encoder=SMALL_SNN if is_quick else ConvSnnConfig(features=(512, 128)),
        temporal=LeakyReadoutConfig(tau=8.0),
        head=MlpHeadConfig(),
        training=TrainingConfig(num_epochs=20, batch_size=4, learning_rate=3e-3, augmentation=MIRRORED)
        if is_quick
        else TrainingConfig(num_epochs=100, batch_size=8, learning_rate=1e-3),
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
        data=SMALL_FACES,
        representation=SMALL_PICTURES,
        encoder=SMALL_SNN,
        temporal=LeakyReadoutConfig(tau=8.0),
        head=MlpHeadConfig(),
        task=ValenceArousalTaskConfig(ccc_weight=0.1),
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
