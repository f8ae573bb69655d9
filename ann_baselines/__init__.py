"""The conventional networks that the spiking ones are measured against."""

from ann_baselines.c3d import C3d, C3dConfig

__all__ = ["C3d", "C3dConfig"]
