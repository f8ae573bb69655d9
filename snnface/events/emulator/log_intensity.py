"""The lin-log mapping from luminance to log intensity, and back; exact, and fast.

    l = I ln(20) / 20   for I <= 20 DN,      l = ln(I)   above

Source: Hu, Liu and Delbruck 2021, arXiv:2006.07722, sec. 4.
"""

import math

import numpy as np

from snnface.jit import jit

__all__ = ["first_bad_frame", "log_intensities", "log_intensity", "luminance", "quick_exp", "quick_log_intensity"]

KNEE = 20.0
SLOPE = math.log(KNEE) / KNEE
DECIMALS = 1e8

# Luminance is 0..255; a little more is rounding in an interpolation, much more another scale.
MAX_LUMINANCE = 256.0

LARGEST = np.finfo(np.float32).max
SINGLE_KNEE, SINGLE_SLOPE, ONE = np.float32(KNEE), np.float32(SLOPE), np.float32(1.0)
LN2_HIGH, LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
LOG2_E, HALF = np.float32(1 / math.log(2)), np.float32(0.5)
# sqrt(1/2) as bits: mantissas are taken from [0.707, 1.414).
ROOT_BITS, MANTISSA_BITS, ONE_BITS = np.int32(0x3F3504F3), np.int32(0x007FFFFF), np.int32(0x3F800000)
MOST_NEGATIVE = np.float32(-87.0)


@jit
def log_intensity(value, is_log):  # type: ignore[no-untyped-def]
    """The mapping, rounded to 8 decimals and then to float32, as v2e has it; a log value is handed on."""
    if is_log:
        return np.float32(value)
    wide = np.float64(value)
    log = math.log(wide) if wide > KNEE else wide * SLOPE
    return np.float32(np.rint(log * DECIMALS) / DECIMALS)


@jit
def log_intensities(values, is_log):  # type: ignore[no-untyped-def]
    """`log_intensity` of each value, float32."""
    result = np.empty(len(values), np.float32)
    for index in range(len(values)):
        result[index] = log_intensity(values[index], is_log)
    return result


@jit
def luminance(log):  # type: ignore[no-untyped-def]
    """The luminance in DN that has this log intensity."""
    return log / SLOPE if log <= KNEE * SLOPE else math.exp(log)


@jit
def quick_log_intensity(value):  # type: ignore[no-untyped-def]
    """The mapping in float32 arithmetic without branches, within 4e-7: for loops over whole rows.

    ln(2^e m) = e ln 2 + ln(1 + f) with f = m - 1 in [-0.29, 0.41], and ln(1 + f) = f - f^2 / 2 + f^3 P(f),
    P fitted by least squares at Chebyshev points. There is no division: its check for zero would be a branch.
    """
    bits = np.int32(np.float32(max(value, SINGLE_KNEE)).view(np.int32) - ROOT_BITS)
    exponent = np.float32(np.int32(bits >> 23))
    f = np.int32((bits & MANTISSA_BITS) + ROOT_BITS).view(np.float32) - ONE
    series = f * np.float32(-0.08101559) + np.float32(0.12712307)
    series = series * f + np.float32(-0.12972239)
    series = series * f + np.float32(0.14202175)
    series = series * f + np.float32(-0.16642247)
    series = series * f + np.float32(0.20001468)
    series = series * f + np.float32(-0.25000298)
    series = series * f + np.float32(0.33333328)
    square = f * f
    log = exponent * LN2_HIGH + (exponent * LN2_LOW + (f * square * series - HALF * square + f))
    return log if value > SINGLE_KNEE else value * SINGLE_SLOPE


@jit
def quick_exp(value):  # type: ignore[no-untyped-def]
    """e to the power of a value of 0 or less, in float32 arithmetic without branches, within 3e-7 of its size.

    e^v = 2^n e^r with |r| <= ln(2) / 2, and e^r by its series.
    """
    v = max(value, MOST_NEGATIVE)
    n = np.floor(v * LOG2_E + HALF)
    r = v - n * LN2_HIGH - n * LN2_LOW
    series = r * np.float32(1 / 720) + np.float32(1 / 120)
    series = series * r + np.float32(1 / 24)
    series = series * r + np.float32(1 / 6)
    series = series * r + HALF
    series = series * r + ONE
    power = np.int32((np.int32(n) << 23) + ONE_BITS).view(np.float32)
    return (series * r + ONE) * power


@jit
def first_bad_frame(frames, is_log):  # type: ignore[no-untyped-def]
    """Index of the first float32 [H, W] frame with a value that is no luminance (or not finite, for logs); or -1."""
    low, high = (
        (-LARGEST, LARGEST) if is_log else (np.float32(0), np.nextafter(np.float32(MAX_LUMINANCE), np.float32(0)))
    )
    for k in range(frames.shape[0]):
        for r in range(frames.shape[1]):
            row, num_bad = frames[k, r], 0
            for c in range(len(row)):
                num_bad += not (row[c] >= low and row[c] <= high)
            if num_bad > 0:
                return k
    return -1
