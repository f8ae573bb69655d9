"""Does a network fit a chip: neurons, synapse memory, input axons and cores per population.

A core holds neurons of one population, cut into boxes (channels x rows x columns). Three
limits are looked at: neurons per core, input axons per core (one for each distinct input
element that the core's neurons read) and memory for synapses.

Loihi 1 stores, for each input axon, the list of weights that it drives in this core: blocks
of up to 64 synapses with 10 bits of header, the weight's bits and, where the targets are
not consecutive (convolutions), 10 bits of index per synapse, each block rounded up to words
of 64 bits. A convolution may let axons share a list; "shared" counts one list per input
channel and core, and none for a connection that repeats the weights of another into the same
population. Borders and strides need lists of their own, so that is a lower bound.

Where a chip's axon limit and memory layout are not published (Loihi 2), weights are counted
once and as plain bits. That lower bound can prove that a network does not fit, never that
it does.

Source: Davies et al. 2018, IEEE Micro 38(1); list format and axon limit as in nengo-loihi.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Literal

from conversion.graph import Connection, Conv2dSynapse, SpikingGraph, repeats_weights
from conversion.integer_graph import IntegerGraph
from hardware.fan_out import fan_out
from hardware.target import HardwareTarget

__all__ = ["ChipFit", "Limit", "PopulationFit", "Verdict", "chip_fit"]

Verdict = Literal["fits", "does not fit", "unknown"]
Limit = Literal["neurons", "input axons", "synapse memory"]

BLOCK_SYNAPSES = 64
HEADER_BITS = 10
INDEX_BITS = 10
WORD_BITS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationFit:
    """What one population needs.

    Attributes:
        synapses: existing connections, each counted, weights shared or not.
        synapse_bits_shared, synapse_bits_unshared: memory over all its cores; the second
            is None where the chip's layout is not published.
        input_axons: of one core, for the partition chosen; None where no limit is published.
        cores: a lower bound, with shared weights.
        cores_unshared: likewise without sharing; None where unknown or impossible.
        binding: the limit that decides the number of cores.
        reason: why it does not fit; empty if nothing speaks against it.
    """

    name: str
    neurons: int
    synapses: int
    synapse_bits_shared: int
    synapse_bits_unshared: int | None
    input_axons: int | None
    cores: int
    cores_unshared: int | None
    binding: Limit
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipFit:
    """What the whole network needs, against one chip.

    Attributes:
        cores: the sum over populations, a lower bound.
        reasons: every sentence that speaks against it, or leaves it open.
        not_checked: limits that this estimate does not look at.
    """

    target: str
    source: str
    populations: tuple[PopulationFit, ...]
    neurons: int
    cores: int
    cores_per_chip: int
    verdict: Verdict
    reasons: tuple[str, ...]
    not_checked: tuple[str, ...] = ("output axons", "routing", "populations that share a core")

    @property
    def chips(self) -> int:
        """Chips, by the number of cores alone."""
        return -(-self.cores // self.cores_per_chip)


def chip_fit(graph: SpikingGraph | IntegerGraph, target: HardwareTarget) -> ChipFit:
    """Estimate whether `graph` fits one chip of `target`. The readout is on the host and needs nothing."""
    fits = []
    for population in graph.populations:
        needs = [
            _Need(
                link,
                graph.shape_of(link.source),
                population.shape,
                target.weight_bits,
                is_repeated=repeats_weights(population.inputs, place),
            )
            for place, link in enumerate(population.inputs)
        ]
        estimate = _lower_bound if target.input_axons_per_core is None else _loihi1_estimate
        fits.append(estimate(population.name, population.shape, needs, target))
    cores = sum(fit.cores for fit in fits)
    reasons = [f"{fit.name}: {fit.reason}" for fit in fits if fit.reason]
    if isinstance(graph, IntegerGraph) and graph.input_bits > target.input_bits:
        reasons.append(
            f"the input is counts of {graph.input_bits} bits; this chip takes "
            + ("binary spikes only" if target.input_bits == 0 else f"{target.input_bits} bits")
        )
    if cores > target.cores_per_chip:
        reasons.append(f"at least {cores} cores are needed; one chip has {target.cores_per_chip}")
    verdict: Verdict = "does not fit"
    if not reasons:
        verdict, reasons = _open_verdict(fits, target)
    return ChipFit(
        target=target.name,
        source=target.source,
        populations=tuple(fits),
        neurons=sum(fit.neurons for fit in fits),
        cores=cores,
        cores_per_chip=target.cores_per_chip,
        verdict=verdict,
        reasons=tuple(reasons),
    )


def _open_verdict(fits: Sequence[PopulationFit], target: HardwareTarget) -> tuple[Verdict, list[str]]:
    if target.input_axons_per_core is None:
        return "unknown", ["the limits of this chip are published in part only; nothing known speaks against it"]
    unshared = sum(fit.cores_unshared or 0 for fit in fits)
    if unshared > target.cores_per_chip:
        return "unknown", [f"it depends on shared weight lists; without sharing at least {unshared} cores are needed"]
    return "fits", []


def _lower_bound(name: str, shape: tuple[int, ...], needs: Sequence["_Need"], target: HardwareTarget) -> PopulationFit:
    by_neurons = -(-prod(shape) // target.neurons_per_core)
    bits = sum(need.num_weights for need in needs) * target.weight_bits
    by_memory = -(-bits // (8 * target.synapse_bytes_per_core))
    return PopulationFit(
        name=name,
        neurons=prod(shape),
        synapses=sum(need.synapses for need in needs),
        synapse_bits_shared=bits,
        synapse_bits_unshared=None,
        input_axons=None,
        cores=max(by_neurons, by_memory),
        cores_unshared=None,
        binding="synapse memory" if by_memory > by_neurons else "neurons",
        verdict="unknown",
        reason="",
    )


def _loihi1_estimate(
    name: str, shape: tuple[int, ...], needs: Sequence["_Need"], target: HardwareTarget
) -> PopulationFit:
    limit = target.input_axons_per_core or 0
    boxes = _boxes(shape, needs, target.neurons_per_core)
    possible = [box for box in boxes if box.input_axons <= limit]
    freest = min(boxes, key=lambda box: (box.copies, box.input_axons))
    box = min(possible, key=lambda box: (box.copies, box.input_axons)) if possible else freest
    single = sum(need.axons((1,) * len(shape)) for need in needs)
    core_bits = 8 * target.synapse_bytes_per_core
    shared = box.copies * sum(need.shared_bits(box.sides) for need in needs)
    unshared = box.copies * sum(need.unshared_bits(box.sides, box.copies) for need in needs)
    by_memory = -(-shared // core_bits)
    reason = (
        f"one neuron reads {single} inputs and a core has {limit} input axons; "
        "split its fan-in over relays or shrink the maps before it"
    )
    binding: Limit = "neurons"
    if not possible or box.copies > freest.copies:
        binding = "input axons"
    if possible and by_memory > box.copies:
        binding = "synapse memory"
    return PopulationFit(
        name=name,
        neurons=prod(shape),
        synapses=sum(need.synapses for need in needs),
        synapse_bits_shared=shared,
        synapse_bits_unshared=unshared,
        input_axons=box.input_axons,
        cores=max(box.copies, by_memory),
        cores_unshared=max(box.copies, -(-unshared // core_bits)) if possible else None,
        binding=binding,
        verdict="fits" if possible else "does not fit",
        reason="" if possible else reason,
    )


@dataclass(frozen=True, slots=True)
class _Box:
    """Neurons of one core: sides of the box, how many boxes cover the population, axons into one."""

    sides: tuple[int, ...]
    copies: int
    input_axons: int


def _boxes(shape: tuple[int, ...], needs: Sequence["_Need"], neurons_per_core: int) -> list[_Box]:
    """Every way to cut `shape` evenly into boxes that a core can hold."""
    found = []
    for sides in product(*(sorted({-(-size // parts) for parts in range(1, size + 1)}) for size in shape)):
        if prod(sides) <= neurons_per_core:
            copies = prod(-(-size // side) for size, side in zip(shape, sides, strict=True))
            found.append(_Box(sides, copies, sum(need.axons(sides) for need in needs)))
    return found


class _Need:
    """What one connection asks of a core."""

    def __init__(
        self,
        connection: Connection,
        input_shape: tuple[int, ...],
        shape: tuple[int, ...],
        weight_bits: int,
        *,
        is_repeated: bool = False,
    ) -> None:
        self.synapse = connection.synapse
        self.input_shape = input_shape
        self.shape = shape
        self.weight_bits = weight_bits
        self.is_repeated = is_repeated
        self.num_weights = 0 if is_repeated else int(self.synapse.weight.size)
        self.synapses = int(fan_out(self.synapse, input_shape).sum())

    def axons(self, sides: tuple[int, ...]) -> int:
        """Distinct input elements that a box of neurons reads."""
        if not isinstance(self.synapse, Conv2dSynapse):
            return prod(self.input_shape)
        rows, columns = (self._span(axis, sides[1 + axis]) for axis in (0, 1))
        return self._input_channels(sides[0]) * rows * columns

    def unshared_bits(self, sides: tuple[int, ...], copies: int) -> int:
        """Memory of one core: a list for every axon, with the mean number of synapses, rounded up."""
        axons = self.axons(sides)
        return axons * self._list_bits(-(-self.synapses // (copies * axons)))

    def shared_bits(self, sides: tuple[int, ...]) -> int:
        """Memory of one core: a list for every input channel of a convolution, for every axon otherwise."""
        if self.is_repeated:
            return 0
        if not isinstance(self.synapse, Conv2dSynapse):
            return self.axons(sides) * self._list_bits(sides[0])
        channels = self._input_channels(sides[0])
        targets = min(sides[0], self.shape[0] // self.synapse.groups) * prod(self.synapse.weight.shape[2:])
        return channels * self._list_bits(targets)

    def _input_channels(self, channels: int) -> int:
        assert isinstance(self.synapse, Conv2dSynapse)
        groups = -(-channels // (self.shape[0] // self.synapse.groups))
        return groups * int(self.synapse.weight.shape[1])

    def _span(self, axis: int, side: int) -> int:
        assert isinstance(self.synapse, Conv2dSynapse)
        taps = range(self.synapse.weight.shape[2 + axis])
        stride, dilation = self.synapse.stride[axis], self.synapse.dilation[axis]
        reached = {output * stride + tap * dilation for output in range(side) for tap in taps}
        return min(len(reached), self.input_shape[1 + axis])

    def _list_bits(self, synapses: int) -> int:
        each = self.weight_bits + (INDEX_BITS if isinstance(self.synapse, Conv2dSynapse) else 0)
        whole, rest = divmod(synapses, BLOCK_SYNAPSES)
        blocks = [BLOCK_SYNAPSES] * whole + ([rest] if rest else [])
        return sum(-(-(HEADER_BITS + count * each) // WORD_BITS) * WORD_BITS for count in blocks)
