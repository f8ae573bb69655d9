"""A spike train as the list of its spikes, the form that costs nothing where nothing happens."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32, Int64, Integer

__all__ = ["SpikeTrain"]


@dataclass(frozen=True, slots=True, eq=False)
class SpikeTrain:
    """Spikes of one population in one sample, ordered by step, then by neuron.

    Attributes:
        offsets: int64 [T + 1]; the spikes of step t are entries offsets[t] .. offsets[t + 1].
        index: which neuron, int32 [M].
        value: what was sent, int32 [M]; 1 for a binary spike.
        num_neurons: size of the population.
    """

    offsets: Int64[np.ndarray, " T1"]
    index: Int32[np.ndarray, " M"]
    value: Int32[np.ndarray, " M"]
    num_neurons: int

    @classmethod
    def from_dense(cls, messages: Integer[np.ndarray, "T N"]) -> "SpikeTrain":
        """The non-zero entries of a whole raster."""
        flat = np.flatnonzero(messages)
        steps, num_neurons = messages.shape
        counts = np.bincount(flat // max(num_neurons, 1), minlength=steps)
        return cls(
            offsets=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
            index=(flat % max(num_neurons, 1)).astype(np.int32),
            value=messages.reshape(-1)[flat].astype(np.int32),
            num_neurons=num_neurons,
        )

    @classmethod
    def joined(cls, parts: Sequence["SpikeTrain"]) -> "SpikeTrain":
        """Trains of one population, one after the other in time."""
        starts = np.cumsum([0, *(part.num_spikes for part in parts)])
        offsets = [part.offsets[1:] + start for part, start in zip(parts, starts[:-1], strict=True)]
        return cls(
            offsets=np.concatenate([np.zeros(1, dtype=np.int64), *offsets]),
            index=np.concatenate([part.index for part in parts]),
            value=np.concatenate([part.value for part in parts]),
            num_neurons=parts[0].num_neurons,
        )

    def one_step_later(self) -> "SpikeTrain":
        """The same train with a silent step before it; what was sent at its last step is lost."""
        end = self.offsets[-2]
        offsets = np.concatenate([np.zeros(1, dtype=np.int64), self.offsets[:-1]])
        return SpikeTrain(offsets, self.index[:end], self.value[:end], self.num_neurons)

    @property
    def num_steps(self) -> int:
        return len(self.offsets) - 1

    @property
    def num_spikes(self) -> int:
        return len(self.index)

    def dense(self) -> Int32[np.ndarray, "T N"]:
        """The whole raster again."""
        raster = np.zeros((self.num_steps, self.num_neurons), dtype=np.int32)
        raster[self.steps(), self.index] = self.value
        return raster

    def steps(self) -> Int64[np.ndarray, " M"]:
        """The step of each spike."""
        return np.repeat(np.arange(self.num_steps), np.diff(self.offsets))

    def totals(self) -> Int64[np.ndarray, " N"]:
        """What each neuron sent in all steps together."""
        sums = np.bincount(self.index, weights=self.value, minlength=self.num_neurons)
        return sums.astype(np.int64)
