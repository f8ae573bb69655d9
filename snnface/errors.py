"""The exception tree. Every error that a user can cause is one of these.

    SnnfaceError
      ConfigError(ValueError)                      a setting or a name is wrong
      ShapeError(ValueError)                       an array or tensor has the wrong axes
      DataError(ValueError)                        a file or a value in it is wrong
        EventOrderError                            time runs backwards
        SubjectLeakageError                        one subject stands in two splits
      DatasetNotFoundError(FileNotFoundError)      a file or folder is not there
      TrainingError
        NonFiniteLossError                         the loss became NaN or infinite
        CheckpointError                            a checkpoint is missing, broken or foreign
      ConversionError
        UnsupportedLayerError                      a layer has no spiking counterpart
        CalibrationError                           calibration data cannot give a threshold
      HardwareError
        CapacityError                              the network does not fit the target
        PrecisionError                             a number does not fit its bits
        BackendUnavailableError(ImportError)       the backend is not installed

A message says what was expected, what came, and what to do next.
"""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "BackendUnavailableError",
    "CalibrationError",
    "CapacityError",
    "CheckpointError",
    "ConfigError",
    "ConversionError",
    "DataError",
    "DatasetNotFoundError",
    "EventOrderError",
    "HardwareError",
    "NonFiniteLossError",
    "PrecisionError",
    "ShapeError",
    "SnnfaceError",
    "SubjectLeakageError",
    "TrainingError",
    "UnsupportedLayerError",
    "unknown_name",
]


class SnnfaceError(Exception):
    """Base of every error that the project raises on purpose."""


class ConfigError(SnnfaceError, ValueError):
    """A setting, option or name is not one that the project knows or accepts."""


class ShapeError(SnnfaceError, ValueError):
    """An array or tensor does not have the axes that were asked for."""


class DataError(SnnfaceError, ValueError):
    """A file, or a value read from it, is not what its format promises."""


class EventOrderError(DataError):
    """Event times run backwards."""


class SubjectLeakageError(DataError):
    """One subject appears in more than one split."""


class DatasetNotFoundError(SnnfaceError, FileNotFoundError):
    """A file or folder that the user named does not exist."""


class TrainingError(SnnfaceError):
    """Training could not go on."""


class NonFiniteLossError(TrainingError):
    """The loss is NaN or infinite."""


class CheckpointError(TrainingError):
    """A checkpoint is missing, damaged, or belongs to another model."""


class ConversionError(SnnfaceError):
    """A network cannot be turned into a spiking graph."""


class UnsupportedLayerError(ConversionError):
    """A layer has no exact spiking counterpart here."""


class CalibrationError(ConversionError):
    """The calibration data does not determine a threshold or scale."""


class HardwareError(SnnfaceError):
    """A network cannot run on the chosen target or backend."""


class CapacityError(HardwareError):
    """The network needs more of a resource than the target has."""


class PrecisionError(HardwareError):
    """A value does not fit the bits that the target gives it."""


class BackendUnavailableError(HardwareError, ImportError):
    """The backend's software is not installed on this machine."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> ConfigError:
    """The error for a name that is not in a table, with its nearest neighbours.

    Args:
        kind: what the name should have been, in words ("recipe").
        name: what came.
        known: every name that would have been accepted.
    """
    names = sorted(known)
    near = get_close_matches(name, names, n=3, cutoff=0.4)
    hint = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
    return ConfigError(f"unknown {kind} {name!r}. {hint}Known: {', '.join(names)}.")
