"""Sets of synthetic people that are filmed in minutes, for recipes that train in minutes."""

from dataclasses import replace
from typing import Any

from snnface.datasets.augmentation import AugmentationConfig
from snnface.datasets.synthesis.presets import PresetName, SynthesisConfig, preset_named
from snnface.events.window import Resolution
from snnface.representations import HistogramConfig

__all__ = ["FEW_UNITS", "MIRRORED", "SMALL_PICTURES", "SMALL_SENSOR", "small_set"]

SMALL_SENSOR = Resolution(height=130, width=173)

SMALL_PICTURES = HistogramConfig(resolution=Resolution(height=32, width=32), max_count=15)
# What a mirror shows is as true: as many faces again, for nothing.
MIRRORED = AugmentationConfig(flip=0.5)
FEW_UNITS = (2, 4, 9, 12, 15, 26, 45, 51)


def small_set(preset: PresetName, **changes: Any) -> SynthesisConfig:
    """A preset before a small DAVIS alone, which films in seconds a take; the grid is as coarse as its pictures."""
    config = preset_named(preset)
    small: dict[str, Any] = {
        "cameras": ("davis",),
        "davis": SMALL_SENSOR,
        "scene": replace(config.scene, cell=0.035),
    }
    return replace(config, **(small | changes))
