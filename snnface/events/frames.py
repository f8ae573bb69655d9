"""Intensity frames with their times."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt8

from snnface.errors import DataError, EventOrderError
from snnface.events.window import Resolution, TimeWindow

__all__ = ["FrameClip"]


@dataclass(frozen=True, slots=True, eq=False)
class FrameClip:
    """Intensity frames of one camera, ordered in time.

    Attributes:
        pixels: uint8 [T, H, W, C], C = 1 (grey) or 3 (RGB); read-only, may be memory-mapped.
        t_us: the time of each frame in microseconds, int64 [T], strictly increasing.

    Raises:
        DataError: if the shapes do not fit.
        EventOrderError: if frame times do not rise.
    """

    pixels: UInt8[np.ndarray, "T H W C"]
    t_us: Int64[np.ndarray, "_"]

    def __post_init__(self) -> None:
        if self.pixels.ndim != 4 or self.pixels.shape[3] not in (1, 3) or self.pixels.dtype != np.uint8:
            raise DataError(
                f"frames must be uint8 [T, H, W, C] with C = 1 or 3; got {self.pixels.dtype} {list(self.pixels.shape)}."
            )
        if self.t_us.shape != self.pixels.shape[:1]:
            raise DataError(f"{len(self.pixels)} frames need as many times; got {list(self.t_us.shape)}.")
        late = np.flatnonzero(np.diff(self.t_us) <= 0)
        if late.size:
            raise EventOrderError(
                f"frame times must rise; frame {int(late[0]) + 1} does not come after the one before."
            )
        for name in ("pixels", "t_us"):
            view = getattr(self, name).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    def __len__(self) -> int:
        return len(self.t_us)

    @property
    def resolution(self) -> Resolution:
        return Resolution(height=self.pixels.shape[1], width=self.pixels.shape[2])

    def between(self, window: TimeWindow) -> "FrameClip":
        """The frames whose time lies in `window`, as views."""
        start, stop = np.searchsorted(self.t_us, (window.start_us, window.end_us), side="left")
        return FrameClip(pixels=self.pixels[start:stop], t_us=self.t_us[start:stop])
