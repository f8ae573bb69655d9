"""Optimiser and schedule, as values."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from snnface.errors import ConfigError

__all__ = ["TrainingConfig", "optimiser_of", "schedule_of"]


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How long, how fast, how many at once; defaults are the micro-expression paper's.

    Attributes:
        learning_rate: of the first epoch.
        schedule: "cosine" falls to zero over `num_epochs`, stepped once an epoch.
        precision: of the training steps, by Fabric's name; validation and test always run
            in float32.

    Raises:
        ConfigError: if a count or the rate is not positive, or the decay negative.
    """

    num_epochs: int = 100
    batch_size: int = 8
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    schedule: Literal["cosine", "constant"] = "cosine"
    precision: Literal["32-true", "bf16-mixed"] = "32-true"

    def __post_init__(self) -> None:
        for name in ("num_epochs", "batch_size", "learning_rate"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be positive; got {getattr(self, name)}.")
        if not self.weight_decay >= 0:
            raise ConfigError(f"weight_decay must not be negative; got {self.weight_decay}.")


def optimiser_of(model: nn.Module, config: TrainingConfig) -> torch.optim.Adam:
    """Adam over every parameter that learns."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return torch.optim.Adam(parameters, lr=config.learning_rate, weight_decay=config.weight_decay)


def schedule_of(optimiser: torch.optim.Optimizer, config: TrainingConfig) -> LRScheduler:
    """The learning-rate schedule, stepped once an epoch."""
    if config.schedule == "constant":
        return torch.optim.lr_scheduler.ConstantLR(optimiser, factor=1.0, total_iters=0)
    return torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=config.num_epochs)
