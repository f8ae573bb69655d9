"""The compiled loops of the emulator: lin-log mapping, change detection, event times.

`Emulator` states the model. Arithmetic that decides counts is float32, as in v2e, and
times are float64 until they are rounded to microseconds.
"""

import math

import numpy as np

from snnface.events.emulator import MAX_LUMINANCE
from snnface.jit import jit

__all__ = ["change_events", "log_intensity", "quiet_band"]

# Source: Hu, Liu and Delbruck 2021, arXiv:2006.07722, sec. 4: linear below 20 DN.
KNEE = 20.0
SLOPE = math.log(KNEE) / KNEE
DECIMALS = 1e8

# float32 rounding of l, M and D moves a threshold by less than this part of their sizes.
MARGIN = 1e-6
# Up to this length in microseconds an interval is sorted by counting, one bin a microsecond.
MAX_BINS = 1 << 20


@jit
def change_events(frames, t_us, last, start_us, level, low, high, theta_on, theta_off, is_grid, is_log):  # type: ignore[no-untyped-def]
    """Events of the intervals that end at `frames`; updates `level`, `low` and `high` in place.

    Args:
        frames: [T, H, W], any real type.
        t_us: [T], the end of each interval.
        last: float32 [H, W], the frame before the first.
        start_us: its time.
        level: float32 [H, W], the memorised level M.
        low, high: float32 [H, W], see `quiet_band`.
        theta_on, theta_off: float32.

    Returns:
        x, y, t_us, polarity of the events, and the index of the first frame with a value
        that is no luminance (then the rest is void), or -1.
    """
    height, width = level.shape
    x, y = np.empty(1024, np.uint16), np.empty(1024, np.uint16)
    time, polarity = np.empty(1024, np.int64), np.empty(1024, np.bool_)
    # The pixels with events in one interval: place, signed number of events, and three
    # logs: M, l of the frame before, l of this frame.
    rows, columns = np.empty(height * width, np.uint16), np.empty(height * width, np.uint16)
    counts, logs = np.empty(height * width, np.int64), np.empty((height * width, 3), np.float32)
    n = 0
    for k in range(len(frames)):
        num_active = _changed_pixels(
            frames, k, last, level, low, high, rows, columns, counts, logs, theta_on, theta_off, is_log
        )
        if num_active < 0:
            return x[:0], y[:0], time[:0], polarity[:0], k
        if num_active > 0:
            numbers = np.abs(counts[:num_active])
            end = n + numbers.sum()
            if end > len(x):
                x, y, time, polarity = _grown(x, end), _grown(y, end), _grown(time, end), _grown(polarity, end)
            duration = t_us[k] - start_us
            num_steps = numbers.max() if is_grid else 0
            sources, offsets = _offsets(counts[:num_active], logs, end - n, duration, num_steps, theta_on, theta_off)
            places = _places(offsets, duration)
            for event in range(len(places)):
                source, place = sources[event], n + places[event]
                x[place], y[place] = columns[source], rows[source]
                time[place] = start_us + offsets[event]
                polarity[place] = counts[source] > 0
            n = end
        start_us = t_us[k]
    return x[:n].copy(), y[:n].copy(), time[:n].copy(), polarity[:n].copy(), -1


@jit
def log_intensity(frame, is_log):  # type: ignore[no-untyped-def]
    """The lin-log mapping of a float32 [H, W] frame; a log frame is handed on."""
    result = np.empty_like(frame)
    for r in range(frame.shape[0]):
        for c in range(frame.shape[1]):
            result[r, c] = _log(frame[r, c], is_log)
    return result


@jit
def quiet_band(level, theta_on, theta_off, is_log):  # type: ignore[no-untyped-def]
    """Luminances low, high [H, W] between which a pixel at rest at `level` surely gives no event.

    Most pixels of most frames stay inside, and are passed without taking a logarithm.
    """
    low, high = np.empty_like(level), np.empty_like(level)
    for r in range(level.shape[0]):
        for c in range(level.shape[1]):
            low[r, c], high[r, c] = _band(level[r, c], theta_on, theta_off, is_log)
    return low, high


