"""Scoring a model on the clips of a whole set: metrics with intervals, and what trivial answers would give.

A scoring turns answers to each clip into statistics that add up; the metrics of any set of clips, and
of every draw of a bootstrap over subjects, are a function of their sum.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Float64
from torch import Tensor

from snnface.datasets.clip import Batch
from snnface.errors import DataError
from snnface.metrics.intervals import subject_intervals
from snnface.tasks.base import Output

__all__ = ["Measure", "Predictor", "Scoring", "ScoringMeter", "measures", "merged"]

V = TypeVar("V")

Predictor = Callable[[Batch], Output]
"""Answers without a model, such as the same one to every clip."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric over a set of clips; `interval` is its 95 % range, drawn over subjects, where there is one: not of a
    single subject, nor of what is known exactly."""

    value: float
    interval: tuple[float, float] | None = None


@runtime_checkable
class Scoring(Protocol):
    """How the answers of a task are judged."""

    def answers(self, output: Output) -> dict[str, Tensor]:
        """The answers with clips along the first axis, [B, ...]."""
        ...

    def statistics(self, output: Output, batch: Batch) -> Float64[Tensor, "B S"]:
        """Of each clip; those of clips without a label are zeros."""
        ...

    def metrics(self, sums: Float64[Tensor, "*D S"]) -> dict[str, Float64[Tensor, "*D"]]:
        """Of a set, from the sum of its clips' statistics.

        Raises:
            DataError: if no clip has a label.
        """
        ...

    def predictors(self, training: Iterable[Batch]) -> Mapping[str, Predictor]:
        """The trivial predictors, made of the training clips alone: by name, the answers to a batch."""
        ...

    def chance(self) -> Mapping[str, float]:
        """What guessing expects, for the metrics for which that is defined."""
        ...


class ScoringMeter:
    """Gathers the statistics of a scoring; its metrics are those of the whole set."""

    def __init__(self, scoring: Scoring) -> None:
        self._scoring = scoring
        self._sum: Float64[Tensor, " S"] | None = None

    def update(self, output: Output, batch: Batch) -> None:
        sums = self._scoring.statistics(output, batch).sum(0).cpu()
        self._sum = sums if self._sum is None else self._sum + sums

    def compute(self) -> dict[str, float]:
        if self._sum is None:
            raise DataError("metrics need at least one batch; got none.")
        return {name: float(value) for name, value in self._scoring.metrics(self._sum).items()}


def measures(
    scoring: Scoring,
    statistics: Float64[Tensor, "N S"],
    subjects: Sequence[str],
    *,
    generator: np.random.Generator,
) -> dict[str, Measure]:
    """Every metric of a set of clips, with its interval over subjects, if there are at least two.

    Args:
        statistics: of each clip.
        subjects: of each clip.

    Raises:
        DataError: if no clip has a label.
    """
    values = scoring.metrics(statistics.sum(0))
    intervals = subject_intervals(statistics, scoring.metrics, subjects, generator=generator)
    return {name: Measure(float(value), intervals.get(name)) for name, value in values.items()}


def merged(parts: Iterable[Mapping[str, V]]) -> dict[str, V]:
    """What several tasks say as one: a name that an earlier one has taken gets the number of its task, "mse_2"."""
    found: dict[str, V] = {}
    for number, part in enumerate(parts, start=1):
        found |= {name if name not in found else f"{name}_{number}": value for name, value in part.items()}
    return found
