"""Everything that the report of a conversion says, as plain values and as JSON."""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from conversion.conversion_report import ConversionReport, StepQuality
from conversion.graph import SpikingGraph

__all__ = ["Conversion", "conversion_values", "mean_rate", "served_quality"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Conversion:
    """Everything that the page shows.

    Attributes:
        name: of the ANN.
        data: what was judged on, in a few words.
        portable: of the second network, which resets to zero; None if not asked for.
        scores: network -> metric -> value, as the ANN's own task has them.
        differing_bins: population -> spikes that the NIR file, read again, gives otherwise.
        notes: what of the ANN was left out beyond what the report says, what was not written, one sentence each.
        files: name -> what is in it.
        provenance: name -> value: command, seed, versions, the date.
    """

    name: str
    data: str
    graph: SpikingGraph
    report: ConversionReport
    portable: ConversionReport | None = None
    is_synthetic: bool = False
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    differing_bins: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)


def conversion_values(conversion: Conversion) -> str:
    """The conversion as JSON; a number that is not finite is null."""
    populations = [
        {
            "name": population.name,
            "shape": population.shape,
            "neurons": population.num_neurons,
            "weights": sum(link.synapse.weight.size for link in population.inputs),
            "reads": [link.source for link in population.inputs],
        }
        for population in conversion.graph.populations
    ]
    values = {part.name: getattr(conversion, part.name) for part in dataclasses.fields(conversion)}
    values["graph"] = {"input_shape": conversion.graph.input_shape, "populations": populations}
    return json.dumps(_plain(values), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def served_quality(report: ConversionReport) -> StepQuality:
    """After the steps that were asked for, or else the nearest that were judged."""
    return min(report.qualities, key=lambda quality: abs(quality.num_steps - report.steps))


def mean_rate(quality: StepQuality, graph: SpikingGraph) -> float:
    """Spikes per neuron and step, over all neurons."""
    sizes = {population.name: population.num_neurons for population in graph.populations}
    return sum(quality.rates[name] * size for name, size in sizes.items()) / sum(sizes.values())


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {part.name: _plain(getattr(value, part.name)) for part in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
