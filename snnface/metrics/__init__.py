"""Metrics, each over a whole set."""

from snnface.metrics.classification import (
    chance_metrics,
    classification_metrics,
    constant_answers,
    correct_at,
    subject_interval,
)

__all__ = ["chance_metrics", "classification_metrics", "constant_answers", "correct_at", "subject_interval"]
