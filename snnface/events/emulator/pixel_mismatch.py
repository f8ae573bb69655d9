"""What differs from pixel to pixel of one sensor, and never changes."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from snnface.errors import DataError
from snnface.events.emulator.config import MIN_THRESHOLD, EmulatorConfig
from snnface.events.window import Resolution
from snnface.seeding import SeedTree
from snnface.shapes import require_shape

__all__ = ["PixelMismatch"]


@dataclass(frozen=True, kw_only=True, eq=False)
class PixelMismatch:
    """The thresholds and the leak of each pixel.

    Attributes:
        theta_on, theta_off: float32 [H, W], thresholds in log units, 0.01 or more.
        leak_factor: float32 [H, W], the pixel's leak as a multiple of the nominal rate.

    Raises:
        DataError: if a value is out of its range, or not finite.
    """

    theta_on: Float32[np.ndarray, "_ _"]
    theta_off: Float32[np.ndarray, "_ _"]
    leak_factor: Float32[np.ndarray, "_ _"]

    def __post_init__(self) -> None:
        smallest = {"theta_on": MIN_THRESHOLD, "theta_off": MIN_THRESHOLD, "leak_factor": 0.0}
        for name, low in smallest.items():
            values = getattr(self, name)
            if not (np.isfinite(values) & (values >= np.float32(low))).all():
                raise DataError(f"{name} of every pixel must be finite and at least {low}; one is not. Mend the array.")

    @classmethod
    def drawn(cls, config: EmulatorConfig, resolution: Resolution, *, seed: int) -> "PixelMismatch":
        """One sensor: the ON thresholds first, then the OFF ones, then the leak.

            theta = max(N(theta_nominal, spread), 0.01)        leak factor = 10^(N(0, spread in decades))

        Source: Hu, Liu and Delbruck 2021, arXiv:2006.07722, sec. 4.
        """
        shape, tree = (resolution.height, resolution.width), SeedTree(seed)
        thresholds, leak = tree.numpy("thresholds"), tree.numpy("leak factor")
        theta_on, theta_off = (
            np.maximum(_normal(thresholds, theta, config.threshold_spread, shape), MIN_THRESHOLD)
            for theta in (config.theta_on, config.theta_off)
        )
        decades = _normal(leak, 0.0, config.leak_spread_decades, shape)
        return cls(
            theta_on=theta_on.astype(np.float32),
            theta_off=theta_off.astype(np.float32),
            leak_factor=np.exp(math.log(10) * decades).astype(np.float32),
        )

    def require_size(self, resolution: Resolution) -> None:
        """Check that there is one value for each pixel of the sensor.

        Raises:
            ShapeError: if not.
        """
        for name in ("theta_on", "theta_off", "leak_factor"):
            require_shape(getattr(self, name), f"{resolution.height} {resolution.width}", what=name)


def _normal(generator: np.random.Generator, mean: float, spread: float, shape: tuple[int, int]) -> np.ndarray:
    return generator.normal(mean, spread, shape) if spread else np.full(shape, mean)
