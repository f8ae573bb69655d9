"""Random integer networks with samples, for checking one backend against another.

They are small, but hold everything that a network may hold: full matrices and convolutions
with any stride, padding, dilation and groups, OR pools, residuals with relays, biases, leaks,
binary and graded input, and, in some, numbers so large that u wraps and v saturates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from typing import Literal

import numpy as np

from conversion.graph import INPUT, Connection, Conv2dSynapse, LinearSynapse, Readout, Synapse
from conversion.integer_graph import ChipNeuron, IntegerGraph, IntegerNeuron, IntegerPopulation
from snnface.seeding import SeedTree

__all__ = ["NetworkBuilder", "RandomNetwork", "or_pool", "random_network", "relay_neuron"]

RELAY_WEIGHT = 64


@dataclass(frozen=True, slots=True, eq=False)
class RandomNetwork:
    """A network and samples for it.

    Attributes:
        spikes: uint8 [T, B, *input_shape].
    """

    graph: IntegerGraph
    spikes: np.ndarray


def random_network(seed: int, *, limits: Literal["strict", "lava"] = "strict") -> RandomNetwork:
    """The network of this seed.

    Args:
        limits: "strict" keeps every number within the chip's bits; "lava" goes beyond them,
            as only mode "lava" of the backends allows.
    """
    return NetworkBuilder(SeedTree(seed).numpy("network", limits), beyond_bits=limits == "lava").network()


def relay_neuron() -> IntegerNeuron:
    """Copies spikes: without memory, it fires when at least one weight of 64 arrives."""
    zero = np.zeros((), dtype=np.int64)
    return IntegerNeuron(du=4095, dv=4095, vth=RELAY_WEIGHT - 1, bias_mant=zero, is_relay=True)


def or_pool(channels: int, size: int = 2) -> Conv2dSynapse:
    """Max-pooling of binary spikes, to be followed by a relay neuron."""
    weight = np.full((channels, 1, size, size), RELAY_WEIGHT, dtype=np.int64)
    return Conv2dSynapse(weight, stride=(size, size), groups=channels)


class NetworkBuilder:
    """Draws one network, population after population."""

    def __init__(
        self,
        generator: np.random.Generator,
        *,
        beyond_bits: bool,
        num_steps: tuple[int, int] = (6, 24),
        num_samples: tuple[int, int] = (1, 4),
        num_blocks: tuple[int, int] = (1, 4),
    ) -> None:
        self.draw = generator
        self.beyond_bits = beyond_bits
        self.sizes = num_steps, num_samples
        self.num_blocks = num_blocks
        self.is_overloaded = bool(generator.random() < 0.4)
        self.input_bits = int(generator.choice([0, 8] if self.is_overloaded else [0, 0, 1, 3, 8]))
        is_map = generator.random() < 0.8
        self.input_shape = self._sizes((1, 5), (4, 11), (4, 11)) if is_map else self._sizes((4, 40))
        self.rate = float(generator.uniform(0.05, 0.6))
        self.populations: list[IntegerPopulation] = []

    def network(self) -> RandomNetwork:
        for _ in range(self.draw.integers(*self.num_blocks)):
            self._add_block()
        steps, batch = self._sizes(*self.sizes)
        largest = (1 << self.input_bits) - 1 if self.input_bits else 1
        fires = self.draw.random((steps, batch, *self.input_shape)) < self.rate
        spikes = fires * self.draw.integers(1, largest + 1, size=fires.shape)
        last = self.populations[-1]
        readout = Readout(last.name, self.draw.normal(size=(3, last.num_neurons)), self.draw.normal(size=3))
        graph = IntegerGraph(self.input_shape, self.input_bits, tuple(self.populations), readout)
        return RandomNetwork(graph, spikes.astype(np.uint8))

    def _add_block(self) -> None:
        """One more layer behind the last one; a map may become flat, never the other way round."""
        source, shape = self._last()
        kind = self.draw.choice(["dense", "conv", "conv", "pool", "residual"])
        if kind == "dense" or len(shape) == 1:
            self._add_dense(source, shape)
        elif kind == "pool" and min(shape[1:]) >= 2 and source != INPUT:
            self._add(Connection(source, or_pool(shape[0])), relay_neuron())
        elif kind == "residual":
            self._add_residual(source, shape)
        else:
            self._add(Connection(source, self._convolution(shape)))

    def _add_dense(self, source: str, shape: tuple[int, ...]) -> None:
        num_inputs = int(np.prod(shape))
        self._add(Connection(source, LinearSynapse(self._weights(int(self.draw.integers(1, 40)), num_inputs))))

    def _add_residual(self, source: str, shape: tuple[int, ...]) -> None:
        """conv - neuron - conv beside 1x1 - relay - 1x1: both paths have two connections."""
        channels = shape[0]
        identity = Conv2dSynapse(RELAY_WEIGHT * np.eye(channels, dtype=np.int64)[:, :, None, None])
        same = [Conv2dSynapse(self._weights(channels, channels, 3, 3), padding=(1, 1)) for _ in range(2)]
        skipped = self._add(Connection(source, identity), relay_neuron())
        inner = self._add(Connection(source, same[0]))
        self._add(Connection(inner, same[1]), also=Connection(skipped, identity))

    def _add(self, first: Connection, neuron: ChipNeuron | None = None, also: Connection | None = None) -> str:
        name, source = f"p{len(self.populations)}", first.source
        shape = first.synapse.output_shape(self.input_shape if source == INPUT else self._shape_of(source))
        neuron = neuron or self._neuron(first.synapse, shape, source)
        inputs = (first, *([also] if also else []))
        self.populations.append(IntegerPopulation(name, shape, neuron, inputs))
        return name

    def _last(self) -> tuple[str, tuple[int, ...]]:
        if not self.populations:
            return INPUT, self.input_shape
        return self.populations[-1].name, self.populations[-1].shape

    def _shape_of(self, name: str) -> tuple[int, ...]:
        return next(population.shape for population in self.populations if population.name == name)

    def _convolution(self, shape: tuple[int, ...]) -> Conv2dSynapse:
        channels = shape[0]
        out_channels = int(self.draw.integers(1, 7))
        groups = int(self.draw.choice([1, gcd(channels, out_channels)]))
        padding, stride = self._sizes((0, 3), (0, 3)), self._sizes((1, 4), (1, 4))
        room = [size + 2 * pad for size, pad in zip(shape[1:], padding, strict=True)]
        kernel = self._sizes(*((1, min(4, space + 1)) for space in room))
        dilation = [
            int(self.draw.integers(1, 3)) if 2 * (k - 1) < space else 1 for k, space in zip(kernel, room, strict=True)
        ]
        weight = self._weights(out_channels, channels // groups, *kernel)
        return Conv2dSynapse(weight, None, _pair(stride), _pair(padding), _pair(dilation), groups)

    def _weights(self, *shape: int) -> np.ndarray:
        """Weights of mixed sign (even), or of one."""
        low, high = [(-128, 128), (0, 256), (-255, 1)][self.draw.choice(3, p=[0.6, 0.35, 0.05])]
        if self.is_overloaded:
            low, high = [(200, 256), (-255, -200), (-128, 128)][self.draw.choice(3, p=[0.7, 0.1, 0.2])]
        weight = self.draw.integers(low, high, size=shape)
        if self.beyond_bits:
            return weight * self.draw.integers(1, 1 << int(self.draw.integers(1, 11)), size=shape)
        weight = np.where(weight.min() < 0 < weight.max(), weight * 2, weight)
        # Without a positive one among them, weights are of one sign and end at -255.
        return np.maximum(weight, -256 if weight.max() > 0 else -255)

    def _neuron(self, synapse: Synapse, shape: tuple[int, ...], source: str) -> ChipNeuron:
        """Leaks and biases of all sizes, and a threshold that what arrives may reach."""
        du = self._decay(often=int(self.draw.integers(0, 8)) if self.is_overloaded else 4095, seldom=0)
        dv = self._decay(often=int(self.draw.integers(0, 4096)), seldom=4095)
        bias, exponent = np.zeros((), dtype=np.int64), int(self.draw.integers(0, 8))
        if self.draw.random() < 0.5:
            bias = self.draw.integers(-4096, 4096, size=(shape[0], *(1 for _ in shape[1:])))
        rows = synapse.weight.reshape(len(synapse.weight), -1).astype(np.float64)
        message = 1 << (self.input_bits - 1 if source == INPUT and self.input_bits else 0)
        arriving = message * (self.rate * rows.sum(axis=1) + np.sqrt(self.rate * (rows**2).sum(axis=1)))
        charge = np.quantile(arriving, 0.7) * _memory(du + 1) + np.quantile(bias << exponent, 0.7) / 64
        vth = int(self.draw.uniform(0.1, 1.5) * max(charge, 1.0) * np.sqrt(_memory(dv)))
        return IntegerNeuron(
            du=du,
            dv=dv,
            vth=1 << 18 if self.beyond_bits and self.draw.random() < 0.1 else min(vth, 131071),
            bias_mant=np.asarray(bias * 7 if self.beyond_bits else bias),
            bias_exp=exponent,
        )

    def _decay(self, *, often: int, seldom: int) -> int:
        which = self.draw.random()
        if which < 0.6:
            return often
        return seldom if which < 0.7 else int(self.draw.integers(0, 4096))

    def _sizes(self, *ranges: tuple[int, int]) -> tuple[int, ...]:
        return tuple(int(self.draw.integers(low, high)) for low, high in ranges)


def _pair(sizes: Sequence[int]) -> tuple[int, int]:
    rows, columns = sizes
    return rows, columns


def _memory(decay: int) -> float:
    """Steps that a decay remembers, within a short run."""
    return min(8.0, 4096 / max(decay, 1))
