"""Optimiser and schedule, as values."""

import math
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from snnface.datasets.augmentation import AugmentationConfig
from snnface.errors import ConfigError

__all__ = ["QUANTISED_RATE", "Selection", "TrainingConfig", "optimiser_of", "rate_share", "schedule_of"]

Selection = Literal["validation", "last", "test"]

QUANTISED_RATE = 0.1
"""The share of the learning rate at which quantisation-aware epochs begin: they correct weights, no more."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How long, how fast, how many at once; defaults are the micro-expression paper's.

    Attributes:
        batch_size: clips of one process in one step.
        learning_rate: the highest.
        optimiser: "adam", with the decay of weights in the gradient, or "adamw", with the decay beside it.
        weight_decay: 0 for both unless it is said; torch's own for AdamW is 0.01.
        schedule: "cosine" falls to zero, "halving" falls to a half every `halving_epochs`, "constant" stays; stepped
            once an epoch, see `rate_share`.
        warmup_epochs: epochs at the start in which the rate rises linearly.
        max_gradient_norm: longer gradients (Euclidean norm over all weights) are cut to this length.
        rate_weight, rate_target: adds rate_weight * max(0, rate / rate_target - 1)^2 to the loss,
            with rate the spikes per neuron and step over all neurons of the model, see `Objective`.
        mixup_alpha: pairs of clips are mixed with a share from Beta(alpha, alpha), see `Objective`.
        quantisation_aware_epochs: so many of the last epochs run in the integers of a Loihi-like
            chip (8-bit weights, 12-bit decay), see `snnface.spiking.quantised_layers`. The best weights
            are then chosen among these epochs alone.
        augmentation: of training clips; nothing by default.
        selection: which epoch's weights are kept. "validation": the best on the validation subjects.
            "last": the last; nothing is chosen. "test": the best on the test subjects, as a paper may have
            done that names no validation set; every result says so, and none is of unseen subjects.
        precision: of the training steps, by Fabric's name; validation and test always run
            in float32.

    Raises:
        ConfigError: if a count or a rate is not positive, a weight negative, or no epoch is
            left between warm-up and quantisation.
    """

    num_epochs: int = 100
    batch_size: int = 8
    learning_rate: float = 1e-3
    optimiser: Literal["adam", "adamw"] = "adam"
    weight_decay: float = 0.0
    schedule: Literal["cosine", "halving", "constant"] = "cosine"
    halving_epochs: int = 50
    warmup_epochs: int = 0
    max_gradient_norm: float | None = None
    rate_weight: float = 0.0
    rate_target: float = 0.05
    mixup_alpha: float = 0.0
    quantisation_aware_epochs: int = 0
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    selection: Selection = "validation"
    precision: Literal["32-true", "bf16-mixed"] = "32-true"

    def __post_init__(self) -> None:
        for name in ("num_epochs", "batch_size", "learning_rate", "halving_epochs", "rate_target"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be positive; got {getattr(self, name)}.")
        for name in ("weight_decay", "warmup_epochs", "rate_weight", "mixup_alpha", "quantisation_aware_epochs"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name} must not be negative; got {getattr(self, name)}.")
        if self.max_gradient_norm is not None and not self.max_gradient_norm > 0:
            raise ConfigError(
                f"max_gradient_norm must be positive, or None for no limit; got {self.max_gradient_norm}."
            )
        if self.warmup_epochs + self.quantisation_aware_epochs >= self.num_epochs:
            raise ConfigError(
                f"{self.warmup_epochs} epochs of warm-up and {self.quantisation_aware_epochs} quantisation-aware ones "
                f"leave none of {self.num_epochs} between them; train longer, or shorten them."
            )

    @property
    def float_epochs(self) -> int:
        """Epochs before quantisation-aware training begins: all of them without it."""
        return self.num_epochs - self.quantisation_aware_epochs


def optimiser_of(model: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """Adam or AdamW over every parameter that learns.

    Source: Kingma and Ba 2015, arXiv:1412.6980; Loshchilov and Hutter 2019, arXiv:1711.05101 (AdamW).
    """
    kind = torch.optim.AdamW if config.optimiser == "adamw" else torch.optim.Adam
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return kind(parameters, lr=config.learning_rate, weight_decay=config.weight_decay)


def rate_share(config: TrainingConfig, epoch: int) -> float:
    """The share of the learning rate in force during `epoch` (from 0).

    With w epochs of warm-up, F float epochs, Q quantisation-aware ones, and h epochs to each halving:

        (epoch + 1) / (w + 1)                             epoch < w
        (1 + cos(pi (epoch - w) / (F - w))) / 2           epoch < F
        QUANTISED_RATE (1 + cos(pi (epoch - F) / Q)) / 2  from F on

    In place of (1 + cos ...) / 2 "halving" has 2^-floor((epoch - w) / h), from F on with F for w, and "constant" 1.

    Source: Loshchilov and Hutter 2017, arXiv:1608.03983, eq. 5, without restarts; Goyal et al. 2017,
    arXiv:1706.02677, sec. 2.2 (gradual warm-up). The quantised phase is this project's.
    """
    warm, whole, quantised = config.warmup_epochs, config.float_epochs, config.quantisation_aware_epochs
    if epoch < warm:
        return (epoch + 1) / (warm + 1)
    is_quantised = quantised > 0 and epoch >= whole
    top = QUANTISED_RATE if is_quantised else 1.0
    since, length = (epoch - whole, quantised) if is_quantised else (epoch - warm, whole - warm)
    if config.schedule == "constant":
        return top
    if config.schedule == "halving":
        return top * 0.5 ** (since // config.halving_epochs)
    return top * (1 + math.cos(math.pi * since / length)) / 2


def schedule_of(optimiser: torch.optim.Optimizer, config: TrainingConfig) -> LRScheduler:
    """The learning-rate schedule, stepped once an epoch; the rate depends on the number of the epoch alone."""
    return LambdaLR(optimiser, lambda epoch: rate_share(config, epoch))
