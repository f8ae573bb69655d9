"""Which action unit does the clip show: single-label classification."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from snnface.datasets.clip import Batch
from snnface.errors import DataError
from snnface.metrics.classification import classification_metrics
from snnface.tasks.base import Loss, Meter, Output

__all__ = ["ActionUnitTask", "ActionUnitTaskConfig"]


@dataclass(frozen=True, kw_only=True)
class ActionUnitTaskConfig:
    """Which head and label are meant; the number of classes is the data set's."""

    target: str = "action_unit"


class ActionUnitTask:
    """Mean squared error between the answers (voted firing rates) and the one-hot label.

    Clips without the label change neither loss nor metrics.

    Source: Mastropasqua et al. 2025, sec. 4.3.2 and 6.1 (MSE; top-1 and top-3 accuracy).
    """

    selection_metric = "top1"

    def __init__(self, config: ActionUnitTaskConfig, *, num_classes: int) -> None:
        self.config = config
        self.num_classes = num_classes

    def predict(self, model: nn.Module, batch: Batch) -> Output:
        return model(batch.inputs)

    def loss(self, output: Output, batch: Batch) -> Loss:
        """MSE over the clips that have the label.

        Raises:
            DataError: if no clip of the batch has it.
        """
        answers, labels = self._labelled(output, batch)
        if not len(labels):
            raise DataError(f"no clip of {', '.join(batch.clip_ids)} has the label {self.config.target!r}.")
        wanted = nn.functional.one_hot(labels, self.num_classes).to(answers)
        total = nn.functional.mse_loss(answers, wanted)
        return Loss(total, {"action_unit_mse": float(total.detach())})

    def meter(self) -> Meter:
        return _AccuracyMeter(self)

    def _labelled(self, output: Output, batch: Batch) -> tuple[Float[Tensor, "B K"], Int64[Tensor, " B"]]:
        name = self.config.target
        if name not in batch.targets:
            return output[name][:0], torch.zeros(0, dtype=torch.int64)
        present = batch.present[name]
        return output[name][present], batch.targets[name][present]


class _AccuracyMeter:
    def __init__(self, task: ActionUnitTask) -> None:
        self._task = task
        self._answers: list[Tensor] = []
        self._labels: list[Tensor] = []

    def update(self, output: Output, batch: Batch) -> None:
        answers, labels = self._task._labelled(output, batch)
        self._answers.append(answers.detach().cpu())
        self._labels.append(labels.cpu())

    def compute(self) -> dict[str, float]:
        return classification_metrics(torch.cat(self._answers), torch.cat(self._labels))
