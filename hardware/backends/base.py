"""What a backend is, and what a run returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np

from hardware.target import HardwareTarget

__all__ = ["Backend", "RunResult"]

Graph = TypeVar("Graph", contravariant=True)
Compiled = TypeVar("Compiled")


@dataclass(frozen=True, slots=True, eq=False)
class RunResult:
    """Spikes and final states of one run, by population name.

    Spike trains are given without pipeline delay on every backend: step t of a population
    is its answer to step t of the input, whatever latency the backend really has.

    Attributes:
        spikes: uint8 [T, B, *shape], for the populations that were asked for; int32 where a
            population sends messages other than 0 and 1 (ternary and sigma-delta neurons).
        num_spikes: total of non-zero messages per population, over all steps and samples, always
            all populations.
        voltage: v after the last step, [B, *shape]; int64 on integer backends. For sigma-delta
            neurons and delta encoders the last activation.
        current: u after the last step, [B, *shape]; empty on float backends. For sigma-delta
            neurons sigma.
        answers: the readout, float64 [B, K], or [T, B, K] where it answers at every step.
        num_folds: how often u (or sigma) left its 24 bits, per population (a scaling error).
        num_saturations: how often v stopped at its limit, per population (likewise).
        seconds: wall time of the simulation; never the latency of hardware.
        other_states: further states after the last step by population and name: the residue and
            the error of sigma-delta neurons and delta encoders.
    """

    spikes: Mapping[str, np.ndarray]
    num_spikes: Mapping[str, int]
    voltage: Mapping[str, np.ndarray]
    answers: np.ndarray
    current: Mapping[str, np.ndarray] = field(default_factory=dict)
    num_folds: Mapping[str, int] = field(default_factory=dict)
    num_saturations: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    other_states: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)


@runtime_checkable
class Backend(Protocol[Graph, Compiled]):
    """Something that runs a graph: float reference, fixed point, Lava."""

    @property
    def name(self) -> str: ...

    def compile(self, graph: Graph, target: HardwareTarget) -> Compiled:
        """Check the graph against the target and prepare it.

        Raises:
            PrecisionError, CapacityError: if it does not fit; the message names the layer.
            BackendUnavailableError: if the backend's software is not installed.
        """
        ...

    def run(self, program: Compiled, spikes: np.ndarray, *, keep: tuple[str, ...] | None = None) -> RunResult:
        """Run samples, each from zero state.

        Args:
            spikes: integers [T, B, *input_shape]: 0/1, or counts where the input is graded.
            keep: populations whose spike trains are returned; None keeps all of them.
        """
        ...
