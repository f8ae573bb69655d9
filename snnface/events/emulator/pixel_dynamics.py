"""Pixels with bandwidth limit, leak, noise and dead time, in this project's own timing.

What happens in every pixel with every frame is done strip by strip, in `strip_passes`.
Only pixels that may have events are then visited one by one. `Emulator` states the model.
"""

from typing import NamedTuple

import numpy as np

from snnface.events.emulator.config import EmulatorConfig
from snnface.events.emulator.event_buffer import buffer, place_of, sorted_columns, with_room
from snnface.events.emulator.interval_events import interval_events, most_events
from snnface.events.emulator.log_intensity import quick_log_intensity
from snnface.events.emulator.pixel_mismatch import PixelMismatch
from snnface.events.emulator.random_bits import frame_keys
from snnface.events.emulator.sensor import sensor_of
from snnface.events.emulator.shot_noise import STRIP, noise_events, relative_intensity, shot_noise
from snnface.events.emulator.strip_passes import (
    byte_decays,
    bytes_followed,
    copied,
    decays,
    differs,
    leaked,
    marked,
    normals,
    settled,
    values_followed,
    wobbled,
)
from snnface.jit import jit
from snnface.seeding import SeedTree

__all__ = ["DynamicPixels"]

# Frames that a strip is followed through before the next: what it needs stays near the processor.
FRAMES_AT_ONCE = 8


class _State(NamedTuple):
    """What pixels remember; all arrays [P], pixels counted row by row.

    Attributes:
        log: float32, l of the last frame.
        lag, offset: float32, float64, see `strip_passes`.
        wobble: float32, the photoreceptor's noise on L.
        is_dead: uint8; alive_us: int64, when the dead time of such a pixel ends.
        marks: uint8 [STRIP], scratch; words: the same memory, 8 pixels at a time. They are made here because
            numba takes seconds to compile such a view.
    """

    log: np.ndarray
    lag: np.ndarray
    offset: np.ndarray
    wobble: np.ndarray
    is_dead: np.ndarray
    alive_us: np.ndarray
    marks: np.ndarray
    words: np.ndarray


class _Frames(NamedTuple):
    """Frames of pixels counted row by row, in one of two arrays; the other is [T, 0], so that loops compile once.

    Attributes:
        bytes: uint8 [T, P]; values: float32 [T, P].
    """

    bytes: np.ndarray
    values: np.ndarray


class _Steps(NamedTuple):
    """The intervals of one piece of frames.

    Attributes:
        t_us: int64 [T + 1], the ends of the intervals, the start of the first before them.
        first_index: index of the first frame in the whole sequence.
        is_bytes: whether the frames are uint8.
        kinds: int64 [T], which of the different durations an interval has.
        logs: float32 [256], l of each byte.
        decays: float32 [K, 256], the decay of the lag for each duration and byte.
    """

    t_us: np.ndarray
    first_index: int
    is_bytes: bool
    kinds: np.ndarray
    logs: np.ndarray
    decays: np.ndarray


class _Strip(NamedTuple):
    """A strip of S pixels while it is followed; arrays [2, S] hold it before and after an interval, by turns.

    Attributes:
        wobble: zero without noise of the photoreceptor.
        decay, values: of the frame that was followed last; values, float32 [S], of bytes only.
        marks, words: those of the state; pixels to look at.
        normals: float32 [S], random numbers; zero where none are drawn.
    """

    lag: np.ndarray
    offset: np.ndarray
    wobble: np.ndarray
    decay: np.ndarray
    values: np.ndarray
    normals: np.ndarray
    marks: np.ndarray
    words: np.ndarray


