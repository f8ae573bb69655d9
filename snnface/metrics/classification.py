"""Accuracy over a whole set, what guessing would give, and how sure one can be."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_f1_score

from snnface.errors import DataError

__all__ = ["chance_metrics", "classification_metrics", "constant_answers", "correct_at", "subject_interval"]

TOP_K = 3


def classification_metrics(answers: Float[Tensor, "B K"], labels: Int64[Tensor, " B"]) -> dict[str, float]:
    """`top1`, `top3` (share of clips), `macro_recall` and `macro_f1`, over the whole set.

    Ties among answers go to the lower class index; no randomness.

    Raises:
        DataError: if the set is empty.
    """
    num_classes = answers.shape[1]
    if not len(labels):
        raise DataError("metrics need at least one labelled clip; got none.")
    return {
        "top1": float(correct_at(answers, labels, 1).float().mean()),
        "top3": float(correct_at(answers, labels, min(TOP_K, num_classes)).float().mean()),
        "macro_recall": float(multiclass_accuracy(answers, labels, num_classes, average="macro")),
        "macro_f1": float(multiclass_f1_score(answers, labels, num_classes, average="macro")),
    }


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


def subject_interval(
    correct: Bool[Tensor, " B"],
    subjects: Sequence[str],
    *,
    generator: np.random.Generator,
    num_draws: int = 2000,
) -> tuple[float, float]:
    """95 % percentile bootstrap interval of an accuracy, drawing whole subjects.

    Clips of one subject are not independent, so subjects are the units that are drawn.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, ch. 13 (percentile
    interval), with clusters as units.

    Raises:
        DataError: if there is no clip, or lengths differ.
    """
    if not len(correct) or len(correct) != len(subjects):
        raise DataError(f"an interval needs one subject a clip; got {len(correct)} clips, {len(subjects)} subjects.")
    names, index = np.unique(np.asarray(subjects), return_inverse=True)
    right = np.bincount(index, weights=correct.numpy().astype(float))
    total = np.bincount(index)
    draws = generator.integers(len(names), size=(num_draws, len(names)))
    accuracy = right[draws].sum(1) / total[draws].sum(1)
    low, high = np.quantile(accuracy, (0.025, 0.975))
    return float(low), float(high)
