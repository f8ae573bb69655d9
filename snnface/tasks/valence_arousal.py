"""How pleasant and how excited is the face, in every step: regression over time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor, nn

from snnface.datasets.clip import Batch
from snnface.errors import ConfigError, DataError
from snnface.metrics.regression import NUM_MOMENTS, explained_variance, moments, regression_metrics
from snnface.tasks.base import Loss, Output
from snnface.tasks.scoring import Predictor, ScoringMeter
from snnface.tasks.step_labels import labels_over_time, mean_square

__all__ = ["DIMENSIONS", "ValenceArousalTask", "ValenceArousalTaskConfig"]

DIMENSIONS = ("valence", "arousal")

# Of the variances in a loss: a batch whose labels do not change still has a gradient.
SMALLEST = 1e-6


@dataclass(frozen=True, kw_only=True)
class ValenceArousalTaskConfig:
    """Which head and labels are meant, and what is minimised.

    Attributes:
        target: the head, whose answers are [T, B, 2].
        labels: the labels over time that hold valence and arousal: one of two columns, or two of one.
        ccc_weight: of 1 - CCC (mean of both dimensions, over the steps of a batch) beside the mean
            squared error; 0 leaves it out.

    Raises:
        ConfigError: if the weight is negative, or there is no label.
    """

    target: str = "valence_arousal"
    labels: tuple[str, ...] = ("valence_arousal",)
    ccc_weight: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.ccc_weight < float("inf") or not self.labels:
            raise ConfigError(f"ccc_weight must be at least 0, and one label or more be named; got {self}.")


class ValenceArousalTask:
    """Mean squared error of valence and arousal over the labelled steps, with 1 - CCC where wanted; also its scoring.

    Steps without a label, steps of padding and clips without labels change neither loss nor metrics.
    A batch without any labelled step has a loss of 0.

    Metrics: `ccc`, the mean of both dimensions; `r2`, the share of both dimensions' variance over the whole set
    that is explained (0 where nothing varies); then rmse, pcc, ccc and sagr of each, see `regression_metrics`.

    Checkpoints are chosen by what is minimised: by `ccc` where the loss has a part of it, else by `r2`, which falls
    as the squared error rises. (CCC rewards answers that range as widely as the labels, right or wrong: among
    epochs of one run it prefers late, surer ones, whose RMSE is past its best.)

    Source: Berlincioni et al., "Neuromorphic Valence and Arousal Estimation", sec. 5.1 (RMSE, PCC, SAGR).
    """

    def __init__(self, config: ValenceArousalTaskConfig) -> None:
        self.config = config

    @property
    def selection_metric(self) -> str:
        return "ccc" if self.config.ccc_weight else "r2"

    def predict(self, model: nn.Module, batch: Batch) -> Output:
        return model(batch.inputs)

    def loss(self, output: Output, batch: Batch) -> Loss:
        """Raises: DataError: if labels do not fit the answers."""
        answers, labels, present = self._pairs(output, batch)
        total = mean_square(answers, labels, present)
        parts = {"valence_arousal_mse": float(total.detach())}
        if self.config.ccc_weight and int(present.sum()) > 1:
            apart = 1 - _concordance(answers[present], labels[present]).mean()
            parts["valence_arousal_1_minus_ccc"] = float(apart.detach())
            total = total + self.config.ccc_weight * apart
        return Loss(total, parts)

    def meter(self) -> ScoringMeter:
        return ScoringMeter(self)

    def answers(self, output: Output) -> dict[str, Tensor]:
        return {self.config.target: output[self.config.target].transpose(0, 1)}

    def statistics(self, output: Output, batch: Batch) -> Float64[Tensor, "B S"]:
        answers, labels, present = self._pairs(output, batch)
        of_clips = [
            moments(answers[:, clip], labels[:, clip], present[:, clip]).flatten() for clip in range(answers.shape[1])
        ]
        return torch.stack(of_clips).cpu()

    def metrics(self, sums: Float64[Tensor, "*D S"]) -> dict[str, Float64[Tensor, "*D"]]:
        of_dimensions = sums.reshape(*sums.shape[:-1], len(DIMENSIONS), NUM_MOMENTS)
        found = regression_metrics(of_dimensions)
        each = {
            f"{metric}_{name}": values[..., k] for metric, values in found.items() for k, name in enumerate(DIMENSIONS)
        }
        return {"ccc": found["ccc"].mean(-1), "r2": explained_variance(of_dimensions), **each}

    def predictors(self, training: Iterable[Batch]) -> Mapping[str, Predictor]:
        """The predictors "constant": a neutral face, 0 and 0; "mean": that of the training steps."""
        total, count = torch.zeros(len(DIMENSIONS), dtype=torch.float64), 0
        for batch in training:
            labels, present = labels_over_time(batch, self.config.labels, num_steps=len(batch.inputs))
            total, count = total + labels[present].double().sum(0), count + int(present.sum())
        if not count:
            raise DataError("no step of the training clips has a label; there is no mean to answer.")
        mean = (total / count).float()
        return {
            "constant": lambda batch: self._same(torch.zeros_like(mean), batch),
            "mean": lambda b: self._same(mean, b),
        }

    def chance(self) -> Mapping[str, float]:
        """Guessing has no range to guess in."""
        return {}

    def _same(self, answer: Float[Tensor, " K"], batch: Batch) -> Output:
        num_steps, size = batch.inputs.shape[:2]
        return {self.config.target: answer.expand(num_steps, size, len(answer))}

    def _pairs(
        self, output: Output, batch: Batch
    ) -> tuple[Float[Tensor, "T B K"], Float[Tensor, "T B K"], Bool[Tensor, "T B"]]:
        answers = output[self.config.target]
        if answers.ndim != 3 or answers.shape[2] != len(DIMENSIONS):
            raise DataError(
                f"{self.config.target!r} should be answered in every step, [T, B, 2]; got {list(answers.shape)}. "
                "Choose a temporal part that keeps the steps."
            )
        labels, present = labels_over_time(batch, self.config.labels, num_steps=len(answers))
        return answers, labels, present


def _concordance(answers: Float[Tensor, "N K"], labels: Float[Tensor, "N K"]) -> Float[Tensor, " K"]:
    x, y = answers - answers.mean(0), labels - labels.mean(0)
    apart = x.square().mean(0) + y.square().mean(0) + (answers.mean(0) - labels.mean(0)) ** 2
    return 2 * (x * y).mean(0) / (apart + SMALLEST)
