"""How people differ in colour."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from jaxtyping import Float64

from snnface.errors import ConfigError
from snnface.faces.rendering.colour import LUMINANCE

__all__ = ["HAIR_TINTS", "IRIS_TINTS", "Complexion", "skin_tint", "tinted"]

Tint = tuple[float, float, float]

# Linear red, green and blue of usual colours; only their ratios matter.
HAIR_TINTS: Mapping[str, Tint] = MappingProxyType(
    {
        "black": (1.15, 0.97, 0.86),
        "brown": (1.70, 0.85, 0.45),
        "blond": (1.45, 0.94, 0.45),
        "red": (2.30, 0.68, 0.25),
        "grey": (1.06, 1.00, 0.90),
    }
)
IRIS_TINTS: Mapping[str, Tint] = MappingProxyType(
    {"brown": (1.80, 0.83, 0.40), "green": (1.02, 1.08, 0.50), "blue": (0.60, 1.02, 2.00), "grey": (0.88, 1.00, 1.30)}
)

# Reflectance and tint of skin from dark to light: melanin takes blue first, then green.
_SKIN_TONES = ((0.055, (1.75, 0.84, 0.46)), (0.33, (1.54, 0.89, 0.53)), (0.65, (1.28, 0.95, 0.73)))
# Lips are skin with more blood.
_REDDER = (1.25, 0.90, 1.0)


@dataclass(frozen=True, kw_only=True)
class Complexion:
    """Colours of one person's face, and the shape of what is only colour.

    A reflectance is a share of linear luminance (ITU-R BT.709), 0..1. A tint is a linear red,
    green and blue of which only the ratios matter; the colour is the tint at that luminance.

    Attributes:
        skin, lips, brows, hair, iris: reflectances. The skin's tint follows its reflectance.
        hair_tint, iris_tint: brows and beard have the hair's.
        beard: how much of the hair's colour lies on upper lip, chin and jaw: 0 shaven, 1 full.
        brow_thickness: half width of the brows, in eye distances.
        hairline: height of the hair line in the middle, in eye distances; the crown is at 1.25, so
            a line above that is a bald head with hair at the sides.
        mottling: rms of the skin's blotches, as a share of `skin`.
        mottling_seed: which blotches.
    """

    skin: float = 0.50
    lips: float = 0.34
    brows: float = 0.12
    hair: float = 0.06
    iris: float = 0.10
    hair_tint: Tint = HAIR_TINTS["brown"]
    iris_tint: Tint = IRIS_TINTS["brown"]
    beard: float = 0.0
    brow_thickness: float = 0.045
    hairline: float = 0.72
    mottling: float = 0.02
    mottling_seed: int = 0

    def __post_init__(self) -> None:
        for name in ("skin", "lips", "brows", "hair", "iris"):
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(f"the reflectance of {name} must lie in (0, 1]; got {getattr(self, name)}.")
        for name in ("hair_tint", "iris_tint"):
            tint = getattr(self, name)
            if len(tint) != 3 or min(tint) < 0 or not 0 < sum(tint) < float("inf"):
                raise ConfigError(f"{name} must be three numbers of at least 0, not all 0; got {tint}.")
        if not (0 < self.brow_thickness < float("inf") and 0 <= self.mottling < float("inf")):
            raise ConfigError(
                f"brow_thickness must be positive and mottling at least 0; got {self.brow_thickness} and "
                f"{self.mottling}."
            )
        if not abs(self.hairline) < float("inf"):
            raise ConfigError(f"hairline must be a finite height; got {self.hairline}.")
        if not 0 <= self.beard <= 1:
            raise ConfigError(f"beard must lie in 0..1; got {self.beard}.")

    @property
    def skin_colour(self) -> Float64[np.ndarray, " 3"]:
        """Linear red, green and blue; likewise the others."""
        return tinted(self.skin, skin_tint(self.skin))

    @property
    def lip_colour(self) -> Float64[np.ndarray, " 3"]:
        red, green, blue = (tone * more for tone, more in zip(skin_tint(self.skin), _REDDER, strict=True))
        return tinted(self.lips, (red, green, blue))

    @property
    def brow_colour(self) -> Float64[np.ndarray, " 3"]:
        return tinted(self.brows, self.hair_tint)

    @property
    def hair_colour(self) -> Float64[np.ndarray, " 3"]:
        return tinted(self.hair, self.hair_tint)

    @property
    def iris_colour(self) -> Float64[np.ndarray, " 3"]:
        return tinted(self.iris, self.iris_tint)

    @classmethod
    def drawn(cls, generator: np.random.Generator) -> "Complexion":
        """A random person's: skin from dark to light, hair and eyes of the colours that go with it."""
        skin = 0.66 * np.exp(-1.9 * generator.uniform(0, 1) ** 1.3)
        is_fair = skin > 0.42
        kind = str(generator.choice(["black", "brown", "blond", "red", "grey"], p=_HAIR_ODDS[is_fair]))
        low, high = _HAIR_RANGES[kind]
        hair = generator.uniform(low, high)
        eyes = str(generator.choice(["brown", "green", "blue", "grey"], p=_IRIS_ODDS[is_fair]))
        iris = generator.uniform(0.025, 0.06) if eyes == "brown" else generator.uniform(0.09, 0.22)
        is_bald, has_beard = generator.uniform(size=2) < (0.08, 0.3)
        return cls(
            skin=float(skin),
            lips=float(skin * generator.uniform(0.55, 0.75)),
            brows=float(min(hair * generator.uniform(0.9, 1.5), 0.45 * skin)),
            hair=hair,
            iris=iris,
            hair_tint=HAIR_TINTS[kind],
            iris_tint=IRIS_TINTS[eyes],
            beard=generator.uniform(0.1, 0.7) if has_beard else 0.0,
            brow_thickness=generator.uniform(0.035, 0.058),
            hairline=generator.uniform(1.1, 1.5) if is_bald else generator.uniform(0.62, 0.85),
            mottling=generator.uniform(0.01, 0.03),
            mottling_seed=int(generator.integers(2**31)),
        )


# Odds of the colours above without (False) and with fair skin, and reflectances of hair: our choice.
_HAIR_ODDS = {False: (0.70, 0.18, 0.0, 0.0, 0.12), True: (0.15, 0.43, 0.22, 0.06, 0.14)}
_IRIS_ODDS = {False: (0.92, 0.06, 0.0, 0.02), True: (0.40, 0.18, 0.30, 0.12)}
_HAIR_RANGES = {
    "black": (0.012, 0.03), "brown": (0.03, 0.09), "blond": (0.16, 0.32), "red": (0.07, 0.14), "grey": (0.2, 0.45)
}  # fmt: skip


def skin_tint(reflectance: float) -> Tint:
    """The tint of skin that reflects so much light."""
    levels = np.log([level for level, _ in _SKIN_TONES])
    red, green, blue = (
        np.interp(np.log(reflectance), levels, tints) for tints in zip(*(t for _, t in _SKIN_TONES), strict=True)
    )
    return float(red), float(green), float(blue)


def tinted(reflectance: float | Float64[np.ndarray, " V"], tint: Tint) -> Float64[np.ndarray, "*V 3"]:
    """Linear red, green and blue of that luminance; as much of the tint as fits below 1."""
    level = np.asarray(reflectance, dtype=np.float64)[..., None]
    excess = np.array(tint) / (np.array(tint) @ LUMINANCE) - 1
    room = (1 / level - 1) / max(float(excess.max()), 1e-9)
    return np.asarray(level * (1 + np.minimum(room, 1.0) * excess))
