"""Accuracy over a whole set, and what guessing would give."""

import math

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor, nn

from snnface.errors import DataError

__all__ = [
    "answer_counts",
    "chance_metrics",
    "classification_metrics",
    "constant_answers",
    "correct_at",
    "counted_metrics",
]

TOP_K = 3


def classification_metrics(answers: Float[Tensor, "B K"], labels: Int64[Tensor, " B"]) -> dict[str, float]:
    """`top1`, `top3` (share of clips), `macro_recall` and `macro_f1`, over the whole set.

    Ties among answers go to the lower class index; no randomness.

    Raises:
        DataError: if the set is empty.
    """
    present = torch.ones(len(labels), dtype=torch.bool)
    metrics = counted_metrics(answer_counts(answers, labels, present).sum(0))
    return {name: float(value) for name, value in metrics.items()}


def correct_at(answers: Float[Tensor, "B K"], labels: Int64[Tensor, " B"], k: int) -> Bool[Tensor, " B"]:
    """Is the label among the k largest answers? Ties go to the lower class index."""
    order = torch.argsort(answers, dim=1, descending=True, stable=True)[:, :k]
    return (order == labels[:, None]).any(1)


def chance_metrics(num_classes: int) -> dict[str, float]:
    """What uniform guessing expects."""
    return {"top1": 1 / num_classes, "top3": min(TOP_K, num_classes) / num_classes}


def constant_answers(train_labels: Int64[Tensor, " N"], num_classes: int, num_clips: int) -> Float[Tensor, "B K"]:
    """The best constant predictor: the label frequencies of the training split, for every clip."""
    counts = torch.bincount(train_labels, minlength=num_classes).float()
    return (counts / counts.sum()).expand(num_clips, num_classes)


def answer_counts(
    answers: Float[Tensor, "B K"], labels: Int64[Tensor, " B"], present: Bool[Tensor, " B"]
) -> Float64[Tensor, "B S"]:
    """What `counted_metrics` needs of each clip; those of two clips are added, and absent labels count nothing.

    S = K * K + 1: one at [label, largest answer], and whether the label is among the three largest.
    """
    num_classes = answers.shape[1]
    order = torch.argsort(answers, dim=1, descending=True, stable=True)
    places = nn.functional.one_hot(labels * num_classes + order[:, 0], num_classes**2)
    among = correct_at(answers, labels, min(TOP_K, num_classes))
    return torch.cat([places, among[:, None]], dim=1).double() * present[:, None]


def counted_metrics(sums: Float64[Tensor, "*D S"]) -> dict[str, Float64[Tensor, "*D"]]:
    """The metrics of `classification_metrics` from the sum of `answer_counts` over a set.

    Recall and F1 are means over the classes that occur, as label or as answer.

    Raises:
        DataError: if no clip has a label.
    """
    num_classes = math.isqrt(sums.shape[-1] - 1)
    confusion = sums[..., :-1].reshape(*sums.shape[:-1], num_classes, num_classes)
    total = confusion.sum((-2, -1))
    if not (total > 0).all():
        raise DataError("metrics need at least one labelled clip; got none.")
    right, labelled, answered = confusion.diagonal(dim1=-2, dim2=-1), confusion.sum(-1), confusion.sum(-2)
    occurs = labelled + answered > 0
    num_occurring = occurs.sum(-1)
    return {
        "top1": right.sum(-1) / total,
        "top3": sums[..., -1] / total,
        "macro_recall": (right / labelled.clamp(min=1)).sum(-1) / num_occurring,
        "macro_f1": (2 * right / (labelled + answered).clamp(min=1)).sum(-1) / num_occurring,
    }
