"""Cutting event streams to a part of the sensor that stays where it is."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from snnface.errors import ConfigError
from snnface.events.filters.selection import selected
from snnface.events.stream import EventStream
from snnface.events.window import Resolution

__all__ = ["PixelBox", "centre_square", "crop"]


@dataclass(frozen=True, slots=True)
class PixelBox:
    """A rectangle of pixels: columns left .. left + width - 1, rows top .. top + height - 1.

    Raises:
        ConfigError: if it begins outside the sensor's first quadrant or is empty.
    """

    left: int
    top: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if min(self.left, self.top) < 0 or min(self.width, self.height) < 1:
            raise ConfigError(f"a pixel box needs left, top >= 0 and width, height >= 1; got {self}.")

    @property
    def resolution(self) -> Resolution:
        return Resolution(height=self.height, width=self.width)


def crop(stream: EventStream, box: PixelBox) -> EventStream:
    """The events inside `box`, with coordinates counted from its upper left corner.

    Order and times stay; the resolution of the result is that of the box.

    Raises:
        ConfigError: if the box reaches beyond the sensor.
    """
    right, bottom = box.left + box.width, box.top + box.height
    if right > stream.resolution.width or bottom > stream.resolution.height:
        raise ConfigError(f"{box} reaches beyond the {stream.resolution} sensor; give a box inside it.")

    def inside(piece: EventStream) -> Bool[np.ndarray, " N"]:
        return (piece.x >= box.left) & (piece.x < right) & (piece.y >= box.top) & (piece.y < bottom)

    part = selected(stream, inside)
    return EventStream.of_checked(
        x=part.x - np.uint16(box.left),
        y=part.y - np.uint16(box.top),
        t_us=part.t_us,
        polarity=part.polarity,
        resolution=box.resolution,
    )


def centre_square(resolution: Resolution) -> PixelBox:
    """The largest square in the middle of a sensor; an odd rest goes to the right and below.

    >>> centre_square(Resolution(height=260, width=346))
    PixelBox(left=43, top=0, width=260, height=260)
    """
    side = min(resolution.height, resolution.width)
    return PixelBox(left=(resolution.width - side) // 2, top=(resolution.height - side) // 2, width=side, height=side)
