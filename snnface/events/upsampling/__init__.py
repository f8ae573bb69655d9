"""Frames between frames, as many as the motion needs."""

from snnface.events.upsampling.upsampler import Steps, Upsampler, UpsamplingConfig

__all__ = ["Steps", "Upsampler", "UpsamplingConfig"]
