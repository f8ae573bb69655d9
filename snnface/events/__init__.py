"""Event streams: types, readers, writers, filters, emulator."""

from snnface.events.emulator import Emulator, EmulatorConfig, emulate
from snnface.events.filters import PixelBox, centre_square, crop
from snnface.events.frames import FrameClip
from snnface.events.readers import EventFile, open_events, read
from snnface.events.sensor_data import SensorData, Triggers
from snnface.events.stream import EventStream
from snnface.events.window import Resolution, TimeWindow
from snnface.events.writers import write_hdf5

__all__ = [
    "Emulator",
    "EmulatorConfig",
    "EventFile",
    "EventStream",
    "FrameClip",
    "PixelBox",
    "Resolution",
    "SensorData",
    "TimeWindow",
    "Triggers",
    "centre_square",
    "crop",
    "emulate",
    "open_events",
    "read",
    "write_hdf5",
]
