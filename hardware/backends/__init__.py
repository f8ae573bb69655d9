"""Backends: things that run a graph and return its spikes."""

from hardware.backends.base import Backend, RunResult
from hardware.backends.fixed_point import FixedPointBackend, FixedPointConfig, FixedPointProgram
from hardware.backends.lava import LavaBackend, LavaConfig, LavaProgram, find_lava_python
from hardware.backends.reference import ReferenceBackend, ReferenceProgram
from hardware.backends.streamed import StreamedRun, streamed_run

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
    "StreamedRun",
    "find_lava_python",
    "streamed_run",
]
