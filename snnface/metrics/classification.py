"""Accuracy over a whole set and class by class, and what guessing would give."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor, nn

from snnface.errors import DataError

__all__ = [
    "ClassResult",
    "answer_counts",
    "chance_metrics",
    "class_results",
    "classification_metrics",
    "confusion_of",
    "constant_answers",
    "correct_at",
    "counted_metrics",
    "num_counts",
]

TOP_K = (3, 5)
"""Among how many of the largest answers the label is looked for, beside the largest alone."""

ALWAYS = 3
"""This one is told of any number of classes; the others only where there are more classes than places."""


def classification_metrics(answers: Float[Tensor, "B K"], labels: Int64[Tensor, " B"]) -> dict[str, float]:
    """`top1`, `top3`, `top5` (share of clips), `macro_recall` and `macro_f1`, over the whole set.

    `top5` is there for more than five classes only: of fewer it says nothing. Ties among answers go to
    the lower class index; no randomness.

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
    return {"top1": 1 / num_classes} | {f"top{k}": min(k, num_classes) / num_classes for k in _told(num_classes)}


def constant_answers(train_labels: Int64[Tensor, " N"], num_classes: int, num_clips: int) -> Float[Tensor, "B K"]:
    """The best constant predictor: the label frequencies of the training split, for every clip."""
    counts = torch.bincount(train_labels, minlength=num_classes).float()
    return (counts / counts.sum()).expand(num_clips, num_classes)


def num_counts(num_classes: int) -> int:
    """How many numbers `answer_counts` keeps of each clip."""
    return num_classes**2 + len(TOP_K)


def answer_counts(
    answers: Float[Tensor, "B K"], labels: Int64[Tensor, " B"], present: Bool[Tensor, " B"]
) -> Float64[Tensor, "B S"]:
    """What `counted_metrics` needs of each clip; those of two clips are added, and absent labels count nothing.

    S = K * K + 2: one at [label, largest answer], and whether the label is among the three, and the
    five, largest.
    """
    num_classes = answers.shape[1]
    order = torch.argsort(answers, dim=1, descending=True, stable=True)
    places = nn.functional.one_hot(labels * num_classes + order[:, 0], num_classes**2)
    among = [(order[:, :k] == labels[:, None]).any(1) for k in TOP_K]
    return torch.cat([places, torch.stack(among, dim=1)], dim=1).double() * present[:, None]


def counted_metrics(sums: Float64[Tensor, "*D S"]) -> dict[str, Float64[Tensor, "*D"]]:
    """The metrics of `classification_metrics` from the sum of `answer_counts` over a set.

    Recall and F1 are means over the classes that occur, as label or as answer.

    Raises:
        DataError: if no clip has a label.
    """
    confusion = _confusion(sums)
    total = confusion.sum((-2, -1))
    if not (total > 0).all():
        raise DataError("metrics need at least one labelled clip; got none.")
    right, labelled, answered = confusion.diagonal(dim1=-2, dim2=-1), confusion.sum(-1), confusion.sum(-2)
    occurs = labelled + answered > 0
    num_occurring = occurs.sum(-1)
    shares = {f"top{k}": sums[..., TOP_K.index(k) - len(TOP_K)] / total for k in _told(confusion.shape[-1])}
    return {
        "top1": right.sum(-1) / total,
        **shares,
        "macro_recall": (right / labelled.clamp(min=1)).sum(-1) / num_occurring,
        "macro_f1": (2 * right / (labelled + answered).clamp(min=1)).sum(-1) / num_occurring,
    }


def confusion_of(sums: Float64[Tensor, " S"]) -> Int64[Tensor, "K K"]:
    """How many clips of each class (row) got each answer (column), from the sum of `answer_counts`."""
    return _confusion(sums).long()


@dataclass(frozen=True, slots=True)
class ClassResult:
    """How one class fared.

    Attributes:
        num_clips: labelled with it.
        recall: share of them that were answered right, the class's own accuracy; None where there is no such clip.
        precision: share of the clips answered with it that are of it; None where it is never answered.
        f1: the harmonic mean of both; None where the class is neither label nor answer.
        answered: name of the answer -> clips of this class that got it, the most frequent first; a row of
            the confusion matrix without its zeros.
    """

    num_clips: int
    recall: float | None
    precision: float | None
    f1: float | None
    answered: Mapping[str, int] = field(default_factory=dict)


def class_results(sums: Float64[Tensor, " S"], names: Sequence[str]) -> dict[str, ClassResult]:
    """Class by class, from the sum of `answer_counts` over a set.

    Args:
        names: of the classes, in index order.

    Raises:
        DataError: if there are other names than classes, or two alike.
    """
    confusion = confusion_of(sums)
    if len(set(names)) != len(confusion) or len(names) != len(confusion):
        raise DataError(f"{len(confusion)} classes need as many different names; got {', '.join(names) or 'none'}.")
    labelled, answered = confusion.sum(1).tolist(), confusion.sum(0).tolist()
    found = {}
    for k, (name, row) in enumerate(zip(names, confusion.tolist(), strict=True)):
        found[name] = ClassResult(
            num_clips=labelled[k],
            recall=_share(row[k], labelled[k]),
            precision=_share(row[k], answered[k]),
            f1=_share(2 * row[k], labelled[k] + answered[k]),
            answered=_most_frequent_first(names, row),
        )
    return found


def _told(num_classes: int) -> tuple[int, ...]:
    return tuple(k for k in TOP_K if k == ALWAYS or k < num_classes)


def _confusion(sums: Float64[Tensor, "*D S"]) -> Float64[Tensor, "*D K K"]:
    num_classes = math.isqrt(sums.shape[-1] - len(TOP_K))
    return sums[..., : num_classes**2].reshape(*sums.shape[:-1], num_classes, num_classes)


def _share(count: int, of: int) -> float | None:
    return count / of if of else None


def _most_frequent_first(names: Sequence[str], counts: Sequence[int]) -> dict[str, int]:
    pairs = sorted(zip(names, counts, strict=True), key=lambda pair: -pair[1])
    return {name: count for name, count in pairs if count}
