"""Pictures from events that come piece by piece."""

import numpy as np
from jaxtyping import Float32

from snnface.errors import ConfigError, DataError, EventOrderError
from snnface.events.stream import EventStream
from snnface.events.window import Resolution
from snnface.representations.event_pictures import EventPictures
from snnface.representations.slicing import Cutter

__all__ = ["PictureStream"]

# Before every time.
NEVER = -(1 << 62)
# Pictures of more bytes than this at once come of a clock that leapt, not of events.
MAX_BYTES = 1 << 32


class PictureStream:
    """Each picture as soon as its events have come.

    However the events are cut into pieces, all pictures of `push` and `finish` joined are
    exactly those of the whole recording at once. Kept between calls are the piece of events
    in which the unfinished slice began and those since, and the last picture or surface
    where later ones need it.

    Args:
        sensor: size of the sensor that the events come from.
        start_us: where the first step begins; None: at the first event.

    >>> from snnface.representations import HistogramConfig, PolarityHistogram
    >>> sensor = Resolution(height=4, width=6)
    >>> pictures = PictureStream(PolarityHistogram(HistogramConfig(step_ms=1, resolution=sensor)), sensor)
    >>> for t_us in (0, 900, 2500):
    ...     event = EventStream.from_arrays(x=[1], y=[2], t_us=[t_us], polarity=[1], resolution=sensor)
    ...     print(pictures.push(event).sum(axis=(1, 2, 3)))
    []
    []
    [2. 0.]
    """

    def __init__(self, representation: EventPictures, sensor: Resolution, *, start_us: int | None = None) -> None:
        self._representation, self._sensor = representation, sensor
        self._start_us = start_us
        self._cutter: Cutter | None = None if start_us is None else representation.cutter(start_us)
        # No later event lies before the first of these; a window of all that came may end at the second.
        self._until_us = self._end_us = NEVER
        self._memory = representation.new_memory()
        self._held: np.ndarray | None = None
        self._waiting: list[EventStream] = []

    def push(self, events: EventStream, *, until_us: int | None = None) -> Float32[np.ndarray, "T C H W"]:
        """Take the next events; give the pictures that are complete with them, often none.

        A step of time is complete when an event at or after its end has come, or when the
        caller says so by `until_us`. Events before the stream's start are left out.

        Args:
            until_us: the caller knows that no later event lies before this time.

        Raises:
            EventOrderError: if an event lies before one of an earlier call, or before its `until_us`.
            DataError: if the events come from a sensor of another size, or time leaps so far ahead that
                the pictures up to it would take more than 4 GiB.
        """
        if events.resolution != self._sensor:
            raise DataError(f"this stream takes events of a {self._sensor} sensor; these are of {events.resolution}.")
        if not events.is_empty:
            self._take(events)
        if until_us is not None:
            self._until_us, self._end_us = max(self._until_us, until_us), max(self._end_us, until_us)
        return self._complete()

    def finish(self, end_us: int | None = None) -> Float32[np.ndarray, "T C H W"]:
        """The pictures that are left of a window that ends at `end_us`; None: just after the last event.

        Raises:
            ConfigError: if later events have come.
        """
        if end_us is not None and end_us < self._end_us:
            raise ConfigError(f"the stream has come to {self._end_us} us; it cannot end at {end_us} us.")
        return self.push(EventStream.empty(self._sensor), until_us=self._end_us if end_us is None else end_us)

    def _take(self, events: EventStream) -> None:
        first_us, last_us = int(events.t_us[0]), int(events.t_us[-1])
        if first_us < self._until_us:
            raise EventOrderError(
                f"event times must not run backwards; an event at {first_us} us comes after {self._until_us} us. "
                "Sort the events, or begin a new stream there."
            )
        if self._start_us is None:
            self._start_us, self._cutter = first_us, self._representation.cutter(first_us)
        self._until_us, self._end_us = last_us, max(self._end_us, last_us + 1)
        begin = int(np.searchsorted(events.t_us, self._start_us, side="left"))
        if begin < len(events):
            self._waiting.append(events[begin:])

    def _complete(self) -> np.ndarray:
        num_waiting = sum(map(len, self._waiting))
        num_due = 0 if self._cutter is None else self._cutter.num_due(num_waiting, self._until_us)
        size, num_channels = self._representation.resolution, self._representation.num_channels
        if self._cutter is None or not num_due:
            return np.zeros((0, num_channels, size.height, size.width), np.float32)
        if 4 * num_due * num_channels * size.num_pixels > MAX_BYTES:
            raise DataError(
                f"{num_due} pictures of {num_channels} x {size} would come at once, up to {self._until_us} us: time "
                "leapt ahead, or the events came in one piece. Begin a new stream there, or push pieces."
            )
        events = EventStream.joined(self._waiting, self._sensor)
        slices = self._cutter.cut(np.asarray(events.t_us), self._until_us)
        pictures = self._representation.drawn(events, slices, memory=self._memory, held=self._held)
        if self._cutter.repeats_pictures:
            self._held = pictures[-1].copy()
        rest = events[slices.num_events :]
        self._waiting = [] if rest.is_empty else [rest]
        return pictures
