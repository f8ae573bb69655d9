"""Events from intensity frames: an ideal event camera."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from snnface.errors import ConfigError, DataError, EventOrderError
from snnface.events.stream import EventStream
from snnface.events.window import Resolution
from snnface.shapes import require_shape

__all__ = ["Emulator", "EmulatorConfig", "emulate"]

MIN_THRESHOLD = 0.01
# Luminance is 0..255; a little more is rounding in an interpolation, much more another scale.
MAX_LUMINANCE = 256.0


@dataclass(frozen=True, kw_only=True)
class EmulatorConfig:
    """Settings of the emulator.

    Attributes:
        theta_on, theta_off: thresholds in units of natural log intensity.
        timing: where in a frame interval the events lie. "crossing": each event at the
            time at which the log intensity, taken as linear between the frames, passes
            its level. "grid": v2e's times, see `Emulator`.
        input: what the frames hold. "linear_dn": luminance in digital numbers 0..255.
            "log": the log intensity itself, of a rendered scene for example.

    Raises:
        ConfigError: if a threshold is below 0.01 or a choice is unknown.
    """

    theta_on: float = 0.2
    theta_off: float = 0.2
    timing: Literal["crossing", "grid"] = "crossing"
    input: Literal["linear_dn", "log"] = "linear_dn"

    def __post_init__(self) -> None:
        for name in ("theta_on", "theta_off"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= MIN_THRESHOLD):
                raise ConfigError(f"{name} must be at least {MIN_THRESHOLD} log units; got {value}.")
        for name, known in (("timing", ("crossing", "grid")), ("input", ("linear_dn", "log"))):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} must be one of {', '.join(known)}; got {getattr(self, name)!r}.")


class Emulator:
    """An ideal event camera: no noise, no bandwidth limit, no dead time.

    Each pixel follows the log of its luminance I, linear below the knee of 20 DN,

        l = I ln(20) / 20   for I <= 20,      l = ln(I)   above,

    rounded to 8 decimals and stored as float32, and keeps a memorised level M, which is
    l of the first frame at the start. In each frame interval, with D = l - M,

        n_on = floor(D / theta_on),   n_off = floor(-D / theta_off),   M += n_on theta_on - n_off theta_off

    in float32, so the rest below a threshold is kept. Event j of a pixel comes

        "crossing"   where M + j theta lies on the line from the last l to this one, at
                     the interval's start if that level is already passed;
        "grid"       at j / N of the interval, N being the greatest n of all pixels.

    Times are rounded to whole microseconds and lie in (t[k-1], t[k]]. Events are ordered
    by (t, y, x). The first frame only sets the state.

    Frames may come in pieces of any size; state is carried, and the events are the same.

    Source: Hu, Liu and Delbruck 2021, "v2e: from video frames to realistic DVS events",
    arXiv:2006.07722, sec. 4; the times of "crossing" depart from it, the counts do not.
    """

    def __init__(self, config: EmulatorConfig, resolution: Resolution) -> None:
        self.config = config
        self.resolution = resolution
        self._thetas = np.float32(config.theta_on), np.float32(config.theta_off)
        self._state: _State | None = None

    def push(
        self, frames: Float32[np.ndarray, "T H W"] | UInt8[np.ndarray, "T H W"], t_us: Int64[np.ndarray, " T"]
    ) -> EventStream:
        """The events up to the last of these frames, from the last frame of the call before on.

        If it raises, the state stays as it was.

        Raises:
            ShapeError: if the frames do not have the sensor's size, or not one time each.
            EventOrderError: if the times do not rise, within the call or across calls.
            DataError: if a value is no luminance (below 0, 256 or more, or not finite), or
                log intensities come as uint8.
        """
        self._check(frames, t_us)
        if not len(frames):
            return EventStream.empty(self.resolution)
        # Compiled loops are imported at the first use: importing this module stays cheap.
        from snnface.events.change_detection import change_events

        before = self._state or self._first_state(frames[0], int(t_us[0]))
        level, low, high = before.level.copy(), before.low.copy(), before.high.copy()
        num_first = 0 if self._state else 1
        x, y, event_t_us, polarity, bad = change_events(
            *(frames[num_first:], t_us[num_first:], before.frame, before.t_us),
            *(level, low, high, *self._thetas),
            *(self.config.timing == "grid", self.config.input == "log"),
        )
        if bad >= 0:
            raise self._bad_value(num_first + bad)
        self._state = _State(frames[-1].astype(np.float32), int(t_us[-1]), level, low, high)
        return EventStream(x=x, y=y, t_us=event_t_us, polarity=polarity, resolution=self.resolution)

    def _first_state(self, frame: np.ndarray, t_us: int) -> "_State":
        from snnface.events.change_detection import log_intensity, quiet_band

        first = frame.astype(np.float32)
        is_log = self.config.input == "log"
        valid = np.isfinite(first) if is_log else (first >= 0) & (first < MAX_LUMINANCE)
        if not valid.all():
            raise self._bad_value(0)
        level = log_intensity(first, is_log)
        low, high = quiet_band(level, *self._thetas, is_log)
        return _State(first, t_us, level, low, high)

    def _check(self, frames: np.ndarray, t_us: np.ndarray) -> None:
        require_shape(frames, f"T {self.resolution.height} {self.resolution.width}", what="frames")
        require_shape(t_us, str(len(frames)), what="frame times")
        if self.config.input == "log" and frames.dtype == np.uint8:
            raise DataError(
                'frames of log intensity must be float32; got uint8. For grey values use input="linear_dn".'
            )
        known = [] if self._state is None else [self._state.t_us]
        late = np.flatnonzero(np.diff(np.concatenate([np.array(known, np.int64), t_us])) <= 0)
        if late.size:
            index = int(late[0]) + 1 - len(known)
            raise EventOrderError(
                f"frame times must rise; frame {index} of this call, at {t_us[index]} us, does not come after the one "
                "before. Sort the frames and drop repeated ones."
            )

    def _bad_value(self, index: int) -> DataError:
        wanted = "finite log intensities" if self.config.input == "log" else "luminance in 0..255 digital numbers"
        return DataError(f"frames must hold {wanted}; frame {index} of this call does not. Scale or mend the frames.")


def emulate(
    frames: Float32[np.ndarray, "T H W"] | UInt8[np.ndarray, "T H W"],
    t_us: Int64[np.ndarray, " T"],
    config: EmulatorConfig | None = None,
) -> EventStream:
    """The events of a whole sequence of frames; `config` is the default one if left out.

    >>> import numpy as np
    >>> frames = np.array([[[50]], [[100]]], dtype=np.uint8)
    >>> emulate(frames, np.array([0, 1000])).t_us.tolist()  # ln(2) / 0.2 = 3.5 thresholds
    [289, 577, 866]

    Raises:
        ShapeError, EventOrderError, DataError: as `Emulator.push`.
    """
    require_shape(frames, "T H W", what="frames")
    resolution = Resolution(height=frames.shape[1], width=frames.shape[2])
    return Emulator(config or EmulatorConfig(), resolution).push(frames, t_us)


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """What is carried from one call to the next; a new one replaces it, it is never changed.

    Attributes:
        frame: float32 [H, W], the last frame; t_us its time.
        level: float32 [H, W], the memorised level M.
        low, high: float32 [H, W], the band of values in which a pixel gives no event.
    """

    frame: np.ndarray
    t_us: int
    level: np.ndarray
    low: np.ndarray
    high: np.ndarray
