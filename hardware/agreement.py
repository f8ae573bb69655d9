"""How far two runs of one network agree: spike for spike (or message for message), and state for state."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from conversion.spike_comparison import SpikeComparison, compare_spikes
from hardware.backends.base import RunResult

__all__ = ["RunAgreement", "agreement"]


@dataclass(frozen=True, slots=True)
class RunAgreement:
    """Differences of two runs of the same samples.

    Attributes:
        spikes: every population that the first run kept.
        differing_messages: per population, bins (step, sample, neuron) whose messages differ; for
            binary spikes the differing bins of `spikes`.
        differing_states: per population, neurons and samples whose final v differs, or final u or
            any further state where both runs have it.
    """

    spikes: tuple[SpikeComparison, ...]
    differing_messages: Mapping[str, int]
    differing_states: Mapping[str, int]

    @property
    def num_spikes(self) -> int:
        """Spikes of the first run."""
        return sum(population.num_spikes_a for population in self.spikes)

    @property
    def num_differing_spikes(self) -> int:
        return sum(self.differing_messages.values())

    @property
    def num_differing_states(self) -> int:
        return sum(self.differing_states.values())

    @property
    def is_exact(self) -> bool:
        return self.num_differing_spikes == 0 and self.num_differing_states == 0


def agreement(first: RunResult, second: RunResult) -> RunAgreement:
    """Compare two runs, bin by bin and neuron by neuron.

    Raises:
        ConversionError: if the second run did not keep a population that the first kept.
        ShapeError: if the runs have different steps, samples or shapes.
    """
    comparisons = compare_spikes(first.spikes, second.spikes)
    messages = {name: int(np.count_nonzero(train != second.spikes[name])) for name, train in first.spikes.items()}
    return RunAgreement(comparisons, messages, {name: _differing_states(first, second, name) for name in first.voltage})


def _differing_states(first: RunResult, second: RunResult, name: str) -> int:
    differs = first.voltage[name] != second.voltage[name]
    if name in first.current and name in second.current:
        differs = differs | (first.current[name] != second.current[name])
    others = first.other_states.get(name, {}), second.other_states.get(name, {})
    for state in others[0].keys() & others[1].keys():
        differs = differs | (others[0][state] != others[1][state])
    return int(np.count_nonzero(differs))