@jit
def _changed_pixels(frames, k, last, level, low, high, rows, columns, counts, logs, theta_on, theta_off, is_log):  # type: ignore[no-untyped-def]
    """One visit to each pixel: lists those with events, and moves their level and band.

    Returns:
        how many there are, or -1 if a value is no luminance.
    """
    num_active = 0
    for r in range(level.shape[0]):
        for c in range(level.shape[1]):
            value = np.float32(frames[k, r, c])
            if low[r, c] < value < high[r, c]:
                continue
            if not _is_valid(value, is_log):
                return -1
            now, before = _log(value, is_log), level[r, c]
            count, level[r, c] = _step(now, before, theta_on, theta_off)
            if count != 0:
                low[r, c], high[r, c] = _band(level[r, c], theta_on, theta_off, is_log)
                previous = last[r, c] if k == 0 else np.float32(frames[k - 1, r, c])
                rows[num_active], columns[num_active], counts[num_active] = r, c, count
                logs[num_active, 0], logs[num_active, 1], logs[num_active, 2] = before, _log(previous, is_log), now
                num_active += 1
    return num_active


@jit
def _is_valid(value, is_log):  # type: ignore[no-untyped-def]
    return np.isfinite(value) if is_log else 0.0 <= value < MAX_LUMINANCE


@jit
def _log(value, is_log):  # type: ignore[no-untyped-def]
    if is_log:
        return np.float32(value)
    wide = np.float64(value)
    log = math.log(wide) if wide > KNEE else wide * SLOPE
    return np.float32(np.rint(log * DECIMALS) / DECIMALS)


@jit
def _step(now, level, theta_on, theta_off):  # type: ignore[no-untyped-def]
    """Signed number of events and the new level.

    Difference and level round to float32; the quotient does not, because a float32
    quotient just below a whole number would round up to it. In float64 it is exact enough.
    """
    difference = np.float32(now - level)
    if difference >= theta_on:
        count = np.floor(np.float64(difference) / theta_on)
        return np.int64(count), np.float32(level + np.float32(count * theta_on))
    if -difference >= theta_off:
        count = np.floor(np.float64(-difference) / theta_off)
        return -np.int64(count), np.float32(level - np.float32(count * theta_off))
    return np.int64(0), level


@jit
def _band(level, theta_on, theta_off, is_log):  # type: ignore[no-untyped-def]
    """Where rounding left a whole threshold to the level, the pixel's own value lies outside."""
    wide = np.float64(level)
    lowest = wide - theta_off + MARGIN * (1.0 + abs(wide) + theta_off)
    highest = wide + theta_on - MARGIN * (1.0 + abs(wide) + theta_on)
    if is_log:
        return np.float32(lowest), np.float32(highest)
    # Values that are no luminance lie outside every band, so that they are noticed.
    return np.float32(max(_luminance(lowest), -1e-30)), np.float32(min(_luminance(highest), MAX_LUMINANCE))


@jit
def _luminance(log):  # type: ignore[no-untyped-def]
    return log / SLOPE if log <= KNEE * SLOPE else math.exp(log)


@jit
def _grown(column, size):  # type: ignore[no-untyped-def]
    larger = np.empty(2 * size, column.dtype)
    larger[: len(column)] = column
    return larger


@jit
def _offsets(counts, logs, total, duration, num_steps, theta_on, theta_off):  # type: ignore[no-untyped-def]
    """For each event its pixel (a place in `counts`) and its time in the interval, 1 .. duration.

    Args:
        num_steps: N of the common grid; 0 for crossing times.
    """
    sources, offsets = np.empty(total, np.int64), np.empty(total, np.int64)
    event = 0
    for source in range(len(counts)):
        theta = np.float64(theta_on) if counts[source] > 0 else -np.float64(theta_off)
        level, first, last = np.float64(logs[source, 0]), np.float64(logs[source, 1]), np.float64(logs[source, 2])
        for j in range(1, abs(counts[source]) + 1):
            if num_steps > 0:
                part = j / num_steps
            else:
                part = (level + j * theta - first) / (last - first) if last != first else 0.0
            sources[event] = source
            offsets[event] = np.int64(np.rint(min(max(part, 0.0), 1.0) * duration))
            # The start belongs to the interval before.
            offsets[event] = max(offsets[event], 1)
            event += 1
    return sources, offsets


@jit
def _places(offsets, duration):  # type: ignore[no-untyped-def]
    """Where each event goes when they are ordered by time, equal times in the order they have."""
    places = np.empty(len(offsets), np.int64)
    if duration > MAX_BINS:
        order = np.argsort(offsets, kind="mergesort")
        for place in range(len(order)):
            places[order[place]] = place
        return places
    starts = np.zeros(duration + 2, np.int64)
    for offset in offsets:
        starts[offset + 1] += 1
    for bin_index in range(1, duration + 2):
        starts[bin_index] += starts[bin_index - 1]
    for event in range(len(offsets)):
        places[event] = starts[offsets[event]]
        starts[offsets[event]] += 1
    return places
