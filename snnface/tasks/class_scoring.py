"""How the answers of a classification are judged: accuracy, beside a constant answer and chance."""

from collections.abc import Iterable, Mapping

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from snnface.datasets.clip import Batch
from snnface.errors import DataError
from snnface.metrics.classification import answer_counts, chance_metrics, counted_metrics, num_counts
from snnface.tasks.base import Output
from snnface.tasks.scoring import Predictor

__all__ = ["ClassScoring"]


class ClassScoring:
    """Scoring of one label a clip: see `counted_metrics`. Answers to every step, [T, B, K], count with their mean."""

    def __init__(self, target: str, *, num_classes: int) -> None:
        self.target = target
        self._num_classes = num_classes

    def answers(self, output: Output) -> dict[str, Tensor]:
        return {self.target: self._of_clips(output)}

    def statistics(self, output: Output, batch: Batch) -> Float64[Tensor, "B S"]:
        answers, size = self._of_clips(output).cpu(), len(batch.clip_ids)
        if self.target not in batch.targets:
            return torch.zeros(size, num_counts(self._num_classes), dtype=torch.float64)
        return answer_counts(answers, batch.targets[self.target].cpu(), batch.present[self.target].cpu())

    def metrics(self, sums: Float64[Tensor, "*D S"]) -> dict[str, Float64[Tensor, "*D"]]:
        return counted_metrics(sums)

    def predictors(self, training: Iterable[Batch]) -> Mapping[str, Predictor]:
        """The "constant" one: how frequent each class is among the training clips, answered to every clip."""
        counts = torch.zeros(self._num_classes)
        for batch in training:
            counts += torch.bincount(self._labels(batch), minlength=self._num_classes).float()
        if not counts.sum():
            raise DataError(f"no training clip has the label {self.target!r}; there is no constant to answer.")
        return {"constant": lambda batch: {self.target: (counts / counts.sum()).expand(len(batch.clip_ids), -1)}}

    def chance(self) -> Mapping[str, float]:
        """Uniform guessing."""
        return chance_metrics(self._num_classes)

    def _of_clips(self, output: Output) -> Float[Tensor, "B K"]:
        answers = output[self.target]
        return answers.mean(0) if answers.ndim == 3 else answers

    def _labels(self, batch: Batch) -> Int64[Tensor, " B"]:
        if self.target not in batch.targets:
            return torch.zeros(0, dtype=torch.int64)
        return batch.targets[self.target][batch.present[self.target]].cpu()
