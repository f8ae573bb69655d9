"""What shape is the face in: regression of the coefficients alpha of an expression 3DMM."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor, nn

from snnface.datasets.clip import Batch
from snnface.errors import ConfigError, DataError
from snnface.tasks.base import Loss, Output
from snnface.tasks.scoring import Predictor, ScoringMeter
from snnface.tasks.step_labels import labels_over_time, mean_square

__all__ = ["FaceShapeTask", "FaceShapeTaskConfig"]


@dataclass(frozen=True, kw_only=True)
class FaceShapeTaskConfig:
    """Which head and label are meant.

    Attributes:
        label: coefficients over time, K a step.
        per_step: answers are those of every step, [T, B, K]; otherwise of the whole clip, [B, K], compared
            with the mean over its labelled steps.
        scale: answers are compared with label * scale: coefficients of a face that hardly moves are
            small beside what a fresh network answers. Metrics are in units of the label.

    Raises:
        ConfigError: if the scale is not positive.
    """

    target: str = "face_shape"
    label: str = "alpha"
    per_step: bool = True
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.scale < float("inf"):
            raise ConfigError(f"scale must be positive; got {self.scale}.")


class FaceShapeTask:
    """Mean squared error of the coefficients; also its scoring.

    Steps and clips without labels change neither loss nor metrics. A batch without any labelled
    step has a loss of 0.

    Metrics: `r2`, the share of the coefficients' variance over the whole set that is explained (all
    coefficients together; 0 where nothing varies), by which checkpoints are chosen; `mse`, `rmse`.

    Source: Becattini et al. 2024, "Neuromorphic Facial Analysis with Cross-Modal Supervision", sec. 5 (L_alpha, MSE).
    The mean is over steps and coefficients; the paper's formula sums the K coefficients of a frame, so that a weight
    here is K times the lambda of that formula. The paper gives neither lambda nor the unit of alpha.
    """

    selection_metric = "r2"

    def __init__(self, config: FaceShapeTaskConfig) -> None:
        self.config = config

    def predict(self, model: nn.Module, batch: Batch) -> Output:
        return model(batch.inputs)

    def loss(self, output: Output, batch: Batch) -> Loss:
        """Raises: DataError: if labels do not fit the answers."""
        answers, labels, present = self._pairs(output, batch)
        total = mean_square(answers, labels, present)
        return Loss(total, {"face_shape_mse": float(total.detach())})

    def meter(self) -> ScoringMeter:
        return ScoringMeter(self)

    def answers(self, output: Output) -> dict[str, Tensor]:
        rows = output[self.config.target] / self.config.scale
        return {self.config.target: rows.transpose(0, 1) if self.config.per_step else rows}

    def statistics(self, output: Output, batch: Batch) -> Float64[Tensor, "B S"]:
        """S = 1 + 3 K: labelled steps; of each coefficient the squared error, and the label and its square, summed."""
        answers, labels, present = self._pairs(output, batch)
        x, y = answers.double() / self.config.scale, labels.double() / self.config.scale
        counted = present[..., None].double()
        sums = [((x - y) ** 2 * counted).sum(0), (y * counted).sum(0), (y * y * counted).sum(0)]
        return torch.cat([counted.sum(0), *sums], dim=1).cpu()

    def metrics(self, sums: Float64[Tensor, "*D S"]) -> dict[str, Float64[Tensor, "*D"]]:
        n = sums[..., :1]
        if not (n > 0).all():
            raise DataError("metrics need at least one labelled step; got none.")
        error, total, squares = sums[..., 1:].chunk(3, dim=-1)
        around_mean = (squares - total**2 / n).clamp(min=0).sum(-1)
        explained = 1 - error.sum(-1) / around_mean.clamp(min=1e-30)
        mse = (error / n).mean(-1)
        return {"r2": torch.where(around_mean > 0, explained, 0.0), "mse": mse, "rmse": mse.sqrt()}

    def predictors(self, training: Iterable[Batch]) -> Mapping[str, Predictor]:
        """The predictors "constant": the face at rest, all coefficients 0; "mean": that of the training steps."""
        total: Float64[Tensor, " K"] | float = 0.0
        count = 0
        for batch in training:
            labels, present = labels_over_time(batch, [self.config.label], num_steps=len(batch.inputs))
            total, count = total + labels[present].double().sum(0), count + int(present.sum())
        if not count or not isinstance(total, Tensor):
            raise DataError("no step of the training clips has a label; there is no mean to answer.")
        mean = (total / count * self.config.scale).float()
        rest = torch.zeros_like(mean)
        return {"constant": lambda batch: self._same(rest, batch), "mean": lambda batch: self._same(mean, batch)}

    def chance(self) -> Mapping[str, float]:
        """Guessing has no range to guess in."""
        return {}

    def _same(self, answer: Float[Tensor, " K"], batch: Batch) -> Output:
        sizes = batch.inputs.shape[:2] if self.config.per_step else batch.inputs.shape[1:2]
        return {self.config.target: answer.expand(*sizes, len(answer))}

    def _pairs(
        self, output: Output, batch: Batch
    ) -> tuple[Float[Tensor, "T B K"], Float[Tensor, "T B K"], Bool[Tensor, "T B"]]:
        """Answers, labels (scaled) and mask; of answers to whole clips, one step for each clip."""
        answers, num_axes = output[self.config.target], 3 if self.config.per_step else 2
        if answers.ndim != num_axes:
            raise DataError(
                f"{self.config.target!r} should have {num_axes} axes ({'T, B, K' if num_axes == 3 else 'B, K'}); got "
                f"{list(answers.shape)}. Choose per_step and the temporal part to fit each other."
            )
        num_steps = len(answers) if self.config.per_step else len(batch.inputs)
        labels, present = labels_over_time(batch, [self.config.label], num_steps=num_steps)
        if not self.config.per_step:
            count = present.sum(0)
            labels = ((labels * present[..., None]).sum(0) / count.clamp(min=1)[:, None])[None]
            answers, present = answers[None], (count > 0)[None]
        if answers.shape != labels.shape:
            raise DataError(
                f"{self.config.label!r} has {labels.shape[2]} coefficients a step, {self.config.target!r} answers "
                f"{answers.shape[2]}."
            )
        return answers, labels * self.config.scale, present
