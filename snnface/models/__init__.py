"""Models: encoder, temporal part, heads."""

from snnface.models.face_model import FaceModel
from snnface.models.heads import MlpHead, MlpHeadConfig, VotingHead, VotingHeadConfig
from snnface.models.temporal import LastStep, MeanOverTime

__all__ = ["FaceModel", "LastStep", "MeanOverTime", "MlpHead", "MlpHeadConfig", "VotingHead", "VotingHeadConfig"]
