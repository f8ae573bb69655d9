"""Synaptic sums of a matrix that is mostly zero: each spike adds the few weights that it has."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32, Int64, Integer

from hardware.backends.spike_train import SpikeTrain
from snnface.jit import jit

__all__ = ["SparseSums", "sparse_sums"]


@dataclass(frozen=True, slots=True, eq=False)
class SparseSums:
    """The non-zero weights of a matrix, listed source by source.

    Attributes:
        offsets: those of source i are entries offsets[i] .. offsets[i + 1].
        target: the neuron that each goes to.
    """

    offsets: Int64[np.ndarray, " I1"]
    target: Int32[np.ndarray, " M"]
    weight: Int32[np.ndarray, " M"]

    def add_to(self, sums: Int32[np.ndarray, "T O"], train: SpikeTrain, first: int) -> None:
        """Add the sums of steps first, first + 1, ... of `train` to `sums`, in place."""
        offsets = train.offsets[first : first + len(sums) + 1]
        _add_sparse(sums, self.offsets, self.target, self.weight, offsets, train.index, train.value)


def sparse_sums(weight: Integer[np.ndarray, "I O"]) -> SparseSums:
    """List the weights of a matrix with one row per source."""
    source, target = np.nonzero(weight)
    counts = np.bincount(source, minlength=len(weight))
    offsets = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    return SparseSums(offsets, target.astype(np.int32), weight[source, target].astype(np.int32))


@jit
def _add_sparse(sums, starts, target, weight, offsets, index, value):  # type: ignore[no-untyped-def]
    for step in range(sums.shape[0]):
        row = sums[step]
        for spike in range(offsets[step], offsets[step + 1]):
            source = index[spike]
            for place in range(starts[source], starts[source + 1]):
                row[target[place]] += weight[place] * value[spike]
