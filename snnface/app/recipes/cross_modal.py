"""Becattini et al. 2024, "Neuromorphic Facial Analysis with Cross-Modal Supervision", arXiv:2409.10213."""

from dataclasses import replace

from ann_baselines.per_frame import PerFrameConfig
from snnface.app.filmed_faces import FilmedFacesConfig
from snnface.app.recipes.recipe import BranchConfig, Recipe, WeightedSumConfig, WeightedTaskConfig
from snnface.app.recipes.small_sets import FEW_UNITS, SMALL_PICTURES, small_set
from snnface.models.heads import MlpHeadConfig
from snnface.models.temporal import LeakyReadoutConfig
from snnface.spiking.encoder import ConvSnnConfig
from snnface.tasks.action_units import ActionUnitTaskConfig
from snnface.tasks.face_shape import FaceShapeTaskConfig
from snnface.training.optim import TrainingConfig

__all__ = ["cross_modal_lstm", "cross_modal_plif"]


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
            source=small_set("facemorphic", action_units=FEW_UNITS, num_identities=20, repetitions=1, clip_ms=2772),
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
