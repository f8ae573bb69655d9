"""What a netx file can hold: an integer graph checked by name, and its biases in netx's own unit.

A netx file is a chain of layers, each of one connection and one population of LIF neurons.
What lava-dl 0.6.0 makes of it differs from the numbers in it in three places, which are looked
for here so that no network is written that would act differently:

* every bias is taken times 2^6, whatever the exponent was (`NetxForm.rounded_biases`);
* the weights of a full matrix are scaled up to the chip's range, stored in as few bits as they
  need, and their sums shifted back, which destroys some matrices (`netx_weight`);
* an all-zero full matrix cannot be read.

Source: lava-dl 0.6.0, lava/lib/dl/netx/hdf5.py and utils.py; lava-nc 0.10.0, lava/proc/dense.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64

from conversion.graph import INPUT, LinearSynapse
from conversion.integer_graph import IntegerGraph, IntegerNeuron, IntegerPopulation
from hardware.backends.loihi_limits import prepared_graph
from hardware.backends.loihi_synapse import SignMode, prepared_weight, sign_mode_of
from hardware.target import LOIHI2
from snnface.errors import HardwareError, PrecisionError

__all__ = ["BIAS_EXP", "NetxForm", "RoundedBias", "lif_neuron", "netx_form", "netx_weight"]

BIAS_EXP = 6
"""The exponent that netx gives to every bias."""

LARGEST_DELAY = 62


@dataclass(frozen=True, slots=True)
class RoundedBias:
    """What rounding the biases of one population changed.

    Attributes:
        num_rounded: biases that are another number now, each counted once (per channel, or per neuron).
        largest_change: in units of v, where the threshold is `threshold`.
    """

    population: str
    num_rounded: int
    largest_change: int
    threshold: int

    def __str__(self) -> str:
        return (
            f"population {self.population!r}: {self.num_rounded} biases were rounded to multiples of {1 << BIAS_EXP}, "
            f"by up to {self.largest_change} of a threshold of {self.threshold}"
        )


@dataclass(frozen=True, slots=True, eq=False)
class NetxForm:
    """A graph that acts in netx as it stands.

    Attributes:
        graph: every bias has the exponent 6; all else is as it came.
        rounded_biases: the populations whose biases are not those that came.
    """

    graph: IntegerGraph
    rounded_biases: tuple[RoundedBias, ...]


def netx_form(graph: IntegerGraph, *, round_biases: bool = False) -> NetxForm:
    """The graph as netx holds it.

    Args:
        round_biases: biases that are no multiples of 2^6 are rounded (ties to even) and reported, not refused.

    Raises:
        HardwareError: if it is no chain of LIF layers, or netx would act on other weights.
        PrecisionError: if a number does not fit the chip, or a bias does not fit 13 bits times 2^6.
    """
    _require_chain(graph)
    prepared_graph(graph, LOIHI2, "strict")
    populations, rounded = [], []
    for population in graph.populations:
        _require_weights(population)
        neuron, change = _with_netx_bias(population, round_biases=round_biases)
        populations.append(replace(population, neuron=neuron))
        rounded += [change] if change else []
    return NetxForm(replace(graph, populations=tuple(populations)), tuple(rounded))


def lif_neuron(population: IntegerPopulation) -> IntegerNeuron:
    """The population's neuron, of the only kind that is written.

    Raises:
        HardwareError: if it is another.
    """
    if not isinstance(population.neuron, IntegerNeuron):
        raise HardwareError(
            f"population {population.name!r} has {type(population.neuron).__name__} neurons; a netx file is written "
            "with LIF neurons only. Run this network on the fixed-point or the Lava backend."
        )
    return population.neuron


def netx_weight(weight: Int64[np.ndarray, "O I"]) -> Float64[np.ndarray, "O I"] | None:
    """The full matrix that acts where netx is given this one; None where it cannot read it (all zero).

    Fractions are possible: the shift back comes after the sum, and rounds down.

    With m the range of the sign that netx sees, scaled up by 2^b so that the largest weight comes
    near m, stored in the bits that are left, and shifted back by b:

        no weight below 0:      2^b <= 255 / max < 2^(b + 1)
        all weights below 0:    2^b <= 256 / -min < 2^(b + 1)     although only -255 can be held
        otherwise:              2^(b - 1) <= min(127 / max, 128 / -min) < 2^b

    >>> netx_weight(np.array([[-64, -32]]))
    array([[-32., -32.]])
    """
    if sign_mode_of(weight) is SignMode.MIXED:
        weight = np.clip(weight, -256, 254)
    low, high = int(weight.min()), int(weight.max())
    if low == high == 0:
        return None
    is_mixed = low < 0 <= high
    shift = int(np.floor(np.log2(_room(low, high)))) + is_mixed
    if shift < 0:  # netx shifts by a negative number, after which nothing is left
        return np.zeros(weight.shape)
    divisible = int(np.gcd.reduce(np.abs(weight), axis=None))
    unused = min((divisible & -divisible).bit_length() - 1, 8)
    stored = prepared_weight(weight << shift, weight_bits=8 - shift - unused + is_mixed)
    return np.asarray(stored / (1 << shift))


def _room(low: int, high: int) -> float:
    """How many times larger netx takes weights of this range to be able to become."""
    if low >= 0:
        return 255 / high
    return min(127 / high if high else np.inf, 128 / -low) if high >= 0 else 256 / -low


def _require_chain(graph: IntegerGraph) -> None:
    """Each population reads the one before it, once, and the readout reads the last."""
    for population in graph.populations:
        _require_lif_without_skip(population)
    before = INPUT
    for population in graph.populations:
        source = population.inputs[0].source
        if source != before:
            raise HardwareError(
                f"population {population.name!r} reads {source!r}, not {before!r} before it; a netx file is one chain "
                "of layers. Run this network on the Lava backend."
            )
        before = population.name
    if not graph.populations or graph.readout.source != before:
        raise HardwareError(
            f"the readout reads {graph.readout.source!r}; the host sees only the last layer of a netx network, "
            f"{before!r}. Leave out the populations behind the one that is read."
        )


def _require_lif_without_skip(population: IntegerPopulation) -> None:
    lif_neuron(population)
    name, sources = population.name, [connection.source for connection in population.inputs]
    if len(sources) != 1:
        raise HardwareError(
            f"population {name!r} adds the connections from {sources} (a residual), and netx has no skip connections. "
            "Run this network on the Lava backend, which builds it of Lava's processes."
        )
    connection = population.inputs[0]
    if connection.delay is not None and connection.delay.max(initial=0) > LARGEST_DELAY:
        raise HardwareError(
            f"population {name!r}: netx holds delays up to {LARGEST_DELAY} steps, and cuts longer ones; the longest is "
            f"{connection.delay.max()}. Shorten it, or put a relay in the way."
        )
    if connection.weight_exp:
        raise HardwareError(
            f"population {name!r} has the weight exponent {connection.weight_exp}; netx chooses its own. Put it into "
            "the weights, or run this network on the fixed-point or the Lava backend."
        )


def _require_weights(population: IntegerPopulation) -> None:
    """A full matrix must act as it stands; convolutions do."""
    weight, name = population.inputs[0].synapse.weight, population.name
    if not isinstance(population.inputs[0].synapse, LinearSynapse):
        return
    acting = netx_weight(weight)
    if acting is None:
        raise HardwareError(
            f"population {name!r}: all weights of its full matrix are 0, and netx cannot read such a matrix. "
            "Give one weight another value, or use a larger scale for this layer."
        )
    altered = np.flatnonzero(acting != weight)
    if altered.size:
        first = altered[0]
        signs = "no weight above 0" if sign_mode_of(weight) is SignMode.INHIBITORY else sign_mode_of(weight).value
        raise HardwareError(
            f"population {name!r}: netx would act on other weights than these: {weight.flat[first]} would act as "
            f"{acting.flat[first]:g}, {altered.size} of {weight.size} in all (signs: {signs}, range {weight.min()}.."
            f"{weight.max()}). Use another scale for this layer, with a largest magnitude that is no power of two."
        )


def _with_netx_bias(population: IntegerPopulation, *, round_biases: bool) -> tuple[IntegerNeuron, RoundedBias | None]:
    """The neuron with bias_exp = 6, and what that changed."""
    neuron, unit = lif_neuron(population), 1 << BIAS_EXP
    bias = np.asarray(neuron.bias_mant << neuron.bias_exp)
    mantissa = np.asarray(np.rint(bias / unit)).astype(np.int64)
    change = np.abs(mantissa * unit - bias)
    if change.any() and not round_biases:
        raise HardwareError(
            f"population {population.name!r}: netx holds biases as multiples of {unit}; {np.count_nonzero(change)} of "
            f"{bias.size} are none, and rounding would change them by up to {change.max()} of a threshold of "
            f"{neuron.vth << 6}. Pass round_biases=True to write them rounded."
        )
    if mantissa.min(initial=0) < -4096 or mantissa.max(initial=0) > 4095:
        raise PrecisionError(
            f"population {population.name!r}: netx holds biases of -4096..4095 times {unit}; these are "
            f"{mantissa.min()}..{mantissa.max()} times {unit}. Use a smaller scale for this layer."
        )
    rounded = None
    if change.any():
        threshold = neuron.vth << 6
        rounded = RoundedBias(population.name, int(np.count_nonzero(change)), int(change.max()), threshold)
    return replace(neuron, bias_mant=mantissa, bias_exp=BIAS_EXP), rounded
