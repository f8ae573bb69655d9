"""Events from intensity frames: an event camera, ideal or with what real ones suffer from."""

import logging
import math
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from snnface.errors import ConfigError, DataError, EventOrderError
from snnface.events.emulator.config import EmulatorConfig
from snnface.events.emulator.pixel_mismatch import PixelMismatch
from snnface.events.stream import EventStream
from snnface.events.window import Resolution
from snnface.shapes import require_shape

__all__ = ["Emulator", "emulate"]

log = logging.getLogger(__name__)

# A row and a column must fit 16 bits in an event.
MAX_SIDE = 1 << 16


class Emulator:
    """An event camera that sees frames.

    **Light.** Each pixel follows the log of its luminance I, linear below the knee of 20 DN,

        l = I ln(20) / 20   for I <= 20,      l = ln(I)   above.

    **Bandwidth.** With a cutoff f_c it sees L instead, low-passed and slower in the dark,

        L <- L + eps (l - L),   eps = 1 - exp(-g dt / tau),   tau = 1 / (2 pi f_c),   g = (I + 20) / 275;

    without one L = l.

    **Events.** M is a memorised level, L of the first frame at the start. In each frame interval, with D = L - M,

        n_on = floor(D / theta_on),   n_off = floor(-D / theta_off),   M += n_on theta_on - n_off theta_off

    so the rest below a threshold is kept. An event comes where D passes its threshold, L
    being taken as linear between the frames, or as the filter's exponential with a cutoff;
    at the interval's start if the threshold is passed already.

    **Mismatch.** Thresholds and leak differ from pixel to pixel: `PixelMismatch`.

    **Leak.** M falls by dt R_l r (1 - j n) theta_on in each frame, r the pixel's factor, n ~ N(0, 1)
    new each time: a pixel at rest emits ON events at the rate R_l r.

    **Shot noise.** "poisson": ON and OFF noise events at random times, each at the rate
    (R_n / 2) (1 - 0.75 g) theta_nominal / theta; M = L after one. "photoreceptor": Gaussian noise
    of the bandwidth f_c is added to L in D.

    **Dead time.** For `refractory_us` after an event the pixel is held in reset, and starts anew from L at its end.

    Times are whole microseconds in (t[k-1], t[k]]. Events are ordered by (t, y, x). The
    first frame only sets the state.

    Frames may come in pieces of any size; state is carried, and the events are the same:
    each random number is a hash of the seed, its purpose, the pixel and the frame's index.

    With compat="v2e" the arithmetic is v2e's: see `V2ePixels`.

    Source: Hu, Liu and Delbruck 2021, "v2e: from video frames to realistic DVS events",
    arXiv:2006.07722, sec. 4. Departs from it, unless compat="v2e", in: times within an interval;
    the exponential in eps, which v2e replaces by min(g dt / tau, 1); noise as a process in
    continuous time instead of one draw in each frame; the dead time, in which v2e keeps L - M.

    Args:
        seed: of everything random.
        mismatch: the pixels of one sensor; drawn from the config and the seed if left out.

    Raises:
        ShapeError: if the mismatch is of another resolution.
        ConfigError: if a side of the sensor is above 65536.
    """

    def __init__(
        self, config: EmulatorConfig, resolution: Resolution, *, seed: int = 0, mismatch: PixelMismatch | None = None
    ) -> None:
        if max(resolution.height, resolution.width) > MAX_SIDE:
            raise ConfigError(f"a sensor has at most {MAX_SIDE} rows and columns; got {resolution}.")
        self.config = config
        self.resolution = resolution
        self.mismatch = mismatch or PixelMismatch.drawn(config, resolution, seed=seed)
        self.mismatch.require_size(resolution)
        self._seed = seed
        self._pixels: _Pixels | None = None
        self._last_us: int | None = None
        self._num_frames = 0
        self._warned: set[str] = set()

    def push(
        self, frames: Float32[np.ndarray, "T H W"] | UInt8[np.ndarray, "T H W"], t_us: Int64[np.ndarray, " T"]
    ) -> EventStream:
        """The events up to the last of these frames, from the last frame of the call before on.

        If it raises, the state stays as it was.

        Raises:
            ShapeError: if the frames do not have the sensor's size, or not one time each.
            EventOrderError: if the times do not rise, within the call or across calls.
            DataError: if a value is no luminance (below 0, 256 or more, or not finite), if
                log intensities come as uint8, or if frames are too far apart for the noise asked for.
        """
        self._check(frames, t_us)
        if not len(frames):
            return EventStream.empty(self.resolution)
        frames, t_us = np.ascontiguousarray(frames), np.ascontiguousarray(t_us)
        num_first = 0 if self._last_us is not None else 1
        if num_first:
            self._rest(frames[0], int(t_us[0]))
        if len(frames) == num_first:
            return EventStream.empty(self.resolution)
        assert self._pixels is not None
        assert self._last_us is not None
        columns = self._pixels.advance(frames[num_first:], t_us[num_first:], self._last_us, self._num_frames)
        self._last_us = int(t_us[-1])
        self._num_frames += len(frames) - num_first
        return EventStream.of_checked(*columns, self.resolution)

    def restart(self, frame: Float32[np.ndarray, "H W"] | UInt8[np.ndarray, "H W"], t_us: int) -> None:
        """Begin a new scene with this frame, as after a cut: no events between the frame before and this one.

        Every pixel rests at it, L = l and M = L. Time, noise and dead times go on.

        Raises:
            ShapeError, EventOrderError, DataError: as `push`.
        """
        times = np.array([t_us], np.int64)
        self._check(frame[None], times)
        self._rest(np.ascontiguousarray(frame), t_us)

    def _rest(self, frame: np.ndarray, t_us: int) -> None:
        if self._pixels is None:
            self._pixels = _pixels(self.config, self.mismatch, seed=self._seed)
        self._pixels.start(frame, t_us)
        self._last_us = t_us
        self._num_frames += 1

    def _check(self, frames: np.ndarray, t_us: np.ndarray) -> None:
        require_shape(frames, f"T {self.resolution.height} {self.resolution.width}", what="frames")
        require_shape(t_us, str(len(frames)), what="frame times")
        is_log = self.config.input == "log"
        if is_log and frames.dtype == np.uint8:
            raise DataError(
                'frames of log intensity must be float32; got uint8. For grey values use input="linear_dn".'
            )
        known = [] if self._last_us is None else [self._last_us]
        durations = np.diff(np.concatenate([np.array(known, np.int64), t_us]))
        late = np.flatnonzero(durations <= 0)
        if late.size:
            index = int(late[0]) + 1 - len(known)
            raise EventOrderError(
                f"frame times must rise; frame {index} of this call, at {t_us[index]} us, does not come after the one "
                "before. Sort the frames and drop repeated ones."
            )
        if frames.dtype != np.uint8:
            self._check_values(frames, is_log)
        if durations.size:
            self._check_step(int(durations.max()) * 1e-6)

    def _check_values(self, frames: np.ndarray, is_log: bool) -> None:
        # Compiled loops are imported at the first use: importing this module stays cheap.
        from snnface.events.emulator.log_intensity import first_bad_frame

        index = first_bad_frame(np.ascontiguousarray(frames), is_log)
        if index >= 0:
            wanted = "finite log intensities" if is_log else "luminance in 0..255 digital numbers"
            raise DataError(
                f"frames must hold {wanted}; frame {index} of this call does not. Scale or mend the frames."
            )

    def _check_step(self, dt_s: float) -> None:
        """Refuse, or warn once of, frames too far apart for the model to be accurate."""
        config, dt_ms = self.config, 1e3 * dt_s
        constants = dt_s * 2 * math.pi * config.cutoff_hz
        if config.has_poisson_noise:
            expected = config.shot_noise_rate_hz * dt_s
            if expected > 1:
                raise DataError(
                    f"shot noise of {config.shot_noise_rate_hz} Hz needs frames less than "
                    f"{1e3 / config.shot_noise_rate_hz:.3g} ms apart; got {dt_ms:.3g} ms. Upsample the frames in time."
                )
            if expected > 0.1:
                self._warn("shot noise", f"{config.shot_noise_rate_hz} Hz", 1e2 / config.shot_noise_rate_hz, dt_ms)
        if config.has_photoreceptor_noise:
            if config.compat == "v2e" and constants > 1:
                raise DataError(
                    f"photoreceptor noise with a cutoff of {config.cutoff_hz} Hz needs frames less than "
                    f"{1e3 * dt_s / constants:.3g} ms apart; got {dt_ms:.3g} ms. Upsample the frames in time."
                )
            if constants > 0.1:
                self._warn("photoreceptor noise", f"{config.cutoff_hz} Hz", 1e2 * dt_s / constants, dt_ms)
        if config.compat == "v2e" and constants > 0.3:
            self._warn("the bandwidth limit", f"{config.cutoff_hz} Hz", 3e2 * dt_s / constants, dt_ms)

    def _warn(self, what: str, value: str, limit_ms: float, dt_ms: float) -> None:
        if what not in self._warned:
            self._warned.add(what)
            log.warning(
                "%s of %s is inaccurate with frames %.3g ms apart; at most %.3g ms would be right. "
                "Upsample the frames in time.",
                *(what, value, dt_ms, limit_ms),
            )


