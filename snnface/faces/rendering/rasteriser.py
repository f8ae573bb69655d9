"""The z-buffer behind `FaceRenderer`: compiled loops, no checks.

Coordinates are those of samples: sample (i, j) belongs to pixel (i // factor, j // factor),
rows down, depth towards the camera. Inside a pixel each column of samples lies a little
lower than the one to its left, so that a pixel's factor^2 samples lie at as many heights:
a level edge (a lid, a lip, a brow), which is what moves in a face, changes the pixel in
that many steps instead of `factor`. Buffers hold columns one after another, because a
column of samples is straight.

Which triangle is nearest at a sample is found first, what colour it has there afterwards.
The part of the picture to be drawn is given by spans: the rows [first, stop) of each column
of pixels.
Both follow from the triangles alone, never by adding up along a column: a sample is the same
whichever rectangle of the picture is drawn, and whichever frame was drawn before.
"""

import numpy as np

from snnface.jit import jit

__all__ = ["render_frames"]

# A large soft lamp: its light reaches some way round.
WRAP = 0.4

# Triangles reach this much over their edges, so that no sample falls between two of them.
SLACK = 1e-9

# An edge that passes less than this from left to right is upright.
UPRIGHT = 1e-7

# Triangles of less than half this size, in samples, are lines.
MIN_DOUBLED = 1e-9

NOTHING = np.int32(-1)

# Rows of pixels that are resolved together: samples lie column by column, pixels row by row.
STRIPE = 32


@jit
def render_frames(  # type: ignore[no-untyped-def]
    vertices, expression, triangles, albedo, follows, backgrounds, weights, matrices, rest, lamp, factor, frames
):
    """Draw every frame; only what changed since the frame before is drawn anew.

    Args:
        follows: float32 [V], how far a vertex goes along with a frame's matrix; else it stays with `rest` [3, 4].
        backgrounds: float32 [T, H, W, C], or [1, H, W, C] for one that stays.
        lamp: direction (3, unit, rows down), key and ambient strength.
        frames: float32 [T, H, W, C], written.
    """
    num_rows, num_columns = frames.shape[1] * factor, frames.shape[2] * factor
    nearest = np.empty((num_columns, num_rows), dtype=np.int32)
    depth = np.empty((num_columns, num_rows), dtype=np.float32)
    # Column, row and depth of every vertex, and the light that falls on it.
    placed = np.empty((len(vertices), 4))
    before = np.empty((len(vertices), 4))
    normals = np.empty((len(vertices), 3))
    # Colour of every triangle as a plane: at the origin, a column on, a row on.
    planes = np.empty((len(triangles), albedo.shape[1], 3))
    spans = np.empty((frames.shape[2], 2), dtype=np.int64)
    for t in range(len(frames)):
        background = backgrounds[min(t, len(backgrounds) - 1)]
        if t:
            _copied(frames[t - 1], frames[t])
            if len(backgrounds) > 1:
                _changed_pixels(background, backgrounds[t - 1], spans)
                _resolve(nearest, planes, background, factor, spans, frames[t])
            if np.array_equal(weights[t], weights[t - 1]) and np.array_equal(matrices[t], matrices[t - 1]):
                continue
        placed, before = before, placed
        _place(vertices, expression, follows, weights[t], matrices[t], rest, factor, placed)
        _shade(placed, triangles, lamp, normals)
        _colour(placed, triangles, albedo, planes)
        if t:
            _changed_spans(placed, before, triangles, num_rows, factor, spans)
        else:
            spans[:, 0], spans[:, 1] = 0, frames.shape[1]
        _rasterise(placed, triangles, factor, spans, nearest, depth)
        _resolve(nearest, planes, background, factor, spans, frames[t])


@jit
def _copied(before, frame):  # type: ignore[no-untyped-def]
    """Written out: numba takes seconds to compile what an assignment to a slice says where shapes differ."""
    num_rows, num_columns, num_channels = frame.shape
    for i in range(num_rows):
        for j in range(num_columns):
            for k in range(num_channels):
                frame[i, j, k] = before[i, j, k]


@jit
def _place(vertices, expression, follows, weights, matrix, rest, factor, placed):  # type: ignore[no-untyped-def]
    """Deform the face and project it: sample column, sample row and depth of every vertex."""
    active = np.flatnonzero(weights)
    scale = factor * 1.0
    offset = 0.5 * (factor - 1)
    for v in range(len(vertices)):
        x, y, z = np.float64(vertices[v, 0]), np.float64(vertices[v, 1]), np.float64(vertices[v, 2])
        for k in active:
            x += weights[k] * expression[k, v, 0]
            y += weights[k] * expression[k, v, 1]
            z += weights[k] * expression[k, v, 2]
        for axis in range(3):
            row = matrix[axis]
            place = row[0] * x + row[1] * y + row[2] * z + row[3]
            if follows[v] < 1:
                row = rest[axis]
                still = row[0] * x + row[1] * y + row[2] * z + row[3]
                place = still + follows[v] * (place - still)
            placed[v, axis] = place * scale + (offset if axis < 2 else 0.0)


