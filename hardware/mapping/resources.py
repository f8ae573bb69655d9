"""Does a network fit a chip: neurons, synapse memory, axons and cores per population, and what would help.

"Does not fit" is proven by a bound: a neuron that needs more axons than a core has, or neurons and
weights (shared wherever that may be possible) divided by what a chip holds. "Fits" is proven by a
partition that keeps every limit although nothing is shared. Between the two, and wherever the chip's
limits are published in part only, it is "unknown".

Source: Davies et al. 2018, IEEE Micro 38(1); list format and axon limits as in nengo-loihi 1.1.0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from conversion.graph import SpikingGraph
from conversion.integer_graph import IntegerGraph
from hardware.mapping.chip_messages import message_reasons
from hardware.mapping.population_fit import Limit, PopulationFit, Verdict, population_fits
from hardware.mapping.remedies import Remedy, remedies
from hardware.target import HardwareTarget

__all__ = ["ChipFit", "Limit", "PopulationFit", "Verdict", "chip_fit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipFit:
    """What the whole network needs, against one chip.

    Attributes:
        cores: the fewest, where a core holds neurons of one population that form a box.
        cores_per_chip: None where that is not known.
        board: the smallest with enough chips, by the number of cores alone; None if there is none.
        reasons: every sentence that speaks against it, or leaves it open.
        remedies: what would help where it does not fit, the smallest change first.
        not_checked: limits that this estimate does not look at.
    """

    target: str
    source: str
    populations: tuple[PopulationFit, ...]
    neurons: int
    cores: int
    cores_per_chip: int | None
    verdict: Verdict
    reasons: tuple[str, ...]
    board: str | None = None
    remedies: tuple[Remedy, ...] = ()
    not_checked: tuple[str, ...] = ("routing", "buffers for delays", "populations that share a core")

    @property
    def chips(self) -> int:
        """Chips, by the number of cores alone."""
        return 1 if self.cores_per_chip is None else -(-self.cores // self.cores_per_chip)


def chip_fit(graph: SpikingGraph | IntegerGraph, target: HardwareTarget) -> ChipFit:
    """Estimate whether `graph` fits one chip of `target`. The readout is on the host and needs nothing."""
    fits = population_fits(graph, target)
    # A chip of which no core is known is one core that holds everything.
    cores = sum(fit.cores for fit in fits) if target.neurons_per_core is not None else 1
    reasons = [*_limits_broken(graph, fits, cores, target), *message_reasons(graph, target)]
    verdict: Verdict = "does not fit"
    if not reasons:
        verdict, reasons = _open_verdict(fits, cores, target)
    chips = 1 if target.cores_per_chip is None else -(-cores // target.cores_per_chip)
    return ChipFit(
        target=target.name,
        source=target.source,
        populations=fits,
        neurons=sum(fit.neurons for fit in fits),
        cores=cores,
        cores_per_chip=None if target.cores_per_chip is None else int(target.cores_per_chip),
        verdict=verdict,
        reasons=tuple(reasons),
        board=next((name for name, size in target.boards.items() if size >= chips), None),
        remedies=remedies(graph, target, fits),
    )


def _limits_broken(
    graph: SpikingGraph | IntegerGraph, fits: Sequence[PopulationFit], cores: int, target: HardwareTarget
) -> list[str]:
    found = [f"{fit.name}: {fit.reason}" for fit in fits if fit.reason]
    bound = sum(max(fit.cores_by_limit.get(limit, 1) for limit in ("neurons", "synapse memory")) for fit in fits)
    if target.cores_per_chip is not None and bound > target.cores_per_chip:
        found.append(f"at least {cores} cores are needed; one chip has {target.cores_per_chip}")
    weights = sum(fit.weights for fit in fits)
    if target.synapses_per_chip is not None and weights > target.synapses_per_chip:
        found.append(f"{weights} weights are needed; one chip holds {target.synapses_per_chip} synapses")
    return found


def _open_verdict(fits: Sequence[PopulationFit], cores: int, target: HardwareTarget) -> tuple[Verdict, list[str]]:
    if target.cores_per_chip is None:
        return "unknown", ["no limits of cores and memory are known; what is needed is counted"]
    if cores > target.cores_per_chip:
        return "unknown", [
            f"{cores} cores are needed where each holds a box of neurons; one chip has {target.cores_per_chip}"
        ]
    if target.input_axons_per_core is None or target.synapse_word_bits is None:
        return "unknown", ["the limits of this chip are published in part only; nothing known speaks against it"]
    unshared = [fit.cores_unshared for fit in fits]
    enough = sum(cores for cores in unshared if cores is not None)
    if None in unshared:
        return "unknown", [
            "it depends on shared weight lists; without sharing there are too few axons or too little memory"
        ]
    if enough > target.cores_per_chip:
        return "unknown", [f"it depends on shared weight lists; without sharing {enough} cores are needed"]
    return "fits", []
