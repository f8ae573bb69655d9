"""Hardware: chips as data, and the way from an integer network to spikes on them.

The backends, which bring numba along, are in `hardware.backends`.
"""

from hardware.placement import PipelineSchedule, pipeline_schedule
from hardware.target import LOIHI1, LOIHI2, TARGETS, HardwareTarget

__all__ = ["LOIHI1", "LOIHI2", "TARGETS", "HardwareTarget", "PipelineSchedule", "pipeline_schedule"]
