"""One contraction of one action unit."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from snnface.errors import ConfigError
from snnface.faces.action_units import action_unit
from snnface.faces.curves import raised_cosine, smoother_ramp

__all__ = ["Activation", "Sides"]

Sides = Literal["quintic", "raised_cosine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """One contraction of one action unit: rises from onset, holds, and falls until offset.

    Attributes:
        code: FACS code.
        onset_us, apex_us, fall_us, offset_us: start of the rise, end of it, start of the
            fall, end of it; rising.
        intensity: 0..1 at the apex, on the stronger side of the face.
        right, left: gain of either side, 0..1.
        sides: shape of rise and fall.
        origin: why it is there: "asked" for, a "companion" that moved along, or a
            spontaneous "blink". Only what was asked for is a clip's class.

    Raises:
        ConfigError: if the times do not rise, an amount is not 0..1, or the unit is unknown.
    """

    code: int
    onset_us: int
    apex_us: int
    fall_us: int
    offset_us: int
    intensity: float
    right: float = 1.0
    left: float = 1.0
    sides: Sides = "quintic"
    origin: Literal["asked", "companion", "blink"] = "asked"

    def __post_init__(self) -> None:
        action_unit(self.code)
        if not self.onset_us < self.apex_us <= self.fall_us < self.offset_us:
            raise ConfigError(
                "a contraction needs onset < apex <= fall < offset; got "
                f"{self.onset_us}, {self.apex_us}, {self.fall_us}, {self.offset_us} us."
            )
        for name in ("intensity", "right", "left"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"the {name} of a contraction must be 0..1; got {getattr(self, name)}.")

    def at(self, t_us: Int64[np.ndarray, " T"]) -> Float64[np.ndarray, " T"]:
        """Intensity over time; 0 outside."""
        curve = smoother_ramp if self.sides == "quintic" else raised_cosine
        rise = curve((t_us - self.onset_us) / (self.apex_us - self.onset_us))
        fall = curve((t_us - self.fall_us) / (self.offset_us - self.fall_us))
        return self.intensity * (rise - fall)

    def shifted(self, lag_us: int) -> "Activation":
        """The same, later by `lag_us`."""
        return replace(
            self,
            onset_us=self.onset_us + lag_us,
            apex_us=self.apex_us + lag_us,
            fall_us=self.fall_us + lag_us,
            offset_us=self.offset_us + lag_us,
        )
