"""Random integer networks of every process that the chip's simulators know, each with samples.

Half are what trained networks become, as `random_networks` draws them. The others have ternary
neurons, or are sigma-delta networks: an encoder, graded messages between layers, a decoder. Full
matrices may be mostly zero, or have delays and a weight exponent, in all of them. They are smaller
than those of `random_networks`, so that many can be compared.
"""

from typing import Literal

import numpy as np

from conversion.graph import INPUT, Connection, Conv2dSynapse, LinearSynapse, Synapse
from conversion.integer_graph import (
    ChipNeuron,
    DeltaNeuron,
    IntegerNeuron,
    SigmaDeltaNeuron,
    SigmaNeuron,
    TernaryNeuron,
)
from hardware.random_networks import NetworkBuilder, RandomNetwork
from snnface.seeding import SeedTree

__all__ = ["random_processes"]


def random_processes(seed: int, *, limits: Literal["strict", "lava"] = "strict") -> RandomNetwork:
    """The network of this seed.

    Args:
        limits: as in `random_network`; beyond the bits of the chip no sigma-delta networks are drawn.
    """
    generator = SeedTree(seed).numpy("processes", limits)
    kind = generator.choice(["lif", "lif", "ternary", "sigma-delta"])
    if kind == "sigma-delta" and limits == "strict":
        return _SigmaDeltaBuilder(generator, beyond_bits=False).network()
    return _ProcessBuilder(generator, beyond_bits=limits == "lava", ternary_share=0.6 * (kind == "ternary")).network()


class _ProcessBuilder(NetworkBuilder):
    """Draws networks of LIF and ternary neurons."""

    def __init__(self, generator: np.random.Generator, *, beyond_bits: bool, ternary_share: float = 0.0) -> None:
        super().__init__(generator, beyond_bits=beyond_bits, num_steps=(4, 14), num_samples=(1, 3), num_blocks=(1, 3))
        self.ternary_share = ternary_share

    def _add_dense(self, source: str, shape: tuple[int, ...]) -> None:
        num_inputs = int(np.prod(shape))
        weight = self._weights(int(self.draw.integers(1, 40)), num_inputs)
        if self.draw.random() < 0.4:
            weight = np.where(self.draw.random(weight.shape) < 0.08, weight, 0)
        delay = None
        if self.draw.random() < 0.4:
            delay = self.draw.integers(0, int(self.draw.choice([2, 4, 64])), size=weight.shape)
        exponent = int(self.draw.integers(-3, 3)) if self.draw.random() < 0.3 else 0
        self._add(Connection(source, LinearSynapse(weight), delay, exponent))

    def _neuron(self, synapse: Synapse, shape: tuple[int, ...], source: str) -> ChipNeuron:
        lif = super()._neuron(synapse, shape, source)
        assert isinstance(lif, IntegerNeuron)
        if self.draw.random() >= self.ternary_share:
            return lif
        low = -int(self.draw.uniform(0.0, 1.0) * min(lif.vth, 131071))
        return TernaryNeuron(lif.du, lif.dv, min(lif.vth, 131071), low, lif.bias_mant, lif.bias_exp)


class _SigmaDeltaBuilder(_ProcessBuilder):
    """Draws delta encoder - sigma-delta layers - decoder; weights are small, or 32 bits would not do."""

    def network(self) -> RandomNetwork:
        self.is_overloaded = False
        identity: Synapse = LinearSynapse(np.eye(self.input_shape[0], dtype=np.int64))
        if len(self.input_shape) == 3:
            identity = Conv2dSynapse(np.eye(self.input_shape[0], dtype=np.int64)[:, :, None, None])
        spike_exp, state_exp = self._sizes((0, 3), (0, 3))
        self._add(Connection(INPUT, identity), DeltaNeuron(int(self.draw.integers(0, 4)), spike_exp, state_exp))
        return super().network()

    def _add_block(self) -> None:
        source, shape = self._last()
        if isinstance(self.populations[-1].neuron, SigmaNeuron):
            return
        if len(shape) == 1 or self.draw.random() < 0.5:
            self._add_dense(source, shape)
        else:
            self._add(Connection(source, self._convolution(shape)))
        if self.draw.random() < 0.3:
            self._decode()

    def _decode(self) -> None:
        source, shape = self._last()
        identity: Synapse = LinearSynapse(np.eye(shape[0], dtype=np.int64))
        if len(shape) == 3:
            identity = Conv2dSynapse(np.eye(shape[0], dtype=np.int64)[:, :, None, None])
        self._add(Connection(source, identity), SigmaNeuron())

    def _neuron(self, synapse: Synapse, shape: tuple[int, ...], source: str) -> ChipNeuron:
        spike_exp, state_exp = self._sizes((0, 3), (0, 4))
        return SigmaDeltaNeuron(
            vth=int(self.draw.integers(0, 60)),
            bias=self.draw.integers(-200, 200, size=(shape[0], *(1 for _ in shape[1:]))),
            spike_exp=spike_exp,
            state_exp=state_exp,
            rectifies=bool(self.draw.random() < 0.7),
            accumulates_error=bool(self.draw.random() < 0.4),
        )

    def _weights(self, *shape: int) -> np.ndarray:
        largest = 2 * int(self.draw.integers(1, 8))
        weight = self.draw.integers(-largest, largest + 1, size=shape)
        return 2 * weight if weight.min() < 0 < weight.max() else weight
