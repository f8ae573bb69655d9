"""Several tasks at once: one forward pass, a weighted sum of losses."""

from collections.abc import Sequence

import torch
from torch import nn

from snnface.datasets.clip import Batch
from snnface.errors import ConfigError
from snnface.tasks.base import Loss, Meter, Output, Task
from snnface.tasks.scoring import merged

__all__ = ["WeightedSum"]


class WeightedSum:
    """The sum of weight * loss over tasks that share one model; checkpoints are chosen by the first task's metric.

    The model is called once, as the first task calls it, and has a head for each. Parts of the loss
    and metrics stand under their own names, see `merged`.

    Source: Becattini et al. 2024, sec. 5: L = L_AU + lambda L_alpha.

    Raises:
        ConfigError: if there is no task, or a weight is negative.
    """

    def __init__(self, parts: Sequence[tuple[Task, float]]) -> None:
        if not parts or any(not 0 <= weight < float("inf") for _, weight in parts):
            raise ConfigError("a weighted sum needs at least one task, and weights of at least 0.")
        self.parts = tuple(parts)

    @property
    def selection_metric(self) -> str:
        return self.parts[0][0].selection_metric

    def predict(self, model: nn.Module, batch: Batch) -> Output:
        return self.parts[0][0].predict(model, batch)

    def loss(self, output: Output, batch: Batch) -> Loss:
        losses = [(task.loss(output, batch), weight) for task, weight in self.parts]
        total = torch.stack([weight * loss.total for loss, weight in losses]).sum()
        return Loss(total, merged(loss.parts for loss, _ in losses))

    def meter(self) -> Meter:
        return _JointMeter([task.meter() for task, _ in self.parts])


class _JointMeter:
    def __init__(self, meters: Sequence[Meter]) -> None:
        self._meters = tuple(meters)

    def update(self, output: Output, batch: Batch) -> None:
        for meter in self._meters:
            meter.update(output, batch)

    def compute(self) -> dict[str, float]:
        return merged(meter.compute() for meter in self._meters)
