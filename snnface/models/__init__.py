"""Models: encoder, temporal part, heads."""

from snnface.models.face_model import FaceModel
from snnface.models.heads import MlpHead, MlpHeadConfig, VotingHead, VotingHeadConfig
from snnface.models.reconstruction import SpikingReconstruction, SpikingReconstructionConfig
from snnface.models.temporal import (
    EveryStep,
    EveryStepConfig,
    LastStep,
    LastStepConfig,
    LeakyReadout,
    LeakyReadoutConfig,
    MeanOverTime,
    MeanOverTimeConfig,
    TemporalConfig,
    temporal_of,
)

__all__ = [
    "EveryStep",
    "EveryStepConfig",
    "FaceModel",
    "LastStep",
    "LastStepConfig",
    "LeakyReadout",
    "LeakyReadoutConfig",
    "MeanOverTime",
    "MeanOverTimeConfig",
    "MlpHead",
    "MlpHeadConfig",
    "SpikingReconstruction",
    "SpikingReconstructionConfig",
    "TemporalConfig",
    "VotingHead",
    "VotingHeadConfig",
    "temporal_of",
]
