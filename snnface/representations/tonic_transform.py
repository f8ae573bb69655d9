"""Transforms of tonic as representations."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32

from snnface.errors import ConfigError, DataError, ShapeError
from snnface.events.stream import EventStream
from snnface.events.tonic import to_tonic
from snnface.events.window import Resolution, TimeWindow
from snnface.recording import Recording

__all__ = ["TonicTransform", "TonicTransformConfig"]


@dataclass(frozen=True, kw_only=True)
class TonicTransformConfig:
    """Settings of `TonicTransform`.

    Attributes:
        num_channels: how many pictures the transform makes of the events of one step, its
            time bins and polarities together.
        step_us: duration of one step, in microseconds.
        resolution: size of the pictures; the transform's own sensor size must be this one.

    Raises:
        ConfigError: if there is no channel, or a step is shorter than 1 us.
    """

    num_channels: int
    step_us: int = 33_000
    resolution: Resolution = Resolution(height=64, width=64)

    def __post_init__(self) -> None:
        if self.num_channels < 1:
            raise ConfigError(f"num_channels must be at least 1; got {self.num_channels}.")
        if self.step_us < 1:
            raise ConfigError(f"step_us must be at least 1; got {self.step_us}.")


class TonicTransform:
    """Calls a transform of tonic for the events of each step: [T, C, H, W].

        size = Resolution(height=64, width=64)
        frames = TonicTransform(
            tonic.transforms.ToFrame(sensor_size=sensor_size(size), n_time_bins=1),
            TonicTransformConfig(num_channels=2, resolution=size),
        )

    The transform gets the events of one step as tonic's structured array, coordinates
    already scaled to `resolution`, times counted from the beginning of the step; what it
    keeps of earlier steps is its own affair. Its result must end in the axes H, W; all axes
    before them, such as time bins and polarities, become the channels, in order. (In tonic
    polarity 0, OFF, comes first.) A step without events is all zero and is not shown to
    the transform, because many of tonic's fail on it.

    Args:
        transform: any callable from tonic's array to an array, `Compose` included.
    """

    def __init__(self, transform: Callable[[np.ndarray], Any], config: TonicTransformConfig) -> None:
        self.config = config
        self._transform = transform

    @property
    def num_channels(self) -> int:
        return self.config.num_channels

    @property
    def resolution(self) -> Resolution:
        return self.config.resolution

    @property
    def step_us(self) -> int:
        return self.config.step_us

    def __call__(self, recording: Recording, window: TimeWindow) -> Float32[np.ndarray, "T C H W"]:
        """The pictures of each whole step of `window`.

        Raises:
            DataError: if the recording has no events, or the transform gives values that are not finite.
            ShapeError: if the transform gives other channels or another size than the config says.
        """
        recorded = recording.required_events()
        size = self.resolution
        pictures = np.zeros((window.num_steps(self.step_us), self.num_channels, size.height, size.width), np.float32)
        for index, step in enumerate(window.steps(self.step_us)):
            events = recorded.between(step)
            if not events.is_empty:
                pictures[index] = self._picture(events, step)
        return pictures

    def _picture(self, events: EventStream, step: TimeWindow) -> np.ndarray:
        array = to_tonic(_scaled(events, step.start_us, self.resolution))
        try:
            result = np.asarray(self._transform(array))
        except Exception as error:
            error.add_note(
                f"raised by {self._transform!r} for the {len(events)} events of the step [{step.start_us}, "
                f"{step.end_us}) us. Some transforms of tonic cannot take a single event, or events of one time."
            )
            raise
        wanted = (self.num_channels, self.resolution.height, self.resolution.width)
        channels = np.prod(result.shape[:-2], dtype=int)
        if result.shape[-2:] != wanted[1:] or channels != wanted[0]:
            raise ShapeError(
                f"{self._transform!r} should give {wanted[0]} pictures of {self.resolution}, axes [..., H, W]; its "
                f"result has the shape {list(result.shape)}. Set num_channels to the product of the first axes, and "
                "the transform's sensor_size to that of the resolution."
            )
        if not np.isfinite(result).all():
            raise DataError(
                f"{self._transform!r} gave values that are not finite for the {len(events)} events of the step "
                f"[{step.start_us}, {step.end_us}) us. Choose another transform, or longer steps."
            )
        return result.reshape(wanted).astype(np.float32)


def _scaled(events: EventStream, start_us: int, size: Resolution) -> EventStream:
    x = events.x.astype(np.int64) * size.width // events.resolution.width
    y = events.y.astype(np.int64) * size.height // events.resolution.height
    return EventStream(
        x=x.astype(np.uint16),
        y=y.astype(np.uint16),
        t_us=np.asarray(events.t_us) - start_us,
        polarity=events.polarity,
        resolution=size,
    )
