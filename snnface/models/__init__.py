"""Models: encoder, temporal part, heads."""

from snnface.models.face_model import FaceModel
from snnface.models.heads import MlpHead, MlpHeadConfig, VotingHead, VotingHeadConfig
from snnface.models.reconstruction import SpikingReconstruction, SpikingReconstructionConfig
from snnface.models.temporal import EveryStep, LastStep, LeakyReadout, LeakyReadoutConfig, MeanOverTime

__all__ = [
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
    "VotingHead",
    "VotingHeadConfig",
]