def emulate(
    frames: Float32[np.ndarray, "T H W"] | UInt8[np.ndarray, "T H W"],
    t_us: Int64[np.ndarray, " T"],
    config: EmulatorConfig | None = None,
    *,
    seed: int = 0,
) -> EventStream:
    """The events of a whole sequence of frames; `config` is the ideal camera if left out.

    >>> import numpy as np
    >>> frames = np.array([[[50]], [[100]]], dtype=np.uint8)
    >>> emulate(frames, np.array([0, 1000])).t_us.tolist()  # ln(2) / 0.2 = 3.5 thresholds
    [289, 577, 866]

    Raises:
        ShapeError, EventOrderError, DataError: as `Emulator.push`.
    """
    require_shape(frames, "T H W", what="frames")
    resolution = Resolution(height=frames.shape[1], width=frames.shape[2])
    return Emulator(config or EmulatorConfig(), resolution, seed=seed).push(frames, t_us)


@runtime_checkable
class _Pixels(Protocol):
    """One of the three ways to compute: all pixels of a sensor, with their state."""

    def start(self, frame: np.ndarray, t_us: int) -> None:
        """Rest at a [H, W] frame."""

    def advance(
        self, frames: np.ndarray, t_us: np.ndarray, start_us: int, index: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Columns x, y, t_us, polarity of the events of the intervals that end at these [T, H, W] frames.

        Args:
            start_us: the time of the frame before.
            index: of the first of these frames in the whole sequence.
        """


def _pixels(config: EmulatorConfig, mismatch: PixelMismatch, *, seed: int) -> _Pixels:
    if config.compat == "v2e":
        from snnface.events.emulator.v2e_pixels import V2ePixels

        return V2ePixels(config, mismatch, seed=seed)
    if config.is_still_at_rest:
        from snnface.events.emulator.change_detection import StillPixels

        return StillPixels(config, mismatch)
    from snnface.events.emulator.pixel_dynamics import DynamicPixels

    return DynamicPixels(config, mismatch, seed=seed)
