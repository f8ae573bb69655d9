"""Splitting the inputs of a layer that reads more of them than a core can hear.

A neuron adds up all its inputs in one core. Where cores can send each other numbers, it can be given
sums that other cores have formed, each of a part of the inputs:

    part k:  delta neurons without a threshold read their inputs through the layer's own weights
             and send by how much the sum changed;
    sum k:   sigma neurons add the changes up and send the sum itself at every step;
    the layer reads the sums of all parts through weights of 1.

Everything is whole numbers, so the layer's input is the same, two steps later. A chip that sends single
bits (Loihi 1) cannot do this: relays could copy its inputs, but not add them up, and joined
compartments do not help because they lie in one core. See `hardware.mapping.remedies` for what helps there.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from conversion.graph import Connection, LinearSynapse
from conversion.integer_graph import DeltaNeuron, IntegerGraph, IntegerPopulation, SigmaNeuron
from hardware.mapping.core_needs import connection_needs
from hardware.target import HardwareTarget
from snnface.errors import CapacityError

__all__ = ["split_fan_in"]


def split_fan_in(graph: IntegerGraph, target: HardwareTarget) -> IntegerGraph:
    """The same network with no neuron that reads more than a core of `target` can hear.

    Spikes stay as they are. Populations "<name>.part0", "<name>.sum0" and so on come before each that
    is split; a path beside it needs two relays more (see `hardware.placement`). The graph itself
    comes back where nothing is to be split, or the chip's limit is not published.

    Raises:
        CapacityError: if the chip sends single bits, or numbers too short for the sums; if what reads too much
            is a convolution; if sums are rounded by a negative weight exponent.
    """
    limit = target.input_axons_per_core
    populations: list[IntegerPopulation] = []
    for population in graph.populations:
        fan_in = sum(need.fan_in for need in connection_needs(graph, population.name, target))
        if limit is None or fan_in <= limit:
            populations.append(population)
        else:
            populations += _split(population, target, fan_in, int(limit))
    return replace(graph, populations=tuple(populations))


def _split(population: IntegerPopulation, target: HardwareTarget, fan_in: int, limit: int) -> list[IntegerPopulation]:
    name, one = population.name, LinearSynapse(np.eye(population.num_neurons, dtype=np.int64))
    made: list[IntegerPopulation] = []
    inputs = []
    for number, link in enumerate(_parts(population, fan_in, limit)):
        _require_room(name, link, target)
        part, total = f"{name}.part{number}", f"{name}.sum{number}"
        made.append(IntegerPopulation(part, population.shape, DeltaNeuron(vth=0), (link,)))
        made.append(IntegerPopulation(total, population.shape, SigmaNeuron(), (Connection(part, one),)))
        inputs.append(Connection(total, one))
    return [*made, replace(population, inputs=tuple(inputs))]


def _parts(population: IntegerPopulation, fan_in: int, limit: int) -> Iterator[Connection]:
    """The connections into a population, cut into pieces that read at most `limit` inputs."""
    for link in population.inputs:
        synapse = link.synapse
        if not isinstance(synapse, LinearSynapse) or link.weight_exp < 0:
            why = "is a convolution" if not isinstance(synapse, LinearSynapse) else "rounds its sums"
            raise CapacityError(
                f"population {population.name!r}: one neuron reads {fan_in} inputs and a core hears {limit}; the "
                f"connection from {link.source!r} {why}, so it cannot be split. Use fewer channels or a larger scale."
            )
        read = np.flatnonzero(synapse.weight.any(axis=0))
        for first in range(0, len(read), limit):
            weight = np.zeros_like(synapse.weight)
            columns = read[first : first + limit]
            weight[:, columns] = synapse.weight[:, columns]
            yield replace(link, synapse=LinearSynapse(weight))


def _require_room(name: str, link: Connection, target: HardwareTarget) -> None:
    """Check that a change of this part's sum fits a message."""
    largest = int(np.abs(link.synapse.weight).sum(axis=1).max(initial=0)) << link.weight_exp
    # From all negative to all positive, and a sign.
    bits = 1 + (2 * largest).bit_length()
    if bits > target.message_bits:
        sends = "single bits" if target.message_bits == 0 else f"numbers of {target.message_bits} bits"
        raise CapacityError(
            f"population {name!r}: sums of parts of its inputs need messages of {bits} bits; {target.name} sends "
            f"{sends}. Choose another target, or one of the changes that the chip's fit names."
        )
