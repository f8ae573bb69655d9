"""Metrics, each over a whole set."""

from snnface.metrics.classification import (
    ClassResult,
    answer_counts,
    chance_metrics,
    class_results,
    classification_metrics,
    confusion_of,
    constant_answers,
    correct_at,
    counted_metrics,
)
from snnface.metrics.emotion_transfer import EmotionTemplates, emotion_templates, farthest_steps, template_answers
from snnface.metrics.image import picture_metrics, picture_sums
from snnface.metrics.intervals import Judged, paired_intervals, subject_intervals
from snnface.metrics.regression import explained_variance, moments, regression_metrics

__all__ = [
    "ClassResult",
    "EmotionTemplates",
    "Judged",
    "answer_counts",
    "chance_metrics",
    "class_results",
    "classification_metrics",
    "confusion_of",
    "constant_answers",
    "correct_at",
    "counted_metrics",
    "emotion_templates",
    "explained_variance",
    "farthest_steps",
    "moments",
    "paired_intervals",
    "picture_metrics",
    "picture_sums",
    "regression_metrics",
    "subject_intervals",
    "template_answers",
]
