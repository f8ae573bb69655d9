"""The z-buffer behind `FaceRenderer`: compiled loops, no checks.

Coordinates are those of samples: sample (i, j) belongs to pixel (i // factor, j // factor),
rows down, depth towards the camera. Inside a pixel each column of samples lies a little
lower than the one to its left, so that a pixel's factor^2 samples lie at as many heights:
a level edge (a lid, a lip, a brow), which is what moves in a face, changes the pixel in
that many steps instead of `factor`. Buffers hold columns one after another, because a
column of samples is straight.

What a sample shows follows from the triangles alone, never by adding up along a column:
it is the same whichever rectangle of the picture is drawn.
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


@jit
def render_frames(  # type: ignore[no-untyped-def]
    vertices, expression, triangles, albedo, background, weights, matrices, lamp, factor, frames
):
    """Draw every frame; only what changed since the frame before is drawn anew.

    Args:
        lamp: direction (3, unit, rows down), key and ambient strength.
        frames: float32 [T, H, W], written.
    """
    num_rows, num_columns = background.shape[0] * factor, background.shape[1] * factor
    samples = np.empty((num_columns, num_rows), dtype=np.float32)
    depth = np.empty((num_columns, num_rows), dtype=np.float32)
    # Column, row and depth of every vertex, and its luminance.
    placed = np.empty((len(vertices), 4))
    before = np.empty((len(vertices), 4))
    normals = np.empty((len(vertices), 3))
    area = np.empty(4, dtype=np.int64)
    for t in range(len(frames)):
        if t:
            frames[t] = frames[t - 1]
            if np.array_equal(weights[t], weights[t - 1]) and np.array_equal(matrices[t], matrices[t - 1]):
                continue
        placed, before = before, placed
        _place(vertices, expression, weights[t], matrices[t], factor, placed)
        _shade(placed, triangles, albedo, lamp, normals)
        if t:
            _changed_area(placed, before, triangles, (num_rows, num_columns), factor, area)
        else:
            area[0], area[1], area[2], area[3] = 0, num_rows, 0, num_columns
        _rasterise(placed, triangles, background, factor, area, samples, depth)
        _resolve(samples, factor, area, frames[t])


@jit
def _place(vertices, expression, weights, matrix, factor, placed):  # type: ignore[no-untyped-def]
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
        for axis in range(2):
            row = matrix[axis]
            placed[v, axis] = (row[0] * x + row[1] * y + row[2] * z + row[3]) * scale + offset
        row = matrix[2]
        placed[v, 2] = (row[0] * x + row[1] * y + row[2] * z + row[3]) * scale


@jit
def _shade(placed, triangles, albedo, lamp, normals):  # type: ignore[no-untyped-def]
    """Luminance of every vertex, into column 3: its normal is the mean of its triangles', by their size."""
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
        placed[v, 3] = min(255.0, 255.0 * albedo[v] * (lamp[4] + lamp[3] * facing))


@jit
def _changed_area(placed, before, triangles, num_samples, factor, area):  # type: ignore[no-untyped-def]
    """Rows and columns [first, stop) that hold every triangle with a changed vertex, before and after; whole pixels."""
    top, bottom, left, right = 1e30, -1e30, 1e30, -1e30
    changed = np.zeros(len(placed), dtype=np.bool_)
    for v in range(len(placed)):
        for axis in range(4):
            changed[v] |= placed[v, axis] != before[v, axis]
    for f in range(len(triangles)):
        if changed[triangles[f, 0]] or changed[triangles[f, 1]] or changed[triangles[f, 2]]:
            for corner in range(3):
                v = triangles[f, corner]
                left = min(left, placed[v, 0], before[v, 0])
                right = max(right, placed[v, 0], before[v, 0])
                top = min(top, placed[v, 1], before[v, 1])
                bottom = max(bottom, placed[v, 1], before[v, 1])
    # Samples lie up to half a row above or below their own row.
    area[0] = _inside(top - 0.5 - SLACK, num_samples[0]) // factor * factor
    area[1] = (_inside(bottom + 1.5 + SLACK, num_samples[0]) + factor - 1) // factor * factor
    area[2] = _inside(left - SLACK, num_samples[1]) // factor * factor
    area[3] = (_inside(right + 1 + SLACK, num_samples[1]) + factor - 1) // factor * factor


@jit
def _inside(x, size):  # type: ignore[no-untyped-def]
    return int(min(max(np.floor(x), 0.0), size))


@jit
def _rasterise(placed, triangles, background, factor, area, samples, depth):  # type: ignore[no-untyped-def]
    """Fill the area: background first, then the nearest triangle at each sample."""
    top, bottom, left, right = area[0], area[1], area[2], area[3]
    for column in range(left // factor, right // factor):
        for j in range(column * factor, (column + 1) * factor):
            depth[j, top:bottom] = -np.inf
            for row in range(top // factor, bottom // factor):
                samples[j, row * factor : (row + 1) * factor] = background[row, column]
    lower = (np.arange(right) % factor + 0.5) / factor - 0.5
    for f in range(len(triangles)):
        a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
        x0, y0, z0, s0 = placed[a, 0], placed[a, 1], placed[a, 2], placed[a, 3]
        x1, y1, z1, s1 = placed[b, 0] - x0, placed[b, 1] - y0, placed[b, 2] - z0, placed[b, 3] - s0
        x2, y2, z2, s2 = placed[c, 0] - x0, placed[c, 1] - y0, placed[c, 2] - z0, placed[c, 3] - s0
        doubled = x2 * y1 - x1 * y2
        if doubled <= 1e-9:
            continue
        first = max(left, int(np.ceil(x0 + min(0.0, x1, x2) - SLACK)))
        last = min(right - 1, int(np.floor(x0 + max(0.0, x1, x2) + SLACK)))
        if first > last or y0 + min(0.0, y1, y2) > bottom or y0 + max(0.0, y1, y2) < top - 1:
            continue
        # Depth and luminance as planes over (x - x0, y - y0).
        zx, zy = (z2 * y1 - z1 * y2) / doubled, (z1 * x2 - z2 * x1) / doubled
        sx, sy = (s2 * y1 - s1 * y2) / doubled, (s1 * x2 - s2 * x1) / doubled
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
            start = max(top, int(np.ceil(max(low - shift, -1e6) - SLACK)))
            stop = min(bottom, int(np.floor(min(high - shift, 1e6) + SLACK)) + 1)
            z, s = z0 + zx * x, s0 + sx * x
            for i in range(start, stop):
                near = z + zy * (i + shift)
                if near > depth[j, i]:
                    depth[j, i] = near
                    samples[j, i] = s + sy * (i + shift)


@jit
def _resolve(samples, factor, area, frame):  # type: ignore[no-untyped-def]
    """Mean of each pixel's samples, in the area."""
    share = 1.0 / (factor * factor)
    for i in range(area[0] // factor, area[1] // factor):
        for j in range(area[2] // factor, area[3] // factor):
            total = 0.0
            for dj in range(factor):
                for di in range(factor):
                    total += samples[j * factor + dj, i * factor + di]
            frame[i, j] = total * share
