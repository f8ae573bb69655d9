"""Mirroring and turning the sensor."""

import numpy as np

from snnface.events.stream import EventStream
from snnface.events.window import Resolution

__all__ = ["flip_horizontal", "flip_vertical", "rotate_clockwise"]


def flip_horizontal(stream: EventStream) -> EventStream:
    """Left becomes right: column x goes to width - 1 - x. Twice is the identity."""
    return EventStream.of_checked(
        x=_mirrored(stream.x, stream.resolution.width),
        y=stream.y,
        t_us=stream.t_us,
        polarity=stream.polarity,
        resolution=stream.resolution,
    )


def flip_vertical(stream: EventStream) -> EventStream:
    """Top becomes bottom: row y goes to height - 1 - y. Twice is the identity."""
    return EventStream.of_checked(
        x=stream.x,
        y=_mirrored(stream.y, stream.resolution.height),
        t_us=stream.t_us,
        polarity=stream.polarity,
        resolution=stream.resolution,
    )


def rotate_clockwise(stream: EventStream) -> EventStream:
    """A quarter turn to the right, for a camera mounted on its side: (x, y) goes to (height - 1 - y, x).

    The resolution is turned as well. Four times is the identity.
    """
    return EventStream.of_checked(
        x=_mirrored(stream.y, stream.resolution.height),
        y=stream.x,
        t_us=stream.t_us,
        polarity=stream.polarity,
        resolution=Resolution(height=stream.resolution.width, width=stream.resolution.height),
    )


def _mirrored(places: np.ndarray, size: int) -> np.ndarray:
    return np.uint16(size - 1) - np.asarray(places)
