"""An event camera in software: frames in, events out."""

from snnface.events.emulator.config import EMULATOR_PRESETS, EmulatorConfig
from snnface.events.emulator.emulator import Emulator, emulate
from snnface.events.emulator.pixel_mismatch import PixelMismatch

__all__ = ["EMULATOR_PRESETS", "Emulator", "EmulatorConfig", "PixelMismatch", "emulate"]