@jit
def _shade(placed, triangles, lamp, normals):  # type: ignore[no-untyped-def]
    """Light on every vertex, into column 3: its normal is the mean of its triangles', by their size."""
    normals[:] = 0.0
    for f in range(len(triangles)):
        a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
        ux, uy, uz = placed[b, 0] - placed[a, 0], placed[b, 1] - placed[a, 1], placed[b, 2] - placed[a, 2]
        vx, vy, vz = placed[c, 0] - placed[a, 0], placed[c, 1] - placed[a, 1], placed[c, 2] - placed[a, 2]
        # Rows point down, so the outward normal is minus the cross product.
        nx, ny, nz = uz * vy - uy * vz, ux * vz - uz * vx, uy * vx - ux * vy
        for v in (a, b, c):
            normals[v, 0] += nx
            normals[v, 1] += ny
            normals[v, 2] += nz
    for v in range(len(placed)):
        nx, ny, nz = normals[v, 0], normals[v, 1], normals[v, 2]
        length = np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-300
        facing = (nx * lamp[0] + ny * lamp[1] + nz * lamp[2]) / length
        facing = max(0.0, (facing + WRAP) / (1 + WRAP))
        placed[v, 3] = 255.0 * (lamp[4] + lamp[3] * facing)


@jit
def _colour(placed, triangles, albedo, planes):  # type: ignore[no-untyped-def]
    """Each triangle's colour as planes over the samples; meaningless where it is seen from behind."""
    for f in range(len(triangles)):
        a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
        x0, y0 = placed[a, 0], placed[a, 1]
        x1, y1 = placed[b, 0] - x0, placed[b, 1] - y0
        x2, y2 = placed[c, 0] - x0, placed[c, 1] - y0
        doubled = x2 * y1 - x1 * y2
        if doubled <= MIN_DOUBLED:
            continue
        for k in range(albedo.shape[1]):
            s0 = min(255.0, albedo[a, k] * placed[a, 3])
            s1 = min(255.0, albedo[b, k] * placed[b, 3]) - s0
            s2 = min(255.0, albedo[c, k] * placed[c, 3]) - s0
            sx, sy = (s2 * y1 - s1 * y2) / doubled, (s1 * x2 - s2 * x1) / doubled
            planes[f, k, 0] = s0 - sx * x0 - sy * y0
            planes[f, k, 1] = sx
            planes[f, k, 2] = sy


@jit
def _changed_pixels(background, before, spans):  # type: ignore[no-untyped-def]
    """Spans of the pixels whose background changed."""
    num_rows, num_columns, num_channels = background.shape
    spans[:, 0], spans[:, 1] = num_rows, 0
    for i in range(num_rows):
        for j in range(num_columns):
            for k in range(num_channels):
                if background[i, j, k] != before[i, j, k]:
                    spans[j, 0], spans[j, 1] = min(spans[j, 0], i), i + 1


@jit
def _changed_spans(placed, before, triangles, num_rows, factor, spans):  # type: ignore[no-untyped-def]
    """Spans that hold every triangle with a changed vertex, before and after."""
    num_columns = len(spans)
    spans[:, 0], spans[:, 1] = num_rows, 0
    changed = np.zeros(len(placed), dtype=np.bool_)
    for v in range(len(placed)):
        for axis in range(4):
            changed[v] |= placed[v, axis] != before[v, axis]
    for f in range(len(triangles)):
        if changed[triangles[f, 0]] or changed[triangles[f, 1]] or changed[triangles[f, 2]]:
            top, bottom, left, right = 1e30, -1e30, 1e30, -1e30
            for corner in range(3):
                v = triangles[f, corner]
                left = min(left, placed[v, 0], before[v, 0])
                right = max(right, placed[v, 0], before[v, 0])
                top = min(top, placed[v, 1], before[v, 1])
                bottom = max(bottom, placed[v, 1], before[v, 1])
            # Samples lie up to half a row above or below their own row.
            first = _inside(top - 0.5 - SLACK, num_rows) // factor
            stop = (_inside(bottom + 1.5 + SLACK, num_rows) + factor - 1) // factor
            first_column = _inside(left - SLACK, num_columns * factor) // factor
            stop_column = (_inside(right + 1 + SLACK, num_columns * factor) + factor - 1) // factor
            if first < stop:
                for j in range(first_column, stop_column):
                    spans[j, 0] = min(spans[j, 0], first)
                    spans[j, 1] = max(spans[j, 1], stop)


@jit
def _inside(x, size):  # type: ignore[no-untyped-def]
    return int(min(max(np.floor(x), 0.0), size))


