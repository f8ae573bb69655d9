"""Steps between the frames of a video, close enough in time for an emulated event camera."""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, get_args, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from snnface.errors import ConfigError, EventOrderError
from snnface.events.upsampling.cuts import histogram_distance
from snnface.events.upsampling.interpolator import LearnedInterpolator
from snnface.events.upsampling.optical_flow import MotionCompensation, dense_flow, displacement_px
from snnface.events.window import Resolution
from snnface.shapes import require_shape

__all__ = ["Steps", "Upsampler", "UpsamplingConfig"]

logger = logging.getLogger(__name__)

Method = Literal["none", "linear", "flow", "learned"]
# Steps are handed out in pieces of at most this many, and of this many bytes.
MAX_PIECE = 32
MAX_PIECE_BYTES = 32 << 20


@dataclass(frozen=True, kw_only=True)
class UpsamplingConfig:
    """How an interval between two frames is cut into steps.

    Attributes:
        method: how the frames in between are made.
            "none": there are none; one step an interval.
            "linear": cross-fade in intensity. Right counts at a pixel at rest, no motion.
            "flow": moved along the optical flow, see `MotionCompensation`.
            "learned": by a network from a file, see `LearnedInterpolator`.
        max_displacement_px: motion in one step is at most this; None: motion is not measured.
        motion_percentile: which percentile over pixels of the displacement counts as motion.
        max_step_us: a step is at most this long; None: no limit. The default is half a slice of 5 ms. A
            pixel with a cutoff needs 0.3 / (2 pi cutoff): 159 us at 300 Hz.
        max_steps: an interval has at most this many steps; a warning tells when more were wanted.
        cut_distance: frames with a greater `histogram_distance` are of two scenes, with
            nothing in between; None: there are no cuts. Measured: motion of 24 px a frame stays below 0.3.
        interpolator: the TorchScript file for "learned"; its code is run.

    Raises:
        ConfigError: if a value is out of its range, or a file is named without need or missing.
    """

    method: Method = "flow"
    max_displacement_px: float | None = 1.0
    motion_percentile: float = 97.0
    max_step_us: int | None = 2500
    max_steps: int = 1000
    cut_distance: float | None = 0.4
    interpolator: str | None = None

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise ConfigError(f"method must be one of {', '.join(get_args(Method))}; got {self.method!r}.")
        for name, least, most in (
            ("max_displacement_px", 0.01, math.inf),
            ("motion_percentile", 1, 100),
            ("max_step_us", 1, math.inf),
            ("max_steps", 1, math.inf),
            ("cut_distance", 0, 1),
        ):
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise ConfigError(f"{name} must be in {least}..{most}; got {value}.")
        if self.method != "none" and self.max_displacement_px is None and self.max_step_us is None:
            raise ConfigError('one of max_displacement_px and max_step_us must be set; for no steps use method="none".')
        if (self.method == "learned") != (self.interpolator is not None):
            raise ConfigError('method "learned" needs a TorchScript file as interpolator, and no other method does.')


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Frames with their times, for `Emulator.push`; or one frame after a cut, for `Emulator.restart`.

    Attributes:
        frames: luminance in digital numbers 0..255, float32 [T, H, W].
        t_us: times in microseconds, int64 [T], rising.
        is_cut: whether these do not continue what came before; then T is 1.
    """

    frames: Float32[np.ndarray, "T H W"]
    t_us: Int64[np.ndarray, " T"]
    is_cut: bool = False


class Upsampler:
    """Cuts each interval between frames into as many steps as its motion and length need.

    The number of steps of an interval of length dt is

        u = max(ceil(displacement / max_displacement_px), ceil(dt / max_step_us))

    and step j lies at j / u of it, rounded to microseconds. The last step is the given frame
    itself at its own time. The first frame, and a frame after a cut, come alone as a cut.

    Attributes:
        num_cuts: how many cuts there were, the first frame not counted.
        num_limited: how many intervals wanted more than `max_steps` steps.

    Raises:
        DatasetNotFoundError, DataError: as `LearnedInterpolator`.
    """

    def __init__(self, config: UpsamplingConfig, resolution: Resolution) -> None:
        self.config = config
        self.resolution = resolution
        self.num_cuts = 0
        self.num_limited = 0
        self._last: tuple[np.ndarray, int] | None = None
        self._learned = None if config.interpolator is None else LearnedInterpolator(config.interpolator)

    def push(self, frame: UInt8[np.ndarray, "H W"], t_us: int) -> Iterator[Steps]:
        """The steps from the frame before up to this one, in pieces of bounded size.

        The pieces are made as they are asked for; all of them are needed.

        Raises:
            ShapeError: if the frame does not have the sensor's size.
            EventOrderError: if its time does not come after the one before.
        """
        require_shape(frame, f"{self.resolution.height} {self.resolution.width}", what="a frame")
        last = self._last
        if last is not None and t_us <= last[1]:
            raise EventOrderError(
                f"frame times must rise; {t_us} us does not come after {last[1]} us. "
                "Sort the frames and drop repeated ones."
            )
        frame = frame.copy()
        self._last = frame, t_us
        if last is None:
            return iter([_alone(frame, t_us)])
        limit = self.config.cut_distance
        if limit is not None and histogram_distance(last[0], frame) > limit:
            self.num_cuts += 1
            return iter([_alone(frame, t_us)])
        num_steps, between = self._plan(last[0], frame, t_us - last[1])
        return self._pieces(frame, last[1], t_us, num_steps, between)

    def _plan(self, first: np.ndarray, second: np.ndarray, duration_us: int) -> tuple[int, "_Between"]:
        """The number of steps, and what makes the frames in between."""
        config = self.config
        still = _CrossFade(first, second)
        if config.method == "none":
            return 1, still
        wanted = 1 if config.max_step_us is None else -(-duration_us // config.max_step_us)
        if np.array_equal(first, second):
            return self._limited(wanted, duration_us), still
        forward = None
        if config.max_displacement_px is not None or config.method == "flow":
            forward = dense_flow(first, second)
        if config.max_displacement_px is not None and forward is not None:
            motion = displacement_px(forward, config.motion_percentile)
            wanted = max(wanted, math.ceil(motion / config.max_displacement_px))
        num_steps = self._limited(wanted, duration_us)
        if num_steps > 1 and self._learned is not None:
            return num_steps, _Learned(self._learned, first, second)
        if num_steps > 1 and config.method == "flow" and forward is not None:
            return num_steps, MotionCompensation(first, second, forward)
        return num_steps, still

    def _limited(self, wanted: int, duration_us: int) -> int:
        if wanted > self.config.max_steps:
            self.num_limited += 1
            logger.log(
                logging.WARNING if self.num_limited == 1 else logging.DEBUG,
                "an interval of %d us needs %d steps for its motion and length; it gets %d (max_steps).",
                *(duration_us, wanted, self.config.max_steps),
            )
        # No two steps may share a microsecond.
        return max(min(wanted, self.config.max_steps, duration_us), 1)

    def _pieces(
        self, frame: np.ndarray, start_us: int, end_us: int, num_steps: int, between: "_Between"
    ) -> Iterator[Steps]:
        size = max(min(MAX_PIECE_BYTES // (4 * frame.size), MAX_PIECE), 1)
        for first in range(1, num_steps + 1, size):
            steps = range(first, min(first + size, num_steps + 1))
            frames = np.empty((len(steps), *frame.shape), np.float32)
            for out, step in zip(frames, steps, strict=True):
                if step == num_steps:
                    out[:] = frame
                else:
                    between.fill(out, step / num_steps)
            # Half a microsecond rounds up, in whole numbers.
            times = [(2 * (end_us - start_us) * step + num_steps) // (2 * num_steps) for step in steps]
            yield Steps(frames, start_us + np.array(times, np.int64))


@runtime_checkable
class _Between(Protocol):
    def fill(self, out: np.ndarray, part: float) -> None: ...


class _CrossFade:
    def __init__(self, first: np.ndarray, second: np.ndarray) -> None:
        self._first, self._change = first.astype(np.float32), second.astype(np.float32) - first

    def fill(self, out: np.ndarray, part: float) -> None:
        np.multiply(self._change, np.float32(part), out=out)
        out += self._first


class _Learned:
    def __init__(self, network: LearnedInterpolator, first: np.ndarray, second: np.ndarray) -> None:
        self._network, self._first, self._second = network, first, second

    def fill(self, out: np.ndarray, part: float) -> None:
        out[:] = self._network.frame(self._first, self._second, part)


def _alone(frame: np.ndarray, t_us: int) -> Steps:
    return Steps(frame[None].astype(np.float32), np.array([t_us], np.int64), is_cut=True)
