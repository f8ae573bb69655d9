"""What one connection asks of a core: sources to hear, memory for weights, and cores that a spike must reach.

A connection is looked at axis by axis. A convolution's axes are channels, rows and columns, and what a
neuron reads is the product of what it reads along each; a full matrix has one axis. Along an axis the
neurons are cut into slices of `side`; a box is one slice of every axis, and a core holds a box.

Loihi 1 stores, for each input axon, the list of weights that it drives in this core: blocks of up to
64 synapses with 10 bits of header, the weight's bits, those of the delay where there are delays, and
10 bits of index where the targets are not consecutive (convolutions, matrices with zeros), each block
rounded up to words of 64 bits.

Source: Davies et al. 2018, IEEE Micro 38(1); list format as in nengo-loihi 1.1.0, block.py.
"""

from functools import cached_property
from math import prod

import numpy as np
from jaxtyping import Int32, Int64

from conversion.graph import Connection, Conv2dSynapse, LinearSynapse, SpikingGraph, repeats_weights
from conversion.integer_graph import IntegerGraph
from hardware.counts.fan_out import fan_out
from hardware.target import HardwareTarget

__all__ = ["ConnectionNeeds", "connection_needs"]

BLOCK_SYNAPSES = 64
HEADER_BITS = 10
INDEX_BITS = 10
DELAY_BITS = 6


def connection_needs(
    graph: SpikingGraph | IntegerGraph, name: str, target: HardwareTarget, *, neurons_per_axon: int = 1
) -> list["ConnectionNeeds"]:
    """Needs of every connection into a population.

    Args:
        neurons_per_axon: sources that share an input axon, each with weights of its own.
    """
    population = graph.population(name)
    return [
        ConnectionNeeds(
            link,
            graph.shape_of(link.source),
            population.shape,
            target,
            is_repeated=repeats_weights(population.inputs, place),
            neurons_per_axon=neurons_per_axon,
        )
        for place, link in enumerate(population.inputs)
    ]


