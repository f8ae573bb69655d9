"""What one file of an event camera holds."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from snnface.errors import DataError
from snnface.events.frames import FrameClip
from snnface.events.stream import EventStream

__all__ = ["ImuSamples", "SensorData", "Triggers"]


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
class ImuSamples:
    """What the camera's inertial sensor measured, in file order; axes x, y, z as the format has them.

    Attributes:
        t_us: time in microseconds, int64 [N].
        acceleration_g: in units of the earth's gravity, float32 [N, 3].
        rotation_deg_s: in degrees a second, float32 [N, 3].
        temperature_c: of the sensor, in degrees Celsius, float32 [N].

    Raises:
        DataError: if lengths differ.
    """

    t_us: Int64[np.ndarray, "_"]
    acceleration_g: Float32[np.ndarray, "_ 3"]
    rotation_deg_s: Float32[np.ndarray, "_ 3"]
    temperature_c: Float32[np.ndarray, "_"]

    def __post_init__(self) -> None:
        if not len(self.t_us) == len(self.acceleration_g) == len(self.rotation_deg_s) == len(self.temperature_c):
            raise DataError("columns of an inertial sensor must have one length.")

    def __len__(self) -> int:
        return len(self.t_us)


@dataclass(frozen=True, slots=True, eq=False)
class SensorData:
    """Everything a file holds: events always; frames, triggers and IMU where the format has them.

    Attributes:
        losses: what a recovering read left out, a phrase each; empty if nothing was.
    """

    events: EventStream
    frames: FrameClip | None = None
    triggers: Triggers | None = None
    imu: ImuSamples | None = None
    losses: tuple[str, ...] = ()
