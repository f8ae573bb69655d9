"""The compiled loops of `luma` and `deblock`."""

import numpy as np

from snnface.jit import jit

__all__ = ["smooth_borders", "weighted_sum"]

ZERO, HALF, ONE, TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
BLOCK = 8
# Pixels that are changed on each side of a border, nearest first, by this part of the
# excess step: a straight ramp of six pixels takes the step's place.
RAMP = np.array([5 / 12, 3 / 12, 1 / 12], np.float32)


@jit
def weighted_sum(rgb):  # type: ignore[no-untyped-def]
    """[H, W, 3] to [H, W], exact: no product or sum is rounded before the end."""
    height, width, _ = rgb.shape
    grey = np.empty((height, width), np.uint8)
    for r in range(height):
        for c in range(width):
            total = np.uint32(299) * rgb[r, c, 0] + np.uint32(587) * rgb[r, c, 1] + np.uint32(114) * rgb[r, c, 2]
            grey[r, c] = (total + np.uint32(500)) // np.uint32(1000)
    return grey


@jit
def smooth_borders(picture, left, strength):  # type: ignore[no-untyped-def]
    """Smooth a float32 [H, W] picture in place across the columns left, left + 8, ...; see `deblock`."""
    height, width = picture.shape
    reach = len(RAMP)
    for r in range(height):
        for c in range(left, width - reach + 1, BLOCK):
            if c < reach:
                continue
            activity = ZERO
            for k in range(1, reach):
                before = abs(picture[r, c - k] - picture[r, c - k - 1])
                after = abs(picture[r, c + k] - picture[r, c + k - 1])
                activity = max(activity, before, after)
            slope = HALF * (picture[r, c - 1] - picture[r, c - 2] + picture[r, c + 1] - picture[r, c])
            excess = picture[r, c] - picture[r, c - 1] - slope
            part = min(max(TWO - abs(excess) / strength, ZERO), ONE)
            part *= min(max(TWO - TWO * activity / strength, ZERO), ONE)
            for k in range(reach):
                picture[r, c - 1 - k] += RAMP[k] * part * excess
                picture[r, c + k] -= RAMP[k] * part * excess
