"""When to render, so that no motion is missed and no frame is wasted."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64

__all__ = ["FrameTimes"]

# Motion is looked at in spans of so many steps of the grid.
_SPAN_STEPS = 512


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FrameTimes:
    """Times of the frames that are worth rendering.

    A regular grid; intervals in which a point moves too far are divided, frames that equal
    both their neighbours are left out unless the light or the sensor wants one.

    Attributes:
        duration_us: frames lie between 0 and this, both included.
        step_us: of the grid, at most.
        longest_us: frames come at least this often; None: only where something moves.
        state: everything that a picture shows, [T, D]: frames of one state are equal.
        points: what is followed, in pixels, [T, L, 2].
        max_step_px: how far a point may move between two frames.
    """

    duration_us: int
    step_us: float
    longest_us: float | None
    state: Callable[[Int64[np.ndarray, " T"]], Float[np.ndarray, "T D"]]
    points: Callable[[Int64[np.ndarray, " T"]], Float[np.ndarray, "T L 2"]]
    max_step_px: float

    def spans(self) -> Iterator[Int64[np.ndarray, " T"]]:
        """The times in pieces, each of a bounded stretch of motion."""
        count = max(1, -int(-self.duration_us // self.step_us))
        every = None if self.longest_us is None else max(1, int(self.longest_us * count // self.duration_us))
        for start in range(0, count, _SPAN_STEPS):
            stop = min(start + _SPAN_STEPS, count)
            # One step to either side: whether a frame is needed depends on its neighbours.
            steps = np.arange(max(start - 1, 0), min(stop + 1, count) + 1)
            grid = steps * self.duration_us // count
            t_us = self._divided(grid)
            wanted = self._moving(t_us)
            if every is not None:
                wanted |= np.isin(t_us, grid[steps % every == 0])
            wanted |= (t_us == 0) | (t_us == self.duration_us)
            first = start * self.duration_us // count
            inside = (t_us > first) & (t_us <= stop * self.duration_us // count)
            yield t_us[wanted & (inside | (t_us == 0))]

    def all(self) -> Int64[np.ndarray, " T"]:
        """All times at once."""
        return np.concatenate(list(self.spans()))

    def _divided(self, grid: Int64[np.ndarray, " G"]) -> Int64[np.ndarray, " T"]:
        moved = np.abs(np.diff(self.points(grid), axis=0)).max((1, 2))
        parts = np.maximum(1, np.ceil(moved / self.max_step_px)).astype(np.int64)
        pieces = [
            start + np.arange(n) * (stop - start) // n
            for start, stop, n in zip(grid[:-1], grid[1:], parts, strict=True)
        ]
        return np.unique(np.concatenate([*pieces, grid[-1:]]))

    def _moving(self, t_us: Int64[np.ndarray, " T"]) -> np.ndarray:
        """Whether a time's state differs from that of a neighbour."""
        state = self.state(t_us)
        changed = (state[1:] != state[:-1]).any(1)
        return np.concatenate([[False], changed]) | np.concatenate([changed, [False]])
