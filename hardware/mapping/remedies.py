"""What helps a network that does not fit a chip: exact ways where there are some, and the smallest changes.

Where neurons read more than a core can hear, two ways leave the network as it is. A chip that sends
numbers can be given sums of parts (`hardware.mapping.fan_in`). On Loihi 1 sources can share an axon: a spike then
says which of them it came from, and each has weights of its own (nengo-loihi does so in convolutions, with
the channels of a pixel on one axon). It costs an index beside each weight. Otherwise the network must become
smaller: a few changes are tried, each as small as will do.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from conversion.graph import INPUT, LinearSynapse, SpikingGraph
from conversion.integer_graph import IntegerGraph
from hardware.mapping.core_needs import ConnectionNeeds, connection_needs
from hardware.mapping.fan_in import split_fan_in
from hardware.mapping.network_changes import ShapeChange, changed_network, last_convolution, without_small_inputs
from hardware.mapping.population_fit import PopulationFit, population_fits
from hardware.target import HardwareTarget
from snnface.errors import CapacityError, ConversionError

__all__ = ["Remedy", "remedies"]

AnyGraph = SpikingGraph | IntegerGraph
_PARTS = 16
"""Pictures and layers are made smaller by sixteenths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """One way to make a network fit.

    Attributes:
        change: what to do.
        keeps_answers: the network computes the same, spike for spike; otherwise it must be trained again.
        fan_in: most input axons that one neuron needs.
        cores, chips: as in `ChipFit`: the fewest.
        kept: share of the network's connections that is left.
    """

    change: str
    keeps_answers: bool
    fan_in: int
    neurons: int
    cores: int
    chips: int
    kept: float

    @property
    def sentence(self) -> str:
        """The change and what it comes to."""
        chips = "one chip" if self.chips == 1 else f"{self.chips} chips"
        what = "the same network" if self.keeps_answers else f"{100 * self.kept:.0f} % of the connections"
        return (
            f"{self.change}: {what}, {self.neurons} neurons, at most {self.fan_in} input axons a neuron, "
            f"at least {self.cores} cores ({chips})"
        )


def remedies(graph: AnyGraph, target: HardwareTarget, fits: Sequence[PopulationFit]) -> tuple[Remedy, ...]:
    """What helps against too many inputs, or cores, of a network of which `fits` tells.

    Exact ways come first, the others by the connections that they leave.

    Empty where no core of the chip is known, or nothing that is tried helps.
    """
    are_refused = any(fit.reason for fit in fits)
    if target.cores_per_chip is None or not (are_refused or sum(fit.cores for fit in fits) > target.cores_per_chip):
        return ()
    search = _Search(graph, target)
    found = [search.smallest(_crops(graph), is_enough=lambda remedy: remedy.chips == 1)]
    if are_refused:
        found.append(search.smallest(_crops(graph)))
    wide = [fit.name for fit in fits if fit.binding == "input axons" and fit.reason]
    if wide:
        found += [search.smallest(options) for options in _changes_before(graph, wide[0])]
        found.append(search.pruned(wide[0]) if len(wide) == 1 else None)
    changes = {remedy.change: remedy for remedy in found if remedy is not None}
    return (*search.exact(wide), *sorted(changes.values(), key=lambda remedy: -remedy.kept))


Option = tuple[str, ShapeChange]


def _crops(graph: AnyGraph) -> Iterator[Option]:
    if len(graph.input_shape) == 3:
        height, width = graph.input_shape[1:]
        for part in range(_PARTS - 1, 0, -1):
            rows, columns = height * part // _PARTS, width * part // _PARTS
            yield f"crop or shrink the input to {rows} x {columns}", ShapeChange(crop=(rows, columns))


