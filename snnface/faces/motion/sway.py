"""Slow involuntary head motion."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from snnface.faces.rendering.camera import POSE_NAMES

__all__ = ["SWAY_HZ", "Sway"]

SWAY_HZ = (0.3, 0.5, 0.8, 1.3, 2.1, 3.4)
"""Frequencies of the waves that a sway is made of."""

# rms of each pose coordinate with a sway of one degree: turns in degrees, shifts in eye distances.
_SHARES = np.array([1.0, 1.0, 0.5, 0.01, 0.01, 0.01])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sway:
    """Waves whose power falls as 1/f, in each pose coordinate.

    Attributes:
        amplitude, phase: for the pose coordinates (`POSE_NAMES`) and the frequencies `SWAY_HZ`.
    """

    amplitude: Float64[np.ndarray, "6 F"]
    phase: Float64[np.ndarray, "6 F"]

    @classmethod
    def drawn(cls, degrees: float, generator: np.random.Generator) -> "Sway":
        """A sway of that rms in yaw and pitch, half of it in roll, and a hundredth of an eye distance a degree."""
        power = 1 / np.array(SWAY_HZ)
        waves = np.sqrt(2 * power / power.sum())
        phase = generator.uniform(0, 2 * np.pi, (len(POSE_NAMES), len(SWAY_HZ)))
        return cls(amplitude=degrees * _SHARES[:, None] * waves, phase=phase)

    def at(self, t_us: Int64[np.ndarray, " T"]) -> Float64[np.ndarray, "T 6"]:
        """Pose over time, see `POSE_NAMES`."""
        angle = 2 * np.pi * np.array(SWAY_HZ) * (t_us / 1e6)[:, None, None] + self.phase
        return (self.amplitude * np.sin(angle)).sum(2)
