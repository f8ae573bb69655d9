"""Noise events of pixels in the dark and in the light.

A pixel of threshold theta_i has noise events of either polarity at the rate

    (R_n / 2) (1 - 0.75 g) theta_nominal / theta_i,        g = (I + 20) / 275

so that it falls to about a quarter at white. They are drawn along strips of a frame as
the arrivals of a Poisson process: from one to the next in one step, however many pixels
lie between. Their number, not that of the pixels, is what they cost.

Source: Hu, Liu and Delbruck 2021, arXiv:2006.07722, sec. 4; the noise of the
photoreceptor: Graca and Delbruck 2021, "Unraveling the paradox of intensity-dependent DVS
pixel noise", arXiv:2109.08640, with the fit that v2e uses.
"""

import math
from typing import NamedTuple

import numpy as np

from snnface.events.emulator.config import EmulatorConfig
from snnface.events.emulator.log_intensity import luminance
from snnface.events.emulator.pixel_mismatch import PixelMismatch
from snnface.events.emulator.random_bits import hashed, uniform
from snnface.jit import jit

__all__ = ["STRIP", "ShotNoise", "noise_events", "photoreceptor_rms", "relative_intensity", "shot_noise"]

WHITE_FACTOR = 0.25
# A pixel that may have one event at most has one with no greater probability than this.
MAX_PROBABILITY = 0.999
ALMOST_ONE = 1.0 - 2.0**-53
# Pixels that are handled together, counted row by row: their state stays near the processor.
STRIP = 2048


class ShotNoise(NamedTuple):
    """The rates of a sensor.

    Attributes:
        seed: 63 bits.
        half_rate_hz: R_n / 2; 0 is no noise.
        weights: float64 [P], theta_nominal / theta_i summed over the two polarities, and
            added up from the start of each strip to the pixel.
        on_share: float32 [P], the part of ON in it.
        is_log: whether frames hold log intensities.
        is_single: whether a pixel has one noise event in a frame at most.
    """

    seed: int
    half_rate_hz: float
    weights: np.ndarray
    on_share: np.ndarray
    is_log: bool
    is_single: bool


def shot_noise(config: EmulatorConfig, mismatch: PixelMismatch, *, seed: int) -> ShotNoise:
    """The noise events of this sensor; none where the config has none, or noise of the photoreceptor."""
    on, off = (
        theta / per_pixel.astype(np.float64).ravel()
        for theta, per_pixel in ((config.theta_on, mismatch.theta_on), (config.theta_off, mismatch.theta_off))
    )
    strips = np.arange(STRIP, on.size, STRIP)
    return ShotNoise(
        seed=seed,
        half_rate_hz=float(config.shot_noise_rate_hz) / 2 if config.has_poisson_noise else 0.0,
        weights=np.concatenate([np.cumsum(strip) for strip in np.split(on + off, strips)]),
        on_share=(on / (on + off)).astype(np.float32),
        is_log=config.input == "log",
        is_single=config.compat == "v2e",
    )


def photoreceptor_rms(config: EmulatorConfig, mismatch: PixelMismatch) -> float:
    """The noise V on the log intensity that gives the rate of events asked for; 0 where the config has no such noise.

    x = log10(R_n / (2 f_c)),   log10(theta / V) = -0.0026 x^3 - 0.036 x^2 - 0.1949 x + 0.321

    with theta the mean over the pixels of the smaller of their two thresholds.
    """
    if not config.has_photoreceptor_noise:
        return 0.0
    theta = float(np.minimum(mismatch.theta_on, mismatch.theta_off).mean(dtype=np.float64))
    x = math.log10(config.shot_noise_rate_hz / (2 * config.cutoff_hz))
    return theta / 10 ** (-0.0026 * x**3 - 0.036 * x**2 - 0.1949 * x + 0.321)


@jit
def relative_intensity(value, is_log):  # type: ignore[no-untyped-def]
    """g of a pixel. A log intensity counts as that of its luminance, taken to lie in 0..255 DN."""
    dn = min(max(luminance(np.float64(value)), 0.0), 255.0) if is_log else np.float64(value)
    return (dn + 20.0) / 275.0


@jit
def noise_events(shot, frame, index, start, dt_s, found):  # type: ignore[no-untyped-def]
    """Noise events in one strip of a frame, by rising pixel and time.

    Candidates arrive along the added-up weights of the pixels, at the rate in the dark; each is kept in
    proportion to the pixel's darkness. Where a pixel may have one event only, the candidates are made so
    frequent, and kept so often, that it has one with the probability that is its expected number.

    Args:
        frame: [S], the values of the strip's pixels.
        index: of the frame in the whole sequence.
        start: number of the strip's first pixel in the frame.
        found: float64 [capacity, 3] to write to.

    Returns:
        found (a larger one if it was full): pixel in the strip, part of the interval in [0, 1), +1 or -1; and
        their number.
    """
    weights = shot.weights[start : start + len(frame)]
    mean = shot.half_rate_hz * dt_s
    density = _single_density(weights, mean) if shot.is_single else mean
    key, draw, count, position, previous = hashed(hashed(shot.seed, index), start), 0, 0, 0.0, -1
    while density > 0.0:
        position -= math.log(1.0 - uniform(hashed(key, draw))) / density
        if position >= weights[-1]:
            break
        mark, pixel = uniform(hashed(key, draw + 1)), _pixel_at(weights, position)
        draw += 2
        if shot.is_single and pixel == previous:
            continue
        previous = pixel
        low = weights[pixel - 1] if pixel > 0 else 0.0
        weight = weights[pixel] - low
        kept = 1.0 - (1.0 - WHITE_FACTOR) * relative_intensity(frame[pixel], shot.is_log)
        if shot.is_single:
            kept *= min(mean * weight, MAX_PROBABILITY) / (1.0 - math.exp(-density * weight))
        on_share = np.float64(shot.on_share[start + pixel])
        is_on = mark < kept * on_share
        if is_on or mark >= 1.0 - kept * (1.0 - on_share):
            if count == len(found):
                found = _doubled(found)
            found[count, 0], found[count, 1] = pixel, min((position - low) / weight, ALMOST_ONE)
            found[count, 2] = 1.0 if is_on else -1.0
            count += 1
    return found, count


@jit
def _single_density(weights, mean):  # type: ignore[no-untyped-def]
    """Density at which every pixel has a candidate at least as probably as its expected number of events."""
    heaviest, before = 0.0, 0.0
    for weight in weights:
        heaviest, before = max(heaviest, weight - before), weight
    return -math.log(1.0 - min(mean * heaviest, MAX_PROBABILITY)) / heaviest


@jit
def _pixel_at(weights, position):  # type: ignore[no-untyped-def]
    """The first pixel up to which the weights exceed the position; they rise almost evenly, so it is near a guess."""
    pixel = min(int(position / weights[-1] * len(weights)), len(weights) - 1)
    while pixel > 0 and weights[pixel - 1] > position:
        pixel -= 1
    while weights[pixel] <= position:
        pixel += 1
    return pixel


@jit
def _doubled(found):  # type: ignore[no-untyped-def]
    larger = np.empty((2 * len(found), 3), np.float64)
    for index in range(len(found)):
        for column in range(3):
            larger[index, column] = found[index, column]
    return larger
