"""How sure one can be of a metric: 95 % intervals, drawn over subjects."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from snnface.errors import DataError

__all__ = ["subject_intervals"]

Metrics = dict[str, Float64[Tensor, "*D"]]


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
    without labels (all statistics zero) is not among them.

    Args:
        statistics: one row a clip; the metrics of a set are those of the sum of its rows.
        metrics: sums -> name -> metric.
        subjects: of each clip.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, ch. 13 (percentile
    interval), with clusters as units.

    Raises:
        DataError: if there is no clip with a label, or lengths differ.
    """
    if not len(statistics) or len(statistics) != len(subjects):
        raise DataError(f"an interval needs one subject a clip; got {len(statistics)} clips, {len(subjects)} subjects.")
    names, index = np.unique(np.asarray(subjects), return_inverse=True)
    sums = statistics.new_zeros(len(names), statistics.shape[1]).index_add_(0, torch.from_numpy(index), statistics)
    sums = sums[(sums != 0).any(1)]
    if not len(sums):
        raise DataError("an interval needs at least one labelled clip; got none.")
    draws = generator.integers(len(sums), size=(num_draws, len(sums)))
    times = np.stack([np.bincount(draw, minlength=len(sums)) for draw in draws])
    drawn = metrics(torch.from_numpy(times).double() @ sums)
    return {name: _range(values.numpy()) for name, values in drawn.items()}


def _range(values: Float64[np.ndarray, " D"]) -> tuple[float, float]:
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
