"""The integer graph: a spiking graph in the numbers of a Loihi-like chip.

Same populations, same names, same order as the float graph it was made from. The
neuron, with `>>` the arithmetic shift, D(x, d) = sign(x) ((|x| (4096 - d)) >> 12), and a
the summed synaptic input of the step (Lava's bit-accurate LIF, lava-nc 0.10.0):

    u = fold(D(u, du + 1) + (a << 6))
    v = clip(D(v, dv) + u + (bias_mant << bias_exp), -(2^23 - 1), 2^23 - 1)
    s = v > (vth << 6);  v = 0 where s
"""

from dataclasses import dataclass

import numpy as np

from conversion.graph import INPUT, Connection, Readout
from snnface.errors import PrecisionError

__all__ = ["IntegerGraph", "IntegerNeuron", "IntegerPopulation"]


@dataclass(frozen=True, slots=True, eq=False)
class IntegerNeuron:
    """Parameters of one population of fixed-point LIF neurons.

    Attributes:
        du: decay of the current, 0..4095; 4095 means no memory.
        dv: decay of the voltage, 0..4095; 0 means no leak.
        vth: threshold mantissa, 0..131071; the voltage is compared with vth << 6.
        bias_mant: -4096..4095, int64, broadcastable to the population's shape
            ([C, 1, 1] for a convolution, [N] for a linear layer, or a 0-d array).
        bias_exp: 0..7.
        is_relay: as in the float graph.
    """

    du: int
    dv: int
    vth: int
    bias_mant: np.ndarray
    bias_exp: int = 0
    is_relay: bool = False

    def check(self, name: str) -> None:
        """Check that every number fits its bits.

        Raises:
            PrecisionError: names the population, the parameter, the value and the range.
        """
        ranges = {
            "du": (np.asarray(self.du), 0, 4095),
            "dv": (np.asarray(self.dv), 0, 4095),
            "vth": (np.asarray(self.vth), 0, 131071),
            "bias_mant": (self.bias_mant, -4096, 4095),
            "bias_exp": (np.asarray(self.bias_exp), 0, 7),
        }
        for parameter, (value, low, high) in ranges.items():
            if value.size and (value.min() < low or value.max() > high):
                raise PrecisionError(
                    f"population {name!r}: {parameter} must lie in {low}..{high}; got {value.min()}..{value.max()}. "
                    "Choose a smaller scale for this layer."
                )


@dataclass(frozen=True, slots=True)
class IntegerPopulation:
    """As `Population`, with integer weights (no bias in the synapse) and integer neurons."""

    name: str
    shape: tuple[int, ...]
    neuron: IntegerNeuron
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

    def depth(self, name: str) -> int:
        """Connections from the input to `name`; see `SpikingGraph.depth`."""
        if name == INPUT:
            return 0
        return 1 + max(self.depth(connection.source) for connection in self.population(name).inputs)
