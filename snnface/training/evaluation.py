"""Answers and metrics of a model over a whole split."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from snnface.datasets.clip import Batch
from snnface.errors import DataError
from snnface.tasks.base import Output, Task

__all__ = ["Evaluation", "evaluate", "predict"]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What a model answered, clip by clip, and what that is worth.

    Attributes:
        metrics: over the whole split.
        answers: target name -> [N, ...], on the CPU. Answers of every step, [T, B, K] of a batch, are
            [N, T, K] here.
        clip_ids: N names, in the order of `answers`.
    """

    metrics: dict[str, float]
    answers: dict[str, Tensor]
    clip_ids: tuple[str, ...]


def evaluate(
    model: nn.Module, task: Task, batches: "DataLoader[Batch]", *, device: torch.device | None = None
) -> Evaluation:
    """Run `model` in eval mode over `batches`; its training flag is restored afterwards.

    Raises:
        DataError: if an input is no finite number; names the clip.
    """
    meter = task.meter()
    answers: dict[str, list[Tensor]] = {}
    clip_ids: list[str] = []
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            for batch in batches:
                batch = batch.to(device or torch.device("cpu"))
                output = predict(model, task, batch)
                meter.update(output, batch)
                for name, rows in output.items():
                    # Only answers of every step have three axes.
                    answers.setdefault(name, []).append((rows.transpose(0, 1) if rows.ndim == 3 else rows).cpu())
                clip_ids += batch.clip_ids
    finally:
        model.train(was_training)
    return Evaluation(
        metrics=meter.compute(),
        answers={name: torch.cat(rows) for name, rows in answers.items()},
        clip_ids=tuple(clip_ids),
    )


def predict(model: nn.Module, task: Task, batch: Batch) -> Output:
    """The task's answers.

    Raises:
        DataError: if the model refuses the numbers of a clip; names the clip.
    """
    try:
        return task.predict(model, batch)
    except DataError as error:
        if (index := getattr(error, "batch_index", None)) is None:
            raise
        raise DataError(f"clip {batch.clip_ids[index]!r}: {error}") from error
