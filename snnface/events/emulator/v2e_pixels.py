"""Pixels in v2e's arithmetic, step for step, so that its events come out.

    g = (I + 20) / 275,   eps = min(g dt / tau, 1),   L <- (1 - eps) L + eps l
    M <- M - dt R_l r (1 - j n) theta_on
    D = L - M,   n_on = floor(D / theta_on),   n_off = floor(-D / theta_off),   N = the greatest n of all pixels
    event j of a pixel at T_j = t[k-1] + j dt / N

Where the dead time rho is longer than dt / N, an event at T_j is dropped if T_j less the
time of the pixel's last event is no more than rho. M moves by the events that are left.
Noise events come at t[k], and M = L after them.

l, D and the thresholds are float32, and so are L and M without a cutoff; with one they are
float64. Times are seconds from the first frame; in comparisons with rho they are float32.

Source: Hu, Liu and Delbruck 2021, arXiv:2006.07722, and the emulator published with it.
"""

import math
from typing import NamedTuple

import numpy as np

from snnface.events.emulator.config import EmulatorConfig
from snnface.events.emulator.event_buffer import buffer, place_of, put, sorted_columns, with_room
from snnface.events.emulator.log_intensity import log_intensities, log_intensity
from snnface.events.emulator.pixel_mismatch import PixelMismatch
from snnface.events.emulator.random_bits import frame_keys, normal, pixel_bits
from snnface.events.emulator.sensor import sensor_of
from snnface.events.emulator.shot_noise import STRIP, noise_events, relative_intensity, shot_noise
from snnface.jit import jit
from snnface.seeding import SeedTree

__all__ = ["V2ePixels"]


class _State(NamedTuple):
    """What pixels remember; all arrays [P], pixels counted row by row.

    Attributes:
        seen: float64, L; memorised: float64, M. Both hold float32 values without a cutoff.
        wobble: float64, the photoreceptor's noise on L.
        last_s: float32, the time of the last event.
    """

    seen: np.ndarray
    memorised: np.ndarray
    wobble: np.ndarray
    last_s: np.ndarray


