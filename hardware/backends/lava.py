"""Lava as a backend: Intel's own simulator, run in its own environment, as the referee.

Lava needs Python 3.10. Its environment is made by `make lava` and found as `.venv-lava` in the
checkout, or through the environment variable SNNFACE_LAVA_PYTHON.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from conversion.graph import INPUT
from conversion.integer_graph import IntegerGraph
from hardware.backends.base import RunResult
from hardware.backends.input_spikes import kept_populations, require_spikes
from hardware.backends.lava_jobs import LavaOutcome, lava_job, run_lava_jobs
from hardware.backends.loihi_limits import LimitMode, prepared_graph
from hardware.placement import pipeline_schedule
from hardware.target import HardwareTarget
from snnface.errors import BackendUnavailableError, ConfigError

__all__ = ["LavaBackend", "LavaConfig", "LavaProgram", "find_lava_python"]

PYTHON_VARIABLE = "SNNFACE_LAVA_PYTHON"
CHECKOUT = Path(__file__).resolve().parents[2]


def find_lava_python() -> Path | None:
    """The interpreter of Lava's environment, or None if there is none.

    Raises:
        ConfigError: if SNNFACE_LAVA_PYTHON names a file that does not exist.
    """
    named = os.environ.get(PYTHON_VARIABLE)
    if named:
        if not Path(named).is_file():
            raise ConfigError(f"{PYTHON_VARIABLE} must name Lava's Python 3.10; there is no file {named!r}.")
        return Path(named)
    usual = CHECKOUT / ".venv-lava" / "bin" / "python"
    return usual if usual.is_file() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LavaConfig:
    """How Lava is run.

    Attributes:
        mode: "strict" refuses what the chip cannot hold; "lava" lets Lava do what it does with it.
        timeout_s: for one call, however many samples and networks.
        in_threads: run Lava's actors as threads of one process, not as a process each. Small networks
            start in a fraction of the time; the numbers are the same.
    """

    mode: LimitMode = "strict"
    timeout_s: float = 600.0
    in_threads: bool = False

    def __post_init__(self) -> None:
        if self.mode == "hardware":
            raise ConfigError("Lava cannot run mode 'hardware': its convolutions do not clip. Use 'strict' or 'lava'.")
        if not self.timeout_s > 0:
            raise ConfigError(f"timeout_s must be positive; got {self.timeout_s}.")


@dataclass(frozen=True, slots=True, eq=False)
class LavaProgram:
    """A checked graph, the bits of the target's weights, and the Python that will run it."""

    graph: IntegerGraph
    weight_bits: int
    python: Path


@dataclass(frozen=True, slots=True)
class LavaBackend:
    """Intel's Lava (lava-nc 0.10.0, `Loihi2SimCfg(select_tag="fixed_pt")`) as a subprocess.

    Samples are streamed through the pipeline back to back, and states become 0 as a sample arrives
    at each layer (by LIFReset; the worker does it for other neurons, and for delayed spikes). What
    is returned has the delay taken out. Folds and saturations are not counted.
    """

    config: LavaConfig = field(default_factory=LavaConfig)

    @property
    def name(self) -> str:
        return "lava"

    def compile(self, graph: IntegerGraph, target: HardwareTarget) -> LavaProgram:
        """Check the graph as the fixed-point backend does, and find Lava.

        Raises:
            BackendUnavailableError: if Lava's environment is not there.
            PrecisionError: if a weight, neuron parameter or input message does not fit its bits.
            HardwareError: if shapes do not fit, or paths into a population differ in length.
        """
        python = find_lava_python()
        if python is None:
            raise BackendUnavailableError(
                "Lava runs in a Python 3.10 environment of its own, which is not there. Run `make lava`, or set "
                f"{PYTHON_VARIABLE} to a Python 3.10 that has lava-nc 0.10.0."
            )
        pipeline_schedule(graph)
        prepared_graph(graph, target, self.config.mode)
        return LavaProgram(graph, target.weight_bits, python)

    def run(self, program: LavaProgram, spikes: np.ndarray, *, keep: tuple[str, ...] | None = None) -> RunResult:
        """Run samples, each from zero state; see `Backend.run`.

        Raises:
            ShapeError, DataError, PrecisionError: if the spikes do not fit.
            ConfigError: if `keep` names an unknown population.
            HardwareError: if Lava fails or takes too long.
        """
        return self.run_many([(program, spikes)], keep=keep)[0]

    def run_many(
        self, pairs: Sequence[tuple[LavaProgram, np.ndarray]], *, keep: tuple[str, ...] | None = None
    ) -> list[RunResult]:
        """Run several networks, each with its own samples, in one worker: Lava takes seconds to start."""
        jobs = []
        for program, spikes in pairs:
            require_spikes(spikes, program.graph.input_shape, input_bits=program.graph.input_bits)
            kept_populations(keep, _names(program.graph))
            jobs.append(lava_job(program.graph, spikes, weight_bits=program.weight_bits))
        if not jobs:
            return []
        outcomes = run_lava_jobs(
            jobs, python=pairs[0][0].python, timeout_s=self.config.timeout_s, in_threads=self.config.in_threads
        )
        return [
            _result(program.graph, spikes, outcome, kept_populations(keep, _names(program.graph)))
            for (program, spikes), outcome in zip(pairs, outcomes, strict=True)
        ]


def _names(graph: IntegerGraph) -> tuple[str, ...]:
    return tuple(population.name for population in graph.populations)


def _result(graph: IntegerGraph, spikes: np.ndarray, outcome: LavaOutcome, kept: tuple[str, ...]) -> RunResult:
    """Streamed samples side by side again."""
    steps, batch = spikes.shape[:2]
    trains = {
        name: stream.reshape(batch, steps, *stream.shape[1:]).swapaxes(0, 1) for name, stream in outcome.spikes.items()
    }
    source = graph.readout.source
    return RunResult(
        spikes={name: np.ascontiguousarray(trains[name]) for name in kept},
        num_spikes={name: int(np.count_nonzero(train)) for name, train in trains.items()},
        voltage={name: voltage.astype(np.int64) for name, voltage in outcome.voltage.items()},
        current={name: current.astype(np.int64) for name, current in outcome.current.items()},
        answers=graph.readout(spikes if source == INPUT else trains[source]),
        seconds=outcome.run_seconds,
        other_states={
            name: {state: values.astype(np.int64) for state, values in states.items()}
            for name, states in outcome.others.items()
            if states
        },
    )
