"""The events of one pixel in one frame interval: when its level passes thresholds, and its dead time.

Inside an interval the difference D = L - M goes from `first` to `last` along

    D(s) = first + (last - first) shape(s),      s in [0, 1],
    shape(s) = (1 - exp(-x s)) / (1 - exp(-x)) with a bandwidth limit,  s without one

x being the interval in time constants of the pixel; leak and noise of the photoreceptor, which
are small, are spread over the interval in the same shape. What events and resets take from D
is kept apart, and is subtracted at the interval's end.
"""

import math

import numpy as np

from snnface.events.emulator.event_buffer import put
from snnface.jit import jit

__all__ = ["interval_events", "most_events"]


@jit
def interval_events(events, count, place, path, thetas, span, alive_us, refractory_us, noise, i, stop):  # type: ignore[no-untyped-def]
    """Adds the events of a pixel to a buffer with room for `most_events`, in the order of their times.

    Signal events come where D passes whole thresholds. A noise event resets D to 0. After
    any event a dead time, if there is one, starts, and D is reset to 0 at its end.

    Args:
        place: of the pixel, see `place_of`.
        path: first, last, x (0 for a straight line).
        thetas: of ON and OFF.
        span: start in microseconds and duration.
        alive_us: the time at which a dead time ends; before the start if the pixel is not dead.
        noise: the noise events of the strip, those of this pixel from index i up to `stop`.

    Returns:
        count, how much was taken from D, whether the pixel is dead at the end, and until when.
    """
    begin_us, duration = span
    removed, part, earliest = 0.0, 0.0, np.int64(1)
    if alive_us >= begin_us:
        if alive_us - begin_us > duration:
            return count, 0.0, True, alive_us
        part, earliest = (alive_us - begin_us) / duration, max(alive_us - begin_us, np.int64(1))
        removed = _level(path, part)
    while True:
        while i < stop and noise[i, 1] < part:
            i += 1
        limit = noise[i, 1] if i < stop else 1.0
        rest = _level(path, limit) - removed
        theta = np.float64(thetas[0]) if rest > 0 else -np.float64(thetas[1])
        number = np.int64(np.floor(rest / theta))
        if refractory_us > 0 and number > 1:
            number = np.int64(1)
        for j in range(1, number + 1):
            offset = np.int64(np.rint(_part(path, removed + j * theta) * duration))
            earliest = max(offset, earliest)
            count = put(events, count, begin_us + earliest, place, rest > 0)
        removed += number * theta
        if number == 0 or refractory_us == 0:
            if i == stop:
                return count, removed, False, begin_us - 1
            earliest = max(np.int64(limit * duration) + np.int64(1), earliest)
            count = put(events, count, begin_us + earliest, place, noise[i, 2] > 0)
            part, removed = limit, _level(path, limit)
            i += 1
        if refractory_us > 0:
            if earliest + refractory_us > duration:
                return count, removed, True, begin_us + earliest + refractory_us
            earliest += refractory_us
            part = earliest / duration
            removed = _level(path, part)


@jit
def most_events(path, thetas, num_noise):  # type: ignore[no-untyped-def]
    """A bound on the events of a pixel in an interval with so many noise events."""
    first, last, _ = path
    way = abs(first) + abs(last - first)
    return np.int64(way / min(np.float64(thetas[0]), np.float64(thetas[1]))) + 2 * num_noise + 2


@jit
def _level(path, part):  # type: ignore[no-untyped-def]
    """D at a part of the interval."""
    first, last, x = path
    if part >= 1.0:
        return last
    shape = (1.0 - math.exp(-x * part)) / (1.0 - math.exp(-x)) if x > 0.0 else part
    return first + (last - first) * shape


@jit
def _part(path, level):  # type: ignore[no-untyped-def]
    """The part of the interval at which D passes a level; the start if it is passed already."""
    first, last, x = path
    if first == last:
        return 0.0
    shape = min(max((level - first) / (last - first), 0.0), 1.0)
    return -math.log(1.0 - shape * (1.0 - math.exp(-x))) / x if x > 0.0 and shape < 1.0 else shape
