"""Plain intensity frames at the steps of a window."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, Int64

from snnface.errors import DataError
from snnface.events.frames import FrameClip
from snnface.events.window import Resolution, TimeWindow
from snnface.recording import Recording
from snnface.representations.slicing import checked_step_us

__all__ = ["PlainFrames", "PlainFramesConfig"]

# Luma of red, green and blue. Source: ITU-R BT.601-7, sec. 2.5.1.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, kw_only=True)
class PlainFramesConfig:
    """Settings of `PlainFrames`.

    Attributes:
        step_ms: duration of one step, rounded to whole microseconds.
        choice: which frame stands for a step. "latest": the last one before the step's end,
            what a viewer sees then. "nearest": the one nearest to the step's middle, the
            earlier of two equally near; it may lie after the step.
        colour: what the pictures have; colour frames are turned to grey and grey ones
            repeated as needed.
        resolution: size of the pictures.

    Raises:
        ConfigError: if the step is below 1 us.
    """

    step_ms: float = 33.0
    choice: Literal["latest", "nearest"] = "latest"
    colour: Literal["grey", "rgb"] = "grey"
    resolution: Resolution = Resolution(height=224, width=224)

    def __post_init__(self) -> None:
        checked_step_us(self.step_ms)


class PlainFrames:
    """The recording's frames, one a step: [T, 1, H, W], or [T, 3, H, W] for RGB, in 0..1 (uint8 / 255).

    Frames outside the window count too: the one in effect when it begins may be earlier.
    A pixel is the mean of all sensor pixels that the floor rule maps to it (column x goes to
    floor(x * W / frame width)), so that frames lie exactly on event pictures of the same
    sensor; where none is mapped to it, as in enlarging, it is sensor pixel
    floor(column * frame width / W). Grey is the BT.601 luma.
    """

    def __init__(self, config: PlainFramesConfig) -> None:
        self.config = config

    @property
    def num_channels(self) -> int:
        return 1 if self.config.colour == "grey" else 3

    @property
    def resolution(self) -> Resolution:
        return self.config.resolution

    @property
    def step_us(self) -> int:
        return checked_step_us(self.config.step_ms)

    def __call__(self, recording: Recording, window: TimeWindow) -> Float32[np.ndarray, "T C H W"]:
        """The frame of each whole step of `window`, in memory of their own.

        Raises:
            DataError: if the recording has no frames, or the first comes after the first step.
        """
        frames = recording.frames
        if frames is None or not len(frames):
            raise DataError(
                f"recording {recording.recording_id!r} has no frames; this representation needs them. "
                "Choose a representation of events."
            )
        starts = window.start_us + np.arange(window.num_steps(self.step_us), dtype=np.int64) * self.step_us
        chosen = self._chosen(frames, starts)
        if chosen.size and chosen[0] < 0:
            raise DataError(
                f"recording {recording.recording_id!r} has its first frame at {frames.t_us[0]} us, after the step that "
                f"begins at {starts[0]} us. Begin the window later, or choose the nearest frames."
            )
        distinct, place = np.unique(chosen, return_inverse=True)
        size = self.resolution
        pictures = np.empty((len(distinct), self.num_channels, size.height, size.width), np.float32)
        for index, frame in enumerate(distinct):
            pictures[index] = self._picture(np.asarray(frames.pixels[frame]))
        return pictures if len(distinct) == len(chosen) else pictures[place]

    def _chosen(self, frames: FrameClip, starts: Int64[np.ndarray, " T"]) -> Int64[np.ndarray, " T"]:
        """The number of each step's frame; -1: there is none yet."""
        if self.config.choice == "latest":
            return np.searchsorted(frames.t_us, starts + self.step_us, side="left").astype(np.int64) - 1
        # Doubled, so that the middles of steps and of pairs of frames are whole numbers.
        middles = 2 * starts + self.step_us
        return np.searchsorted(frames.t_us[1:] + frames.t_us[:-1], middles, side="left").astype(np.int64)

    def _picture(self, frame: np.ndarray) -> Float32[np.ndarray, "C H W"]:
        size = self.resolution
        grey_or_rgb = frame.astype(np.float32)
        if frame.shape[2] == 3 and self.num_channels == 1:
            grey_or_rgb = grey_or_rgb @ LUMA[:, None]
        scaled = _scaled(_scaled(grey_or_rgb, size.height, axis=0), size.width, axis=1)
        return np.broadcast_to(
            scaled.transpose(2, 0, 1) / np.float32(255), (self.num_channels, size.height, size.width)
        )


def _scaled(frame: np.ndarray, size: int, *, axis: int) -> np.ndarray:
    length = frame.shape[axis]
    if size == length:
        return frame
    if size > length:
        return frame.take(np.arange(size) * length // size, axis=axis)
    # Pixel i holds sensor pixels ceil(i * length / size) and on: the inverse of the floor rule.
    first = -(-np.arange(size + 1) * length // size)
    shape = [1, 1, 1]
    shape[axis] = size
    widths = np.diff(first).astype(np.float32).reshape(shape)
    return np.add.reduceat(frame, first[:-1], axis=axis) / widths
