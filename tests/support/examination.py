"""What every reader promises about every file, whatever its bytes: valid events, or a DataError that names the file."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from snnface.errors import DataError
from snnface.events import EventFile, EventStream, Resolution, open_events

__all__ = ["Examination", "examine", "examine_strict_and_recovering"]

T = TypeVar("T")

# A damaged time may lie 2^62 us away; a file is cut into no more slices than this.
MAX_SLICES = 20
# HDF5 notes its length: a file may be too short by it, and yet hold every event.
HDF5_CUT = "truncated file: eof"


@dataclass(frozen=True)
class Examination:
    """Attributes:
    events: what the file gave; None if it was refused.
    losses: what was left out.
    error: why it was refused.
    """

    events: EventStream | None
    losses: tuple[str, ...]
    error: str


def examine_strict_and_recovering(path: Path, resolution: Resolution | None = None) -> tuple[Examination, Examination]:
    """Read a file in every way; returns what came when strict and when recovering.

    Raises:
        AssertionError: if a promise was broken.
        Exception: whatever a reader throws that is no DataError.
    """
    strict = examine(path, recover=False, resolution=resolution)
    mended = examine(path, recover=True, resolution=resolution)
    if strict.events is not None:
        assert mended.events is not None, f"recovering refused a sound file: {mended.error}"
        assert _same(strict.events, mended.events), "recovering changed the events of a sound file"
        assert not mended.losses, f"recovering lost something of a sound file: {mended.losses}"
    elif mended.events is not None and HDF5_CUT not in strict.error:
        assert mended.losses, f"recovering does not tell what it left out; strict: {strict.error}"
    return strict, mended


def examine(path: Path, *, recover: bool, resolution: Resolution | None = None) -> Examination:
    """Read a file whole and in slices, and count what else it holds."""

    file, error = _attempt(path, lambda: open_events(path, resolution=resolution, recover=recover))
    if file is None:
        return Examination(events=None, losses=(), error=error)
    data, error = _attempt(path, file.read)
    events = None if data is None else data.events
    if events is not None:
        # The constructor checks order, sensor and types of every event.
        EventStream(x=events.x, y=events.y, t_us=events.t_us, polarity=events.polarity, resolution=events.resolution)
    step_us = 1 << 61 if events is None else events.window.duration_us // MAX_SLICES + 1
    parts, slices_error = _attempt(path, lambda: _slices(file, step_us, are_kept=events is not None))
    if events is not None:
        assert parts is not None, f"read whole, but not in slices: {slices_error}"
        assert _same(events, *parts), "the slices are not the whole"
    elif "slices" not in error:
        assert parts is None, f"read in slices, but not whole: {error}"
    extras, _ = _attempt(path, file.extras)
    if data is not None and extras is not None:
        for column, count in ((data.triggers, extras.num_triggers), (data.imu, extras.num_imu_samples)):
            assert (0 if column is None else len(column)) == (count or 0), f"{count} were counted, but not read"
    return Examination(events=events, losses=() if data is None else data.losses, error=error)


def _slices(file: EventFile, step_us: int, *, are_kept: bool) -> list[EventStream]:
    # What is too much to be read whole is not kept here either.
    return [part for part in file.slices(step_us) if are_kept]


def _attempt(path: Path, call: Callable[[], T]) -> tuple[T | None, str]:
    try:
        return call(), ""
    except DataError as refusal:
        error = str(refusal)
    assert str(path) in error, f"the error does not name the file: {error}"
    return None, error


def _same(whole: EventStream, *parts: EventStream) -> bool:
    return all(
        np.array_equal(
            getattr(whole, name), np.concatenate([getattr(whole, name)[:0], *(getattr(part, name) for part in parts)])
        )
        for name in ("x", "y", "t_us", "polarity")
    )
