"""Parts of clips, and labels over time with one row a step of the pictures."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
from jaxtyping import Bool, Float64, Int64

from snnface.datasets.clip import Clip, Label
from snnface.errors import DataError
from snnface.events.window import TimeWindow
from snnface.labels import label_reach, labels_for_steps

__all__ = ["alike_labels", "clip_part", "labelled_steps", "windows_of", "with_step_label"]

MASK = "_present"


def windows_of(clip: Clip, length_us: int) -> Iterator[Clip]:
    """The clip in windows of one length from its start on, with the labels over time that lie in each."""
    for number in range(clip.window.duration_us // length_us):
        start_us = clip.window.start_us + number * length_us
        yield clip_part(clip, TimeWindow(start_us, start_us + length_us), clip_id=f"{clip.clip_id}@{start_us}us")


def clip_part(clip: Clip, window: TimeWindow, *, clip_id: str) -> Clip:
    """What of a clip lies in a window: the labels over time of that part, and all labels of the whole."""
    labels, t_us = dict(clip.labels), clip.label_t_us
    if t_us is not None:
        inside = (t_us >= window.start_us) & (t_us < window.end_us)
        labels |= {name: np.asarray(labels[name])[inside] for name in clip.over_time}
        t_us = t_us[inside]
    return replace(clip, clip_id=clip_id, window=window, labels=MappingProxyType(labels), label_t_us=t_us)


def labelled_steps(
    clip: Clip,
    at_us: Float64[np.ndarray, " T"] | Int64[np.ndarray, " T"],
    *,
    step_us: int,
    without: Collection[str] = (),
) -> Clip:
    """The clip with labels over time at its steps: row s is the label nearest to `at_us[s]`, and stands in the
    middle of step s.

    Every label gets a mask `<name>_present`; rows where there is none near enough are zero and False. See
    `labels_for_steps` for ties, and `label_reach` for how near is near enough.

    Args:
        at_us: the time of each step, such as the mean time of its events.
        step_us: step s begins s * step_us after the clip.
        without: labels over time to leave out.

    Raises:
        DataError: if there are not as many times as steps.
    """
    num_steps = clip.window.num_steps(step_us)
    if len(at_us) != num_steps:
        raise DataError(f"clip {clip.clip_id!r} has {num_steps} steps and needs as many times; got {len(at_us)}.")
    left = {f"{name}{suffix}" for name in without for suffix in ("", MASK)}
    labels: dict[str, Label] = {name: label for name, label in clip.labels.items() if name not in clip.over_time | left}
    over_time: dict[str, Label] = {}
    if clip.label_t_us is not None and len(clip.label_t_us):
        nearest = labels_for_steps(clip.label_t_us, at_us, reach_us=label_reach(clip.label_t_us, step_us))
        for name in sorted(clip.over_time - left):
            if name.endswith(MASK):
                continue
            rows = np.asarray(clip.labels[name])[nearest.row]
            masked = clip.labels.get(f"{name}{MASK}")
            present = nearest.present if masked is None else nearest.present & np.asarray(masked)[nearest.row]
            rows[~present] = 0
            over_time |= {name: rows, f"{name}{MASK}": present}
    middles = clip.window.start_us + np.arange(num_steps, dtype=np.int64) * step_us + step_us // 2
    return replace(
        clip,
        labels=MappingProxyType(labels | over_time),
        label_t_us=middles if over_time else None,
        over_time=frozenset(over_time),
    )


def alike_labels(clips: Sequence[Clip], step_us: int) -> list[Clip]:
    """Every clip with every label over time: zeros that are masked where it has none."""
    rows = {
        name: (np.shape(label)[1:], np.asarray(label).dtype)
        for clip in clips
        for name, label in clip.labels.items()
        if name in clip.over_time and not name.endswith(MASK)
    }
    alike = []
    for clip in clips:
        num_steps = clip.window.num_steps(step_us)
        for name, (shape, dtype) in sorted(rows.items()):
            if name not in clip.labels:
                blank = np.zeros((num_steps, *shape), dtype)
                clip = with_step_label(clip, name, blank, np.zeros(num_steps, np.bool_), step_us)
        alike.append(clip)
    return alike


def with_step_label(clip: Clip, name: str, values: np.ndarray, present: Bool[np.ndarray, " T"], step_us: int) -> Clip:
    """The clip with one more label over time, in the middle of its steps."""
    added: dict[str, Label] = {name: values, f"{name}{MASK}": present}
    steps = np.arange(len(present), dtype=np.int64)
    return replace(
        clip,
        labels=MappingProxyType({**clip.labels, **added}),
        label_t_us=clip.window.start_us + steps * step_us + step_us // 2,
        over_time=clip.over_time | frozenset(added),
    )
