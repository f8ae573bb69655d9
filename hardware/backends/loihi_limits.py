"""What the chip can hold: an integer graph checked, and its weights as they will really be."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from conversion.graph import Connection, LinearSynapse
from conversion.integer_graph import (
    ChipNeuron,
    DeltaNeuron,
    IntegerGraph,
    IntegerNeuron,
    IntegerPopulation,
    SigmaDeltaNeuron,
    TernaryNeuron,
)
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

LARGEST_DELAY = 63  # Loihi 2, six bits
WEIGHT_EXPONENTS = (-8, 7)


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
    largest = largest_sum(synapse, graph.largest_message(connection.source) or 1) << max(connection.weight_exp, 0)
    if largest >= 1 << 31:
        raise PrecisionError(
            f"population {name!r}: sums over the connection from {connection.source!r} could reach {largest} and "
            "leave 32 bits. Use smaller weights or fewer input bits."
        )
    return replace(connection, synapse=synapse), int(altered.size)


def _require_neuron(neuron: ChipNeuron, name: str, mode: LimitMode) -> None:
    """Check the neuron's numbers; in mode "lava" only what Lava's own arrays can hold."""
    if mode != "lava":
        neuron.check(name)
    elif isinstance(neuron, IntegerNeuron | TernaryNeuron):
        _require_lava_lif(neuron, name)
    elif isinstance(neuron, DeltaNeuron | SigmaDeltaNeuron):
        numbers = [neuron.vth, *(neuron.bias.ravel() if isinstance(neuron, SigmaDeltaNeuron) else ())]
        if neuron.exponent < 0 or max(abs(int(number)) for number in numbers) << neuron.exponent >= 1 << 31:
            raise PrecisionError(
                f"population {name!r}: even Lava holds vth and bias, shifted by spike_exp + state_exp = "
                f"{neuron.exponent}, only in 32 bits. Use a smaller scale."
            )


def _require_lava_lif(neuron: IntegerNeuron | TernaryNeuron, name: str) -> None:
    IntegerNeuron(neuron.du, neuron.dv, 0, np.zeros((), dtype=np.int64)).check(name)
    thresholds = [neuron.vth] if isinstance(neuron, IntegerNeuron) else [neuron.vth_low, neuron.vth_high]
    mantissa = neuron.bias_mant
    outside = mantissa.size and (mantissa.min() < -(1 << 15) or mantissa.max() >= 1 << 15)
    if outside or max(map(abs, thresholds)) >= 1 << 25 or not -15 <= neuron.bias_exp <= 15:
        raise PrecisionError(
            f"population {name!r}: even Lava holds vth only below 2^25, bias_mant in 16 bits, bias_exp in -15..15; "
            f"got {thresholds}, up to {np.abs(mantissa).max(initial=0)}, {neuron.bias_exp}. Use a smaller scale."
        )


def _require_shapes(graph: IntegerGraph, population: IntegerPopulation, connection: Connection) -> None:
    """Check that a connection is plain integers and joins the shapes at its two ends."""
    name, synapse = population.name, connection.synapse
    if not np.issubdtype(synapse.weight.dtype, np.integer) or synapse.bias is not None:
        raise HardwareError(
            f"population {name!r}: the connection from {connection.source!r} must have integer weights and no bias "
            f"of its own; it has {synapse.weight.dtype} weights. Quantise the graph first."
        )
    _require_delays(connection, name)
    try:
        shape = synapse.output_shape(graph.shape_of(connection.source))
        if isinstance(population.neuron, IntegerNeuron | TernaryNeuron):
            np.broadcast_to(population.neuron.bias_mant, population.shape)
        if isinstance(population.neuron, SigmaDeltaNeuron):
            np.broadcast_to(population.neuron.bias, population.shape)
    except (ConversionError, ValueError) as error:
        raise HardwareError(f"population {name!r}: {error}") from error
    if shape != population.shape:
        raise HardwareError(
            f"the connection {connection.source!r} -> {name!r} gives {shape}, the population is {population.shape}."
        )


def _require_delays(connection: Connection, name: str) -> None:
    """Check delays and the weight exponent, which only full matrices have."""
    delay, exponent, synapse = connection.delay, connection.weight_exp, connection.synapse
    if (delay is not None or exponent) and not isinstance(synapse, LinearSynapse):
        raise HardwareError(
            f"population {name!r}: the convolution from {connection.source!r} has delays or a weight exponent; there "
            "are none for convolutions. Write it as a full matrix, or scale its weights."
        )
    if not WEIGHT_EXPONENTS[0] <= exponent <= WEIGHT_EXPONENTS[1]:
        raise PrecisionError(
            f"population {name!r}: weight_exp must lie in {WEIGHT_EXPONENTS[0]}..{WEIGHT_EXPONENTS[1]}; got {exponent}."
        )
    if delay is None:
        return
    if delay.shape != synapse.weight.shape or not np.issubdtype(delay.dtype, np.integer):
        raise HardwareError(
            f"population {name!r}: the delays from {connection.source!r} must be integers {synapse.weight.shape}, one "
            f"for each weight; got {delay.dtype} {delay.shape}."
        )
    if delay.min(initial=0) < 0 or delay.max(initial=0) > LARGEST_DELAY:
        raise PrecisionError(
            f"population {name!r}: delays must lie in 0..{LARGEST_DELAY} steps; those from {connection.source!r} are "
            f"{delay.min()}..{delay.max()}. Put relays in between for longer ones."
        )
