"""What running some steps of a population gives, whatever its neurons are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int32

from hardware.backends.spike_train import SpikeTrain

__all__ = ["NeuronRun", "NeuronState", "Neurons", "Overflow", "PeriodicReset"]

Overflow = Literal["lava", "mod24"]
"""How a sum comes back into 24 bits, see `loihi_neuron`."""


@dataclass(frozen=True, slots=True, eq=False)
class NeuronState:
    """The state of N neurons, int32 each.

    Attributes:
        current: u of LIF neurons; sigma, the decoded sum, of sigma-delta neurons; 0 of delta encoders.
        voltage: v of LIF neurons; the last activation of sigma-delta neurons and delta encoders.
        others: further states by Lava's names: `residue` and `error` of what sends changes.
    """

    current: Int32[np.ndarray, " N"]
    voltage: Int32[np.ndarray, " N"]
    others: Mapping[str, Int32[np.ndarray, " N"]] = field(default_factory=dict)

    @classmethod
    def zero(cls, num_neurons: int, others: tuple[str, ...] = ()) -> "NeuronState":
        current, voltage, *rest = (np.zeros(num_neurons, dtype=np.int32) for _ in range(2 + len(others)))
        return cls(current, voltage, dict(zip(others, rest, strict=True)))


@dataclass(frozen=True, slots=True)
class PeriodicReset:
    """All states become 0 before the update of steps t with t = offset (mod interval), t from 1."""

    interval: int
    offset: int

    def happens_at(self, step: int) -> bool:
        return (step - self.offset) % self.interval == 0


@dataclass(frozen=True, slots=True, eq=False)
class NeuronRun:
    """What some steps of a population gave.

    Attributes:
        spikes: the train of these steps.
        state: after the last of them.
        num_folds: how often u (or sigma) left its 24 bits.
        num_saturations: how often v stopped at its limit.
    """

    spikes: SpikeTrain
    state: NeuronState
    num_folds: int
    num_saturations: int


@runtime_checkable
class Neurons(Protocol):
    """The neurons of one population, ready to run."""

    def zero_state(self) -> NeuronState: ...

    def run(
        self,
        activation: Int32[np.ndarray, "T N"],
        state: NeuronState,
        *,
        reset: PeriodicReset | None = None,
        first_step: int = 1,
    ) -> NeuronRun:
        """Advance by T steps from `state`, which is left alone.

        Args:
            activation: the summed synaptic input of each step.
            first_step: the number of the first step, which `reset` counts from.
        """
        ...
