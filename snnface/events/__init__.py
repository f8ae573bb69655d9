"""Event streams: types, readers, writers, emulator."""

from snnface.events.frames import FrameClip
from snnface.events.sensor_data import SensorData, Triggers
from snnface.events.stream import EventStream
from snnface.events.window import Resolution, TimeWindow

__all__ = ["EventStream", "FrameClip", "Resolution", "SensorData", "TimeWindow", "Triggers"]
