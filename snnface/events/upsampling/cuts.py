"""How unlike two frames are, to tell a cut from motion."""

import numpy as np
from jaxtyping import Float64, UInt8

__all__ = ["histogram_distance"]

NUM_BINS = 16
BLOCKS = 4
# Enough pixels for a histogram; greater frames are thinned out.
MAX_SAMPLES_A_SIDE = 320


def histogram_distance(first: UInt8[np.ndarray, "H W"], second: UInt8[np.ndarray, "H W"]) -> float:
    """Between 0 and 1: the part of the pixels whose grey value has to change, block by block.

    Histograms of 16 bins with linear edges over 4 x 4 blocks; half the sum of absolute
    differences over the number of pixels. The second frame is first scaled to the mean of
    the first, so that a lamp that flickers is no cut.
    """
    step = max(max(first.shape) // MAX_SAMPLES_A_SIDE, 1)
    first, second = first[::step, ::step], second[::step, ::step]
    gain = float(first.mean() / max(second.mean(), 1.0)) if first.any() else 1.0
    before = _histograms(first) @ _bins(1.0)
    after = _histograms(second) @ _bins(gain)
    return float(np.abs(before - after).sum() / (2 * first.size))


def _histograms(frame: np.ndarray) -> np.ndarray:
    """Counts of each grey value in each block, [16, 256]."""
    rows = np.arange(frame.shape[0]) * BLOCKS // frame.shape[0]
    columns = np.arange(frame.shape[1]) * BLOCKS // frame.shape[1]
    blocks = rows[:, None] * BLOCKS + columns
    return np.bincount((blocks * 256 + frame).ravel(), minlength=BLOCKS**2 * 256).reshape(-1, 256)


def _bins(gain: float) -> Float64[np.ndarray, "256 16"]:
    """How much of each grey value, times `gain`, falls into each bin."""
    centres = np.clip(np.arange(256) * gain / 256 * NUM_BINS - 0.5, 0, NUM_BINS - 1)
    return np.clip(1 - np.abs(centres[:, None] - np.arange(NUM_BINS)), 0, 1)
