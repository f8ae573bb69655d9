"""Training: the loop, its objective and observers, checkpoints and evaluation."""

from snnface.training.checkpoint import load_state, load_weights, save_state, save_weights
from snnface.training.diagnosis import first_non_finite
from snnface.training.evaluation import Evaluation, evaluate, predict
from snnface.training.loop import EpochResult, Observer, TrainingState, train
from snnface.training.objective import Objective
from snnface.training.optim import TrainingConfig, optimiser_of, rate_share, schedule_of
from snnface.training.tracking import CheckpointWriter, MetricsLog, ProgressBar

__all__ = [
    "CheckpointWriter",
    "EpochResult",
    "Evaluation",
    "MetricsLog",
    "Objective",
    "Observer",
    "ProgressBar",
    "TrainingConfig",
    "TrainingState",
    "evaluate",
    "first_non_finite",
    "load_state",
    "load_weights",
    "optimiser_of",
    "predict",
    "rate_share",
    "save_state",
    "save_weights",
    "schedule_of",
    "train",
]
