"""How events are cut into slices; one picture is drawn from each."""

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Int64

from snnface.errors import ConfigError

__all__ = ["AtLeast", "Cutter", "FixedCount", "FixedTime", "Slices", "Slicing", "checked_step_us"]


@dataclass(frozen=True, kw_only=True)
class FixedTime:
    """A slice is one step of time: a picture a step, blank where nothing happened."""


@dataclass(frozen=True, kw_only=True)
class FixedCount:
    """A slice is `num_events` events, however long they take: as many pictures as the events fill.

    It lasts from its first event to its last; a smaller rest at the end is left out. The
    representation's step is then no more than what one picture is taken to last.

    Raises:
        ConfigError: if the number is below 1.
    """

    num_events: int = 10_000

    def __post_init__(self) -> None:
        if self.num_events < 1:
            raise ConfigError(f"num_events must be at least 1; got {self.num_events}.")


@dataclass(frozen=True, kw_only=True)
class AtLeast:
    """A slice grows by whole steps until it holds `min_events` events: a picture a step, none of them blank.

    In a step that does not complete a slice the picture before is shown again, so that
    steps and labels stay aligned; before the first complete slice there is none to show
    and the picture is zero.

    Source: the remedy for blank frames of static scenes in Berlincioni et al., "Neuromorphic
    valence and arousal estimation", sec. 6: the frame is not updated before enough events came.

    Raises:
        ConfigError: if the number is below 1.
    """

    min_events: int = 1000

    def __post_init__(self) -> None:
        if self.min_events < 1:
            raise ConfigError(f"min_events must be at least 1; got {self.min_events}.")


Slicing: TypeAlias = FixedTime | FixedCount | AtLeast


@dataclass(frozen=True, slots=True, eq=False)
class Slices:
    """Where a run of events is cut.

    Attributes:
        borders: slice k holds the events borders[k] .. borders[k + 1] - 1.
        start_us, end_us: slice k lasts [start_us[k], end_us[k]).
        shown: the slice that each picture shows; -1: the last one cut before these.
    """

    borders: Int64[np.ndarray, " borders"]
    start_us: Int64[np.ndarray, " slices"]
    end_us: Int64[np.ndarray, " slices"]
    shown: Int64[np.ndarray, " T"]

    @property
    def num_slices(self) -> int:
        return len(self.start_us)

    @property
    def num_events(self) -> int:
        """How many events from the first on are in finished slices."""
        return int(self.borders[-1])

    @property
    def each_is_shown_once(self) -> bool:
        return np.array_equal(self.shown, np.arange(self.num_slices))


class Cutter:
    """Cuts events as they come; where they are cut does not depend on the pieces they come in.

    Args:
        step_us: duration of a step.
        start_us: where the first step begins.
    """

    def __init__(self, slicing: Slicing, *, step_us: int, start_us: int) -> None:
        self._slicing, self._step_us = slicing, step_us
        self._slice_start_us = self._step_start_us = start_us

    @property
    def repeats_pictures(self) -> bool:
        """May a step show the picture of the one before?"""
        return isinstance(self._slicing, AtLeast)

    def num_due(self, num_events: int, until_us: int) -> int:
        """How many pictures `cut` would show of this many events."""
        if isinstance(self._slicing, FixedCount):
            return num_events // self._slicing.num_events
        return max(0, (until_us - self._step_start_us) // self._step_us)

    def cut(self, t_us: Int64[np.ndarray, " N"], until_us: int) -> Slices:
        """The slices that are complete; the events of each are used up with it.

        Args:
            t_us: the times of all events that no earlier call used up, in order.
            until_us: no later event lies before this time.
        """
        match self._slicing:
            case FixedCount(num_events=count):
                return _by_count(t_us, count)
            case AtLeast(min_events=least):
                return self._by_time(t_us, until_us, least)
            case FixedTime():
                return self._by_time(t_us, until_us, 0)

    def _by_time(self, t_us: np.ndarray, until_us: int, least: int) -> Slices:
        num_steps = self.num_due(len(t_us), until_us)
        ends = self._step_start_us + np.arange(1, num_steps + 1, dtype=np.int64) * self._step_us
        counts = np.searchsorted(t_us, ends, side="left")
        closes = np.ones(num_steps, bool) if least == 0 else _reaches(counts, least)
        ends_us = ends[closes]
        bounds = np.concatenate([[self._slice_start_us], ends_us]).astype(np.int64)
        self._slice_start_us = int(bounds[-1])
        self._step_start_us += num_steps * self._step_us
        return Slices(
            borders=np.concatenate([[0], counts[closes]]).astype(np.int64),
            start_us=bounds[:-1],
            end_us=bounds[1:],
            shown=np.cumsum(closes, dtype=np.int64) - 1,
        )


def checked_step_us(step_ms: float) -> int:
    """A step in whole microseconds.

    Raises:
        ConfigError: if it is below 1 us.
    """
    if not (math.isfinite(step_ms) and round(step_ms * 1000) >= 1):
        raise ConfigError(f"step_ms must be at least 0.001; got {step_ms}.")
    return round(step_ms * 1000)


def _reaches(counts: np.ndarray, least: int) -> np.ndarray:
    """At which steps a slice holds enough, `counts` being the events before each step's end."""
    closes = np.zeros(len(counts), bool)
    used = step = 0
    while (step := int(np.searchsorted(counts, used + least, side="left"))) < len(counts):
        closes[step] = True
        used = int(counts[step])
    return closes


def _by_count(t_us: np.ndarray, count: int) -> Slices:
    num_slices = len(t_us) // count
    borders = np.arange(num_slices + 1, dtype=np.int64) * count
    return Slices(
        borders=borders,
        start_us=np.asarray(t_us[borders[:-1]]),
        end_us=t_us[borders[1:] - 1] + 1,
        shown=np.arange(num_slices, dtype=np.int64),
    )
