"""Training: the loop, its observers, checkpoints and evaluation."""

from snnface.training.checkpoint import load_state, load_weights, save_state, save_weights
from snnface.training.evaluation import Evaluation, evaluate
from snnface.training.loop import EpochResult, Observer, TrainingState, train
from snnface.training.optim import TrainingConfig, optimiser_of, schedule_of
from snnface.training.tracking import CheckpointWriter, MetricsLog, ProgressBar

__all__ = [
    "CheckpointWriter",
    "EpochResult",
    "Evaluation",
    "MetricsLog",
    "Observer",
    "ProgressBar",
    "TrainingConfig",
    "TrainingState",
    "evaluate",
    "load_state",
    "load_weights",
    "optimiser_of",
    "save_state",
    "save_weights",
    "schedule_of",
    "train",
]
