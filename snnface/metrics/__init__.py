"""Metrics, each over a whole set."""

from snnface.metrics.classification import (
    answer_counts,
    chance_metrics,
    classification_metrics,
    constant_answers,
    correct_at,
    counted_metrics,
)
from snnface.metrics.image import picture_metrics, picture_sums
from snnface.metrics.intervals import subject_intervals
from snnface.metrics.regression import moments, regression_metrics

__all__ = [
    "answer_counts",
    "chance_metrics",
    "classification_metrics",
    "constant_answers",
    "correct_at",
    "counted_metrics",
    "moments",
    "picture_metrics",
    "picture_sums",
    "regression_metrics",
    "subject_intervals",
]
