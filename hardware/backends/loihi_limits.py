"""What the chip can hold: an integer graph checked, and its weights as they will really be."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from conversion.graph import INPUT, Connection, LinearSynapse
from conversion.integer_graph import IntegerGraph, IntegerNeuron, IntegerPopulation
from hardware.backends.input_spikes import max_message
from hardware.backends.loihi_synapse import largest_sum, prepared_weight, sign_mode_of
from hardware.target import HardwareTarget
from snnface.errors import ConversionError, HardwareError, PrecisionError

__all__ = ["LimitMode", "PreparedGraph", "prepared_graph"]

LimitMode = Literal["strict", "hardware", "lava"]
"""What happens to numbers that the chip cannot hold.

"strict" refuses them; then chip and Lava agree on everything. "hardware" clips and truncates
weights as the chip does. "lava" does what lava-nc 0.10.0 does, for comparisons: weights of
full matrices are prepared, convolutions use theirs as they are (lava-nc issue 803), and
thresholds and biases are not checked.
"""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedGraph:
    """A graph whose weights are used as they stand.

    Attributes:
        num_altered_weights: weights that the chip holds differently from the graph that came,
            per population; all zero in mode "strict". In mode "lava" the convolutions among
            them run unaltered: there Lava and the chip differ.
    """

    graph: IntegerGraph
    num_altered_weights: Mapping[str, int]


def prepared_graph(graph: IntegerGraph, target: HardwareTarget, mode: LimitMode) -> PreparedGraph:
    """Check every number of the graph against the target, and prepare the weights.

    Raises:
        PrecisionError: if something does not fit its bits; names the population.
        HardwareError: if shapes do not fit or weights are not plain integers.
    """
    if graph.input_bits > target.input_bits:
        raise PrecisionError(
            f"target {target.name!r} takes input messages of {target.input_bits} bits (0: binary spikes only); the "
            f"graph has input_bits = {graph.input_bits}. Encode the input in fewer bits, or choose another target."
        )
    populations, num_altered = [], {}
    for population in graph.populations:
        _require_neuron(population.neuron, population.name, mode)
        inputs = []
        num_altered[population.name] = 0
        for connection in population.inputs:
            _require_shapes(graph, population, connection)
            prepared, altered = _prepared(graph, population, connection, target.weight_bits, mode)
            num_altered[population.name] += altered
            inputs.append(prepared)
        populations.append(replace(population, inputs=tuple(inputs)))
    return PreparedGraph(replace(graph, populations=tuple(populations)), num_altered)


def _prepared(
    graph: IntegerGraph, population: IntegerPopulation, connection: Connection, weight_bits: int, mode: LimitMode
) -> tuple[Connection, int]:
    """The connection with the weights that will run, and how many of them the chip holds differently."""
    synapse, name = connection.synapse, population.name
    on_chip = prepared_weight(synapse.weight, weight_bits=weight_bits)
    altered = np.flatnonzero(on_chip != synapse.weight)
    if altered.size and mode == "strict":
        first = altered[0]
        raise PrecisionError(
            f"population {name!r}: {altered.size} weights of the connection from {connection.source!r} do not fit "
            f"{weight_bits} bits; {synapse.weight.flat[first]} would become {on_chip.flat[first]} "
            f"(signs: {sign_mode_of(synapse.weight).value}). Weights of mixed sign must be even, -256..254; of one "
            "sign, up to 255. Quantise again, or choose mode 'hardware' to run what the chip would make of it."
        )
    if mode != "lava" or isinstance(synapse, LinearSynapse):
        synapse = replace(synapse, weight=on_chip)
    message = max_message(graph.input_bits) if connection.source == INPUT else 1
    if largest_sum(synapse, message) >= 1 << 31:
        raise PrecisionError(
            f"population {name!r}: sums over the connection from {connection.source!r} could reach "
            f"{largest_sum(synapse, message)} and leave 32 bits. Use smaller weights or fewer input bits."
        )
    return replace(connection, synapse=synapse), int(altered.size)


def _require_neuron(neuron: IntegerNeuron, name: str, mode: LimitMode) -> None:
    """Check the neuron's numbers; in mode "lava" only what Lava's own arrays can hold."""
    if mode != "lava":
        neuron.check(name)
        return
    replace(neuron, vth=0, bias_mant=np.zeros((), dtype=np.int64), bias_exp=0).check(name)
    mantissa = neuron.bias_mant
    outside = mantissa.size and (mantissa.min() < -(1 << 15) or mantissa.max() >= 1 << 15)
    if outside or not -(1 << 25) <= neuron.vth < 1 << 25 or not -15 <= neuron.bias_exp <= 15:
        raise PrecisionError(
            f"population {name!r}: even Lava holds vth only below 2^25, bias_mant in 16 bits, bias_exp in -15..15; "
            f"got {neuron.vth}, up to {np.abs(mantissa).max(initial=0)}, {neuron.bias_exp}. Use a smaller scale."
        )


def _require_shapes(graph: IntegerGraph, population: IntegerPopulation, connection: Connection) -> None:
    """Check that a connection is plain integers and joins the shapes at its two ends."""
    name, synapse = population.name, connection.synapse
    if not np.issubdtype(synapse.weight.dtype, np.integer) or synapse.bias is not None:
        raise HardwareError(
            f"population {name!r}: the connection from {connection.source!r} must have integer weights and no bias "
            f"of its own; it has {synapse.weight.dtype} weights. Quantise the graph first."
        )
    try:
        shape = synapse.output_shape(graph.shape_of(connection.source))
        np.broadcast_to(population.neuron.bias_mant, population.shape)
    except (ConversionError, ValueError) as error:
        raise HardwareError(f"population {name!r}: {error}") from error
    if shape != population.shape:
        raise HardwareError(
            f"the connection {connection.source!r} -> {name!r} gives {shape}, the population is {population.shape}."
        )
