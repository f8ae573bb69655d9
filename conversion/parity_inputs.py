"""What both sides of a parity check are shown: samples of a file, or seeded random ones."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from conversion.array_file import read_arrays
from conversion.runners.run import Runner
from snnface.errors import ConfigError, DataError, ShapeError

__all__ = ["InputConfig", "inputs_for", "shown_to"]

DEFAULT_STEPS = 32


@dataclass(frozen=True, kw_only=True)
class InputConfig:
    """The input of a parity check.

    Attributes:
        inputs: .npz with `inputs`, [T, B, ...], or [B, ...] that are held for every step; None draws spikes at
            random, or, for two ANNs, numbers of a normal distribution.
        steps: number of steps; None takes what the networks are made for, or 32.
        samples: how many are drawn.
        rate: probability of a spike that is drawn.
        seed: of what is drawn.

    Raises:
        ConfigError: if a number is out of its range.
    """

    inputs: Path | None = None
    steps: int | None = None
    samples: int = 4
    rate: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.steps is not None and self.steps < 1) or self.samples < 1:
            raise ConfigError("steps and samples must be at least 1.")
        if not 0 <= self.rate <= 1:
            raise ConfigError(f"rate is a probability; got {self.rate}.")


def inputs_for(a: Runner, b: Runner, config: InputConfig) -> np.ndarray:
    """[T, B, *input_shape], or [B, *input_shape] where neither of the two has steps.

    Raises:
        ShapeError: if the two, or the file, have other shapes.
        ConfigError: if the two are made for different numbers of steps, or `config` wants another.
        DatasetNotFoundError, DataError: if the file is missing, damaged or holds no numbers.
    """
    if a.input_shape != b.input_shape:
        raise ShapeError(f"both networks must read one shape; got {a.input_shape} and {b.input_shape}.")
    has_steps = a.has_steps or b.has_steps
    steps = _steps(a, b, config.steps)
    if config.inputs is not None:
        return _held(_from_file(config.inputs), a.input_shape, steps, has_steps)
    generator = np.random.default_rng(config.seed)
    if not has_steps:
        return generator.standard_normal((config.samples, *a.input_shape))
    shape = (steps or DEFAULT_STEPS, config.samples, *a.input_shape)
    return (generator.random(shape) < config.rate).astype(np.uint8)


def shown_to(runner: Runner, inputs: np.ndarray) -> np.ndarray:
    """What a runner without steps sees of [T, B, ...]: the mean over time, which an ANN is converted for."""
    if runner.has_steps or inputs.ndim == 1 + len(runner.input_shape):
        return inputs
    return inputs[0] if inputs.strides[0] == 0 else inputs.mean(axis=0)


def _steps(a: Runner, b: Runner, wanted: int | None) -> int | None:
    fixed = {count for count in (a.num_steps, b.num_steps, wanted) if count is not None}
    if len(fixed) > 1:
        raise ConfigError(f"the number of steps must be one; the networks and --steps say {sorted(fixed)}.")
    return next(iter(fixed), None)


def _from_file(path: Path) -> np.ndarray:
    arrays = read_arrays(path)
    if "inputs" not in arrays or arrays["inputs"].dtype.kind not in "fiub":
        raise DataError(f"'{path.name}' must hold numbers called `inputs`; it holds {', '.join(arrays)}.")
    return arrays["inputs"]


def _held(inputs: np.ndarray, shape: tuple[int, ...], steps: int | None, has_steps: bool) -> np.ndarray:
    axes = ", ".join(map(str, shape))
    if inputs.shape[1:] == shape and inputs.ndim == 1 + len(shape):
        # The simulator knows an input that is held by its stride of 0.
        return np.broadcast_to(inputs, (steps or DEFAULT_STEPS, *inputs.shape)) if has_steps else inputs
    if not has_steps or inputs.shape[2:] != shape or inputs.ndim != 2 + len(shape):
        raise ShapeError(
            f"`inputs` must be [B, {axes}]{f' or [T, B, {axes}]' if has_steps else ''}; got {list(inputs.shape)}."
        )
    if steps is not None and steps > len(inputs):
        raise ConfigError(f"`inputs` has {len(inputs)} steps; {steps} were asked for.")
    return inputs[:steps]
