"""Answers and metrics of a model over a whole split."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from snnface.datasets.clip import Batch
from snnface.tasks.base import Task

__all__ = ["Evaluation", "evaluate"]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What a model answered, clip by clip, and what that is worth.

    Attributes:
        metrics: over the whole split.
        answers: target name -> [N, ...], on the CPU.
        clip_ids: N names, in the order of `answers`.
    """

    metrics: dict[str, float]
    answers: dict[str, Tensor]
    clip_ids: tuple[str, ...]


def evaluate(
    model: nn.Module, task: Task, batches: "DataLoader[Batch]", *, device: torch.device | None = None
) -> Evaluation:
    """Run `model` in eval mode over `batches`; its training flag is restored afterwards."""
    meter = task.meter()
    answers: dict[str, list[Tensor]] = {}
    clip_ids: list[str] = []
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            for batch in batches:
                batch = batch.to(device or torch.device("cpu"))
                output = task.predict(model, batch)
                meter.update(output, batch)
                for name, rows in output.items():
                    answers.setdefault(name, []).append(rows.cpu())
                clip_ids += batch.clip_ids
    finally:
        model.train(was_training)
    return Evaluation(
        metrics=meter.compute(),
        answers={name: torch.cat(rows) for name, rows in answers.items()},
        clip_ids=tuple(clip_ids),
    )
