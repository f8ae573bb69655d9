"""Tasks: what a model is for, and how its answers are judged."""

from snnface.tasks.action_units import ActionUnitTask, ActionUnitTaskConfig
from snnface.tasks.base import Loss, Meter, Output, Task
from snnface.tasks.class_scoring import ClassScoring
from snnface.tasks.face_shape import FaceShapeTask, FaceShapeTaskConfig
from snnface.tasks.reconstruction import ReconstructionTask, ReconstructionTaskConfig
from snnface.tasks.scoring import Measure, Predictor, Scoring, ScoringMeter, measures, merged
from snnface.tasks.valence_arousal import ValenceArousalTask, ValenceArousalTaskConfig
from snnface.tasks.weighted_sum import WeightedSum

__all__ = [
    "ActionUnitTask",
    "ActionUnitTaskConfig",
    "ClassScoring",
    "FaceShapeTask",
    "FaceShapeTaskConfig",
    "Loss",
    "Measure",
    "Meter",
    "Output",
    "Predictor",
    "ReconstructionTask",
    "ReconstructionTaskConfig",
    "Scoring",
    "ScoringMeter",
    "Task",
    "ValenceArousalTask",
    "ValenceArousalTaskConfig",
    "WeightedSum",
    "measures",
    "merged",
]
