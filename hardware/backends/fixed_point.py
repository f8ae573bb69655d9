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
from conversion.integer_graph import IntegerGraph, IntegerNeuron, IntegerPopulation
from hardware.backends.base import RunResult
from hardware.backends.input_spikes import kept_populations, max_message, require_spikes
from hardware.backends.loihi_limits import LimitMode, prepared_graph
from hardware.backends.loihi_neuron import LifState, Overflow, lif_run, lif_run_by_definition, state_bias
from hardware.backends.spike_sums import SpikeSums, channels_first, channels_last, spike_sums
from hardware.backends.spike_train import SpikeTrain
from hardware.placement import PipelineSchedule, pipeline_schedule
from hardware.target import HardwareTarget
from snnface.errors import ConfigError, PrecisionError

__all__ = ["CompiledPopulation", "FixedPointBackend", "FixedPointConfig", "FixedPointProgram"]

# Sums of one piece of time stay in the cache: at most this many, but at least one step.
SUMS_AT_ONCE = 1 << 18


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
class CompiledPopulation:
    """A population with its weights laid out for fast sums, and its bias for every neuron.

    Attributes:
        bias: in units of v, int32 [N], neurons numbered channels-last.
        inputs: the source and the sums of each connection.
        fits_bits: the fast loop may run it; otherwise (mode "lava" only) the definition does.
    """

    name: str
    shape: tuple[int, ...]
    neuron: IntegerNeuron
    bias: np.ndarray
    inputs: tuple[tuple[str, SpikeSums], ...]
    fits_bits: bool


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
        populations = tuple(_compiled(prepared.graph, population) for population in prepared.graph.populations)
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
            ConfigError: if `keep` names an unknown population.
        """
        graph = program.graph
        require_spikes(spikes, graph.input_shape, input_bits=graph.input_bits)
        kept = kept_populations(keep, tuple(population.name for population in program.populations))
        start = time.perf_counter()
        results = _Results(graph, kept, num_steps=len(spikes), batch=spikes.shape[1])

        def run_sample(sample: int) -> None:
            trains = {INPUT: SpikeTrain.from_dense(_flat(spikes[:, sample], graph.input_shape))}
            for population in program.populations:
                trains[population.name] = self._run_population(population, trains, results, sample)
            results.add_answer(sample, trains[graph.readout.source])

        with ThreadPoolExecutor(max_workers=self.config.num_threads or _usable_cores()) as pool:
            list(pool.map(run_sample, range(spikes.shape[1])))
        return results.finished(seconds=time.perf_counter() - start)

    def _run_population(
        self, population: CompiledPopulation, trains: Mapping[str, SpikeTrain], results: "_Results", sample: int
    ) -> SpikeTrain:
        """One population through all steps of one sample, piece by piece."""
        num_steps, num_neurons = results.num_steps, len(population.bias)
        piece = max(1, SUMS_AT_ONCE // num_neurons)
        advance = lif_run if population.fits_bits else lif_run_by_definition
        state, parts = LifState.zero(num_neurons), []
        for first in range(0, num_steps, piece):
            sums = np.zeros((min(piece, num_steps - first), num_neurons), dtype=np.int32)
            for source, connection in population.inputs:
                connection.add_to(sums, trains[source], first)
            run = advance(sums, state, neuron=population.neuron, bias=population.bias, overflow=self.config.overflow)
            state = run.state
            parts.append(run.spikes)
            results.num_folds[population.name][sample] += run.num_folds
            results.num_saturations[population.name][sample] += run.num_saturations
        train = SpikeTrain.joined(parts)
        results.add_population(population.name, sample, train, state)
        return train


class _Results:
    """The tables that samples write their rows into; rows are disjoint, so threads do not meet."""

    def __init__(self, graph: IntegerGraph, kept: tuple[str, ...], *, num_steps: int, batch: int) -> None:
        shapes = {population.name: population.shape for population in graph.populations}
        self.graph = graph
        self.num_steps = num_steps
        self.spikes = {name: np.zeros((num_steps, batch, *shapes[name]), dtype=np.uint8) for name in kept}
        self.voltage = {name: np.zeros((batch, *shape), dtype=np.int64) for name, shape in shapes.items()}
        self.current = {name: np.zeros((batch, *shape), dtype=np.int64) for name, shape in shapes.items()}
        self.num_spikes, self.num_folds, self.num_saturations = (
            {name: np.zeros(batch, dtype=np.int64) for name in shapes} for _ in range(3)
        )
        # All that the readout needs: the rates, or, for an answer at every step, the spikes of every step.
        self.read = np.zeros(
            (num_steps if graph.readout.keeps_steps else 1, batch, *graph.shape_of(graph.readout.source))
        )

    def add_population(self, name: str, sample: int, train: SpikeTrain, state: LifState) -> None:
        shape = self.voltage[name].shape[1:]
        self.voltage[name][sample] = channels_first(state.voltage, shape)
        self.current[name][sample] = channels_first(state.current, shape)
        self.num_spikes[name][sample] = train.num_spikes
        if name in self.spikes:
            raster = np.zeros((train.num_steps, train.num_neurons), dtype=np.uint8)
            raster[train.steps(), train.index] = 1
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
            num_folds=_totals(self.num_folds),
            num_saturations=_totals(self.num_saturations),
            seconds=seconds,
        )


def _compiled(graph: IntegerGraph, population: IntegerPopulation) -> CompiledPopulation:
    inputs = []
    for connection in population.inputs:
        message = max_message(graph.input_bits) if connection.source == INPUT else 1
        sums = spike_sums(connection.synapse, graph.shape_of(connection.source), message)
        inputs.append((connection.source, sums))
    try:
        population.neuron.check(population.name)
        fits_bits = True
    except PrecisionError:
        fits_bits = False
    bias = _flat(state_bias(population.neuron, population.shape)[None], population.shape)[0]
    return CompiledPopulation(
        population.name, population.shape, population.neuron, bias.astype(np.int32), tuple(inputs), fits_bits
    )


def _flat(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """[T, *shape] -> [T, N] in the numbering of `spike_sums`."""
    axes = (0, *(1 + axis for axis in channels_last(shape)))
    return np.ascontiguousarray(array.transpose(axes)).reshape(len(array), -1)


def _totals(counts: Mapping[str, np.ndarray]) -> dict[str, int]:
    return {name: int(count.sum()) for name, count in counts.items()}


def _usable_cores() -> int:
    """The cores that this process may use, fewer than the machine's in a container or a batch job."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