@jit
def _rasterise(placed, triangles, factor, spans, nearest, depth):  # type: ignore[no-untyped-def]
    """The nearest triangle at each sample of the spans."""
    top, bottom, left, right = 1 << 40, 0, 1 << 40, 0
    for column in range(len(spans)):
        first, stop = spans[column, 0] * factor, spans[column, 1] * factor
        if first >= stop:
            continue
        top, bottom = min(top, first), max(bottom, stop)
        left, right = min(left, column * factor), (column + 1) * factor
        for j in range(column * factor, (column + 1) * factor):
            depth[j, first:stop] = -np.inf
            nearest[j, first:stop] = NOTHING
    lower = (np.arange(right) % factor + 0.5) / factor - 0.5
    for f in range(len(triangles)):
        a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
        x0, y0, z0 = placed[a, 0], placed[a, 1], placed[a, 2]
        x1, y1, z1 = placed[b, 0] - x0, placed[b, 1] - y0, placed[b, 2] - z0
        x2, y2, z2 = placed[c, 0] - x0, placed[c, 1] - y0, placed[c, 2] - z0
        doubled = x2 * y1 - x1 * y2
        if doubled <= MIN_DOUBLED:
            continue
        first = max(left, int(np.ceil(x0 + min(0.0, x1, x2) - SLACK)))
        last = min(right - 1, int(np.floor(x0 + max(0.0, x1, x2) + SLACK)))
        if first > last or y0 + min(0.0, y1, y2) > bottom or y0 + max(0.0, y1, y2) < top - 1:
            continue
        # Depth as a plane over (x - x0, y - y0).
        zx, zy = (z2 * y1 - z1 * y2) / doubled, (z1 * x2 - z2 * x1) / doubled
        # Edges as lines y = at + slope x: of one that runs to the left the inside lies below
        # (greater y), of one that runs to the right above. Upright ones bound no column.
        low_at, low_slope, high_at, high_slope = -1e30, 0.0, 1e30, 0.0
        other_low_at, other_low_slope, other_high_at, other_high_slope = -1e30, 0.0, 1e30, 0.0
        for edge in range(3):
            if edge == 0:
                ax, ay, run, rise = 0.0, 0.0, x1, y1
            elif edge == 1:
                ax, ay, run, rise = x1, y1, x2 - x1, y2 - y1
            else:
                ax, ay, run, rise = 0.0, 0.0, -x2, -y2
            if run < -UPRIGHT:
                other_low_at, other_low_slope = low_at, low_slope
                low_slope = rise / run
                low_at = ay - low_slope * ax
            elif run > UPRIGHT:
                other_high_at, other_high_slope = high_at, high_slope
                high_slope = rise / run
                high_at = ay - high_slope * ax
        for j in range(first, last + 1):
            x = j - x0
            low = max(low_at + low_slope * x, other_low_at + other_low_slope * x)
            high = min(high_at + high_slope * x, other_high_at + other_high_slope * x)
            shift = lower[j] - y0
            column = j // factor
            start = max(spans[column, 0] * factor, int(np.ceil(max(low - shift, -1e6) - SLACK)))
            stop = min(spans[column, 1] * factor, int(np.floor(min(high - shift, 1e6) + SLACK)) + 1)
            z = z0 + zx * x
            for i in range(start, stop):
                near = z + zy * (i + shift)
                if near > depth[j, i]:
                    depth[j, i] = near
                    nearest[j, i] = f


@jit
def _resolve(nearest, planes, background, factor, spans, frame):  # type: ignore[no-untyped-def]
    """Mean of each pixel's samples, in the spans; in stripes, as samples lie column by column."""
    middle, share = 0.5 * (factor - 1), 1.0 / (factor * factor)
    for top in range(0, frame.shape[0], STRIPE):
        for j in range(frame.shape[1]):
            left = j * factor
            for i in range(max(top, spans[j, 0]), min(top + STRIPE, spans[j, 1])):
                upper = i * factor
                f, is_one = nearest[left, upper], True
                for column in range(left, left + factor):
                    for row in range(upper, upper + factor):
                        is_one &= nearest[column, row] == f
                for k in range(frame.shape[2]):
                    if is_one and f == NOTHING:
                        frame[i, j, k] = background[i, j, k]
                        continue
                    if is_one:
                        # The mean of a plane is its value in the pixel's middle.
                        frame[i, j, k] = _colour_at(planes, f, k, left + middle, upper + middle)
                        continue
                    total = 0.0
                    for column in range(left, left + factor):
                        lower = (column - left + 0.5) / factor - 0.5
                        for row in range(upper, upper + factor):
                            f = nearest[column, row]
                            total += (
                                background[i, j, k] if f == NOTHING else _colour_at(planes, f, k, column, row + lower)
                            )
                    frame[i, j, k] = total * share


@jit
def _colour_at(planes, f, k, column, row):  # type: ignore[no-untyped-def]
    return planes[f, k, 0] + planes[f, k, 1] * column + planes[f, k, 2] * row
