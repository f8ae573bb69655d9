"""Sets of synthetic recordings: presets, one take, and what is known of it."""

from snnface.datasets.synthesis.presets import (
    PRESETS,
    CameraName,
    EmotionSetConfig,
    PresetName,
    SynthesisConfig,
    preset_named,
)
from snnface.datasets.synthesis.take import SyntheticTake, clip_row, takes_of, write_take
from snnface.datasets.synthesis.truth import Truth, TruthCamera, read_truth, write_truth

__all__ = [
    "PRESETS",
    "CameraName",
    "EmotionSetConfig",
    "PresetName",
    "SynthesisConfig",
    "SyntheticTake",
    "Truth",
    "TruthCamera",
    "clip_row",
    "preset_named",
    "read_truth",
    "takes_of",
    "write_take",
    "write_truth",
]
