"""How sure one can be of a metric, and of a difference of two: 95 % intervals, drawn over subjects."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from snnface.errors import DataError

__all__ = ["Judged", "paired_intervals", "subject_intervals"]

Metrics = dict[str, Float64[Tensor, "*D"]]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Clips whose answers were judged; the arguments of `subject_intervals`."""

    statistics: Float64[Tensor, "N S"]
    metrics: Callable[[Float64[Tensor, "*D S"]], Metrics]
    subjects: Sequence[str]


def subject_intervals(
    statistics: Float64[Tensor, "N S"],
    metrics: Callable[[Float64[Tensor, "*D S"]], Metrics],
    subjects: Sequence[str],
    *,
    generator: np.random.Generator,
    num_draws: int = 2000,
) -> dict[str, tuple[float, float]]:
    """95 % percentile bootstrap interval of each metric, drawing whole subjects with all their clips.

    Clips of one subject are not independent, so subjects are the units that are drawn. A subject
    without labels (all statistics zero) is not among them. One subject tells nothing of how others
    differ: of fewer than two there is no interval, and the result is empty.

    Args:
        statistics: one row a clip; the metrics of a set are those of the sum of its rows.
        metrics: sums -> name -> metric.
        subjects: of each clip.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, ch. 13 (percentile
    interval), with clusters as units.

    Raises:
        DataError: if there is no clip with a label, or lengths differ.
    """
    names, sums = _by_subject(statistics, subjects)
    if not names:
        raise DataError("an interval needs at least one labelled clip; got none.")
    if len(names) == 1:
        return {}
    draws = generator.integers(len(sums), size=(num_draws, len(sums)))
    times = np.stack([np.bincount(draw, minlength=len(sums)) for draw in draws])
    drawn = metrics(torch.from_numpy(times).double() @ sums)
    return {name: _range(values.numpy()) for name, values in drawn.items()}


def paired_intervals(
    one: Judged, other: Judged, *, generator: np.random.Generator, num_draws: int = 2000
) -> dict[str, tuple[float, float]]:
    """95 % interval of the difference, `one` minus `other`, of each metric that both have.

    Every draw takes the same subjects for both. What makes a subject hard is hard for both and falls out of the
    difference, so that this tells apart what two overlapping intervals of their own do not: the two differ
    where it leaves 0 out. Clips may differ (windows of other lengths), subjects may not. Of one subject there is no
    interval, and the result is empty.

    Source: as `subject_intervals`, of the statistic "difference of two metrics on one sample".

    Raises:
        DataError: if the labelled subjects of the two are not the same, and as `subject_intervals`.
    """
    (names, sums), (other_names, other_sums) = (_by_subject(each.statistics, each.subjects) for each in (one, other))
    if names != other_names:
        strange = sorted({*names} ^ {*other_names})
        raise DataError(f"a paired interval needs the same subjects on both sides; {strange[0]!r} is on one alone.")
    width = sums.shape[1]

    def difference(joint: Float64[Tensor, "*D S"]) -> Metrics:
        values, others = one.metrics(joint[..., :width]), other.metrics(joint[..., width:])
        return {name: values[name] - others[name] for name in values if name in others}

    return subject_intervals(
        torch.cat([sums, other_sums], 1), difference, names, generator=generator, num_draws=num_draws
    )


def _by_subject(statistics: Tensor, subjects: Sequence[str]) -> tuple[list[str], Tensor]:
    """The labelled subjects, sorted, and the sum of each one's rows."""
    if not len(statistics) or len(statistics) != len(subjects):
        raise DataError(f"an interval needs one subject a clip; got {len(statistics)} clips, {len(subjects)} subjects.")
    names, index = np.unique(np.asarray(subjects), return_inverse=True)
    sums = statistics.new_zeros(len(names), statistics.shape[1]).index_add_(0, torch.from_numpy(index), statistics)
    is_labelled = (sums != 0).any(1)
    return names[is_labelled.numpy()].tolist(), sums[is_labelled]


def _range(values: Float64[np.ndarray, " D"]) -> tuple[float, float]:
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
