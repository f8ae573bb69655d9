"""Finding and removing pixels that fire on and on."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from snnface.errors import ConfigError
from snnface.events.filters.selection import CHUNK_EVENTS, selected
from snnface.events.stream import EventStream
from snnface.shapes import require_shape

__all__ = ["HotPixelConfig", "hot_pixels", "hot_pixels_from_counts", "pixel_counts", "without_pixels"]

# The median absolute deviation of a normal distribution is its standard deviation over this.
MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, kw_only=True)
class HotPixelConfig:
    """Settings of `hot_pixels`.

    Attributes:
        num_sigmas: how far above the usual count of the sensor a hot pixel lies.
        contrast: how many times as often as its surroundings it fires.

    Raises:
        ConfigError: if the first is negative or the second below 1.
    """

    num_sigmas: float = 10.0
    contrast: float = 3.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.num_sigmas) and self.num_sigmas >= 0):
            raise ConfigError(f"num_sigmas must not be negative; got {self.num_sigmas}.")
        if not (math.isfinite(self.contrast) and self.contrast >= 1):
            raise ConfigError(f"contrast must be at least 1; got {self.contrast}.")


def hot_pixels(stream: EventStream, config: HotPixelConfig | None = None) -> Bool[np.ndarray, "H W"]:
    """Which pixels of a recording are hot; `config` is the default one if left out.

    With c the number of events of a pixel in the whole recording, m the median of c over
    the pixels that have any, and the spread s = max(1.4826 * median(|c - m|), sqrt(m))
    (the second is what counting alone makes), a pixel is hot if

        c > m + num_sigmas * s    and    c > contrast * (second largest c of its 8 neighbours)

    The first asks for an outlier. The second spares the scene, whose edges are lines and
    so give every busy pixel two busy neighbours; a hot pixel, or two side by side, stands
    alone. A stream without events has no hot pixels.
    """
    return hot_pixels_from_counts(pixel_counts(stream), config)


def hot_pixels_from_counts(
    counts: Int64[np.ndarray, "H W"], config: HotPixelConfig | None = None
) -> Bool[np.ndarray, "H W"]:
    """`hot_pixels` for a recording in pieces: the counts of the pieces add up.

    counts = sum(pixel_counts(piece) for piece in file.slices(33_000))
    """
    config = config or HotPixelConfig()
    active = counts[counts > 0]
    if not active.size:
        return np.zeros(counts.shape, np.bool_)
    usual = np.median(active)
    spread = max(MAD_TO_SIGMA * np.median(np.abs(active - usual)), np.sqrt(usual))
    is_outlier = counts > usual + config.num_sigmas * spread
    return is_outlier & (counts > config.contrast * _second_largest_neighbour(counts))


def pixel_counts(stream: EventStream) -> Int64[np.ndarray, "H W"]:
    """How many events each pixel has."""
    from snnface.events.filters.kernels import count_events

    counts = np.zeros((stream.resolution.height, stream.resolution.width), np.int64)
    for start in range(0, len(stream), CHUNK_EVENTS):
        piece = stream[start : start + CHUNK_EVENTS]
        count_events(np.asarray(piece.x), np.asarray(piece.y), counts)
    return counts


def without_pixels(stream: EventStream, mask: Bool[np.ndarray, "H W"]) -> EventStream:
    """The events of all pixels but those where `mask` is True.

    Raises:
        ShapeError: if the mask does not have the sensor's size.
    """
    require_shape(mask, f"{stream.resolution.height} {stream.resolution.width}", what="the mask of pixels")
    return selected(stream, lambda piece: ~mask[piece.y, piece.x])


def _second_largest_neighbour(counts: np.ndarray) -> np.ndarray:
    height, width = counts.shape
    padded = np.pad(counts, 1)
    largest, second = np.zeros_like(counts), np.zeros_like(counts)
    for row in range(3):
        for column in range(3):
            if (row, column) != (1, 1):
                neighbour = padded[row : row + height, column : column + width]
                second = np.maximum(second, np.minimum(largest, neighbour))
                largest = np.maximum(largest, neighbour)
    return second
