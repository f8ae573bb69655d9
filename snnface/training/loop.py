"""The training loop: one for every experiment. It knows nothing of faces, spikes or papers."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader

from snnface.datasets.clip import Batch
from snnface.errors import NonFiniteLossError
from snnface.spiking.quantised_layers import quantised_layers
from snnface.tasks.base import Loss, Task
from snnface.training.diagnosis import first_non_finite
from snnface.training.evaluation import evaluate
from snnface.training.objective import Objective
from snnface.training.optim import TrainingConfig

__all__ = ["EpochResult", "Observer", "TrainingState", "train"]


@dataclass
class TrainingState:
    """All that changes while training, and all that a resumed run needs.

    Attributes:
        epoch: epochs that are complete.
        best_metric: the best selection metric so far.
    """

    model: nn.Module
    optimiser: torch.optim.Optimizer
    schedule: LRScheduler
    epoch: int = 0
    best_metric: float = float("-inf")


@dataclass(frozen=True, slots=True)
class EpochResult:
    """What an observer hears after an epoch.

    Attributes:
        validation: metrics of the clips that the weights are chosen on; none where there are no such clips.
        is_best: these weights are the ones to keep, so far.
    """

    epoch: int
    train_loss: float
    validation: dict[str, float]
    is_best: bool


@runtime_checkable
class Observer(Protocol):
    """Logging, checkpoints, progress bars: they listen, the loop does not know them."""

    def on_epoch_start(self, state: TrainingState, num_steps: int) -> None: ...

    def on_step(self, loss: Loss) -> None: ...

    def on_epoch_end(self, state: TrainingState, result: EpochResult) -> None: ...


def train(
    state: TrainingState,
    task: Task,
    *,
    train_batches: "DataLoader[Batch]",
    validation_batches: "DataLoader[Batch] | None",
    config: TrainingConfig,
    fabric: Fabric,
    observers: Sequence[Observer] = (),
) -> TrainingState:
    """Train from `state.epoch` to `config.num_epochs`.

    Training samples that have a `set_epoch` (augmented ones) are told the epoch before it begins.

    Args:
        validation_batches: what the weights are chosen on, evaluated after every epoch. None: nothing is
            evaluated, and the last epoch is the best, as it is with the selection "last".

    Raises:
        NonFiniteLossError: if a loss or a gradient is NaN or infinite; names its parts, the clips and the
            first layer that is to blame.
        DataError: if an input is; names the clip.
    """
    model, optimiser = fabric.setup(state.model, state.optimiser)
    loader: Any = fabric.setup_dataloaders(train_batches, use_distributed_sampler=False, move_to_device=False)
    objective = Objective(task, config)
    while state.epoch < config.num_epochs:
        if state.epoch == config.float_epochs:
            state.best_metric = float("-inf")  # From here on the weights of quantised epochs compete.
        getattr(train_batches.dataset, "set_epoch", _ignore)(state.epoch)
        for observer in observers:
            observer.on_epoch_start(state, len(loader))
        model.train()
        total, num_clips = 0.0, 0
        with _layers(state, config):
            for batch in loader:
                batch = batch.to(fabric.device)
                loss = objective(model, batch)
                _require_finite("loss", loss.total, loss, state.model, task, batch)
                optimiser.zero_grad()
                fabric.backward(loss.total)
                norm = fabric.clip_gradients(
                    model, optimiser, max_norm=config.max_gradient_norm or float("inf"), error_if_nonfinite=False
                )
                _require_finite("gradient", norm, loss, state.model, task, batch)
                optimiser.step()
                total, num_clips = total + loss.value * len(batch.clip_ids), num_clips + len(batch.clip_ids)
                for observer in observers:
                    observer.on_step(loss)
            state.schedule.step()
            state.epoch += 1
            metrics: dict[str, float] = {}
            if validation_batches is not None:
                metrics = evaluate(state.model, task, validation_batches, device=fabric.device).metrics
        is_best = not metrics or config.selection == "last"
        if metrics:
            is_best |= metrics[task.selection_metric] > state.best_metric
            state.best_metric = max(state.best_metric, metrics[task.selection_metric])
        result = EpochResult(state.epoch, total / num_clips, metrics, is_best)
        for observer in observers:
            observer.on_epoch_end(state, result)
    return state


def _layers(state: TrainingState, config: TrainingConfig) -> AbstractContextManager[object]:
    return quantised_layers(state.model) if state.epoch >= config.float_epochs else nullcontext()


def _ignore(epoch: int) -> None:
    """Samples that are the same in every epoch need not know it."""


def _require_finite(what: str, value: Tensor | None, loss: Loss, model: nn.Module, task: Task, batch: Batch) -> None:
    if value is not None and not torch.isfinite(value):
        raise NonFiniteLossError(
            f"the {what} must be finite; the loss is {loss.value} (parts: {dict(loss.parts)}), the {what} "
            f"{float(value.detach())}, on the clips {', '.join(batch.clip_ids)}. The first that is not finite: "
            f"{first_non_finite(model, task, batch)}. Look at these inputs, or lower the learning rate."
        )
