"""Pixels that react to nothing but a change of their input: no bandwidth limit, leak, noise or dead time.

`Emulator` states the model. Arithmetic that decides counts is float32, as in v2e, and
times are float64 until they are rounded to microseconds.
"""

import numpy as np

from snnface.events.emulator.config import EmulatorConfig
from snnface.events.emulator.event_buffer import buffer, place_of, put, sorted_columns, with_room
from snnface.events.emulator.log_intensity import MAX_LUMINANCE, log_intensities, log_intensity, luminance
from snnface.events.emulator.pixel_mismatch import PixelMismatch
from snnface.jit import jit

__all__ = ["StillPixels"]

# float32 rounding of l, M and D moves a threshold by less than this part of their sizes.
MARGIN = 1e-6
# Pixels that are handled together, and for how many frames: what they need stays near the processor.
STRIP, FRAMES_AT_ONCE = 1024, 8


class StillPixels:
    """The state of such pixels between two pieces of frames.

    Most pixels of most frames stay within a band of luminance in which they surely give
    no event, and are passed without taking a logarithm.
    """

    def __init__(self, config: EmulatorConfig, mismatch: PixelMismatch) -> None:
        self._is_log = config.input == "log"
        self._thetas = mismatch.theta_on.ravel(), mismatch.theta_off.ravel()
        self._marks = np.zeros(STRIP, np.uint8)

    def start(self, frame: np.ndarray, t_us: int) -> None:
        """Rest at a [H, W] frame."""
        self._frame = frame.ravel().astype(np.float32)
        self._level = log_intensities(self._frame, self._is_log)
        self._low, self._high = _quiet_bands(self._level, *self._thetas, self._is_log)

    def advance(
        self, frames: np.ndarray, t_us: np.ndarray, start_us: int, index: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Columns x, y, t_us, polarity of the events of the intervals that end at these [T, H, W] frames.

        Args:
            start_us: the time of the frame before.
            index: of the first frame in the sequence; decides nothing here.
        """
        flat, ends_us = frames.reshape(len(frames), -1), np.concatenate([[start_us], t_us])
        columns = _change_events(
            *(flat, frames.shape[2], ends_us, self._frame, self._level, self._low, self._high),
            *(*self._thetas, self._is_log, self._marks, self._marks.view(np.uint64)),
        )
        self._frame = flat[-1].astype(np.float32)
        return columns


@jit
def _change_events(  # type: ignore[no-untyped-def]
    frames, width, t_us, last, level, low, high, theta_on, theta_off, is_log, marks, words
):
    """Events in the order of time; updates `level`, `low` and `high` in place.

    Args:
        frames: [T, P], pixels counted row by row.
        t_us: [T + 1], the ends of the intervals, the start of the first before them.
        last: [P], the frame before the first. It and the arrays up to `theta_off` are float32.
        marks, words: scratch, uint8 [STRIP], and the same memory, 8 pixels at a time.
    """
    events, count, num_pixels = buffer(), np.int64(0), len(level)
    for piece in range(0, len(frames), FRAMES_AT_ONCE):
        for start in range(0, num_pixels, STRIP):
            stop = min(start + STRIP, num_pixels)
            marks[:] = 0
            for k in range(piece, min(piece + FRAMES_AT_ONCE, len(frames))):
                _mark_loud(frames[k, start:stop], low[start:stop], high[start:stop], marks)
                for word in range(len(words)):
                    if words[word] == 0:
                        continue
                    for pixel in range(start + 8 * word, min(start + 8 * word + 8, stop)):
                        if marks[pixel - start] == 0:
                            continue
                        thetas = theta_on[pixel], theta_off[pixel]
                        now, before = log_intensity(np.float32(frames[k, pixel]), is_log), level[pixel]
                        number, level[pixel] = _step(now, before, *thetas)
                        if number != 0:
                            low[pixel], high[pixel] = _band(level[pixel], *thetas, is_log)
                            previous = last[pixel] if k == 0 else np.float32(frames[k - 1, pixel])
                            line = np.float64(log_intensity(previous, is_log)), np.float64(now)
                            theta = np.float64(thetas[0]) if number > 0 else -np.float64(thetas[1])
                            events, count = _put_crossings(
                                *(events, count, place_of(pixel, width), number, np.float64(before), theta),
                                *(line, (t_us[k], t_us[k + 1])),
                            )
    return sorted_columns(events[:count])


@jit
def _mark_loud(values, low, high, marks):  # type: ignore[no-untyped-def]
    for c in range(len(values)):
        value = np.float32(values[c])
        marks[c] = (value <= low[c]) | (value >= high[c])


@jit
def _put_crossings(events, count, place, number, level, theta, line, span):  # type: ignore[no-untyped-def]
    """Event j where the line between the logs of two frames passes level + j theta."""
    (first, last), (start_us, end_us) = line, span
    events = with_room(events, count + abs(number))
    for j in range(1, abs(number) + 1):
        part = (level + j * theta - first) / (last - first) if last != first else 0.0
        offset = np.int64(np.rint(min(max(part, 0.0), 1.0) * (end_us - start_us)))
        # The start belongs to the interval before.
        count = put(events, count, start_us + max(offset, 1), place, number > 0)
    return events, count


@jit
def _quiet_bands(level, theta_on, theta_off, is_log):  # type: ignore[no-untyped-def]
    """Luminances low, high between which a pixel at rest at `level` surely gives no event."""
    low, high = np.empty_like(level), np.empty_like(level)
    for pixel in range(len(level)):
        low[pixel], high[pixel] = _band(level[pixel], theta_on[pixel], theta_off[pixel], is_log)
    return low, high


@jit
def _band(level, theta_on, theta_off, is_log):  # type: ignore[no-untyped-def]
    """Where rounding left a whole threshold to the level, the pixel's own value lies outside."""
    wide = np.float64(level)
    lowest = wide - theta_off + MARGIN * (1.0 + abs(wide) + theta_off)
    highest = wide + theta_on - MARGIN * (1.0 + abs(wide) + theta_on)
    if is_log:
        return np.float32(lowest), np.float32(highest)
    return np.float32(luminance(lowest)), np.float32(min(luminance(highest), MAX_LUMINANCE))


@jit
def _step(now, level, theta_on, theta_off):  # type: ignore[no-untyped-def]
    """Signed number of events and the new level.

    Difference and level round to float32; the quotient does not, because a float32
    quotient just below a whole number would round up to it. In float64 it is exact enough.
    """
    difference = np.float32(now - level)
    if difference >= theta_on:
        number = np.floor(np.float64(difference) / theta_on)
        return np.int64(number), np.float32(level + np.float32(number * theta_on))
    if -difference >= theta_off:
        number = np.floor(np.float64(-difference) / theta_off)
        return -np.int64(number), np.float32(level - np.float32(number * theta_off))
    return np.int64(0), level
