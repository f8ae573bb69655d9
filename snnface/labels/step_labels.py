"""Labels over time, carried over to the steps of an event stream."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from snnface.errors import ConfigError, DataError
from snnface.events.stream import EventStream
from snnface.events.window import TimeWindow

__all__ = ["StepLabels", "StepTimes", "fixed_borders", "frame_borders", "label_reach", "labels_for_steps", "step_times"]


@dataclass(frozen=True, slots=True, eq=False)
class StepTimes:
    """Consecutive steps, and when their events came.

    Attributes:
        borders_us: step k is [borders_us[k], borders_us[k + 1]), int64 [T + 1].
        num_events: in each step, int64 [T].
        mean_us: the mean time of the events of each step; the middle of a step without events.
    """

    borders_us: Int64[np.ndarray, "_"]
    num_events: Int64[np.ndarray, "_"]
    mean_us: Float64[np.ndarray, "_"]

    def __len__(self) -> int:
        return len(self.num_events)


@dataclass(frozen=True, slots=True, eq=False)
class StepLabels:
    """Which label each step has.

    Attributes:
        row: index of the label, int64 [T]; 0 where there is none.
        present: bool [T].
    """

    row: Int64[np.ndarray, "_"]
    present: Bool[np.ndarray, "_"]


def fixed_borders(window: TimeWindow, step_us: int) -> Int64[np.ndarray, " M"]:
    """Borders of steps of one length from the window's start on; the last step may reach beyond its end.

    >>> fixed_borders(TimeWindow(0, 100), 33).tolist()
    [0, 33, 66, 99, 132]

    Raises:
        ConfigError: if the step is not positive.
    """
    if step_us < 1:
        raise ConfigError(f"a time step must be at least 1 us; got {step_us}.")
    num_steps = -(-window.duration_us // step_us)
    return window.start_us + step_us * np.arange(num_steps + 1, dtype=np.int64)


def frame_borders(frame_t_us: Int64[np.ndarray, " T"]) -> Int64[np.ndarray, " T"]:
    """Borders of steps that are the intervals between frames, each with the frame at its end.

    An emulated event of (t[k-1], t[k]] belongs to the motion from frame k - 1 to frame k; in whole
    microseconds that is [t[k-1] + 1, t[k] + 1). One step fewer than frames.
    """
    return frame_t_us + 1


def step_times(pieces: Iterable[EventStream], borders_us: Int64[np.ndarray, " M"]) -> StepTimes:
    """Count the events of each step and average their times; events outside all steps are left out.

    Args:
        pieces: of one stream, in any order; each is looked at once.
        borders_us: strictly increasing.
    """
    num_steps = max(len(borders_us) - 1, 0)
    num_events, offsets = np.zeros(num_steps, np.int64), np.zeros(num_steps, np.int64)
    for events in pieces:
        step = np.searchsorted(borders_us, events.t_us, side="right") - 1
        inside = (step >= 0) & (step < num_steps)
        step, since_us = step[inside], (events.t_us[inside] - borders_us[step[inside]])
        np.add.at(num_events, step, 1)
        np.add.at(offsets, step, since_us)
    middle = np.diff(borders_us) / 2
    mean = np.where(num_events > 0, offsets / np.maximum(num_events, 1), middle)
    return StepTimes(borders_us, num_events, borders_us[:num_steps] + mean)


def labels_for_steps(
    label_t_us: Int64[np.ndarray, " L"], at_us: Float64[np.ndarray, " T"] | Int64[np.ndarray, " T"], *, reach_us: float
) -> StepLabels:
    """The label nearest in time to each step.

    For event frames the time of a step is the mean time of its events (`StepTimes.mean_us`); for
    steps that belong to frames it is the frame's own time. Of two labels that are equally near,
    the earlier one is taken, and of several at one time the first. A step without a label within
    `reach_us` has none.

    Source: Berlincioni et al., "Neuromorphic Valence and Arousal Estimation", sec. 3: the
    annotation whose timestamp is closest to the average timestamp of the events of a frame. For a
    frame without events, and for stretches without annotations, the paper has no rule.

    Args:
        label_t_us: non-decreasing.
        at_us: the time of each step.
        reach_us: how far from its step a label may lie; see `label_reach`.

    Raises:
        DataError: if the label times run backwards.
    """
    back = np.flatnonzero(np.diff(label_t_us) < 0)
    if back.size:
        raise DataError(
            f"label times must not run backwards; label {int(back[0]) + 1} at {label_t_us[back[0] + 1]} us comes after "
            f"{label_t_us[back[0]]} us. Sort the labels."
        )
    if not len(label_t_us):
        return StepLabels(np.zeros(len(at_us), np.int64), np.zeros(len(at_us), np.bool_))
    after = np.searchsorted(label_t_us, at_us, side="left")
    later = np.minimum(after, len(label_t_us) - 1)
    earlier = np.searchsorted(label_t_us, label_t_us[np.maximum(after - 1, 0)], side="left")
    is_earlier = np.abs(at_us - label_t_us[earlier]) <= np.abs(label_t_us[later] - at_us)
    row = np.where(is_earlier, earlier, later)
    present = np.abs(label_t_us[row] - at_us) <= reach_us
    return StepLabels(np.where(present, row, 0), present)


def label_reach(label_t_us: Int64[np.ndarray, " L"], step_us: int) -> float:
    """How far from a step a label may lie: the length of the step or the usual distance of labels, what is more.

    So labels at any rate reach every step between them, and a gap in them stays a gap.
    """
    distances = np.diff(np.unique(label_t_us))
    return float(max(step_us, np.median(distances) if distances.size else 0))
