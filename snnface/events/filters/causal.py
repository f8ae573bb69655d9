"""Filters that remember: what all of them share, and how to run any filters over a recording in pieces."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from jaxtyping import Bool, Int64, UInt16

from snnface.errors import ConfigError, EventOrderError
from snnface.events.filters.selection import selected
from snnface.events.stream import EventStream
from snnface.events.window import Resolution

__all__ = ["CausalFilter", "filtered"]


def filtered(pieces: Iterable[EventStream], *filters: Callable[[EventStream], EventStream]) -> Iterator[EventStream]:
    """A recording in consecutive pieces, each passed through all filters in order.

    A filter is any function from stream to stream. Those that look at one event at a time
    are plain functions (`flip_horizontal`, or `lambda piece: crop(piece, box)`); those that
    remember are objects, and their method `push` is the function. All answer at once and
    from the past alone, so nothing is held back at a border between pieces, and the
    pieces joined do not depend on where the borders lie.

        noise = BackgroundActivityFilter(BackgroundActivityConfig(), file.resolution)
        for piece in filtered(file.slices(33_000), noise.push, flip_horizontal):
            ...
    """
    for piece in pieces:
        for passed in filters:
            piece = passed(piece)
        yield piece


class CausalFilter(ABC):
    """Lets some events of one sensor pass; whether one does depends on the events before it.

    Events come in pieces of any size, in order of time; the memory is carried from one call
    to the next, so the result does not depend on the cutting. A new recording needs a new
    object. A filter is a subclass that says which events of a piece pass.
    """

    def __init__(self, resolution: Resolution) -> None:
        self.resolution = resolution
        self._latest_us: int | None = None

    def push(self, stream: EventStream) -> EventStream:
        """The events of this piece that pass.

        Raises:
            ConfigError: if the piece comes from a sensor of another size.
            EventOrderError: if it begins before the end of the piece before.
        """
        if stream.resolution != self.resolution:
            raise ConfigError(
                f"this filter was made for a {self.resolution} sensor; the events come from a {stream.resolution} "
                "one. Make a filter for it."
            )
        if not stream.is_empty:
            first_us = int(stream.t_us[0])
            if self._latest_us is not None and first_us < self._latest_us:
                raise EventOrderError(
                    f"pieces must follow each other in time; one begins at {first_us} us, after an event at "
                    f"{self._latest_us} us. Push the pieces in order, and make a new filter for each recording."
                )
            self._latest_us = int(stream.t_us[-1])
        return self._passed(stream)

    def _passed(self, stream: EventStream) -> EventStream:
        # np.asarray: a memory-mapped column becomes a plain view, which the compiled loops know.
        return selected(
            stream,
            lambda piece: self._passes(*map(np.asarray, (piece.x, piece.y, piece.t_us, piece.polarity))),
        )

    @abstractmethod
    def _passes(
        self,
        x: UInt16[np.ndarray, " N"],
        y: UInt16[np.ndarray, " N"],
        t_us: Int64[np.ndarray, " N"],
        polarity: Bool[np.ndarray, " N"],
    ) -> Bool[np.ndarray, " N"]:
        """Whether each event of a piece passes; moves the memory on."""
