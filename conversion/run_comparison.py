"""Two runs of one network side by side: every population, the first difference, the answers."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from conversion.runners.run import Run
from conversion.spike_comparison import SpikeComparison, compare_spikes
from snnface.errors import ConversionError

__all__ = ["AnswerComparison", "FirstDifference", "RunComparison", "compare_runs"]

TOLERANCE = 1e-4
"""How far answers may differ, in parts of the largest one; float32 rounding stays below."""


@dataclass(frozen=True, slots=True)
class FirstDifference:
    """Where the first population that differs, in execution order, does so first.

    All that it reads is the same in both runs, unless it reads itself: the cause lies in its own
    weights, neurons or rounding.

    Attributes:
        step, sample: counted from 0.
        neuron: its place in the population's shape.
        spike_a, spike_b: 0 or 1.
        potential_a, potential_b: before the reset, in the run's own units; None where it is not shown.
    """

    population: str
    step: int
    sample: int
    neuron: tuple[int, ...]
    spike_a: int
    spike_b: int
    potential_a: float | None
    potential_b: float | None


@dataclass(frozen=True, slots=True)
class AnswerComparison:
    """One answer in both runs.

    Attributes:
        largest_difference: over all numbers; None if there are more in one run than in the other.
        relative_difference: the same in parts of the largest answer.
    """

    name: str
    shape_a: tuple[int, ...]
    shape_b: tuple[int, ...]
    largest_difference: float | None
    relative_difference: float | None


@dataclass(frozen=True, slots=True)
class RunComparison:
    """What two runs of the same input have in common, and what not.

    Attributes:
        populations: those that both runs show, in the order of run a.
        notes: known faults of the tools, and what could not be compared.
    """

    populations: tuple[SpikeComparison, ...]
    first: FirstDifference | None
    answers: tuple[AnswerComparison, ...]
    notes: tuple[str, ...]

    @property
    def is_identical(self) -> bool:
        """No spike differs; where no spikes are compared, no answer by more than 1e-4 of the largest."""
        if self.populations:
            return self.first is None
        return all(
            answer.relative_difference is not None and answer.relative_difference <= TOLERANCE
            for answer in self.answers
        )


def compare_runs(a: Run, b: Run) -> RunComparison:
    """Compare what both runs show; populations are matched by name, or, where no name is shared, by order.

    Raises:
        ConversionError: if the runs have neither a population nor an answer in common.
        ShapeError: if a population has two shapes.
    """
    names = _matched(a.spikes, b.spikes)
    populations = compare_spikes({name: a.spikes[name] for name in names}, {n: b.spikes[names[n]] for n in names})
    answers = _compared_answers(a.answers, b.answers)
    if not populations and not answers:
        raise ConversionError(
            f"the two runs have nothing in common: populations {_listed(a.spikes)} and {_listed(b.spikes)}, answers "
            f"{_listed(a.answers)} and {_listed(b.answers)}."
        )
    differing = next((c.population for c in populations if not c.is_identical), None)
    return RunComparison(
        populations=populations,
        first=None if differing is None else _first_difference(a, b, differing, names[differing]),
        answers=answers,
        notes=(*a.notes, *b.notes, *_left_out(a.spikes, b.spikes, names)),
    )


def _matched(a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray]) -> dict[str, str]:
    shared = {name: name for name in a if name in b}
    if shared or [train.shape for train in a.values()] != [train.shape for train in b.values()]:
        return shared
    return dict(zip(a, b, strict=True))


def _left_out(a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray], names: Mapping[str, str]) -> tuple[str, ...]:
    if not a or not b:
        return ("one of the two shows no spikes, only its answers are compared",) if a or b else ()
    only_a = [name for name in a if name not in names]
    only_b = [name for name in b if name not in names.values()]
    found = []
    if any(name != other for name, other in names.items()):
        found.append(f"populations were matched by their order: {', '.join(f'{n} = {m}' for n, m in names.items())}")
    if only_a:
        found.append(f"only in the first: {', '.join(only_a)}")
    if only_b:
        found.append(f"only in the second: {', '.join(only_b)}")
    return tuple(found)


def _first_difference(a: Run, b: Run, name: str, name_in_b: str) -> FirstDifference:
    one, other = a.spikes[name] != 0, b.spikes[name_in_b] != 0
    step, sample, *neuron = (int(place) for place in np.argwhere(one != other)[0])
    at = (step, sample, *neuron)
    return FirstDifference(
        population=name,
        step=step,
        sample=sample,
        neuron=tuple(neuron),
        spike_a=int(one[at]),
        spike_b=int(other[at]),
        potential_a=_potential(a, name, sample, (step, *neuron)),
        potential_b=_potential(b, name_in_b, sample, (step, *neuron)),
    )


def _potential(run: Run, name: str, sample: int, at: tuple[int, ...]) -> float | None:
    return None if run.potential is None else float(run.potential(name, sample)[at])


def _compared_answers(a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray]) -> tuple[AnswerComparison, ...]:
    names = {name: name for name in a if name in b}
    if not names and len(a) == len(b) == 1:
        names = dict(zip(a, b, strict=True))
    return tuple(_compared_answer(name, a[name], b[other]) for name, other in names.items())


def _compared_answer(name: str, one: np.ndarray, other: np.ndarray) -> AnswerComparison:
    if one.size != other.size:
        return AnswerComparison(name, one.shape, other.shape, None, None)
    shape_a, shape_b = one.shape, other.shape
    one, other = one.astype(np.float64).reshape(-1), other.astype(np.float64).reshape(-1)
    largest = float(np.abs(one - other).max(initial=0.0))
    scale = float(max(np.abs(one).max(initial=0.0), np.abs(other).max(initial=0.0)))
    return AnswerComparison(name, shape_a, shape_b, largest, largest / scale if scale else 0.0)


def _listed(entries: Mapping[str, np.ndarray]) -> str:
    return ", ".join(entries) or "none"
