"""The spiking graph: what a trained network is once nothing but weights and neurons is left.

Every part of deployment speaks of this one value: the converters make it, NIR files hold
it, the quantiser turns it into integers, the backends run it, the counters read it.

A graph is a list of populations in execution order. A population is neurons of one kind
plus the connections into them; several connections into one population add their
currents (a residual). The zero-latency reading is the definition: within one step the
populations are updated in order, and each sees the spikes of this step.

For population l, per neuron, with I[t] the sum of its connections:

    h[t] = v[t-1] - leak * v[t-1] + I[t]
    s[t] = 1 where h[t] > threshold (or >=, as `fires_on_equality` says), else 0
    v[t] = 0 where s[t] (reset "zero"),  h[t] - threshold * s[t] (reset "subtract")
    v[0] = initial_voltage
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from snnface.errors import ConversionError

__all__ = [
    "INPUT",
    "Connection",
    "Conv2dSynapse",
    "LinearSynapse",
    "Neuron",
    "Population",
    "Readout",
    "SpikingGraph",
    "Synapse",
]

INPUT = "input"
"""The name by which connections refer to the graph's input."""


@dataclass(frozen=True, slots=True, eq=False)
class Conv2dSynapse:
    """A 2-D correlation, as in PyTorch.

    Attributes:
        weight: [O, I / groups, kh, kw]; float64 in a float graph, int64 in an integer graph.
        bias: [O] of the same type, or None; added at every step.
        stride, padding, dilation: (rows, columns).
    """

    weight: np.ndarray
    bias: np.ndarray | None = None
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """(C, H, W) -> (O, H', W').

        Raises:
            ConversionError: if the input does not have the channels or the size for it.
        """
        channels = self.weight.shape[1] * self.groups
        if len(input_shape) != 3 or input_shape[0] != channels:
            raise ConversionError(f"a convolution over {channels} channels cannot read an input of {input_shape}.")
        sizes = tuple(
            (
                input_shape[1 + axis]
                + 2 * self.padding[axis]
                - self.dilation[axis] * (self.weight.shape[2 + axis] - 1)
                - 1
            )
            // self.stride[axis]
            + 1
            for axis in (0, 1)
        )
        if min(sizes) < 1:
            raise ConversionError(f"a {self.weight.shape[2:]} kernel does not fit an input of {input_shape}.")
        return (self.weight.shape[0], *sizes)


@dataclass(frozen=True, slots=True, eq=False)
class LinearSynapse:
    """A full weight matrix; its source is flattened in (C, H, W) order.

    Attributes:
        weight: [O, I]; float64 in a float graph, int64 in an integer graph.
        bias: [O] of the same type, or None; added at every step.
    """

    weight: np.ndarray
    bias: np.ndarray | None = None

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """(any shape of I elements) -> (O,).

        Raises:
            ConversionError: if the number of elements differs.
        """
        if int(np.prod(input_shape)) != self.weight.shape[1]:
            raise ConversionError(
                f"a linear layer over {self.weight.shape[1]} inputs cannot read an input of {input_shape}."
            )
        return (self.weight.shape[0],)


Synapse = Conv2dSynapse | LinearSynapse


@dataclass(frozen=True, slots=True)
class Connection:
    """Weights from one population (or the input) into the population that holds this."""

    source: str
    synapse: Synapse


@dataclass(frozen=True, slots=True)
class Neuron:
    """The neuron model of a population; see the module's equations.

    Attributes:
        leak: 1/tau in steps; 0 is a plain integrator, 1 has no memory.
        is_relay: a neuron that only copies spikes (OR-pooling, delay); it is counted as
            hardware, not as part of the trained network.
    """

    leak: float
    threshold: float
    reset: Literal["zero", "subtract"] = "zero"
    fires_on_equality: bool = False
    initial_voltage: float = 0.0
    is_relay: bool = False


@dataclass(frozen=True, slots=True)
class Population:
    """Neurons of one kind and the connections into them.

    Attributes:
        shape: (C, H, W) or (N,).
    """

    name: str
    shape: tuple[int, ...]
    neuron: Neuron
    inputs: tuple[Connection, ...]

    @property
    def num_neurons(self) -> int:
        return int(np.prod(self.shape))


@dataclass(frozen=True, slots=True, eq=False)
class Readout:
    """The answer, read by the host: mean over time of `weight @ spikes + bias`; no neurons.

    Attributes:
        source: the population it reads, flattened in (C, H, W) order.
        weight: float64 [K, N].
        bias: float64 [K].
    """

    source: str
    weight: np.ndarray
    bias: np.ndarray

    def __call__(self, spikes: np.ndarray) -> np.ndarray:
        """[T, B, *shape] spikes -> [B, K] answers."""
        rates = spikes.reshape(*spikes.shape[:2], -1).mean(axis=0, dtype=np.float64)
        return np.asarray(rates @ self.weight.T + self.bias)


@dataclass(frozen=True, slots=True, eq=False)
class SpikingGraph:
    """A whole network.

    Attributes:
        input_shape: (C, H, W) or (N,).
        populations: in execution order; a connection may only look back.
        metadata: plain strings and numbers that travel with the graph (class names, step
            length); no reader may need them.

    Raises:
        ConversionError: if names repeat, a source is unknown or comes later, or shapes differ.
    """

    input_shape: tuple[int, ...]
    populations: tuple[Population, ...]
    readout: Readout
    metadata: Mapping[str, str | int | float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shapes = {INPUT: self.input_shape}
        for population in self.populations:
            if population.name in shapes:
                raise ConversionError(f"population names must differ; {population.name!r} occurs twice.")
            if not population.inputs:
                raise ConversionError(f"population {population.name!r} has no input.")
            for connection in population.inputs:
                if connection.source not in shapes:
                    raise ConversionError(
                        f"population {population.name!r} reads {connection.source!r}, which does not come before it. "
                        "Cycles are not supported."
                    )
                shape = connection.synapse.output_shape(shapes[connection.source])
                if shape != population.shape:
                    raise ConversionError(
                        f"the connection {connection.source!r} -> {population.name!r} gives {shape}, "
                        f"the population is {population.shape}."
                    )
            shapes[population.name] = population.shape
        if self.readout.source not in shapes:
            raise ConversionError(f"the readout reads {self.readout.source!r}, which is not in the graph.")
        if self.readout.weight.shape[1] != int(np.prod(shapes[self.readout.source])):
            raise ConversionError("the readout's weight does not fit the population that it reads.")

    def shape_of(self, name: str) -> tuple[int, ...]:
        """The shape of a population, or of the input."""
        return self.input_shape if name == INPUT else self.population(name).shape

    def population(self, name: str) -> Population:
        return next(population for population in self.populations if population.name == name)

    def depth(self, name: str) -> int:
        """Connections on the longest path from the input: 0 for the input itself.

        On a synchronous chip each connection adds one step, so this is the latency in
        steps, and every path into a population must have the same length.
        """
        if name == INPUT:
            return 0
        return 1 + max(self.depth(connection.source) for connection in self.population(name).inputs)
