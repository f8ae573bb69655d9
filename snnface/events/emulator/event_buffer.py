"""Events as the compiled loops collect them, in any order, and the sorted columns made of them.

A buffer is int64 [capacity, 2]: the time in microseconds, and the place as
`row << 17 | column << 1 | polarity`.
"""

import numpy as np

from snnface.jit import jit

__all__ = ["buffer", "place_of", "put", "sorted_columns", "with_room"]

DIGIT_BITS = 11


@jit
def buffer():  # type: ignore[no-untyped-def]
    """An empty one; it grows on use."""
    return np.empty((1024, 2), np.int64)


@jit
def place_of(pixel, width):  # type: ignore[no-untyped-def]
    """The place of a pixel counted row by row."""
    return (np.int64(pixel // width) << 17) | (np.int64(pixel % width) << 1)


@jit
def with_room(events, size):  # type: ignore[no-untyped-def]
    """The same events in a buffer of at least `size`."""
    if size <= len(events):
        return events
    larger = np.empty((2 * size, 2), np.int64)
    for index in range(len(events)):
        larger[index, 0], larger[index, 1] = events[index, 0], events[index, 1]
    return larger


@jit
def put(events, count, t_us, place, is_on):  # type: ignore[no-untyped-def]
    """Add one event where there is room; the new number of events."""
    events[count, 0], events[count, 1] = t_us, place | np.int64(is_on)
    return count + 1


@jit
def sorted_columns(events):  # type: ignore[no-untyped-def]
    """Columns x, y, t_us, polarity in the order of time; equal times stay in the order they have."""
    ordered = _by_time(events)
    count = len(ordered)
    x, y = np.empty(count, np.uint16), np.empty(count, np.uint16)
    t_us, polarity = np.empty(count, np.int64), np.empty(count, np.bool_)
    for index in range(count):
        t_us[index], place = ordered[index, 0], ordered[index, 1]
        x[index], y[index], polarity[index] = (place >> 1) & 0xFFFF, place >> 17, (place & 1) == 1
    return x, y, t_us, polarity


@jit
def _by_time(events):  # type: ignore[no-untyped-def]
    """Sorted digit by digit, lowest first: each pass keeps the order of the pass before where digits are equal."""
    if len(events) < 2:
        return events
    first, last, other = events[0, 0], events[0, 0], np.empty_like(events)
    for index in range(len(events)):
        first, last = min(first, events[index, 0]), max(last, events[index, 0])
    span, shift = last - first, 0
    while span >> shift > 0:
        starts = np.zeros((1 << DIGIT_BITS) + 1, np.int64)
        for index in range(len(events)):
            starts[(((events[index, 0] - first) >> shift) & ((1 << DIGIT_BITS) - 1)) + 1] += 1
        for digit in range(1, len(starts)):
            starts[digit] += starts[digit - 1]
        for index in range(len(events)):
            digit = ((events[index, 0] - first) >> shift) & ((1 << DIGIT_BITS) - 1)
            other[starts[digit], 0], other[starts[digit], 1] = events[index, 0], events[index, 1]
            starts[digit] += 1
        events, other = other, events
        shift += DIGIT_BITS
    return events