class DynamicPixels:
    """The state of such pixels between two pieces of frames."""

    def __init__(self, config: EmulatorConfig, mismatch: PixelMismatch, *, seed: int) -> None:
        size, marks = mismatch.theta_on.size, np.zeros(STRIP, np.uint8)
        self._shot = shot_noise(config, mismatch, seed=SeedTree(seed).seed("shot"))
        self._sensor = sensor_of(config, mismatch, seed=seed)
        self._state = _State(
            log=np.zeros(size, np.float32),
            lag=np.zeros(size, np.float32),
            offset=np.zeros(size, np.float64),
            wobble=np.zeros(size, np.float32),
            is_dead=np.zeros(size, np.uint8),
            alive_us=np.zeros(size, np.int64),
            marks=marks,
            words=marks.view(np.uint64),
        )

    def start(self, frame: np.ndarray, t_us: int) -> None:
        """Rest at a [H, W] frame. Noise goes on, and so does a dead time."""
        self._frame = frame.flatten()
        self._state.log[:] = _quick_logs(self._frame.astype(np.float32), self._sensor.is_log)
        self._state.lag[:] = 0
        self._state.offset[:] = 0

    def advance(
        self, frames: np.ndarray, t_us: np.ndarray, start_us: int, index: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Columns x, y, t_us, polarity of the events of the intervals that end at these [T, H, W] frames.

        Args:
            start_us: the time of the frame before.
            index: of the first of these frames in the whole sequence.
        """
        flat = frames.reshape(len(frames), -1)
        if flat.dtype != self._frame.dtype:
            flat, self._frame = flat.astype(np.float32), self._frame.astype(np.float32)
        ends_us = np.concatenate([[start_us], t_us])
        durations, kinds = np.unique(np.diff(ends_us), return_inverse=True)
        every_byte = np.arange(256, dtype=np.float32)
        steps = _Steps(
            t_us=ends_us,
            first_index=index,
            is_bytes=flat.dtype == np.uint8,
            kinds=kinds,
            logs=_quick_logs(every_byte, False),
            decays=_decay_tables(every_byte, durations * 1e-6, self._sensor.tau_s),
        )
        parts = steps, self._sensor, self._shot, self._state
        columns = _events(_frames(flat), _frames(self._frame[None]), *parts)
        self._frame = flat[-1].copy()
        return columns


def _frames(flat: np.ndarray) -> _Frames:
    if flat.dtype == np.uint8:
        return _Frames(bytes=flat, values=np.empty((len(flat), 0), np.float32))
    return _Frames(bytes=np.empty((len(flat), 0), np.uint8), values=flat)


@jit
def _events(frames, last, steps, sensor, shot, state):  # type: ignore[no-untyped-def]
    """Events in the order of time; updates `state` in place."""
    num_frames, num_pixels = len(steps.kinds), len(state.log)
    events, count, noise = buffer(), np.int64(0), np.empty((64, 3), np.float64)
    for piece in range(0, num_frames, FRAMES_AT_ONCE):
        end = min(piece + FRAMES_AT_ONCE, num_frames)
        for start in range(0, num_pixels, STRIP):
            part = slice(start, min(start + STRIP, num_pixels))
            strip, now, after = _strip(part.stop - start, state), piece % 2, end % 2
            copied(state.lag[part], strip.lag[now])
            copied(state.offset[part], strip.offset[now])
            if sensor.rms > 0.0:
                copied(state.wobble[part], strip.wobble[now])
            for k in range(piece, end):
                before, row = (last, np.int64(0)) if k == 0 else (frames, k - 1)
                _advance(frames, before, row, part, k, k == piece, steps, sensor, state, strip)
                frame = strip.values if steps.is_bytes else frames.values[k, part]
                noise, num_noise = _marked_noise(frame, part, k, steps, shot, strip, noise)
                events, count = _visits(events, count, frame, start, k, steps, sensor, state, strip, noise, num_noise)
            copied(strip.lag[after], state.lag[part])
            copied(strip.offset[after], state.offset[part])
            if sensor.rms > 0.0:
                copied(strip.wobble[after], state.wobble[part])
    return sorted_columns(events[:count])


@jit
def _strip(size, state):  # type: ignore[no-untyped-def]
    state.marks[:] = 0
    return _Strip(
        np.empty((2, size), np.float32),
        np.empty((2, size), np.float64),
        np.zeros((2, size), np.float32),
        np.empty(size, np.float32),
        np.empty(size, np.float32),
        np.zeros(size, np.float32),
        state.marks,
        state.words,
    )


@jit
def _advance(frames, earlier, row, part, k, is_first, steps, sensor, state, strip):  # type: ignore[no-untyped-def]
    """All that happens in every pixel of a strip, whether it has events or not; marks those that may have.

    Args:
        earlier, row: where the frame before the k-th lies.
        is_first: whether this is the strip's first frame since it was taken up.
    """
    now, after, duration_s = k % 2, 1 - k % 2, (steps.t_us[k + 1] - steps.t_us[k]) * 1e-6
    lag, offset, wobble = strip.lag[now], strip.offset[now], strip.wobble[now]
    is_new = is_first or steps.kinds[k] != steps.kinds[k - 1]
    if steps.is_bytes:
        frame, table = frames.bytes[k, part], steps.decays[steps.kinds[k]]
        before = earlier.bytes[row, part]
        log, marks, words = state.log[part], strip.marks, strip.words
        bytes_followed(frame, before, steps.logs, log, lag, offset, table, strip.decay, strip.values, marks, words)
        if is_new:
            byte_decays(frame, table, strip.decay, strip.values)
    else:
        frame, before = frames.values[k, part], earlier.values[row, part]
        has_changed = differs(frame, before)
        if has_changed:
            values_followed(frame, state.log[part], lag, offset, sensor.is_log)
        if is_new or has_changed:
            decays(frame, duration_s, sensor.tau_s, sensor.is_log, strip.decay)
    settled(lag, strip.decay, strip.lag[after])
    if sensor.has_leak:
        if sensor.jitter > 0:
            normals(part.start, frame_keys(sensor.leak_seed, steps.first_index + k), strip.normals)
        leak_hz, dt_s, jitter = sensor.leak_hz[part], np.float32(duration_s), np.float32(sensor.jitter)
        leaked(offset, leak_hz, dt_s, jitter, strip.normals, strip.offset[after])
    else:
        copied(offset, strip.offset[after])
    if sensor.rms > 0.0:
        normals(part.start, frame_keys(sensor.wobble_seed, steps.first_index + k), strip.normals)
        wobbled(wobble, duration_s / sensor.tau_s, sensor.rms, strip.normals, strip.wobble[after])
    thetas = sensor.theta_on[part], sensor.theta_off[part]
    marked(strip.lag[after], strip.offset[after], strip.wobble[after], *thetas, state.is_dead[part], strip.marks)


@jit
def _marked_noise(frame, part, k, steps, shot, strip, noise):  # type: ignore[no-untyped-def]
    """The noise events in this strip; marks their pixels too."""
    duration_s = (steps.t_us[k + 1] - steps.t_us[k]) * 1e-6
    noise, num_noise = noise_events(shot, frame, steps.first_index + k, part.start, duration_s, noise)
    for i in range(num_noise):
        strip.marks[np.int64(noise[i, 0])] = 1
    return noise, num_noise


@jit
def _visits(events, count, frame, start, k, steps, sensor, state, strip, noise, num_noise):  # type: ignore[no-untyped-def]
    """The events of the marked pixels of a strip, and what they leave of their states."""
    # Taken out of their tuples once: handing those on for each pixel would cost more than the rest.
    marks, words, offset, alive_us = strip.marks, strip.words, strip.offset, state.alive_us
    lag, wobble, is_dead, theta_on, theta_off = (
        strip.lag,
        strip.wobble,
        state.is_dead,
        sensor.theta_on,
        sensor.theta_off,
    )
    size, i, now, after = lag.shape[1], np.int64(0), k % 2, 1 - k % 2
    begin_us, duration = steps.t_us[k], steps.t_us[k + 1] - steps.t_us[k]
    # Of a white pixel.
    num_constants = duration * 1e-6 / sensor.tau_s if sensor.tau_s > 0.0 else 0.0
    for word in range(len(words)):
        if words[word] == 0:
            continue
        for c in range(8 * word, min(8 * word + 8, size)):
            if marks[c] == 0:
                continue
            end, pixel = i, start + c
            while end < num_noise and noise[end, 0] == c:
                end += 1
            first = offset[now, c] + np.float64(lag[now, c] + wobble[now, c])
            last = offset[after, c] + np.float64(lag[after, c] + wobble[after, c])
            constants = num_constants * relative_intensity(frame[c], sensor.is_log) if num_constants > 0.0 else 0.0
            path = first, last, constants
            thetas, place = (theta_on[pixel], theta_off[pixel]), place_of(pixel, sensor.width)
            most = count + most_events(path, thetas, end - i)
            if most > len(events):
                events = with_room(events, most)
            was_dead = is_dead[pixel] != 0
            alive = alive_us[pixel] if was_dead else begin_us - 1
            count, removed, dead, alive = interval_events(
                events, count, place, path, thetas, (begin_us, duration), alive, sensor.refractory_us, noise, i, end
            )
            if dead or was_dead:
                is_dead[pixel], alive_us[pixel] = dead, alive
            offset[after, c] -= removed
            i = end
    return events, count


@jit
def _quick_logs(values, is_log):  # type: ignore[no-untyped-def]
    """l of values of any type, float32."""
    result = np.empty(len(values), np.float32)
    for index in range(len(values)):
        value = np.float32(values[index])
        result[index] = value if is_log else quick_log_intensity(value)
    return result


@jit
def _decay_tables(values, durations_s, tau_s):  # type: ignore[no-untyped-def]
    """`decays` for each duration: float32 [K, number of values]."""
    result = np.empty((len(durations_s), len(values)), np.float32)
    for kind in range(len(durations_s)):
        decays(values, durations_s[kind], tau_s, False, result[kind])
    return result
