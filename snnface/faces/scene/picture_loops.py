"""Compiled loops over whole pictures; no checks."""

import numpy as np

from snnface.jit import jit

__all__ = ["light_up", "paint_patch"]


@jit
def paint_patch(pictures, patch, matrix, middle_x, middle_y, half):  # type: ignore[no-untyped-def]
    """Lay a patch over pictures, linear between its samples.

    Args:
        pictures: float32 [T, H, W, C], changed.
        patch: float32 [R, S, C + 1], rows from the top; the last channel is opacity.
        matrix: column, row, 1 of a pixel -> x, y of the scene.
        middle_x: [T], of the patch; half: its half width and height.
    """
    num_rows, num_columns, last = patch.shape[0], patch.shape[1], patch.shape[2] - 1
    per_x, per_y = (num_columns - 1) / (2 * half[0]), (num_rows - 1) / (2 * half[1])
    for t in range(pictures.shape[0]):
        for i in range(pictures.shape[1]):
            for j in range(pictures.shape[2]):
                x = matrix[0, 0] * j + matrix[0, 1] * i + matrix[0, 2] - middle_x[t]
                y = matrix[1, 0] * j + matrix[1, 1] * i + matrix[1, 2] - middle_y
                u, v = (x + half[0]) * per_x, (half[1] - y) * per_y
                if not (0 <= u < num_columns - 1 and 0 <= v < num_rows - 1):
                    continue
                s, r = int(u), int(v)
                across, down = np.float32(u - s), np.float32(v - r)
                opacity = _between(patch, r, s, last, across, down)
                for k in range(last):
                    colour = _between(patch, r, s, k, across, down)
                    pictures[t, i, j, k] += opacity * (colour - pictures[t, i, j, k])


@jit
def _between(patch, r, s, k, across, down):  # type: ignore[no-untyped-def]
    upper = patch[r, s, k] + across * (patch[r, s + 1, k] - patch[r, s, k])
    lower = patch[r + 1, s, k] + across * (patch[r + 1, s + 1, k] - patch[r + 1, s, k])
    return upper + down * (lower - upper)


@jit
def light_up(pictures, index, share, gain, lit):  # type: ignore[no-untyped-def]
    """Pictures between pictures, in changing light.

    Args:
        pictures: float32 [T, H, W], in steady light.
        index, share: [N]: picture `index`, and this much of the way to the next one.
        gain: float32 [N], of the light.
        lit: float32 [N, H, W], written.
    """
    for n in range(len(lit)):
        one, other = pictures[index[n]], pictures[min(index[n] + 1, len(pictures) - 1)]
        along = np.float32(share[n])
        for i in range(lit.shape[1]):
            for j in range(lit.shape[2]):
                lit[n, i, j] = gain[n] * (one[i, j] + along * (other[i, j] - one[i, j]))