class V2ePixels:
    """The state of such pixels between two pieces of frames."""

    def __init__(self, config: EmulatorConfig, mismatch: PixelMismatch, *, seed: int) -> None:
        size = mismatch.theta_on.size
        self._shot = shot_noise(config, mismatch, seed=SeedTree(seed).seed("shot"))
        self._sensor = sensor_of(config, mismatch, seed=seed)
        self._state = _State(
            seen=np.zeros(size),
            memorised=np.zeros(size),
            wobble=np.zeros(size),
            last_s=np.full(size, -np.float32(config.refractory_us * 1e-6)),
        )
        self._origin_us: int | None = None

    def start(self, frame: np.ndarray, t_us: int) -> None:
        """Rest at a [H, W] frame. Noise goes on, and so does a dead time."""
        if self._origin_us is None:
            self._origin_us = t_us
        self._state.seen[:] = self._state.memorised[:] = log_intensities(
            frame.ravel().astype(np.float32), self._sensor.is_log
        )

    def advance(
        self, frames: np.ndarray, t_us: np.ndarray, start_us: int, index: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Columns x, y, t_us, polarity of the events of the intervals that end at these [T, H, W] frames.

        Args:
            start_us: the time of the frame before.
            index: of the first of these frames in the whole sequence.
        """
        assert self._origin_us is not None
        ends_us = np.concatenate([[start_us], t_us])
        # Of one type, as numba compiles anew for every other.
        flat, is_bytes = frames.reshape(len(frames), -1).astype(np.float32, copy=False), frames.dtype == np.uint8
        return _events(flat, is_bytes, ends_us, self._origin_us, index, self._sensor, self._shot, self._state)


@jit
def _events(frames, is_bytes, t_us, origin_us, first_index, sensor, shot, state):  # type: ignore[no-untyped-def]
    """Events in the order of time; updates `state` in place."""
    num_pixels = frames.shape[1]
    events, count, noise = buffer(), np.int64(0), np.empty((64, 3), np.float64)
    active, numbers = np.empty(num_pixels, np.int64), np.empty(num_pixels, np.int64)
    table, difference = _table(), np.empty(num_pixels, np.float32)
    for k in range(len(frames)):
        duration_s = (t_us[k + 1] - t_us[k]) * 1e-6
        _see(frames[k], is_bytes, table, duration_s, sensor.tau_s, sensor.is_log, state.seen)
        if sensor.has_leak:
            _leak(sensor, frame_keys(sensor.leak_seed, first_index + k), duration_s, state.memorised)
        if sensor.rms > 0:
            _wobble(sensor, frame_keys(sensor.wobble_seed, first_index + k), duration_s, state.wobble)
        _subtract(state.seen, state.wobble, state.memorised, difference)
        num_active, num_steps = _passed(difference, sensor.theta_on, sensor.theta_off, active, numbers)
        noise, num_noise = _noise(shot, frames[k], first_index + k, duration_s, noise)
        most = count + num_noise
        for i in range(num_active):
            most += abs(numbers[i])
        events = with_room(events, most)
        span, i, n = (t_us[k] - origin_us, t_us[k + 1] - origin_us, origin_us, num_steps), 0, 0
        # By rising pixel, and at each one the noise last.
        while i < num_active or n < num_noise:
            if n == num_noise or (i < num_active and active[i] <= noise[n, 0]):
                count = _emit(events, count, active[i], numbers[i], span, sensor, state)
                i += 1
            else:
                pixel = np.int64(noise[n, 0])
                state.memorised[pixel] = state.seen[pixel]
                count = put(events, count, t_us[k + 1], place_of(pixel, sensor.width), noise[n, 2] > 0)
                n += 1
    return sorted_columns(events[:count])


@jit
def _table():  # type: ignore[no-untyped-def]
    """l of each byte."""
    table = np.empty(256, np.float64)
    for value in range(256):
        table[value] = log_intensity(np.float32(value), False)
    return table


@jit
def _see(frame, is_bytes, table, duration_s, tau_s, is_log, seen):  # type: ignore[no-untyped-def]
    for pixel in range(len(frame)):
        value = frame[pixel]
        log = table[np.int64(value)] if is_bytes else np.float64(log_intensity(value, is_log))
        if tau_s > 0.0:
            eps = min(relative_intensity(value, is_log) * duration_s / tau_s, 1.0)
            log = (1.0 - eps) * seen[pixel] + eps * log
        seen[pixel] = log


@jit
def _leak(sensor, keys, duration_s, memorised):  # type: ignore[no-untyped-def]
    leak_hz, jitter, has_cutoff = sensor.leak_hz, sensor.jitter, sensor.tau_s > 0.0
    for pixel in range(len(memorised)):
        n = normal(pixel_bits(pixel, keys[0], keys[1]))
        level = memorised[pixel] - np.float32(duration_s * leak_hz[pixel] * (1.0 - jitter * n))
        memorised[pixel] = level if has_cutoff else np.float64(np.float32(level))


@jit
def _wobble(sensor, keys, duration_s, wobble):  # type: ignore[no-untyped-def]
    """White noise, low-passed with eps = dt / tau so that the rms V is left."""
    eps = min(duration_s / sensor.tau_s, 1.0)
    white = sensor.rms * math.sqrt((2.0 - eps) / eps)
    for pixel in range(len(wobble)):
        n = normal(pixel_bits(pixel, keys[0], keys[1]))
        wobble[pixel] = (1.0 - eps) * wobble[pixel] + eps * white * n


@jit
def _subtract(seen, wobble, memorised, difference):  # type: ignore[no-untyped-def]
    for pixel in range(len(seen)):
        difference[pixel] = np.float32(seen[pixel] + wobble[pixel] - memorised[pixel])


@jit
def _passed(difference, theta_on, theta_off, active, numbers):  # type: ignore[no-untyped-def]
    """Lists the pixels that have passed thresholds, with their numbers, below 0 for OFF.

    Returns:
        how many pixels, and the greatest number.
    """
    num_active, most = 0, np.int64(0)
    for pixel in range(len(difference)):
        d = difference[pixel]
        if d >= theta_on[pixel] or -d >= theta_off[pixel]:
            # The quotient in float64: in float32 one just below a whole number would round up to it.
            wide = np.float64(d)
            number = np.int64(np.floor(wide / theta_on[pixel] if d > 0 else -wide / theta_off[pixel]))
            active[num_active], numbers[num_active] = pixel, number if d > 0 else -number
            num_active, most = num_active + 1, max(most, number)
    return num_active, most


@jit
def _noise(shot, frame, index, duration_s, noise):  # type: ignore[no-untyped-def]
    """The noise events of a whole frame by rising pixel: as `noise_events`, but with pixels counted in the frame."""
    count = np.int64(0)
    if shot.half_rate_hz > 0.0:
        found = np.empty((64, 3), np.float64)
        for start in range(0, len(frame), STRIP):
            found, num_found = noise_events(shot, frame[start : start + STRIP], index, start, duration_s, found)
            if count + num_found > len(noise):
                larger = np.empty((2 * (count + num_found), 3), np.float64)
                for row in range(count):
                    for column in range(3):
                        larger[row, column] = noise[row, column]
                noise = larger
            for row in range(num_found):
                noise[count, 0] = start + found[row, 0]
                noise[count, 1], noise[count, 2] = found[row, 1], found[row, 2]
                count += 1
    return noise, count


@jit
def _emit(events, count, pixel, number, span, sensor, state):  # type: ignore[no-untyped-def]
    """The events of a pixel on the grid common to all, but those in its dead time; M moves by them."""
    start_us, end_us, origin_us, num_steps = span
    rho, place, num_left = np.float32(sensor.refractory_us * 1e-6), place_of(pixel, sensor.width), 0
    step_us = (end_us - start_us) / num_steps
    is_dead_long = np.float64(rho) > step_us * 1e-6
    for j in range(1, abs(number) + 1):
        if is_dead_long:
            time_s = np.float32((start_us + j * step_us) * 1e-6)
            if time_s - state.last_s[pixel] <= rho:
                continue
            state.last_s[pixel] = time_s
        # The start belongs to the interval before.
        t_us = start_us + max(np.int64(np.rint(j / num_steps * (end_us - start_us))), 1)
        count = put(events, count, origin_us + t_us, place, number > 0)
        num_left += 1
    theta = sensor.theta_on[pixel] if number > 0 else -sensor.theta_off[pixel]
    level = state.memorised[pixel] + np.float32(num_left * np.float64(theta))
    state.memorised[pixel] = level if sensor.tau_s > 0.0 else np.float64(np.float32(level))
    return count
