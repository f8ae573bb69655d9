"""What one file of an event camera holds."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from snnface.errors import DataError
from snnface.events.frames import FrameClip
from snnface.events.stream import EventStream

__all__ = ["SensorData", "Triggers"]


@dataclass(frozen=True, slots=True, eq=False)
class Triggers:
    """Edges on a camera's external trigger inputs, in file order.

    Attributes:
        t_us: time in microseconds, int64 [N].
        channel: which input (or the format's own source code), uint8 [N].
        rising: bool [N]; True is a rising edge.

    Raises:
        DataError: if lengths differ.
    """

    t_us: Int64[np.ndarray, "_"]
    channel: UInt8[np.ndarray, "_"]
    rising: Bool[np.ndarray, "_"]

    def __post_init__(self) -> None:
        if not len(self.t_us) == len(self.channel) == len(self.rising):
            raise DataError("trigger columns must have one length.")

    def __len__(self) -> int:
        return len(self.t_us)


@dataclass(frozen=True, slots=True, eq=False)
class SensorData:
    """Everything a file holds: events always, frames and triggers where the format has them."""

    events: EventStream
    frames: FrameClip | None = None
    triggers: Triggers | None = None
