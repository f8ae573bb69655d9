"""What an emulated event camera is like, and named presets."""

import math
from dataclasses import dataclass
from typing import Literal

from snnface.errors import ConfigError

__all__ = ["EMULATOR_PRESETS", "MIN_THRESHOLD", "EmulatorConfig"]

MIN_THRESHOLD = 0.01
# The fit of the photoreceptor's noise holds where R_n / (2 f_c) lies between these.
PHOTORECEPTOR_RANGE = (1e-5, 1.0)


@dataclass(frozen=True, kw_only=True)
class EmulatorConfig:
    """Settings of the emulator; `Emulator` has the equations. The default is the ideal camera.

    Attributes:
        theta_on: threshold of ON events, in units of natural log intensity.
        theta_off: threshold of OFF events, likewise.
        threshold_spread: standard deviation of the thresholds from pixel to pixel, same unit.
        cutoff_hz: bandwidth of the photoreceptor at white (255 DN); 0 is unlimited.
        leak_rate_hz: ON events of a pixel at rest.
        leak_jitter: random part of each frame's leak, as a fraction (one standard deviation).
        leak_spread_decades: spread of the leak from pixel to pixel, in factors of ten.
        shot_noise_rate_hz: noise events, ON and OFF together, of a pixel in the dark.
        shot_noise: "poisson": single events, independent of each other. "photoreceptor":
            noise on the log intensity, which needs a cutoff.
        refractory_us: dead time of a pixel after an event.
        input: what the frames hold. "linear_dn": luminance in digital numbers 0..255.
            "log": the log intensity itself, of a rendered scene for example.
        compat: None for this project's own timing. "v2e" for v2e's arithmetic, step for step.

    Raises:
        ConfigError: if a value is out of its range, or a choice is unknown.
    """

    theta_on: float = 0.2
    theta_off: float = 0.2
    threshold_spread: float = 0.0
    cutoff_hz: float = 0.0
    leak_rate_hz: float = 0.0
    leak_jitter: float = 0.0
    leak_spread_decades: float = 0.0
    shot_noise_rate_hz: float = 0.0
    shot_noise: Literal["poisson", "photoreceptor"] = "poisson"
    refractory_us: int = 0
    input: Literal["linear_dn", "log"] = "linear_dn"
    compat: Literal["v2e"] | None = None

    def __post_init__(self) -> None:
        for name in ("theta_on", "theta_off"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= MIN_THRESHOLD):
                raise ConfigError(f"{name} must be at least {MIN_THRESHOLD} log units; got {value}.")
        for name in (
            *("threshold_spread", "cutoff_hz", "leak_rate_hz", "leak_jitter", "leak_spread_decades"),
            *("shot_noise_rate_hz", "refractory_us"),
        ):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ConfigError(f"{name} must be a number from 0 on, where 0 is off; got {value}.")
        for name, known in (
            ("shot_noise", ("poisson", "photoreceptor")),
            ("input", ("linear_dn", "log")),
            ("compat", (None, "v2e")),
        ):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} must be one of {', '.join(map(str, known))}; got {getattr(self, name)!r}.")
        if self.has_photoreceptor_noise:
            self._check_photoreceptor()

    def _check_photoreceptor(self) -> None:
        if self.cutoff_hz == 0:
            raise ConfigError(
                "photoreceptor noise needs a cutoff_hz above 0, the bandwidth of the noise; got 0. "
                'Set one, or take shot_noise="poisson".'
            )
        ratio, (low, high) = self.shot_noise_rate_hz / (2 * self.cutoff_hz), PHOTORECEPTOR_RANGE
        if not low < ratio < high:
            raise ConfigError(
                f"photoreceptor noise is known for shot_noise_rate_hz / (2 cutoff_hz) between {low} and {high}; "
                f'got {ratio:.3g}. Change one of them, or take shot_noise="poisson".'
            )

    @property
    def has_photoreceptor_noise(self) -> bool:
        return self.shot_noise == "photoreceptor" and self.shot_noise_rate_hz > 0

    @property
    def has_poisson_noise(self) -> bool:
        return self.shot_noise == "poisson" and self.shot_noise_rate_hz > 0

    @property
    def longest_step_us(self) -> int | None:
        """The longest distance of frames that v2e's low-pass follows; None: any will do.

        It is clamped, not exact: above 0.3 time constants it falls behind.
        """
        if self.compat != "v2e" or not self.cutoff_hz:
            return None
        return max(int(0.3e6 / (2 * math.pi * self.cutoff_hz)), 1)

    @property
    def is_still_at_rest(self) -> bool:
        """Whether nothing happens in a pixel whose input does not change."""
        return not (self.cutoff_hz or self.leak_rate_hz or self.shot_noise_rate_hz or self.refractory_us)


# Source: the "clean" and "noisy" presets and the command-line defaults of v2e
# (Hu, Liu and Delbruck 2021, arXiv:2006.07722).
EMULATOR_PRESETS = {
    "ideal": EmulatorConfig(),
    "clean": EmulatorConfig(threshold_spread=0.02),
    "noisy": EmulatorConfig(
        threshold_spread=0.05,
        cutoff_hz=30.0,
        leak_rate_hz=0.1,
        leak_jitter=0.1,
        leak_spread_decades=0.1,
        shot_noise_rate_hz=5.0,
    ),
    "default": EmulatorConfig(
        threshold_spread=0.03,
        cutoff_hz=300.0,
        leak_rate_hz=0.01,
        leak_jitter=0.1,
        leak_spread_decades=0.1,
        shot_noise_rate_hz=0.001,
        refractory_us=500,
    ),
}
