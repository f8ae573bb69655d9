"""Pictures from recordings: one class a representation, one contract for all."""

from typing import TypeAlias

from snnface.representations.base import Representation
from snnface.representations.event_pictures import EventPictures
from snnface.representations.histogram import HistogramConfig, PolarityHistogram
from snnface.representations.picture_stream import PictureStream
from snnface.representations.plain_frames import PlainFrames, PlainFramesConfig
from snnface.representations.slicing import AtLeast, FixedCount, FixedTime, Slicing
from snnface.representations.temporal_binary import TemporalBinary, TemporalBinaryConfig
from snnface.representations.time_surface import TimeSurface, TimeSurfaceConfig
from snnface.representations.voxel_grid import VoxelGrid, VoxelGridConfig

__all__ = [
    "AtLeast",
    "EventPictures",
    "FixedCount",
    "FixedTime",
    "HistogramConfig",
    "PictureStream",
    "PlainFrames",
    "PlainFramesConfig",
    "PolarityHistogram",
    "Representation",
    "RepresentationConfig",
    "Slicing",
    "TemporalBinary",
    "TemporalBinaryConfig",
    "TimeSurface",
    "TimeSurfaceConfig",
    "VoxelGrid",
    "VoxelGridConfig",
]

RepresentationConfig: TypeAlias = (
    HistogramConfig | TemporalBinaryConfig | VoxelGridConfig | TimeSurfaceConfig | PlainFramesConfig
)
"""The settings of any of them, as a recipe holds them."""