class ConnectionNeeds:
    """What one connection asks of the cores that hold the population behind it.

    Args:
        shape: of the population behind it.
        is_repeated: its weights are those of an earlier connection into the same population.
        neurons_per_axon: sources that share an input axon, each with weights of its own.
    """

    def __init__(
        self,
        connection: Connection,
        input_shape: tuple[int, ...],
        shape: tuple[int, ...],
        target: HardwareTarget,
        *,
        is_repeated: bool = False,
        neurons_per_axon: int = 1,
    ) -> None:
        self.synapse = connection.synapse
        self.input_shape = input_shape
        self.shape = shape
        self.neurons_per_axon = neurons_per_axon
        self.word_bits = target.synapse_word_bits
        self.synapse_bits = target.weight_bits + (0 if connection.delay is None else DELAY_BITS)
        self.num_weights = 0 if is_repeated else int(self.synapse.weight.size)
        self.is_repeated = is_repeated
        self._spans: dict[tuple[int, int], int] = {}

    @cached_property
    def synapses(self) -> int:
        """Existing connections, each counted, zero weights included."""
        return int(fan_out(self.synapse, self.input_shape).sum())

    @cached_property
    def connections(self) -> int:
        """Those that must be stored: all of a convolution, those of a full matrix whose weight is not zero."""
        return prod(int(np.count_nonzero(reads)) for reads in self._axes)

    @cached_property
    def fan_in(self) -> int:
        """Most sources that one neuron reads."""
        return prod(int(np.count_nonzero(reads, axis=1).max(initial=0)) for reads in self._axes)

    def input_axons(self, sides: tuple[int, ...]) -> int:
        """Input axons of the box that hears most sources."""
        sources = prod(self._span(axis, side) for axis, side in enumerate(sides))
        return -(-sources // self.neurons_per_axon)

    def destinations(self, sides: tuple[int, ...]) -> Int64[np.ndarray, "*source"]:
        """Boxes that each source must reach, of the source's shape."""
        along = [np.count_nonzero(self._slice(axis, side), axis=0) for axis, side in enumerate(sides)]
        total = along[0]
        for axis in along[1:]:
            total = total[..., None] * axis
        return np.asarray(total, dtype=np.int64).reshape(self.input_shape)

    def own_bits(self, sides: tuple[int, ...]) -> int:
        """Memory of the fullest box if every axon has a list of its own."""
        if isinstance(self.synapse, LinearSynapse):
            return self._matrix_bits(sides[0])
        lengths = [_lengths(self._slice(axis, side)) for axis, side in enumerate(sides)]
        total = 0
        for channels, num_channels in lengths[0]:
            for rows, num_rows in lengths[1]:
                for columns, num_columns in lengths[2]:
                    bits = self._list_bits(np.array(channels * rows * columns), has_index=True)
                    total += num_channels * num_rows * num_columns * int(bits)
        return total

    def shared_bits(self, sides: tuple[int, ...]) -> int:
        """Memory of all boxes if axons share what they can.

        A convolution has a list for every input channel, a repeated connection none. Borders and
        strides need more lists, so this is a lower bound. Where the layout of the memory is not
        known, weights are plain bits.
        """
        if self.word_bits is None:
            return self.num_weights * self.synapse_bits
        if self.is_repeated:
            return 0
        boxes = prod(-(-size // side) for size, side in zip(self.shape, sides, strict=True))
        if isinstance(self.synapse, LinearSynapse):
            return boxes * self._matrix_bits(sides[0])
        channels = self._span(0, sides[0])
        targets = min(sides[0], self.shape[0] // self.synapse.groups) * prod(self.synapse.weight.shape[2:])
        return boxes * channels * int(self._list_bits(np.array(targets), has_index=True))

    def _matrix_bits(self, side: int) -> int:
        """Of the fullest box of rows; a list is stored whole, or with indices where that is smaller."""
        whole = self._list_bits(np.array(side), has_index=self.neurons_per_axon > 1)
        bits = np.minimum(whole, self._list_bits(np.arange(side + 1), has_index=True))
        return int(bits[self._slice(0, side)].sum(axis=1).max(initial=0))

    def _list_bits(self, synapses: np.ndarray, *, has_index: bool) -> np.ndarray:
        each = self.synapse_bits + (INDEX_BITS if has_index else 0)
        words = self.word_bits or 1
        whole, rest = np.divmod(synapses, BLOCK_SYNAPSES)
        full = -(-(HEADER_BITS + BLOCK_SYNAPSES * each) // words) * words
        part = -(-(HEADER_BITS + rest * each) // words) * words
        return np.asarray(whole * full + np.where(rest > 0, part, 0))

    def _span(self, axis: int, side: int) -> int:
        """Positions along an axis that the slice that reads most reads."""
        if (axis, side) not in self._spans:
            self._spans[axis, side] = int(np.count_nonzero(self._slice(axis, side), axis=1).max(initial=0))
        return self._spans[axis, side]

    def _slice(self, axis: int, side: int) -> Int32[np.ndarray, "slices inputs"]:
        """Neurons of each slice that read each position along an axis."""
        sums = self._running_sums[axis]
        ends = np.minimum(np.arange(side, len(sums) - 1 + side, side), len(sums) - 1)
        return np.diff(sums[np.concatenate([[0], ends])], axis=0)

    @cached_property
    def _running_sums(self) -> tuple[np.ndarray, ...]:
        """Per axis, [outputs + 1, inputs]: how many of the first outputs read an input."""
        return tuple(np.cumsum(np.pad(reads, ((1, 0), (0, 0))), axis=0, dtype=np.int32) for reads in self._axes)

    @cached_property
    def _axes(self) -> tuple[np.ndarray, ...]:
        """Per axis, bool [outputs, inputs]: whether an output reads an input."""
        synapse = self.synapse
        if isinstance(synapse, LinearSynapse):
            return (synapse.weight != 0,)
        groups = np.eye(synapse.groups, dtype=bool)
        outputs, inputs = (size // synapse.groups for size in (self.shape[0], self.input_shape[0]))
        return (
            np.repeat(np.repeat(groups, outputs, axis=0), inputs, axis=1),
            *(_taps(synapse, axis, self.shape[1 + axis], self.input_shape[1 + axis]) for axis in (0, 1)),
        )


def _taps(synapse: Conv2dSynapse, axis: int, num_outputs: int, num_inputs: int) -> np.ndarray:
    """Whether an output row (or column) reads an input row (or column), padding left out."""
    taps = np.arange(synapse.weight.shape[2 + axis]) * synapse.dilation[axis] - synapse.padding[axis]
    positions = np.arange(num_outputs)[:, None] * synapse.stride[axis] + taps
    reads = np.zeros((num_outputs, num_inputs), dtype=bool)
    outputs, kernel = np.nonzero((positions >= 0) & (positions < num_inputs))
    reads[outputs, positions[outputs, kernel]] = True
    return reads


def _lengths(counts: Int32[np.ndarray, "slices inputs"]) -> list[tuple[int, int]]:
    """(neurons reached, positions that reach so many) of the slice that hears most."""
    fullest = counts[int(counts.sum(axis=1).argmax())]
    values, numbers = np.unique(fullest[fullest > 0], return_counts=True)
    return list(zip(values.tolist(), numbers.tolist(), strict=True))
