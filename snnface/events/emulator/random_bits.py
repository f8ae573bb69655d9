"""Random numbers by position: what is drawn depends on where and when, not on what was drawn before.

Each number is a hash of (seed, frame, pixel), so that frames may come in pieces of any
size and pixels in any order. The loops over pixels use 32-bit arithmetic only, which
compilers turn into vector instructions.
"""

import numpy as np

from snnface.jit import jit

__all__ = ["frame_keys", "hashed", "normal", "pixel_bits", "uniform"]

# Source: Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators" (SplitMix64).
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1, MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
S_30, S_27, S_31, S_32, S_11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(32), np.uint64(11)

# Two rounds of a 32-bit hash; source of the multipliers: C. Wellons 2018, "Prospecting for hash functions".
WEYL = np.uint32(0x9E3779B1)
ROUND_1, ROUND_2 = np.uint32(0x7FEB352D), np.uint32(0x846CA68B)

BYTES, WORD = np.uint32(0x00FF00FF), np.uint32(0xFFFF)
# Sum of four bytes: mean 510, variance 4 (256^2 - 1) / 12. The cubic makes the variance 1 and
# the fourth moment 3, as of a normal number (odd moments are zero by symmetry).
BYTES_MEAN, BYTES_SCALE = np.float32(510.0), np.float32(21845.0**-0.5)
LINEAR, CUBIC = np.float32(0.94903328), np.float32(0.01864238)


@jit
def hashed(a, b):  # type: ignore[no-untyped-def]
    """64 bits of two whole numbers."""
    x = np.uint64(a) + GOLDEN * (np.uint64(b) + np.uint64(1))
    x = (x ^ (x >> S_30)) * MIX_1
    x = (x ^ (x >> S_27)) * MIX_2
    return x ^ (x >> S_31)


@jit
def uniform(bits):  # type: ignore[no-untyped-def]
    """A number in [0, 1) from 64 bits."""
    return np.float64(bits >> S_11) * 2.0**-53


@jit
def frame_keys(seed, frame):  # type: ignore[no-untyped-def]
    """Two 32-bit keys for the pixels of one frame."""
    key = hashed(seed, frame)
    return np.uint32(key), np.uint32(key >> S_32)


@jit
def pixel_bits(pixel, key_1, key_2):  # type: ignore[no-untyped-def]
    """32 bits for a pixel; the keys enter before and between the rounds."""
    x = np.uint32(np.uint32(np.uint32(pixel) * WEYL) ^ key_1)
    x = np.uint32(np.uint32(x ^ (x >> np.uint32(16))) * ROUND_1)
    x = np.uint32(x + key_2)
    x = np.uint32(np.uint32(x ^ (x >> np.uint32(15))) * ROUND_2)
    return np.uint32(x ^ (x >> np.uint32(16)))


@jit
def normal(bits):  # type: ignore[no-untyped-def]
    """A number of mean 0, variance 1 and normal fourth moment from 32 bits, float32.

    Its tails end at 4.04. Enough where many of them are summed, as leak and filtered noise do.
    """
    pairs = np.uint32((bits & BYTES) + ((bits >> np.uint32(8)) & BYTES))
    total = np.uint32((pairs & WORD) + (pairs >> np.uint32(16)))
    w = (np.float32(np.int32(total)) - BYTES_MEAN) * BYTES_SCALE
    return w * (LINEAR + CUBIC * (w * w))
