"""What of a sensor the compiled loops need and never changes."""

import math
from typing import NamedTuple

import numpy as np

from snnface.events.emulator.config import EmulatorConfig
from snnface.events.emulator.pixel_mismatch import PixelMismatch
from snnface.events.emulator.shot_noise import photoreceptor_rms
from snnface.seeding import SeedTree

__all__ = ["Sensor", "sensor_of"]


class Sensor(NamedTuple):
    """Values of `EmulatorConfig` and `PixelMismatch`; pixels counted row by row.

    Attributes:
        width: of the sensor in pixels.
        theta_on, theta_off: float32 [P].
        leak_hz: float32 [P], the leak in log units per second; has_leak: whether there is any.
        jitter: random part of the leak.
        tau_s: time constant at white; 0 is none.
        rms: of the photoreceptor's noise; 0 is none.
        refractory_us: dead time.
        is_log: whether frames hold log intensities.
        leak_seed, wobble_seed: 63 bits.
    """

    width: int
    theta_on: np.ndarray
    theta_off: np.ndarray
    leak_hz: np.ndarray
    has_leak: bool
    jitter: float
    tau_s: float
    rms: float
    refractory_us: int
    is_log: bool
    leak_seed: int
    wobble_seed: int


def sensor_of(config: EmulatorConfig, mismatch: PixelMismatch, *, seed: int) -> Sensor:
    """The sensor of this config with these pixels; `seed` is that of the emulator."""
    tree = SeedTree(seed)
    leak_hz = config.leak_rate_hz * mismatch.leak_factor * mismatch.theta_on
    return Sensor(
        width=mismatch.theta_on.shape[1],
        theta_on=mismatch.theta_on.ravel(),
        theta_off=mismatch.theta_off.ravel(),
        leak_hz=leak_hz.ravel().astype(np.float32),
        has_leak=config.leak_rate_hz > 0,
        jitter=float(config.leak_jitter),
        tau_s=1 / (2 * math.pi * config.cutoff_hz) if config.cutoff_hz else 0.0,
        rms=photoreceptor_rms(config, mismatch),
        refractory_us=int(config.refractory_us),
        is_log=config.input == "log",
        leak_seed=tree.seed("leak"),
        wobble_seed=tree.seed("photoreceptor"),
    )
