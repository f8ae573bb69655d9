"""Comparing spike trains bin by bin: how many differ, and where the first difference is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snnface.errors import ConversionError, ShapeError

__all__ = ["SpikeComparison", "added_comparisons", "compare_spikes", "mismatch_summary"]


@dataclass(frozen=True, slots=True)
class SpikeComparison:
    """One population in two runs, a and b.

    Attributes:
        num_spikes_a, num_spikes_b: totals over steps, samples and neurons.
        num_differing: bins (step, sample, neuron) in which one spikes and the other does not.
        num_bins: all bins.
        first_step: the first step with a difference, counted from 0; None without one.
    """

    population: str
    num_spikes_a: int
    num_spikes_b: int
    num_differing: int
    num_bins: int
    first_step: int | None

    @property
    def is_identical(self) -> bool:
        return self.num_differing == 0

    @property
    def mismatch(self) -> float:
        """Differing bins per spike of run a (per one spike, if there is none)."""
        return self.num_differing / max(self.num_spikes_a, 1)


def compare_spikes(a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray]) -> tuple[SpikeComparison, ...]:
    """Compare every population of `a` with the one of the same name in `b`.

    Arrays are [T, B, *shape]; anything but 0 is a spike. `b` may hold further populations.

    Raises:
        ConversionError: if `b` lacks a population of `a`.
        ShapeError: if the two arrays of a population differ in shape.
    """
    if missing := sorted(a.keys() - b.keys()):
        raise ConversionError(f"both runs must hold the same populations; the second lacks {', '.join(missing)}.")
    return tuple(_compare(name, a[name], b[name]) for name in a)


def added_comparisons(parts: Sequence[tuple[SpikeComparison, ...]]) -> tuple[SpikeComparison, ...]:
    """Comparisons of several sets of samples as one; sets without any are left out."""
    parts = [part for part in parts if part]
    return tuple(
        SpikeComparison(
            population=rows[0].population,
            num_spikes_a=sum(row.num_spikes_a for row in rows),
            num_spikes_b=sum(row.num_spikes_b for row in rows),
            num_differing=sum(row.num_differing for row in rows),
            num_bins=sum(row.num_bins for row in rows),
            first_step=min((row.first_step for row in rows if row.first_step is not None), default=None),
        )
        for rows in zip(*parts, strict=True)
    )


def mismatch_summary(comparisons: Sequence[SpikeComparison]) -> str:
    """One line a population, then the total, as plain text."""
    lines = [
        f"{c.population}: {c.num_differing} of {c.num_bins} bins differ "
        f"({c.num_spikes_a} and {c.num_spikes_b} spikes"
        + (")" if c.first_step is None else f", first at step {c.first_step})")
        for c in comparisons
    ]
    total = sum(c.num_differing for c in comparisons)
    return "\n".join([*lines, f"total: {total} differing bins in {len(comparisons)} populations"])


def _compare(name: str, a: np.ndarray, b: np.ndarray) -> SpikeComparison:
    if a.shape != b.shape:
        raise ShapeError(f"the spikes of {name!r} must have one shape in both runs; got {a.shape} and {b.shape}.")
    differing = (a != 0) != (b != 0)
    steps = np.flatnonzero(differing.reshape(len(differing), -1).any(axis=1))
    return SpikeComparison(
        population=name,
        num_spikes_a=int(np.count_nonzero(a)),
        num_spikes_b=int(np.count_nonzero(b)),
        num_differing=int(np.count_nonzero(differing)),
        num_bins=differing.size,
        first_step=int(steps[0]) if steps.size else None,
    )
