"""Exact counts of what a spiking network does: spikes, synaptic operations, neuron updates.

The definitions stand in `hardware.operation_counts`. Relays (OR-pooling, delays) are
layers with real connections and are counted, marked "relay". The readout is a layer of
its own, marked "readout".
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Int64

from conversion.graph import INPUT, LinearSynapse, Population, Readout, SpikingGraph, Synapse, repeats_weights
from conversion.integer_graph import IntegerGraph, IntegerPopulation
from hardware.fan_out import Reach, dense_with_padding, fan_out, fan_out_nonzero
from hardware.operation_counts import ConnectionOperations, EventType, LayerOperations, NetworkOperations
from snnface.errors import DataError
from snnface.shapes import require_shape

__all__ = ["count_operations"]

# Frames looked at together when active neurons are counted; bounds memory.
FRAME_CHUNK = 64
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
        spikes: 0/1 of every population, [T, B, *shape], without pipeline delay.

    Raises:
        DataError: if a population's spikes are missing or are not 0 and 1, or the input
            is not of an integer type.
        ShapeError: if an array does not fit the graph.
    """
    _check_input(graph, input_spikes)
    sources = {INPUT: input_spikes} | {p.name: _checked_spikes(p, spikes, input_spikes) for p in graph.populations}
    counts = {name: _events_per_element(train) for name, train in sources.items()}
    types = {name: _event_type(train) for name, train in sources.items()}
    if isinstance(graph, IntegerGraph) and graph.input_bits == 0 and types[INPUT] != "none":
        types[INPUT] = "binary"
    num_steps, num_samples = input_spikes.shape[:2]
    steps = np.full(num_samples, num_steps, np.int64)

    def connection(source: str, synapse: Synapse, *, is_repeated: bool = False) -> ConnectionOperations:
        counted = _count_connection(source, synapse, graph.shape_of(source), counts[source], types[source])
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
            spikes=counts[population.name].sum(axis=1),
            neuron_spikes=counts[population.name].sum(axis=0),
            updates_active=_updates_active(population, sources),
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


def _checked_spikes(
    population: Population | IntegerPopulation, spikes: Mapping[str, np.ndarray], input_spikes: np.ndarray
) -> np.ndarray:
    if population.name not in spikes:
        raise DataError(
            f"counting needs the spikes of every population; {population.name!r} is missing. Run with keep=None."
        )
    train = spikes[population.name]
    axes = " ".join(map(str, (*input_spikes.shape[:2], *population.shape)))
    require_shape(train, axes, what=f"the spikes of {population.name!r}")
    if train.size and not (train.dtype.kind in "iub" and train.min() >= 0 and train.max() <= 1):
        raise DataError(f"the spikes of {population.name!r} must be 0 and 1; got {train.min()}..{train.max()}.")
    return train


def _event_type(train: np.ndarray) -> EventType:
    low, high = (int(train.min()), int(train.max())) if train.size else (0, 0)
    if low == high == 0:
        return "none"
    if low >= 0:
        return "binary" if high == 1 else "graded"
    return "signed" if low == -1 and high <= 1 else "graded"


def _events_per_element(train: np.ndarray) -> Int64[np.ndarray, "B I"]:
    """Elements that are not zero, summed over steps."""
    return np.asarray((train != 0).sum(axis=0, dtype=np.int64).reshape(train.shape[1], -1))


def _count_connection(
    source: str, synapse: Synapse, input_shape: tuple[int, ...], events: Int64[np.ndarray, "B I"], event_type: EventType
) -> ConnectionOperations:
    fan = fan_out(synapse, input_shape)
    return ConnectionOperations(
        source=source,
        kind="linear" if isinstance(synapse, LinearSynapse) else "conv2d",
        event_type=event_type,
        num_weights=int(synapse.weight.size),
        num_zero_weights=int(np.count_nonzero(synapse.weight == 0)),
        num_biases=0 if synapse.bias is None else int(synapse.bias.size),
        dense=int(fan.sum()),
        dense_pad=dense_with_padding(synapse, input_shape),
        max_fan_out=int(fan.max(initial=0)),
        in_events=events.sum(axis=1),
        touched=events @ fan.reshape(-1),
        touched_nonzero=events @ fan_out_nonzero(synapse, input_shape).reshape(-1),
    )


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
    if isinstance(population, Population):
        return int(0 < population.neuron.leak < 1)
    return int(population.neuron.du < 4095) + int(0 < population.neuron.dv < 4095)


def _biases_per_step(population: Population | IntegerPopulation) -> int:
    if isinstance(population, IntegerPopulation):
        return int(np.count_nonzero(np.broadcast_to(population.neuron.bias_mant, population.shape)))
    copies = int(np.prod(population.shape[1:]))
    biases = [c.synapse.bias for c in population.inputs if c.synapse.bias is not None]
    return sum(int(np.count_nonzero(bias)) * copies for bias in biases)


def _updates_active(
    population: Population | IntegerPopulation, sources: Mapping[str, np.ndarray]
) -> Int64[np.ndarray, " B"]:
    num_steps, num_samples = sources[INPUT].shape[:2]
    trains = [sources[c.source].reshape(-1, *sources[c.source].shape[2:]) for c in population.inputs]
    reaches = [Reach(c.synapse, train.shape[1:]) for c, train in zip(population.inputs, trains, strict=True)]
    active = np.zeros(num_steps * num_samples, np.int64)
    for start in range(0, len(active), FRAME_CHUNK):
        chunk = slice(start, start + FRAME_CHUNK)
        reached = np.zeros((len(active[chunk]), population.num_neurons), bool)
        for reach, train in zip(reaches, trains, strict=True):
            reached |= reach(train[chunk] != 0)
        active[chunk] = np.count_nonzero(reached, axis=1)
    return active.reshape(num_steps, num_samples).sum(axis=0)
