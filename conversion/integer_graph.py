"""The integer graph: a spiking graph in the numbers of a Loihi-like chip.

Same populations, same names, same order as the float graph it was made from. Trained networks
become LIF neurons; `integer_neurons` has the others that a chip offers. With `>>` the arithmetic
shift, D(x, d) = sign(x) ((|x| (4096 - d)) >> 12), and a the summed synaptic input of the step
(Lava's bit-accurate LIF, lava-nc 0.10.0):

    u = fold(D(u, du + 1) + (a << 6))
    v = clip(D(v, dv) + u + (bias_mant << bias_exp), -(2^23 - 1), 2^23 - 1)
    s = v > (vth << 6);  v = 0 where s
"""

from dataclasses import dataclass

import numpy as np

from conversion.graph import INPUT, Connection, Readout
from conversion.integer_neurons import (
    ChipNeuron,
    DeltaNeuron,
    IntegerNeuron,
    SigmaDeltaNeuron,
    SigmaNeuron,
    TernaryNeuron,
)

__all__ = [
    "ChipNeuron",
    "DeltaNeuron",
    "IntegerGraph",
    "IntegerNeuron",
    "IntegerPopulation",
    "SigmaDeltaNeuron",
    "SigmaNeuron",
    "TernaryNeuron",
]


@dataclass(frozen=True, slots=True)
class IntegerPopulation:
    """As `Population`, with integer weights (no bias in the synapse) and integer neurons."""

    name: str
    shape: tuple[int, ...]
    neuron: ChipNeuron
    inputs: tuple[Connection, ...]

    @property
    def num_neurons(self) -> int:
        return int(np.prod(self.shape))


@dataclass(frozen=True, slots=True, eq=False)
class IntegerGraph:
    """A network in integers, ready for the fixed-point backends.

    Attributes:
        input_bits: bits of an input message; 0 means binary spikes, otherwise the value
            0 .. 2^input_bits - 1 itself is multiplied with the weight.
    """

    input_shape: tuple[int, ...]
    input_bits: int
    populations: tuple[IntegerPopulation, ...]
    readout: Readout

    def shape_of(self, name: str) -> tuple[int, ...]:
        """The shape of a population, or of the input."""
        return self.input_shape if name == INPUT else self.population(name).shape

    def population(self, name: str) -> IntegerPopulation:
        return next(population for population in self.populations if population.name == name)

    def largest_message(self, source: str) -> int | None:
        """The greatest magnitude that a population, or the input, sends; None where only a run can tell."""
        if source == INPUT:
            return (1 << self.input_bits) - 1 if self.input_bits else 1
        return self.population(source).neuron.largest_message

    def is_binary(self, source: str) -> bool:
        """A population, or the input, sends only 0 and 1."""
        return self.input_bits == 0 if source == INPUT else self.population(source).neuron.is_binary

    def depth(self, name: str) -> int:
        """Connections from the input to `name`; see `SpikingGraph.depth`."""
        if name == INPUT:
            return 0
        return 1 + max(self.depth(connection.source) for connection in self.population(name).inputs)
