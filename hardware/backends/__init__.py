"""Backends: things that run a graph and return its spikes."""

from hardware.backends.base import Backend, RunResult
from hardware.backends.fixed_point import FixedPointBackend, FixedPointConfig, FixedPointProgram
from hardware.backends.lava import LavaBackend, LavaConfig, LavaProgram, find_lava_python
from hardware.backends.reference import ReferenceBackend, ReferenceProgram

__all__ = [
    "Backend",
    "FixedPointBackend",
    "FixedPointConfig",
    "FixedPointProgram",
    "LavaBackend",
    "LavaConfig",
    "LavaProgram",
    "ReferenceBackend",
    "ReferenceProgram",
    "RunResult",
    "find_lava_python",
]
