"""The compiled loops of the filters; the filters state what they do.

Each takes the columns of a piece of a stream and a memory [H, W] of what came before,
which it moves on in place.
"""

import numpy as np

from snnface.jit import jit

__all__ = [
    "NEVER",
    "box_places",
    "count_events",
    "has_neighbour",
    "is_out_of_rhythm",
    "is_rested",
    "reaches_threshold",
]

NEVER = np.iinfo(np.int64).min


@jit
def is_rested(x, y, t_us, last_us, period_us):  # type: ignore[no-untyped-def]
    """See `RefractoryFilter`; `last_us` [H, W] is the time of the last event that passed."""
    passes = np.empty(len(t_us), np.bool_)
    for event in range(len(t_us)):
        # NEVER + period is still below every time.
        passes[event] = t_us[event] > last_us[y[event], x[event]] + period_us
        if passes[event]:
            last_us[y[event], x[event]] = t_us[event]
    return passes


@jit
def has_neighbour(x, y, t_us, last_us, support_us):  # type: ignore[no-untyped-def]
    """See `BackgroundActivityFilter`; `last_us` [H + 2, W + 2] is the time of the last event, with a margin of one."""
    passes = np.empty(len(t_us), np.bool_)
    for event in range(len(t_us)):
        row, column = np.int64(y[event]) + 1, np.int64(x[event]) + 1
        earliest = t_us[event] - support_us
        found = False
        for r in range(row - 1, row + 2):
            for c in range(column - 1, column + 2):
                found |= (last_us[r, c] > earliest) & ((r != row) | (c != column))
        passes[event] = found
        last_us[row, column] = t_us[event]
    return passes


@jit
def is_out_of_rhythm(x, y, t_us, polarity, onset_us, was_on, num_in_band, shortest_us, longest_us, num_periods):  # type: ignore[no-untyped-def]
    """See `FlickerFilter`; the memory [H, W]: the last onset, the last polarity, the periods in the band so far."""
    passes = np.empty(len(t_us), np.bool_)
    for event in range(len(t_us)):
        r, c, time = y[event], x[event], t_us[event]
        is_first = onset_us[r, c] == NEVER
        period = np.int64(0) if is_first else time - onset_us[r, c]
        if polarity[event] and not was_on[r, c]:
            is_in_band = shortest_us <= period <= longest_us
            num_in_band[r, c] = min(num_in_band[r, c] + 1, num_periods) if is_in_band else 0
            onset_us[r, c] = time
        elif period > longest_us:
            num_in_band[r, c] = 0
        was_on[r, c] = polarity[event]
        passes[event] = num_in_band[r, c] < num_periods
    return passes


@jit
def reaches_threshold(x, y, polarity, sums, factor, threshold):  # type: ignore[no-untyped-def]
    """See `SumDownsampler`; `sums` holds ON minus OFF events of each block since its last output."""
    passes = np.empty(len(x), np.bool_)
    for event in range(len(x)):
        r, c = y[event] // factor, x[event] // factor
        sums[r, c] += 1 if polarity[event] else -1
        passes[event] = abs(sums[r, c]) >= threshold
        if passes[event]:
            sums[r, c] = 0
    return passes


@jit
def count_events(x, y, counts):  # type: ignore[no-untyped-def]
    """Add the events of each pixel to `counts` [H, W]."""
    for event in range(len(x)):
        counts[y[event], x[event]] += 1


@jit
def box_places(x, y, t_us, box_t_us, boxes, height, width):  # type: ignore[no-untyped-def]
    """Where the events lie in the moving box of `crop_to_track`.

    Returns:
        column and row in the picture, int64 [N]; -1 outside.
    """
    columns, rows = np.empty(len(t_us), np.int64), np.empty(len(t_us), np.int64)
    last = len(box_t_us) - 1
    k = 0
    for event in range(len(t_us)):
        time = t_us[event]
        while k < last and box_t_us[k + 1] <= time:
            k += 1
        weight = 0.0
        if k < last and time > box_t_us[k]:
            weight = (time - box_t_us[k]) / (box_t_us[k + 1] - box_t_us[k])
        nearby = min(k + 1, last)
        columns[event] = _place(x[event], boxes[k, 0], boxes[k, 2], boxes[nearby, 0], boxes[nearby, 2], weight, width)
        rows[event] = _place(y[event], boxes[k, 1], boxes[k, 3], boxes[nearby, 1], boxes[nearby, 3], weight, height)
    return columns, rows


@jit
def _place(pixel, start, size, next_start, next_size, weight, num_places):  # type: ignore[no-untyped-def]
    """Place 0 .. num_places - 1 of a pixel on one side of the box, -1 outside."""
    start += weight * (next_start - start)
    size += weight * (next_size - size)
    place = np.floor((pixel - start) * num_places / size)
    return np.int64(place) if 0 <= place < num_places else np.int64(-1)
