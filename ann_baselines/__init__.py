"""The conventional networks that the spiking ones are measured against."""

from ann_baselines.c3d import C3d, C3dConfig
from ann_baselines.cvae import ConditionalVae, ConditionalVaeConfig
from ann_baselines.per_frame import FrameCnn, FrameCnnConfig, PerFrame, PerFrameConfig

__all__ = [
    "C3d",
    "C3dConfig",
    "ConditionalVae",
    "ConditionalVaeConfig",
    "FrameCnn",
    "FrameCnnConfig",
    "PerFrame",
    "PerFrameConfig",
]
