"""Labels of videos, read from tables and carried over to steps of events."""

from snnface.labels.label_table import ClipLabels, clip_table, read_clip_labels, read_set_labels
from snnface.labels.step_labels import (
    StepLabels,
    StepTimes,
    fixed_borders,
    frame_borders,
    label_reach,
    labels_for_steps,
    step_times,
)

__all__ = [
    "ClipLabels",
    "StepLabels",
    "StepTimes",
    "clip_table",
    "fixed_borders",
    "frame_borders",
    "label_reach",
    "labels_for_steps",
    "read_clip_labels",
    "read_set_labels",
    "step_times",
]
