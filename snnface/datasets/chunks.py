"""Long clips cut into short ones of one number of label times."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import cast

import numpy as np

from snnface.datasets.clip import Clip, Label
from snnface.datasets.layout.tree import Absences, OnMissing
from snnface.errors import ConfigError, DataError
from snnface.events.window import TimeWindow

__all__ = ["chunked"]


def chunked(
    clips: Sequence[Clip], *, num_labels: int, on_short: OnMissing = "error", dataset: str = "the data set"
) -> tuple[Clip, ...]:
    """Each clip as consecutive clips of `num_labels` label times, such as the chunks of 6 frames of video models.

    The last chunk ends where the clip ends, and begins earlier for it if the number of label
    times is no multiple; those times are in two chunks then. A chunk's window begins at its
    first label time and ends where the next label time, or the clip, does. Labels over time are cut,
    all others stay. The chunk that begins with label k of clip "a" is called "a+k".

    Args:
        on_short: what to do with a clip of fewer label times: an error, or leave it out and say so in the log.
        dataset: its name, for messages.

    Raises:
        ConfigError: if there is not at least one label time to a chunk.
        DataError: if a clip has no labels over time, or too few of them and they are not to be left out.
    """
    if num_labels < 1:
        raise ConfigError(f"a chunk needs at least 1 label time; got num_labels = {num_labels}.")
    absences = Absences(dataset, on_short, option="on_short")
    chunks: list[Clip] = []
    for clip in clips:
        if clip.label_t_us is None:
            raise DataError(
                f"clip {clip.clip_id!r} has no labels over time; only clips that have them can be cut by them."
            )
        if len(clip.label_t_us) < num_labels:
            absences.note(clip.clip_id, f"{len(clip.label_t_us)} label times, {num_labels} are needed")
            continue
        chunks += _chunks(clip, num_labels)
    absences.settled()
    return tuple(chunks)


def _chunks(clip: Clip, num_labels: int) -> Iterator[Clip]:
    t_us = cast(np.ndarray, clip.label_t_us)
    for first in range(0, len(t_us), num_labels):
        start = min(first, len(t_us) - num_labels)
        stop = start + num_labels
        end_us = int(t_us[stop]) if stop < len(t_us) else max(clip.window.end_us, int(t_us[-1]) + 1)
        labels: dict[str, Label] = {
            name: cast(np.ndarray, label)[start:stop] if name in clip.over_time else label
            for name, label in clip.labels.items()
        }
        yield replace(
            clip,
            clip_id=f"{clip.clip_id}+{start}",
            window=TimeWindow(int(t_us[start]), end_us),
            labels=MappingProxyType(labels),
            label_t_us=t_us[start:stop],
        )
