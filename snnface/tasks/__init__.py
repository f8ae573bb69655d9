"""Tasks: what a model is for."""

from snnface.tasks.action_units import ActionUnitTask, ActionUnitTaskConfig
from snnface.tasks.base import Loss, Meter, Output, Task

__all__ = ["ActionUnitTask", "ActionUnitTaskConfig", "Loss", "Meter", "Output", "Task"]
