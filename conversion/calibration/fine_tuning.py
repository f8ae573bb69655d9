"""Fine-tuning after conversion: to the ANN's own answers, and to labels where there are any."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from conversion.calibration.samples import require_samples
from snnface.errors import ConfigError, DataError, NonFiniteLossError

__all__ = ["FineTuningConfig", "Lesson", "Task", "fine_tune", "require_labels"]

Task = Literal["classification", "regression"]

_TEMPERATURE = 2.0


@dataclass(frozen=True, kw_only=True)
class FineTuningConfig:
    """How weights are trained on: Adam without weight decay, its rate falling to 0 along a cosine.

    Attributes:
        epochs: passes over the training samples.
        learning_rate: at the start.
        batch_size: samples a step.
        seed: of the order of the samples; the same seed gives the same weights on the same machine.

    Raises:
        ConfigError: if a number is not positive.
    """

    epochs: int = 10
    learning_rate: float = 1e-3
    batch_size: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.epochs, self.batch_size) < 1 or not 0 < self.learning_rate < math.inf:
            raise ConfigError(
                "epochs and batch_size must be at least 1 and learning_rate positive; got "
                f"{self.epochs}, {self.batch_size} and {self.learning_rate}."
            )


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What to learn from: samples, the ANN's answers to them, and labels where there are any.

    Classes: KL to the ANN's softened answers (temperature 2, times its square), plus
    cross-entropy to the labels. Values: squared error to the ANN's answers, plus squared
    error to the labels, both in units of the variance of the ANN's answers.

    Attributes:
        inputs: [B, *input_shape].
        teacher: the ANN's answers [B, K].
        labels: class indices [B], or values [B, K]; or None.

    Raises:
        ShapeError, DataError: if there is no sample, or answers or labels do not fit them.
    """

    inputs: np.ndarray
    teacher: Float[np.ndarray, "B K"]
    labels: np.ndarray | None
    task: Task

    def __post_init__(self) -> None:
        require_samples(self.inputs, self.inputs.shape[1:], what="the training samples")
        if len(self.teacher) != len(self.inputs):
            raise DataError(f"every training sample needs an answer; got {len(self.inputs)} and {len(self.teacher)}.")
        if self.labels is not None:
            require_labels(self.labels, self.teacher.shape, self.task, what="training samples")

    def loss(self, answers: Float[Tensor, "b K"], chosen: Int[Tensor, " b"]) -> Float[Tensor, ""]:
        """Of the answers to the samples of these indices."""
        rows = chosen.numpy()
        teacher = torch.tensor(self.teacher[rows], dtype=answers.dtype)
        labels = None if self.labels is None else torch.tensor(self.labels[rows])
        if self.task == "regression":
            unit = max(float(self.teacher.var()), 1e-12)
            total = functional.mse_loss(answers, teacher)
            if labels is not None:
                total = total + functional.mse_loss(answers, labels.to(answers.dtype))
            return total / unit
        student = functional.log_softmax(answers / _TEMPERATURE, dim=1)
        wanted = functional.log_softmax(teacher / _TEMPERATURE, dim=1)
        total = _TEMPERATURE**2 * functional.kl_div(student, wanted, reduction="batchmean", log_target=True)
        return total if labels is None else total + functional.cross_entropy(answers, labels.long())


def require_labels(labels: np.ndarray, shape: tuple[int, ...], task: Task, *, what: str) -> None:
    """Check labels for answers of this shape [B, K].

    Raises:
        DataError: if they are not class indices [B] below K, or finite values [B, K].
    """
    if task == "classification":
        fits = labels.dtype.kind in "iu" and labels.shape == shape[:1]
        fits = fits and bool(((labels >= 0) & (labels < shape[1])).all())
        wanted = f"{shape[0]} class indices below {shape[1]}"
    else:
        fits = labels.dtype.kind == "f" and labels.shape == shape and bool(np.isfinite(labels).all())
        wanted = f"finite values {list(shape)}"
    if not fits:
        raise DataError(f"labels of the {what} must be {wanted}; got {labels.dtype} {list(labels.shape)}.")


def fine_tune(
    model: nn.Module,
    lesson: Lesson,
    config: FineTuningConfig,
    *,
    after_step: Callable[[], None] = lambda: None,
) -> None:
    """Train the model in place.

    Args:
        model: [B, *input_shape] -> [S, B, K], of which the mean over steps is the answer.
        after_step: called after every step, to keep parameters in their range.

    Raises:
        NonFiniteLossError: if the loss becomes NaN or infinite.
    """
    generator = torch.Generator().manual_seed(config.seed)
    inputs = torch.tensor(lesson.inputs, dtype=torch.float32)
    optimiser = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    num_steps = config.epochs * math.ceil(len(inputs) / config.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, num_steps)
    for epoch in range(config.epochs):
        for chosen in torch.split(torch.randperm(len(inputs), generator=generator), config.batch_size):
            loss = lesson.loss(model(inputs[chosen]).mean(0), chosen)
            if not torch.isfinite(loss):
                raise NonFiniteLossError(
                    f"the loss of fine-tuning became {loss.item()} in epoch {epoch + 1} of {config.epochs}. Lower the "
                    f"learning rate (now {config.learning_rate}), or look for extreme training samples."
                )
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            after_step()
