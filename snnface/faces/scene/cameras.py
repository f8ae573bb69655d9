"""Cameras before a face: an event camera and an RGB camera, each with its own view and clock."""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from jaxtyping import Int64

from snnface.errors import ConfigError
from snnface.events.emulator import EmulatorConfig
from snnface.events.window import Resolution
from snnface.faces.rendering.camera import OrthographicCamera

__all__ = ["DAVIS346", "EVK4", "VGA", "Clock", "EventCamera", "RgbCamera", "View"]

DAVIS346 = Resolution(height=260, width=346)
VGA = Resolution(height=480, width=640)
EVK4 = Resolution(height=720, width=1280)

# Light in which a camera's settings hold.
_REFERENCE_LUX = 1000.0
# Electrons of a white pixel at the reference exposure, and of the noise of reading one.
_FULL_WELL = 8000.0
_READ_NOISE = 5.0
# An exposure ends this share of the frame distance before the next one begins.
_READOUT_SHARE = 0.1


@dataclass(frozen=True, kw_only=True)
class View:
    """Where the resting face lies in a camera's picture; cameras that differ in it are an uncalibrated pair.

    Attributes:
        eye_distance: outer-eye distance as a share of the picture's smaller side.
        off_x, off_y: of the face from the middle, to the right and down, likewise.
        roll_deg: by how much the picture is turned counter-clockwise about the face.
    """

    eye_distance: float = 0.4
    off_x: float = 0.0
    off_y: float = 0.0
    roll_deg: float = 0.0

    def __post_init__(self) -> None:
        if not 0.05 <= self.eye_distance <= 1:
            raise ConfigError(f"eye_distance is a share of the picture, 0.05..1; got {self.eye_distance}.")

    @classmethod
    def drawn(cls, generator: np.random.Generator, *, eye_distance: float = 0.4, roll_deg: float = 3.0) -> "View":
        """A random one: 6 % nearer or farther, 2 % beside the middle, turned by up to `roll_deg`."""
        scale, off_x, off_y, roll = generator.uniform((0.94, -0.02, -0.02, -1.0), (1.06, 0.02, 0.02, 1.0))
        return cls(eye_distance=eye_distance * scale, off_x=off_x, off_y=off_y, roll_deg=roll_deg * roll)

    def camera(self, resolution: Resolution) -> OrthographicCamera:
        """The projection of a camera of that many pixels."""
        framed = OrthographicCamera.framing(resolution, eye_distance=self.eye_distance)
        side = min(resolution.height, resolution.width)
        return replace(
            framed,
            column_px=framed.column_px + self.off_x * side,
            row_px=framed.row_px + self.off_y * side,
            roll_deg=self.roll_deg,
        )


@dataclass(frozen=True, kw_only=True)
class Clock:
    """A camera's clock beside that of the scene, which all labels have; the default agrees with it.

    Attributes:
        offset_us: what it shows at time 0.
        drift_ppm: microseconds it gains in a second.
    """

    offset_us: int = 0
    drift_ppm: float = 0.0

    def __post_init__(self) -> None:
        if self.offset_us < 0 or not abs(self.drift_ppm) <= 1000:
            raise ConfigError(
                "a clock needs offset_us from 0 on and drift_ppm within -1000..1000; "
                f"got {self.offset_us} and {self.drift_ppm}."
            )

    def shown(self, t_us: Int64[np.ndarray, " T"]) -> Int64[np.ndarray, " T"]:
        """What the clock shows at times of the scene; never runs backwards."""
        return t_us + self.offset_us + np.floor(t_us * (self.drift_ppm * 1e-6)).astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class EventCamera:
    """An event camera.

    Attributes:
        emulator: its pixels, in light of 1000 lux.
    """

    resolution: Resolution = DAVIS346
    emulator: EmulatorConfig = field(default_factory=EmulatorConfig)
    view: View = field(default_factory=View)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        if self.emulator.input != "linear_dn":
            raise ConfigError('a camera before a scene sees luminance: its emulator needs input="linear_dn".')

    def pixels_at(self, lux: float) -> EmulatorConfig:
        """Its pixels in that light: bandwidth grows with the light, noise events with its inverse.

        A choice of this project, after the photoreceptor, whose bandwidth is proportional to its current.
        """
        share = lux / _REFERENCE_LUX
        return replace(
            self.emulator,
            cutoff_hz=self.emulator.cutoff_hz * share,
            shot_noise_rate_hz=self.emulator.shot_noise_rate_hz / share,
        )


@dataclass(frozen=True, kw_only=True)
class RgbCamera:
    """A frame camera with a global shutter and automatic exposure; sRGB, 8 bits.

    Attributes:
        channels: 3, or 1 for a grey one: with the view and the resolution of an event
            camera, the frames that a DAVIS takes through the same pixels.
        exposure_ms: in light of 1000 lux. In dimmer light it is longer, up to nine tenths of
            the distance of frames; the rest is made up by amplification, which amplifies noise.
    """

    resolution: Resolution = VGA
    channels: Literal[1, 3] = 3
    fps: float = 30.0
    exposure_ms: float = 8.0
    view: View = field(default_factory=View)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise ConfigError(f"an RGB camera has 3 channels, a grey one 1; got {self.channels}.")
        if not 1 <= self.fps <= 1000:
            raise ConfigError(f"fps must be 1..1000; got {self.fps}.")
        if not 0 < self.exposure_ms < float("inf"):
            raise ConfigError(f"exposure_ms must be positive; got {self.exposure_ms}.")

    def exposure_us(self, lux: float) -> int:
        """How long the shutter is open in that light."""
        return max(1, int(min(self._wanted_us(lux), (1 - _READOUT_SHARE) * 1e6 / self.fps)))

    def noise_dn(self, light: np.ndarray, lux: float) -> np.ndarray:
        """Standard deviation of pixels that should show `light` (0..255): photons, and reading."""
        amplified = max(1.0, self._wanted_us(lux) / self.exposure_us(lux))
        electrons = light * (_FULL_WELL / 255 / amplified)
        return np.sqrt(electrons + _READ_NOISE**2) * (255 * amplified / _FULL_WELL)

    def _wanted_us(self, lux: float) -> float:
        return self.exposure_ms * 1000 * _REFERENCE_LUX / lux
