"""Berlincioni et al., "Neuromorphic Valence and Arousal Estimation"."""

from dataclasses import replace

from ann_baselines.per_frame import PerFrameConfig
from snnface.app.filmed_faces import FilmedFacesConfig
from snnface.app.recipes.recipe import Recipe
from snnface.app.recipes.small_sets import SMALL_PICTURES, small_set
from snnface.models.heads import MlpHeadConfig
from snnface.models.temporal import LeakyReadoutConfig
from snnface.spiking.encoder import ConvSnnConfig
from snnface.tasks.valence_arousal import ValenceArousalTaskConfig
from snnface.training.optim import TrainingConfig

__all__ = ["valence_arousal_lstm", "valence_arousal_plif"]


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
        data=FilmedFacesConfig(source=small_set("valence-arousal", num_identities=20, repetitions=4, clip_ms=2970)),
        representation=SMALL_PICTURES,
        encoder=ConvSnnConfig(channels=(16, 32), features=(128, 64)),
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
