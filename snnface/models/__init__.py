"""Models: encoder, temporal part, heads."""

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
from snnface.models.temporal import (
    ClassToken,
    EveryStep,
    LastStep,
    LeakyReadout,
    LeakyReadoutConfig,
    MeanOverTime,
    Tokens,
)

__all__ = [
    "ClassToken",
    "ClipStepsHead",
    "ClipStepsHeadConfig",
    "EveryStep",
    "FaceModel",
    "LastStep",
    "LeakyReadout",
    "LeakyReadoutConfig",
    "MeanOverTime",
    "MlpHead",
    "MlpHeadConfig",
    "SpikingReconstruction",
    "SpikingReconstructionConfig",
    "Tokens",
    "VotingHead",
    "VotingHeadConfig",
]
