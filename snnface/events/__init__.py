"""Event streams: types, readers, writers, filters, emulator, frames to emulate from."""

from snnface.events.emulator import EMULATOR_PRESETS, Emulator, EmulatorConfig, PixelMismatch, emulate
from snnface.events.filters import PixelBox, centre_square, crop
from snnface.events.frames import FrameClip
from snnface.events.readers import EventFile, open_events, read
from snnface.events.sensor_data import ImuSamples, SensorData, Triggers
from snnface.events.stream import EventStream
from snnface.events.upsampling import Upsampler, UpsamplingConfig
from snnface.events.video import open_frames
from snnface.events.window import Resolution, TimeWindow
from snnface.events.writers import EventWriter, create_events, write_events, write_hdf5

__all__ = [
    "EMULATOR_PRESETS",
    "Emulator",
    "EmulatorConfig",
    "EventFile",
    "EventStream",
    "EventWriter",
    "FrameClip",
    "ImuSamples",
    "PixelBox",
    "PixelMismatch",
    "Resolution",
    "SensorData",
    "TimeWindow",
    "Triggers",
    "Upsampler",
    "UpsamplingConfig",
    "centre_square",
    "create_events",
    "crop",
    "emulate",
    "open_events",
    "open_frames",
    "read",
    "write_events",
    "write_hdf5",
]
