"""How people differ in colour."""

from dataclasses import dataclass

import numpy as np

from snnface.errors import ConfigError

__all__ = ["Complexion"]


@dataclass(frozen=True, kw_only=True)
class Complexion:
    """Reflectances (0..1) of one person's face, and the shape of what is only colour.

    Attributes:
        skin, lips, brows, hair, iris: reflectances.
        brow_thickness: half width of the brows, in eye distances.
        hairline: height of the hair line in the middle, in eye distances.
        mottling: rms of the skin's blotches, as a share of `skin`.
        mottling_seed: which blotches.
    """

    skin: float = 0.55
    lips: float = 0.36
    brows: float = 0.14
    hair: float = 0.08
    iris: float = 0.12
    brow_thickness: float = 0.045
    hairline: float = 0.72
    mottling: float = 0.03
    mottling_seed: int = 0

    def __post_init__(self) -> None:
        for name in ("skin", "lips", "brows", "hair", "iris"):
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(f"the reflectance of {name} must lie in (0, 1]; got {getattr(self, name)}.")
        if self.brow_thickness <= 0 or self.mottling < 0:
            raise ConfigError("brow_thickness must be positive and mottling at least 0.")

    @classmethod
    def drawn(cls, generator: np.random.Generator) -> "Complexion":
        """A random person's."""
        skin = generator.uniform(0.3, 0.68)
        hair = generator.uniform(0.04, 0.3) * min(1.0, skin / 0.5)
        return cls(
            skin=skin,
            lips=skin * generator.uniform(0.55, 0.75),
            brows=min(hair * generator.uniform(0.9, 1.5), 0.45 * skin),
            hair=hair,
            iris=generator.uniform(0.05, 0.22),
            brow_thickness=generator.uniform(0.035, 0.058),
            hairline=generator.uniform(0.62, 0.85),
            mottling=generator.uniform(0.015, 0.05),
            mottling_seed=int(generator.integers(2**31)),
        )
