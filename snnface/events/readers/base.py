"""What every open recording offers, whatever its format."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from snnface.errors import ConfigError, DataError, EventOrderError
from snnface.events.sensor_data import SensorData
from snnface.events.stream import EventStream
from snnface.events.window import Resolution

__all__ = ["EventFile", "Extras"]

# A slice of more events than this would not fit the memory that going through a file may take: 13 bytes an
# event, twice while its parts are put together.
MAX_SLICE_EVENTS = 1 << 24
# Slices without events that a file may have in a row, and in all where it has no event for each EMPTY_PER_EVENT.
MAX_EMPTY_SLICES = 1 << 22
EMPTY_PER_EVENT = 64
HOUR_US = 3_600_000_000


class Extras(NamedTuple):
    """What a file holds beside its events, in numbers; None where its format has none of the kind."""

    num_triggers: int | None = None
    num_frames: int | None = None
    num_imu_samples: int | None = None


class EventFile(ABC):
    """A recording on disk whose header has been read and whose events have not.

    A format is a subclass with two methods: `chunks` decodes the events piece by piece,
    `read` decodes the whole file. No file handle stays open between calls, and every
    call starts at the beginning.

    Attributes:
        path: where it lies.
        resolution: size of the sensor; the caller's, or else the one that the file states.
        recover: whether what is damaged is left out and counted, instead of being an error.
        format_name: as the table of formats has it; empty if the file was not opened by `open_events`.
        losses: what the last whole pass left out (`chunks` or `slices` to their end, or `read`), a phrase each.
    """

    def __init__(self, path: Path, resolution: Resolution, *, recover: bool = False) -> None:
        self.path = path
        self.resolution = resolution
        self.recover = recover
        self.format_name = ""
        self.losses: tuple[str, ...] = ()

    @abstractmethod
    def chunks(self) -> Iterator[EventStream]:
        """The events in file order, in pieces whose size the format chooses; the pieces may be empty."""

    @abstractmethod
    def read(self) -> SensorData:
        """Everything in the file: events, and frames and triggers where the format has them."""

    def extras(self) -> Extras:
        """Count triggers and frames in bounded memory.

        Raises:
            DataError: where the file is damaged.
        """
        return Extras()

    def frames(self) -> Iterator[tuple[UInt8[np.ndarray, "H W C"], int]]:
        """The frames of the same sensor and their times in microseconds, rising, in bounded memory.

        None where the format has none. A whole pass sets `losses`.

        Raises:
            DataError: where the file is damaged, when that frame is reached.
        """
        yield from ()

    def slices(self, step_us: int) -> Iterator[EventStream]:
        """The events in consecutive time slices of `step_us`.

        Slice k holds the events of [t0 + k * step_us, t0 + (k + 1) * step_us), t0 being
        the time of the first event. A slice without events is yielded empty, so that the
        k-th slice always belongs to the k-th step; a file without events has no slices.
        All slices joined are exactly `read().events`. Memory holds one slice and one
        decoded chunk, whatever the length of the file.

        What a sound recording never asks for is refused, strict or recovering: a slice of
        more than 2^24 events; more than 2^22 slices without events in a row, or as many in
        all where that is more than 64 for each event.

        Raises:
            ConfigError: if the step is not positive.
            EventOrderError: where time runs backwards, when that slice is reached.
            DataError: where the file is damaged, a slice too full or time runs away, when that slice is reached.
        """
        if step_us < 1:
            raise ConfigError(f"a time step must be at least 1 us; got {step_us}.")
        return self._cut(step_us)

    def _cut(self, step_us: int) -> Iterator[EventStream]:
        parts: list[EventStream] = []
        end_us: int | None = None
        latest_us = num_seen = num_held = num_empty = 0
        nothing = EventStream.empty(self.resolution)
        for chunk in self.chunks():
            if chunk.is_empty:
                continue
            first_us = int(chunk.t_us[0])
            if end_us is None:
                end_us = first_us + step_us
            elif first_us < latest_us:
                raise _runs_backwards(self.path, latest_us, first_us)
            latest_us = int(chunk.t_us[-1])
            num_seen += len(chunk)
            start = 0
            while latest_us >= end_us:
                stop = start + int(np.searchsorted(chunk.t_us[start:], end_us, side="left"))
                yield EventStream.joined([*parts, chunk[start:stop]], self.resolution)
                parts, num_held, start, end_us = [], 0, stop, end_us + step_us
                num_skipped = (int(chunk.t_us[stop]) - end_us) // step_us + 1
                num_empty += num_skipped
                if num_skipped > MAX_EMPTY_SLICES or num_empty > max(MAX_EMPTY_SLICES, EMPTY_PER_EVENT * num_seen):
                    raise _runs_away(self.path, num_empty, num_seen, num_skipped * step_us, end_us - step_us)
                for _ in range(num_skipped):
                    yield nothing
                end_us += num_skipped * step_us
            parts.append(chunk[start:])
            num_held += len(chunk) - start
            if num_held > MAX_SLICE_EVENTS:
                raise _too_full(self.path, step_us, end_us)
        if end_us is not None:
            yield EventStream.joined(parts, self.resolution)


def _runs_backwards(path: Path, before_us: int, after_us: int) -> EventOrderError:
    return EventOrderError(
        f"{path}: event times must not run backwards; an event at {after_us} us comes after {before_us} us. "
        "Sort the events, or split the recording there."
    )


def _runs_away(path: Path, num_empty: int, num_events: int, gap_us: int, at_us: int) -> DataError:
    return DataError(
        f"{path}: {num_empty} slices without events come to {num_events} events, the last of them in a gap of "
        f"{gap_us / HOUR_US:.3g} hours from {at_us} us on: the times are damaged, or the step is too short for this "
        "recording. Take longer steps, or read the recording whole."
    )


def _too_full(path: Path, step_us: int, end_us: int) -> DataError:
    return DataError(
        f"{path}: the slice of {step_us} us that ends at {end_us} us holds more than {MAX_SLICE_EVENTS} events: the "
        "times are damaged, or the step is too long for this recording. Take shorter steps, or read it whole."
    )
