"""The spiking graph: what a trained network is once nothing but weights and neurons is left.

Every part of deployment speaks of this one value: the converters make it, NIR files hold
it, the quantiser turns it into integers, the backends run it, the counters read it.

A graph is a list of populations in execution order. A population is neurons of one kind
plus the connections into them; several connections into one population add their
currents (a residual). The zero-latency reading is the definition: within one step the
populations are updated in order, and each sees the spikes of this step.

For population l, per neuron, with I[t] the sum of its connections:

    h[t] = v[t-1] - leak * (v[t-1] - rest) + I[t]
    s[t] = 1 where h[t] > threshold (or >=, as `fires_on_equality` says), else 0
    v[t] = 0 where s[t] (reset "zero"),  h[t] - threshold * s[t] (reset "subtract")
    v[0] = initial_voltage
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from conversion.neuron import Neuron
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
    "repeats_weights",
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
    """Weights from one population (or the input) into the population that holds this.

    Attributes:
        delay: only full matrices of integer graphs: the steps later, 0..63, at which each weight
            acts, int64 in the shape of the weight; None is no delay.
        weight_exp: only full matrices of integer graphs: finished sums (of one delay each) are
            shifted to the left by so many bits, or to the right with floor where it is negative.
    """

    source: str
    synapse: Synapse
    delay: np.ndarray | None = None
    weight_exp: int = 0


def repeats_weights(inputs: Sequence[Connection], place: int) -> bool:
    """Whether a connection has the weights of an earlier one among the connections into its population.

    So it is where a sum of spikes is read: conv(a + b) = conv(a) + conv(b).
    """
    connection = inputs[place]
    return any(
        _has_weights_of(earlier.synapse, connection.synapse)
        and earlier.weight_exp == connection.weight_exp
        and np.array_equal(_delays(earlier), _delays(connection))
        for earlier in inputs[:place]
    )


def _delays(connection: Connection) -> np.ndarray:
    return np.zeros(1) if connection.delay is None else connection.delay


@dataclass(frozen=True, slots=True)
class Population:
    """Neurons of one kind and the connections into them.

    Attributes:
        shape: (C, H, W) or (N,).

    Raises:
        ConversionError: if a parameter of the neuron has a shape that does not broadcast to it.
    """

    name: str
    shape: tuple[int, ...]
    neuron: Neuron
    inputs: tuple[Connection, ...]

    def __post_init__(self) -> None:
        for name, values in self.neuron.arrays.items():
            fits = len(values.shape) == len(self.shape) and all(
                given in (1, size) for given, size in zip(values.shape, self.shape, strict=True)
            )
            if not fits:
                raise ConversionError(
                    f"the {name} of population {self.name!r} has the shape {values.shape}; one number, or as many as "
                    f"broadcast to its {self.shape} neurons, are expected."
                )

    @property
    def num_neurons(self) -> int:
        return int(np.prod(self.shape))


@dataclass(frozen=True, slots=True, eq=False)
class Readout:
    """The answer, read by the host from the spikes of one population; no neurons on the chip.

    With W the weight, b the bias and s the spikes:

        leak None:  y = mean over t of (W s[t] + b), one answer a sample
        leak a:     f[t] = f[t-1] - a (f[t-1] - W s[t]),  y[t] = f[t] + b,  f[-1] = 0,
                    an answer at every step; a = 1 reads each step by itself

    Attributes:
        source: the population it reads, flattened in (C, H, W) order.
        weight: float64 [K, N]; or [O, C, k, k], k odd: a correlation over the source's maps that
            keeps their size, and K = O H W.
        bias: float64 [K], or [O] of a correlation.
        leak: see above.

    Raises:
        ConversionError: if the leak is not above 0 and at most 1, or a kernel is not square and odd.
    """

    source: str
    weight: np.ndarray
    bias: np.ndarray
    leak: float | None = None

    def __post_init__(self) -> None:
        if self.leak is not None and not 0 < self.leak <= 1:
            raise ConversionError(f"a readout's leak must lie in 0..1, above 0, or be None; got {self.leak}.")
        if self.weight.ndim == 4 and (self.weight.shape[2] != self.weight.shape[3] or self.weight.shape[2] % 2 == 0):
            raise ConversionError(f"a readout's kernel must be square and odd; got {self.weight.shape[2:]}.")

    @property
    def keeps_steps(self) -> bool:
        """There is an answer at every step, not one a sample."""
        return self.leak is not None

    @property
    def synapse(self) -> Synapse:
        """The weights as a connection."""
        if self.weight.ndim == 2:
            return LinearSynapse(self.weight, self.bias)
        side = self.weight.shape[2] // 2
        return Conv2dSynapse(self.weight, self.bias, padding=(side, side))

    def __call__(self, spikes: np.ndarray) -> np.ndarray:
        """[T, B, *shape] spikes -> answers [B, K], or [T, B, K] of every step."""
        if self.keeps_steps:
            return self.step_answers(spikes)
        return self._currents(spikes.mean(axis=0, dtype=np.float64)) + self._biases(spikes)

    def step_answers(self, spikes: np.ndarray) -> np.ndarray:
        """[T, B, *shape] spikes -> the answer at every step, [T, B, K]; without a leak each step's own."""
        currents = self._currents(spikes.reshape(-1, *spikes.shape[2:]).astype(np.float64))
        currents = currents.reshape(*spikes.shape[:2], -1)
        if self.leak is not None and self.leak < 1:
            potential = np.zeros_like(currents[0])
            for step, current in enumerate(currents):
                potential = potential - self.leak * (potential - current)
                currents[step] = potential
        return np.asarray(currents + self._biases(spikes))

    def _currents(self, spikes: np.ndarray) -> np.ndarray:
        """[F, *shape] -> [F, K], without the bias."""
        if self.weight.ndim == 2:
            return np.asarray(spikes.reshape(len(spikes), -1) @ self.weight.T)
        height, width = spikes.shape[2:]
        side = self.weight.shape[2] // 2
        padded = np.pad(spikes, ((0, 0), (0, 0), (side, side), (side, side)))
        total = np.zeros((len(spikes), len(self.weight), height, width))
        for row, column in np.ndindex(*self.weight.shape[2:]):
            seen = padded[:, :, row : row + height, column : column + width]
            total += np.einsum("oc,fchw->fohw", self.weight[:, :, row, column], seen, optimize=True)
        return total.reshape(len(spikes), -1)

    def _biases(self, spikes: np.ndarray) -> np.ndarray:
        return self.bias if self.weight.ndim == 2 else np.repeat(self.bias, int(np.prod(spikes.shape[3:])))


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
                if connection.delay is not None or connection.weight_exp:
                    raise ConversionError(
                        f"the connection {connection.source!r} -> {population.name!r} has delays or a weight "
                        "exponent, which only integer graphs can hold. Scale its weights, and add relays for delays."
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
        self.readout.synapse.output_shape(shapes[self.readout.source])

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
        depths = {INPUT: 0}
        for population in self.populations:
            depths[population.name] = 1 + max(depths[connection.source] for connection in population.inputs)
        return depths[name]


def _has_weights_of(one: Synapse, other: Synapse) -> bool:
    if type(one) is not type(other) or not np.array_equal(one.weight, other.weight):
        return False
    if isinstance(one, LinearSynapse) or isinstance(other, LinearSynapse):
        return True
    return (one.stride, one.padding, one.dilation, one.groups) == (
        other.stride,
        other.padding,
        other.dilation,
        other.groups,
    )
