"""Which action unit does the clip show: single-label classification."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from snnface.datasets.clip import Batch
from snnface.errors import ConfigError, DataError
from snnface.metrics.classification import classification_metrics
from snnface.tasks.base import Loss, Meter, Output

__all__ = ["ActionUnitTask", "ActionUnitTaskConfig"]


@dataclass(frozen=True, kw_only=True)
class ActionUnitTaskConfig:
    """Which head and label are meant, and what is minimised; the number of classes is the data set's.

    Attributes:
        loss: squared error of the answers against the wanted ones, or cross-entropy with the
            answers as logits (they should be free to grow: not the vote of spikes, which ends at 1).
        label_smoothing: the share of the wanted answer that is spread evenly over all classes.
        tet_lambda, tet_phi: for answers of every step: the weight of pulling all of them towards
            the constant phi, see `ActionUnitTask`.

    Raises:
        ConfigError: if a share lies outside [0, 1).
    """

    target: str = "action_unit"
    loss: Literal["mse", "cross_entropy"] = "mse"
    label_smoothing: float = 0.0
    tet_lambda: float = 0.0
    tet_phi: float = 1.0

    def __post_init__(self) -> None:
        for name in ("label_smoothing", "tet_lambda"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} is a share in [0, 1); got {getattr(self, name)}.")


class ActionUnitTask:
    """The loss between the answers and the one-hot label, smoothed where asked for.

    A model with one answer [B, K] a clip gets the loss of that answer. A model that answers
    in every step, o [T, B, K], gets the mean of every step's own loss (temporally efficient
    training), and is measured by the mean of its answers:

        (1 - lambda) mean_t L(o[t], y) + lambda mean_t MSE(o[t], phi)

    Clips without the label change neither loss nor metrics.

    Source: Mastropasqua et al. 2025, sec. 4.3.2 and 6.1 (MSE; top-1 and top-3 accuracy); Deng et
    al. 2022, arXiv:2202.11946 (every step; their lambda and phi); Szegedy et al. 2016, arXiv:1512.00567, sec. 7
    (label smoothing).
    """

    selection_metric = "top1"

    def __init__(self, config: ActionUnitTaskConfig, *, num_classes: int) -> None:
        self.config = config
        self.num_classes = num_classes

    def predict(self, model: nn.Module, batch: Batch) -> Output:
        return model(batch.inputs)

    def loss(self, output: Output, batch: Batch) -> Loss:
        """The loss over the clips that have the label.

        Raises:
            DataError: if no clip of the batch has it.
            ConfigError: if the loss of every step is asked for, and there is one answer only.
        """
        answers, labels = self._labelled(output, batch)
        config = self.config
        if not len(labels):
            raise DataError(f"no clip of {', '.join(batch.clip_ids)} has the label {config.target!r}.")
        wanted = nn.functional.one_hot(labels, self.num_classes).to(answers)
        wanted = (1 - config.label_smoothing) * wanted + config.label_smoothing / self.num_classes
        wanted = wanted.expand_as(answers)
        if config.loss == "mse":
            total = nn.functional.mse_loss(answers, wanted)
        else:
            total = nn.functional.cross_entropy(answers.flatten(0, -2), wanted.flatten(0, -2))
        parts = {f"{config.target}_{config.loss}": float(total.detach())}
        if not config.tet_lambda:
            return Loss(total, parts)
        if answers.ndim < 3:
            raise ConfigError("tet_lambda weighs answers of every step; this model gives one a clip. Set it to 0.")
        steady = (answers - config.tet_phi).square().mean()
        parts[f"{config.target}_tet"] = float(steady.detach())
        return Loss((1 - config.tet_lambda) * total + config.tet_lambda * steady, parts)

    def meter(self) -> Meter:
        return _AccuracyMeter(self)

    def _labelled(self, output: Output, batch: Batch) -> tuple[Float[Tensor, "*T B K"], Int64[Tensor, " B"]]:
        name = self.config.target
        if name not in batch.targets:
            return output[name][..., :0, :], torch.zeros(0, dtype=torch.int64)
        present = batch.present[name]
        return output[name][..., present, :], batch.targets[name][present]


class _AccuracyMeter:
    def __init__(self, task: ActionUnitTask) -> None:
        self._task = task
        self._answers: list[Tensor] = []
        self._labels: list[Tensor] = []

    def update(self, output: Output, batch: Batch) -> None:
        answers, labels = self._task._labelled(output, batch)
        self._answers.append((answers.mean(0) if answers.ndim == 3 else answers).detach().cpu())
        self._labels.append(labels.cpu())

    def compute(self) -> dict[str, float]:
        return classification_metrics(torch.cat(self._answers), torch.cat(self._labels))
