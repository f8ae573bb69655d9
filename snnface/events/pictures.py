"""Events as RGB pictures: ON and OFF in two colours that colour-blind readers tell apart."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt8

from snnface.events.stream import EventStream

__all__ = ["DARK", "WHITE", "EventColours", "count_picture", "event_picture"]

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventColours:
    """Red, green, blue (0..255) of ON events, OFF events, and pixels without events; `legend` says it in words."""

    on: Colour
    off: Colour
    background: Colour
    legend: str


# Source of the colours: M. Okabe and K. Ito 2008, "Color Universal Design"; blue and
# vermilion as in the report, their lighter relatives where the ground is dark.
WHITE = EventColours(on=(0, 114, 178), off=(213, 94, 0), background=(255, 255, 255), legend="blue ON, vermilion OFF")
DARK = EventColours(on=(86, 180, 233), off=(230, 159, 0), background=(24, 28, 34), legend="sky blue ON, orange OFF")


def event_picture(events: EventStream, colours: EventColours = WHITE) -> UInt8[np.ndarray, "H W 3"]:
    """One event frame: each pixel in the colour of its last event; the background where there was none."""
    height, width = events.resolution.height, events.resolution.width
    last = np.zeros((height, width), np.uint8)
    # Where an index is repeated, the last value assigned stays: the last event in time.
    last[events.y, events.x] = np.where(events.polarity, np.uint8(1), np.uint8(2))
    return np.array([colours.background, colours.on, colours.off], np.uint8)[last]


def count_picture(counts: Int64[np.ndarray, "2 H W"], colours: EventColours = WHITE) -> UInt8[np.ndarray, "H W 3"]:
    """Where events came from: the more of them, the further a pixel goes from the background to a colour.

    A colour is full at the 99th percentile of the counts that are not zero and follows the
    square root below; where both polarities are strong their colours mix.

    Args:
        counts: row 0 counts ON, row 1 OFF events, as in `PixelCounts`.
    """
    seen = counts[counts > 0]
    full = float(np.quantile(seen, 0.99)) if seen.size else 1.0
    strength = np.sqrt(np.clip(counts / full, 0, 1)).astype(np.float32)
    ground = np.array(colours.background, np.float32)
    towards = np.array([colours.on, colours.off], np.float32) - ground
    return np.clip(np.rint(ground + np.tensordot(strength, towards, axes=(0, 0))), 0, 255).astype(np.uint8)
