"""The neurons of a population: all alike, or some of their numbers each their own."""

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np

from snnface.errors import ConversionError

__all__ = ["Neuron", "PerNeuron"]

PerNeuron = float | np.ndarray
"""One number for a whole population, or float64 that broadcasts to its shape: [C, 1, 1], [C, H, W] or [N]."""


@dataclass(frozen=True, slots=True)
class Neuron:
    """The neuron model of a population; see the equations of `conversion.graph`.

    Leak, threshold, initial voltage and rest may differ between neurons; an array of one value becomes that number.

    Attributes:
        leak: 1/tau in steps; 0 is a plain integrator, 1 has no memory.
        rest: the voltage that it leaks towards. Where neurons are alike this is a bias of leak * rest, and 0 here.
        is_relay: a neuron that only copies spikes (OR-pooling, delay); it is counted as
            hardware, not as part of the trained network.

    Raises:
        ConversionError: if the neurons are alike and rest is not 0.
    """

    leak: PerNeuron
    threshold: PerNeuron
    reset: Literal["zero", "subtract"] = "zero"
    fires_on_equality: bool = False
    initial_voltage: PerNeuron = 0.0
    is_relay: bool = False
    rest: PerNeuron = 0.0

    def __post_init__(self) -> None:
        for name, values in self.arrays.items():
            is_one = bool(values.size and np.all(values == values.flat[0]))
            object.__setattr__(self, name, float(values.flat[0]) if is_one else values.astype(np.float64))
        if not {"leak", "rest"} & self.arrays.keys() and self.rest:
            raise ConversionError(
                f"a rest of {self.rest} for all neurons is a bias; add leak times rest to the bias, and leave rest out."
            )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Neuron) and all(
            np.array_equal(getattr(self, part.name), getattr(other, part.name)) for part in fields(self)
        )

    def __hash__(self) -> int:
        return hash((self.reset, self.fires_on_equality, self.is_relay))

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The parameters that differ between neurons, by name."""
        values = {name: getattr(self, name) for name in ("leak", "threshold", "initial_voltage", "rest")}
        return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
