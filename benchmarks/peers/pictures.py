"""The same pictures, or as near as there are, made by peers: functions that answer with the number of pictures."""

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

from snnface.events import EventStream

__all__ = ["pictures"]


def pictures(kind: str, events: EventStream, *, step_us: int, num_bins: int) -> dict[str, Callable[[], int]]:
    """What the installed peers offer of this kind."""
    found: dict[str, Callable[[], int]] = {}
    if find_spec("tonic") is not None:
        found |= _tonic(kind, events, step_us, num_bins)
    if find_spec("evlib") is not None:
        found |= _evlib(kind, events, step_us, num_bins)
    return found


def _tonic(kind: str, events: EventStream, step_us: int, num_bins: int) -> dict[str, Callable[[], int]]:
    from tonic import transforms

    size = (events.resolution.width, events.resolution.height, 2)
    table = np.zeros(len(events), [("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "<i8")])
    table["x"], table["y"], table["t"], table["p"] = events.x, events.y, events.t_us, events.polarity
    bin_us = step_us // num_bins

    def bina_rep() -> int:
        frames = transforms.ToFrame(size, time_window=bin_us)(table)
        num_frames = len(frames) // num_bins
        return len(transforms.ToBinaRep(num_frames, num_bins)(frames[: num_frames * num_bins]))

    made: dict[str, Callable[[], int]] = {
        "polarity histogram": lambda: len(transforms.ToFrame(size, time_window=step_us)(table)),
        "temporal binary": bina_rep,
        # One grid of all events: tonic's has no steps.
        "voxel grid": lambda: len([transforms.ToVoxelGrid(size, num_bins)(table)]),
        "exponential surface": lambda: len(transforms.ToTimesurface(size, dt=step_us, tau=step_us)(table)),
    }
    return {"tonic": made[kind]} if kind in made else {}


def _evlib(kind: str, events: EventStream, step_us: int, num_bins: int) -> dict[str, Callable[[], int]]:
    import evlib
    import polars

    frame = polars.DataFrame(
        {
            "t": polars.Series(events.t_us).cast(polars.Duration("us")),
            "x": np.asarray(events.x, np.int16),
            "y": np.asarray(events.y, np.int16),
            "polarity": np.where(events.polarity, 1, -1).astype(np.int8),
        }
    )
    height, width = events.resolution.height, events.resolution.width
    num_steps = events.window.duration_us // step_us

    def counts() -> int:
        long = evlib.create_event_frame(frame, height, width, n_time_bins=num_steps)
        return len(evlib.densify_event_frame(long, num_steps, 2, height, width))

    def grid() -> int:
        long = evlib.create_voxel_grid(frame, height, width, n_time_bins=num_bins)
        return len([evlib.densify_voxel_grid(long, num_bins, height, width)])

    def surface() -> int:
        long = evlib.create_time_surface(frame, height, width, dt=step_us, tau=step_us)
        start_us = int(events.t_us[0])
        return len(evlib.densify_time_surface(long, num_steps, 2, height, width, step_us, step_us, start_us))

    made = {"polarity histogram": counts, "voxel grid": grid, "exponential surface": surface}
    return {"evlib": made[kind]} if kind in made else {}
