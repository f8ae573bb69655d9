"""What happens in every pixel with every frame: short loops over a strip of pixels, without branches.

Compilers turn such loops into vector instructions. A pixel's state is kept as two
differences, so that small steps are not lost to rounding:

    lag = L - l             decays by exp(-g dt / tau) in each interval      float32
    offset = l - M          grows by the leak                                float64

The float32 lag shows only with frames less than 1e-5 time constants apart: at 3e-6 its
events are off by 1 % of their times.

All arrays hold one value for each pixel of the strip.
"""

import math

import numpy as np

from snnface.events.emulator.log_intensity import quick_exp, quick_log_intensity
from snnface.events.emulator.random_bits import normal, pixel_bits
from snnface.events.emulator.shot_noise import relative_intensity
from snnface.jit import jit

__all__ = [
    *(
        "bytes_followed",
        "byte_decays",
        "copied",
        "decays",
        "differs",
        "leaked",
        "marked",
        "normals",
        "settled",
        "values_followed",
        "wobbled",
    ),
]

# A lag that has decayed to this is zero: far below a threshold, far above what slows processors down.
TINY = np.float32(1e-20)
ZERO, ONE = np.float32(0.0), np.float32(1.0)


@jit
def copied(values, after):  # type: ignore[no-untyped-def]
    """Written out: numba takes seconds to compile what an assignment to a slice says where lengths differ."""
    for c in range(len(values)):
        after[c] = values[c]


@jit
def differs(frame, before):  # type: ignore[no-untyped-def]
    """Whether any pixel changed."""
    number = np.uint32(0)
    for c in range(len(frame)):
        number += np.uint32(frame[c] != before[c])
    return number != 0


@jit
def bytes_followed(  # type: ignore[no-untyped-def]
    frame, before, table, log, lag, offset, decay_table, decay, values, marks, words
):
    """The input moves to a frame of bytes: L and M stay, so both differences move. Only where a byte changed.

    Args:
        table, decay_table: float32 [256], log intensity and `decay` of each byte.
        values: the bytes as numbers.
        marks, words: scratch, and the same memory as words of 8 pixels.
    """
    for c in range(len(frame)):
        marks[c] = frame[c] != before[c]
    for word in range(len(words)):
        if words[word] != 0:
            for c in range(8 * word, min(8 * word + 8, len(frame))):
                value = frame[c]
                log[c] = _moved(table[value], log[c], lag, offset, c)
                decay[c], values[c] = decay_table[value], value


@jit
def values_followed(frame, log, lag, offset, is_log):  # type: ignore[no-untyped-def]
    """The same for luminance or log intensity of any value, in all pixels."""
    if is_log:
        for c in range(len(frame)):
            log[c] = _moved(np.float32(frame[c]), log[c], lag, offset, c)
    else:
        for c in range(len(frame)):
            log[c] = _moved(quick_log_intensity(np.float32(frame[c])), log[c], lag, offset, c)


@jit
def _moved(new, old, lag, offset, c):  # type: ignore[no-untyped-def]
    rise = np.float64(new) - np.float64(old)
    lag[c] = np.float32(lag[c] - rise)
    offset[c] += rise
    return new


@jit
def byte_decays(frame, decay_table, decay, values):  # type: ignore[no-untyped-def]
    for c in range(len(frame)):
        decay[c], values[c] = decay_table[frame[c]], frame[c]


@jit
def decays(frame, duration_s, tau_s, is_log, decay):  # type: ignore[no-untyped-def]
    """exp(-g dt / tau) of each pixel; 0 without a bandwidth limit."""
    if tau_s == 0.0:
        decay[:] = 0
        return
    constants = np.float32(-duration_s / tau_s)
    if is_log:
        for c in range(len(frame)):
            decay[c] = quick_exp(constants * np.float32(relative_intensity(frame[c], True)))
    else:
        for c in range(len(frame)):
            decay[c] = quick_exp(constants * ((np.float32(frame[c]) + np.float32(20)) * np.float32(1 / 275)))


@jit
def settled(lag, decay, after):  # type: ignore[no-untyped-def]
    for c in range(len(lag)):
        left = lag[c] * decay[c]
        after[c] = left if abs(left) > TINY else ZERO


@jit
def normals(first, keys, after):  # type: ignore[no-untyped-def]
    """A normal number for each pixel; `first` is the number of the strip's first pixel in the frame."""
    key_1, key_2 = keys
    for c in range(len(after)):
        after[c] = normal(pixel_bits(first + c, key_1, key_2))


@jit
def leaked(offset, leak_hz, dt_s, jitter, normal_numbers, after):  # type: ignore[no-untyped-def]
    """M falls by dt leak (1 - j n)."""
    for c in range(len(offset)):
        after[c] = offset[c] + np.float64(leak_hz[c] * (dt_s * (ONE - jitter * normal_numbers[c])))


@jit
def wobbled(wobble, constants, rms, normal_numbers, after):  # type: ignore[no-untyped-def]
    """Noise of the photoreceptor: a Gaussian process, sampled so many time constants later."""
    kept = math.exp(-constants)
    old, new = np.float32(kept), np.float32(rms * math.sqrt(1.0 - kept * kept))
    for c in range(len(wobble)):
        after[c] = old * wobble[c] + new * normal_numbers[c]


@jit
def marked(lag, offset, wobble, theta_on, theta_off, is_dead, marks):  # type: ignore[no-untyped-def]
    """Pixels that have passed a threshold, or are dead. Rounding takes no D below a threshold that it has reached."""
    for c in range(len(lag)):
        difference = np.float32(offset[c] + np.float64(lag[c] + wobble[c]))
        marks[c] = (difference >= theta_on[c]) | (-difference >= theta_off[c]) | (is_dead[c] != 0)
