"""The fixed-point backend: whole sets of samples in the integers of a Loihi-like chip, bit for bit.

Layer by layer and sample by sample: the sums of a piece of time from the spikes alone, then
the neurons through that piece. Every sample starts from zero state, so the pipeline delay of
a chip changes nothing and is left out (see `hardware.placement`).
"""

import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import get_args

import numpy as np

from conversion.graph import INPUT
from conversion.integer_graph import IntegerGraph
from hardware.backends.base import RunResult
from hardware.backends.compiled_population import CompiledPopulation, compiled_population, neurons_in_order
from hardware.backends.input_spikes import kept_populations, require_spikes
from hardware.backends.loihi_limits import LimitMode, prepared_graph
from hardware.backends.neuron_run import NeuronRun, Overflow
from hardware.backends.spike_sums import channels_first
from hardware.backends.spike_train import SpikeTrain
from hardware.placement import PipelineSchedule, pipeline_schedule
from hardware.target import HardwareTarget
from snnface.errors import ConfigError

__all__ = ["FixedPointBackend", "FixedPointConfig", "FixedPointProgram"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedPointConfig:
    """How the integers are kept.

    Attributes:
        mode: what happens to numbers that the chip cannot hold, see `loihi_limits.LimitMode`.
        overflow: how u comes back into 24 bits, see `loihi_neuron`.
        num_threads: samples at a time; None takes every core that this process may use.
    """

    mode: LimitMode = "strict"
    overflow: Overflow = "lava"
    num_threads: int | None = None

    def __post_init__(self) -> None:
        if self.mode not in get_args(LimitMode) or self.overflow not in get_args(Overflow):
            raise ConfigError(
                f"mode must be one of {get_args(LimitMode)} and overflow one of {get_args(Overflow)}; "
                f"got {self.mode!r} and {self.overflow!r}."
            )
        if self.num_threads is not None and self.num_threads < 1:
            raise ConfigError(f"num_threads must be at least 1, or None for every core; got {self.num_threads}.")


@dataclass(frozen=True, slots=True, eq=False)
class FixedPointProgram:
    """A network ready to run.

    Attributes:
        schedule: the latency of each population on a chip; the simulation has none.
        num_altered_weights: see `loihi_limits.PreparedGraph`.
    """

    graph: IntegerGraph
    schedule: PipelineSchedule
    populations: tuple[CompiledPopulation, ...]
    num_altered_weights: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class FixedPointBackend:
    """Bit-exact simulation of an integer graph; held to Lava spike for spike and state for state."""

    config: FixedPointConfig = field(default_factory=FixedPointConfig)

    @property
    def name(self) -> str:
        return "fixed_point"

    def compile(self, graph: IntegerGraph, target: HardwareTarget) -> FixedPointProgram:
        """Check the graph against the target and lay out its weights.

        Raises:
            PrecisionError: if a weight, neuron parameter or input message does not fit its bits.
            HardwareError: if shapes do not fit, or paths into a population differ in length.
        """
        schedule = pipeline_schedule(graph)
        prepared = prepared_graph(graph, target, self.config.mode)
        populations = tuple(
            compiled_population(prepared.graph, population, self.config.overflow)
            for population in prepared.graph.populations
        )
        return FixedPointProgram(graph, schedule, populations, prepared.num_altered_weights)

    def run(self, program: FixedPointProgram, spikes: np.ndarray, *, keep: tuple[str, ...] | None = None) -> RunResult:
        """Run samples, each from zero state.

        Memory beyond the result itself does not grow with the number of samples. The result
        holds u and v of every neuron and sample: give a large set in batches.

        Args:
            spikes: integers [T, B, *input_shape]: 0/1, or messages of `input_bits`.
            keep: populations whose spike trains are returned; None keeps all of them.

        Raises:
            ShapeError, DataError, PrecisionError: if the spikes do not fit.
            PrecisionError: if graded messages could make a sum leave 32 bits; names the population.
            ConfigError: if `keep` names an unknown population.
        """
        graph = program.graph
        require_spikes(spikes, graph.input_shape, input_bits=graph.input_bits)
        kept = kept_populations(keep, tuple(population.name for population in program.populations))
        start = time.perf_counter()
        results = _Results(graph, kept, num_steps=len(spikes), batch=spikes.shape[1])

        def run_sample(sample: int) -> None:
            trains = {INPUT: SpikeTrain.from_dense(neurons_in_order(spikes[:, sample], graph.input_shape))}
            for population in program.populations:
                run = population.run(trains, num_steps=len(spikes))
                trains[population.name] = run.spikes
                results.add_population(population.name, sample, run)
            results.add_answer(sample, trains[graph.readout.source])

        with ThreadPoolExecutor(max_workers=self.config.num_threads or _usable_cores()) as pool:
            list(pool.map(run_sample, range(spikes.shape[1])))
        return results.finished(seconds=time.perf_counter() - start)


class _Results:
    """The tables that samples write their rows into; rows are disjoint, so threads do not meet."""

    def __init__(self, graph: IntegerGraph, kept: tuple[str, ...], *, num_steps: int, batch: int) -> None:
        shapes = {population.name: population.shape for population in graph.populations}
        self.graph = graph
        self.num_steps = num_steps
        self.spikes = {
            name: np.zeros((num_steps, batch, *shapes[name]), dtype=np.uint8 if graph.is_binary(name) else np.int32)
            for name in kept
        }
        self.voltage, self.current = (
            {name: np.zeros((batch, *shape), dtype=np.int64) for name, shape in shapes.items()} for _ in range(2)
        )
        self.others: dict[str, dict[str, np.ndarray]] = {name: {} for name in shapes}
        self.num_spikes, self.num_folds, self.num_saturations = (
            {name: np.zeros(batch, dtype=np.int64) for name in shapes} for _ in range(3)
        )
        # All that the readout needs: the rates, or, for an answer at every step, the spikes of every step.
        self.read = np.zeros(
            (num_steps if graph.readout.keeps_steps else 1, batch, *graph.shape_of(graph.readout.source))
        )

    def add_population(self, name: str, sample: int, run: NeuronRun) -> None:
        shape, train = self.voltage[name].shape[1:], run.spikes
        self.voltage[name][sample] = channels_first(run.state.voltage, shape)
        self.current[name][sample] = channels_first(run.state.current, shape)
        for state, values in run.state.others.items():
            table = self.others[name].setdefault(state, np.zeros_like(self.voltage[name]))
            table[sample] = channels_first(values, shape)
        self.num_spikes[name][sample] = train.num_spikes
        self.num_folds[name][sample] = run.num_folds
        self.num_saturations[name][sample] = run.num_saturations
        if name in self.spikes:
            raster = np.zeros((train.num_steps, train.num_neurons), dtype=self.spikes[name].dtype)
            raster[train.steps(), train.index] = train.value
            self.spikes[name][:, sample] = channels_first(raster, shape)

    def add_answer(self, sample: int, train: SpikeTrain) -> None:
        flat = train.dense() if self.graph.readout.keeps_steps else train.totals()[None] / self.num_steps
        self.read[:, sample] = channels_first(flat, self.read.shape[2:])

    def finished(self, *, seconds: float) -> RunResult:
        return RunResult(
            spikes=self.spikes,
            num_spikes=_totals(self.num_spikes),
            voltage=self.voltage,
            current=self.current,
            answers=self.graph.readout(self.read),
            other_states={name: states for name, states in self.others.items() if states},
            num_folds=_totals(self.num_folds),
            num_saturations=_totals(self.num_saturations),
            seconds=seconds,
        )


def _totals(counts: Mapping[str, np.ndarray]) -> dict[str, int]:
    return {name: int(count.sum()) for name, count in counts.items()}


def _usable_cores() -> int:
    """The cores that this process may use, fewer than the machine's in a container or a batch job."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
