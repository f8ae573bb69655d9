"""A network that can be run, whoever runs it, and what a run gives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np

__all__ = ["READOUT", "Run", "Runner"]

READOUT = "readout"
"""The name of the answer of a network that has one."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What one run shows of a network.

    Attributes:
        spikes: population -> uint8 [T, B, *shape], in execution order, without pipeline delay;
            none where the tool shows only answers.
        answers: name -> [B, ...], or [T, B, ...] of every step.
        potential: (population, sample) -> float64 [T, *shape], the potentials that were compared
            with the threshold, before the reset; None where the tool does not show them.
        notes: where this tool is known to read such a network otherwise than NIR defines it.
    """

    spikes: Mapping[str, np.ndarray]
    answers: Mapping[str, np.ndarray]
    potential: Callable[[str, int], np.ndarray] | None = None
    notes: tuple[str, ...] = field(default=())


@runtime_checkable
class Runner(Protocol):
    """A network that one tool has read."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of one sample, and of one step where `has_steps`."""
        ...

    @property
    def has_steps(self) -> bool:
        """It is shown a step at a time; False for an ANN, which sees one picture."""
        ...

    @property
    def num_steps(self) -> int | None:
        """The only number of steps it can be run for; None for any."""
        ...

    def run(self, inputs: np.ndarray) -> Run:
        """Run samples, each from its initial state.

        Args:
            inputs: [T, B, *input_shape], or [B, *input_shape] without steps.
        """
        ...
