"""What each population of a network needs on a chip: cores, and which limit decides their number.

A core holds neurons of one population, and those form a box (channels x rows x columns). Where
a chip's axon limits are not published (Loihi 2), boxes prove nothing: cores are the larger of
neurons and weights, each divided by what a core holds. Populations are cut from the last to
the first, because a neuron needs one output axon for every core that reads it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Literal

import numpy as np
from jaxtyping import Int64

from conversion.graph import SpikingGraph
from conversion.integer_graph import IntegerGraph
from hardware.mapping.core_boxes import Boxes, Limits, cut_into_boxes
from hardware.mapping.core_needs import ConnectionNeeds, connection_needs
from hardware.target import HardwareTarget

__all__ = ["Limit", "PopulationFit", "Verdict", "population_fits"]

Verdict = Literal["fits", "does not fit", "unknown"]
Limit = Literal["neurons", "input axons", "output axons", "synapse memory", "none known"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationFit:
    """What one population needs.

    Attributes:
        synapses: existing connections, each counted, weights shared or not.
        weights: those that must be stored.
        fan_in: most inputs that one neuron reads through weights that are not zero.
        synapse_bits_shared, synapse_bits_unshared: memory over all its cores; the second
            is None where the chip's layout is not published.
        input_axons, output_axons: of the core that needs most, for the boxes chosen.
        cores: the fewest, with shared weights.
        cores_by_limit: limit -> cores that it asks for: neurons and synapse memory by themselves;
            input axons of boxes of neurons; output axons beside those.
        cores_unshared: enough for every limit even with a list of weights for each input axon;
            None where that is unknown or there is no such number.
        binding: the limit that decides the number of cores.
        used: share of it that its cores use on average; above 1 where it does not fit, None if no limit is known.
        reason: why it does not fit; empty if nothing speaks against it.
    """

    name: str
    shape: tuple[int, ...]
    neurons: int
    synapses: int
    weights: int
    fan_in: int
    synapse_bits_shared: int
    synapse_bits_unshared: int | None
    input_axons: int
    output_axons: int
    cores: int
    cores_by_limit: Mapping[str, int]
    cores_unshared: int | None
    binding: Limit
    used: float | None
    verdict: Verdict
    reason: str


def population_fits(
    graph: SpikingGraph | IntegerGraph,
    target: HardwareTarget,
    *,
    neurons_per_axon: Mapping[str, int] | None = None,
    is_proof_wanted: bool = True,
) -> tuple[PopulationFit, ...]:
    """Needs of every population, in the graph's order. The readout is on the host and needs nothing.

    Args:
        neurons_per_axon: population name -> sources that share each of its input axons.
        is_proof_wanted: look for `cores_unshared` too, which takes most of the time.
    """
    names = [population.name for population in graph.populations]
    mapper = _Mapper(graph, target, neurons_per_axon or {}, is_proof_wanted)
    fits = {name: mapper.fit(name) for name in reversed(names)}
    return tuple(fits[name] for name in names)


class _Mapper:
    """Cuts populations, readers before what they read."""

    def __init__(
        self,
        graph: SpikingGraph | IntegerGraph,
        target: HardwareTarget,
        neurons_per_axon: Mapping[str, int],
        is_proof_wanted: bool,
    ) -> None:
        self.graph = graph
        self.is_proof_wanted = is_proof_wanted
        self.target = target
        self.neurons_per_axon = neurons_per_axon
        self.needs = {
            population.name: connection_needs(
                graph, population.name, target, neurons_per_axon=neurons_per_axon.get(population.name, 1)
            )
            for population in graph.populations
        }
        self.cuts: dict[str, Boxes] = {}
        self.proofs: dict[str, Boxes] = {}

    def fit(self, name: str) -> PopulationFit:
        needs, shape = self.needs[name], self.graph.population(name).shape
        limits, reach = self._limits(name), self._reach(name, self.cuts)
        assert reach is not None
        reason, refused = _why_not(needs, reach, limits)
        # A population that cannot have its axons is told of as if it had them.
        usable = Limits(limits.neurons) if refused else limits
        boxes = cut_into_boxes(needs, shape, reach, usable)
        assert boxes is not None
        bits = sum(need.shared_bits(boxes.sides) for need in needs)
        by_limit = self._cores_by_limit(reach, boxes, bits, usable)
        cores = max(by_limit.values(), default=1)
        if cores > boxes.number:
            # Memory asks for more; the sources must reach them all.
            boxes = cut_into_boxes(needs, shape, reach, usable, at_least=cores) or boxes
        self.cuts[name] = boxes
        has_lists = self.target.synapse_word_bits is not None
        proof = self._proof(name, limits) if self.is_proof_wanted and has_lists and not refused else None
        unshared = boxes.number * sum(need.own_bits(boxes.sides) for need in needs) if has_lists else None
        binding = refused or _binding(by_limit)
        return PopulationFit(
            name=name,
            shape=shape,
            neurons=prod(shape),
            synapses=sum(need.synapses for need in needs),
            weights=sum(need.num_weights for need in needs),
            fan_in=sum(need.fan_in for need in needs),
            synapse_bits_shared=bits,
            synapse_bits_unshared=unshared,
            input_axons=boxes.input_axons,
            output_axons=boxes.output_axons,
            cores=cores,
            cores_by_limit={str(limit): number for limit, number in by_limit.items()},
            cores_unshared=None if proof is None else proof.number,
            used=self._used(binding, cores, bits, reach, boxes, limits),
            binding=binding,
            verdict="does not fit" if refused else "unknown" if limits.input_axons is None else "fits",
            reason=reason,
        )

    def _used(
        self,
        binding: Limit,
        cores: int,
        bits: int,
        reach: Int64[np.ndarray, "*shape"],
        boxes: Boxes,
        limits: Limits,
    ) -> float | None:
        memory = self.target.synapse_bytes_per_core
        use: dict[Limit, tuple[int, int | None]] = {
            "neurons": (reach.size, limits.neurons),
            "input axons": (cores * boxes.input_axons, limits.input_axons),
            "output axons": (int(reach.sum()), limits.output_axons),
            "synapse memory": (bits, None if memory is None else 8 * memory),
        }
        total, each = use.get(binding, (0, None))
        return None if each is None else total / (cores * each)

    def _limits(self, name: str) -> Limits:
        target = self.target
        are_shared = name in self.neurons_per_axon
        return Limits(
            neurons=target.neurons_per_core,
            input_axons=target.shared_axons_per_core if are_shared else target.input_axons_per_core,
            output_axons=target.output_axons_per_core,
        )

    def _reach(self, name: str, cuts: Mapping[str, Boxes]) -> Int64[np.ndarray, "*shape"] | None:
        """Cores that each neuron must reach; None if a reader has not been cut."""
        reach = np.zeros(self.graph.population(name).shape, dtype=np.int64)
        for reader in self.graph.populations:
            for link, need in zip(reader.inputs, self.needs[reader.name], strict=True):
                if link.source == name:
                    if reader.name not in cuts:
                        return None
                    reach += need.destinations(cuts[reader.name].sides)
        return reach

    def _cores_by_limit(
        self, reach: Int64[np.ndarray, "*shape"], boxes: Boxes, bits: int, limits: Limits
    ) -> dict[Limit, int]:
        found: dict[Limit, int] = {}
        if limits.neurons is not None:
            found["neurons"] = -(-reach.size // limits.neurons)
        if limits.input_axons is not None:
            found["input axons"] = boxes.number_for_inputs
        if limits.output_axons is not None:
            found["output axons"] = max(boxes.number_for_inputs, -(-int(reach.sum()) // limits.output_axons))
        if self.target.synapse_bytes_per_core is not None:
            found["synapse memory"] = -(-bits // (8 * self.target.synapse_bytes_per_core))
        return found

    def _proof(self, name: str, limits: Limits) -> Boxes | None:
        """Boxes that keep every limit, each with weight lists of its own; None if there are none, here or behind."""
        reach = self._reach(name, self.proofs)
        memory = self.target.synapse_bytes_per_core
        if reach is None or memory is None:
            return None
        checked = replace(limits, synapse_bits=8 * memory)
        found = cut_into_boxes(self.needs[name], self.graph.population(name).shape, reach, checked)
        if found is not None:
            self.proofs[name] = found
        return found


def _binding(by_limit: Mapping[Limit, int]) -> Limit:
    return max(by_limit, key=lambda limit: by_limit[limit]) if by_limit else "none known"


def _why_not(
    needs: Sequence[ConnectionNeeds], reach: Int64[np.ndarray, "*shape"], limits: Limits
) -> tuple[str, Limit | None]:
    """What a core cannot give even to a single neuron, and which limit that is."""
    axons = sum(-(-need.fan_in // need.neurons_per_axon) for need in needs)
    if limits.input_axons is not None and axons > limits.input_axons:
        what = "inputs" if axons == sum(need.fan_in for need in needs) else "groups of inputs"
        return f"one neuron reads {axons} {what} and a core has {limits.input_axons} input axons", "input axons"
    farthest = int(reach.max(initial=0))
    if limits.output_axons is not None and farthest > limits.output_axons:
        return f"{farthest} cores read one neuron and a core has {limits.output_axons} output axons", "output axons"
    return "", None
