"""Exact counts of what a spiking network does: spikes, synaptic operations, neuron updates.

The definitions stand in `hardware.counts.operation_counts`. Relays (OR-pooling, delays) are
layers with real connections and are counted, marked "relay". The readout is a layer of
its own, marked "readout".
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Int64

from conversion.graph import INPUT, LinearSynapse, Neuron, Population, Readout, SpikingGraph, Synapse, repeats_weights
from conversion.integer_graph import IntegerGraph, IntegerNeuron, IntegerPopulation, TernaryNeuron
from hardware.counts.event_trains import EventTrain
from hardware.counts.fan_out import dense_with_padding, fan_out, fan_out_nonzero, textbook_fan_out
from hardware.counts.operation_counts import ConnectionOperations, EventType, LayerOperations, NetworkOperations
from hardware.counts.reach import num_reached
from snnface.errors import DataError
from snnface.shapes import require_shape

__all__ = ["count_operations"]

STATE_BITS_FLOAT = 32
STATE_BITS_LOIHI = 2 * 24


def count_operations(
    graph: SpikingGraph | IntegerGraph, input_spikes: np.ndarray, spikes: Mapping[str, np.ndarray]
) -> NetworkOperations:
    """Count what `graph` did on one batch.

    A test set is counted batch by batch; results add up with `NetworkOperations.combine`.

    Args:
        input_spikes: integers [T, B, *input_shape]: 0/1, signed, or counts. Where the
            graph declares binary input (an integer graph with input_bits 0), any value
            that is not zero is one binary event.
        spikes: messages of every population, [T, B, *shape], without pipeline delay: 0/1, or what its neurons
            declare to send.

    Raises:
        DataError: if a population's spikes are missing or are not what its neurons send, or the input
            is not of an integer type.
        ShapeError: if an array does not fit the graph.
    """
    _check_input(graph, input_spikes)
    trains = {INPUT: EventTrain.of(input_spikes)}
    trains |= {p.name: _checked_train(p, spikes, input_spikes) for p in graph.populations}
    types = {name: train.event_type for name, train in trains.items()}
    declared = {p.name for p in graph.populations if _messages_of(p) == (None, None)}
    types |= {name: "graded" for name in declared if types[name] != "none"}
    if isinstance(graph, IntegerGraph) and graph.input_bits == 0 and types[INPUT] != "none":
        types[INPUT] = "binary"
    num_steps, num_samples = input_spikes.shape[:2]
    steps = np.full(num_samples, num_steps, np.int64)

    def connection(source: str, synapse: Synapse, *, is_repeated: bool = False) -> ConnectionOperations:
        counted = _count_connection(source, synapse, trains[source], types[source])
        if is_repeated:
            return replace(counted, num_weights=0, num_zero_weights=0, dense=0, dense_pad=0)
        return counted

    layers = [
        LayerOperations(
            name=population.name,
            kind="relay" if population.neuron.is_relay else "population",
            shape=population.shape,
            num_neurons=population.num_neurons,
            num_decays=_num_decays(population),
            biases_per_step=_biases_per_step(population),
            weight_bits=8 if isinstance(graph, IntegerGraph) else 32,
            state_bits=STATE_BITS_LOIHI if isinstance(graph, IntegerGraph) else STATE_BITS_FLOAT,
            connections=tuple(
                connection(link.source, link.synapse, is_repeated=repeats_weights(population.inputs, place))
                for place, link in enumerate(population.inputs)
            ),
            steps=steps,
            spikes=trains[population.name].num_events,
            neuron_spikes=trains[population.name].per_element.sum(axis=0),
            updates_active=num_reached(
                population.inputs,
                [trains[link.source] for link in population.inputs],
                population.shape,
            ),
        )
        for population in graph.populations
    ]
    readout = graph.readout
    layers.append(_readout_layer(readout, connection(readout.source, readout.synapse), graph, steps))
    return NetworkOperations(layers=tuple(layers), steps=steps)


def _check_input(graph: SpikingGraph | IntegerGraph, input_spikes: np.ndarray) -> None:
    require_shape(input_spikes, "T B " + " ".join(map(str, graph.input_shape)), what="the input")
    if input_spikes.dtype.kind not in "iub":
        raise DataError(
            f"the input must be integers (spikes or counts); got {input_spikes.dtype}. Round it to counts first."
        )


def _checked_train(
    population: Population | IntegerPopulation, spikes: Mapping[str, np.ndarray], input_spikes: np.ndarray
) -> EventTrain:
    if population.name not in spikes:
        raise DataError(
            f"counting needs the spikes of every population; {population.name!r} is missing. Run with keep=None."
        )
    messages = spikes[population.name]
    axes = " ".join(map(str, (*input_spikes.shape[:2], *population.shape)))
    require_shape(messages, axes, what=f"the spikes of {population.name!r}")
    if messages.dtype.kind not in "iub":
        raise DataError(f"the spikes of {population.name!r} must be integers; got {messages.dtype}.")
    train = EventTrain.of(messages)
    low, high = _messages_of(population)
    if (low is not None and train.low < low) or (high is not None and train.high > high):
        allowed = "0 and 1" if low == 0 else f"{low}..{high}"
        raise DataError(f"the spikes of {population.name!r} must be {allowed}; got {messages.min()}..{messages.max()}.")
    return train


def _messages_of(population: Population | IntegerPopulation) -> tuple[int | None, int | None]:
    """The least and the greatest message that its neurons declare; None where only the run can tell."""
    if isinstance(population, Population) or population.neuron.is_binary:
        return 0, 1
    largest = population.neuron.largest_message
    return (None, None) if largest is None else (-largest, largest)


def _count_connection(source: str, synapse: Synapse, train: EventTrain, event_type: EventType) -> ConnectionOperations:
    shape = train.events.shape[2:]
    fan = fan_out(synapse, shape)
    address_bits = max(int(fan.size - 1).bit_length(), 1)
    payload_bits = max(abs(train.low), train.high).bit_length() if event_type == "graded" else 0
    return ConnectionOperations(
        source=source,
        kind="linear" if isinstance(synapse, LinearSynapse) else "conv2d",
        event_type=event_type,
        num_weights=int(synapse.weight.size),
        num_zero_weights=int(synapse.weight.size - np.count_nonzero(synapse.weight)),
        num_biases=0 if synapse.bias is None else int(synapse.bias.size),
        dense=int(fan.sum()),
        dense_pad=dense_with_padding(synapse, shape),
        max_fan_out=int(fan.max(initial=0)),
        textbook_fan_out=textbook_fan_out(synapse),
        is_constant=train.is_constant and event_type == "graded",
        peak_events=int(train.per_step.max(initial=0)),
        event_bits=address_bits + payload_bits,
        in_events=train.num_events,
        touched=_touched(train, fan),
        touched_nonzero=_touched(train, fan_out_nonzero(synapse, shape)),
    )


def _touched(train: EventTrain, fan: Int64[np.ndarray, "*shape"]) -> Int64[np.ndarray, " B"]:
    """Events times fan-out. Whole numbers below 2^53 are exact in float64, where the product is quick."""
    return np.asarray(train.per_element.astype(np.float64) @ fan.reshape(-1).astype(np.float64)).astype(np.int64)


def _readout_layer(
    readout: Readout,
    connection: ConnectionOperations,
    graph: SpikingGraph | IntegerGraph,
    steps: Int64[np.ndarray, " B"],
) -> LayerOperations:
    shape = readout.synapse.output_shape(graph.shape_of(readout.source))
    return LayerOperations(
        name="readout",
        kind="readout",
        shape=shape,
        num_neurons=0,
        num_decays=int(readout.leak is not None and readout.leak < 1),
        biases_per_step=int(np.count_nonzero(readout.bias)) * int(np.prod(shape[1:])),
        weight_bits=32,
        state_bits=0,
        connections=(connection,),
        steps=steps,
        spikes=np.zeros_like(steps),
        neuron_spikes=np.zeros(0, np.int64),
        updates_active=np.zeros_like(steps),
        adds_bias_once=not readout.keeps_steps,
    )


def _num_decays(population: Population | IntegerPopulation) -> int:
    """Decays by 0 (no leak) and by 1 (no memory) need no multiplication."""
    neuron = population.neuron
    if isinstance(neuron, Neuron):
        return int(np.any((np.asarray(neuron.leak) > 0) & (np.asarray(neuron.leak) < 1)))
    if isinstance(neuron, IntegerNeuron | TernaryNeuron):
        return int(neuron.du < 4095) + int(0 < neuron.dv < 4095)
    return 0


def _biases_per_step(population: Population | IntegerPopulation) -> int:
    neuron = population.neuron
    if isinstance(neuron, Neuron):
        copies = int(np.prod(population.shape[1:]))
        biases = [c.synapse.bias for c in population.inputs if c.synapse.bias is not None]
        towards_rest = int(np.count_nonzero(np.broadcast_to(neuron.rest, population.shape)))
        return sum(int(np.count_nonzero(bias)) * copies for bias in biases) + towards_rest
    bias = neuron.bias_mant if isinstance(neuron, IntegerNeuron | TernaryNeuron) else getattr(neuron, "bias", 0)
    return int(np.count_nonzero(np.broadcast_to(bias, population.shape)))