def _changes_before(graph: AnyGraph, name: str) -> Iterator[Iterable[Option]]:
    """Kinds of change in front of a population, each from mild to severe."""
    source = graph.population(name).inputs[0].source
    if source == INPUT:
        return
    if len(graph.shape_of(source)) == 3:
        yield [(f"pool once more, 2 x 2, behind {source!r}", ShapeChange(pooled=source))]
    pool = last_convolution(graph, source, lambda synapse: synapse.groups == len(synapse.weight) > 1)
    if pool is not None:
        side = graph.population(pool).inputs[0].synapse.weight.shape[2]
        yield [
            (f"pool {wider} x {wider} instead of {side} x {side} in {pool!r}", ShapeChange(window={pool: wider}))
            for wider in range(side + 1, 2 * side)
        ]
    made = last_convolution(graph, source, lambda synapse: synapse.groups == 1)
    if made is not None:
        yield [(f"stride 2 in {made!r}", ShapeChange(stride={made: 2}))]
    elif len(graph.shape_of(source)) == 1:
        made = source
    if made is not None:
        number = graph.shape_of(made)[0]
        what = "channels" if len(graph.shape_of(made)) == 3 else "neurons"
        kept = sorted({number * part // _PARTS for part in range(1, _PARTS)} - {0}, reverse=True)
        yield [(f"keep {few} of the {number} {what} of {made!r}", ShapeChange(channels={made: few})) for few in kept]


class _Search:
    """Tries changes until one is enough."""

    def __init__(self, graph: AnyGraph, target: HardwareTarget) -> None:
        self.graph = graph
        self.target = target
        self.connections = sum(need.connections for needs in self.needs(graph).values() for need in needs)

    def smallest(
        self, options: Iterable[Option], *, is_enough: Callable[[Remedy], bool] = lambda remedy: True
    ) -> Remedy | None:
        """The first option that leaves no population too wide."""
        for change, shape_change in options:
            try:
                remedy = self.remedy(change, changed_network(self.graph, shape_change))
            except ConversionError:
                continue
            if remedy is not None and is_enough(remedy):
                return remedy
        return None

    def pruned(self, name: str) -> Remedy | None:
        """The largest weights of a full matrix alone."""
        links, limit = self.graph.population(name).inputs, self.target.input_axons_per_core
        if len(links) > 1 or not isinstance(links[0].synapse, LinearSynapse) or limit is None:
            return None
        smaller, share = without_small_inputs(self.graph, name, limit)
        change = (
            f"let {name!r} read the {limit} of its {links[0].synapse.weight.shape[1]} inputs with the largest weights "
            f"({100 * share:.0f} % of the sum of squares)"
        )
        return self.remedy(change, smaller)

    def exact(self, wide: Sequence[str]) -> Iterator[Remedy]:
        """What leaves the network's answers as they are, for populations that read too much."""
        names = ", ".join(repr(name) for name in wide)
        shared = self.target.neurons_per_axon
        if wide and shared is not None:
            change = f"let {shared} inputs of {names} share an axon, each with weights of its own"
            yield from self._exact(change, self.graph, dict.fromkeys(wide, int(shared)))
        if wide and isinstance(self.graph, IntegerGraph):
            try:
                split = split_fan_in(self.graph, self.target)
            except CapacityError:
                return
            yield from self._exact(f"form the sums of {names} in parts that other cores hear", split)

    def _exact(
        self, change: str, graph: AnyGraph, neurons_per_axon: Mapping[str, int] | None = None
    ) -> Iterator[Remedy]:
        remedy = self.remedy(change, graph, neurons_per_axon=neurons_per_axon)
        if remedy is not None:
            yield replace(remedy, keeps_answers=True)

    def remedy(
        self, change: str, graph: AnyGraph, *, neurons_per_axon: Mapping[str, int] | None = None
    ) -> Remedy | None:
        """What the change comes to; None if a population still does not fit."""
        shared = neurons_per_axon or {}
        needs = self.needs(graph)
        axons = [-(-sum(need.fan_in for need in one) // shared.get(name, 1)) for name, one in needs.items()]
        limit = self.target.input_axons_per_core
        if limit is not None and max(axons) > limit:
            # Known without cutting anything.
            return None
        fits = population_fits(graph, self.target, neurons_per_axon=shared, is_proof_wanted=False)
        if any(fit.reason for fit in fits):
            return None
        cores = sum(fit.cores for fit in fits)
        assert self.target.cores_per_chip is not None
        return Remedy(
            change=change,
            keeps_answers=False,
            fan_in=max(axons),
            neurons=sum(fit.neurons for fit in fits),
            cores=cores,
            chips=-(-cores // int(self.target.cores_per_chip)),
            kept=sum(need.connections for one in needs.values() for need in one) / max(self.connections, 1),
        )

    def needs(self, graph: AnyGraph) -> dict[str, list[ConnectionNeeds]]:
        return {one.name: connection_needs(graph, one.name, self.target) for one in graph.populations}
