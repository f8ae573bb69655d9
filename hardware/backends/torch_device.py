"""The fixed-point computation on a torch device: the same spikes and states, many samples at a time.

Layer by layer as `fixed_point`, but dense: all neurons of many samples and steps at once, which
suits a GPU. What fits its memory is taken together, the rest piece by piece. Spikes, states,
folds and saturations are those of the fixed-point backend, bit for bit.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from conversion.graph import INPUT
from conversion.integer_graph import IntegerGraph, IntegerNeuron, IntegerPopulation
from hardware.backends.base import RunResult
from hardware.backends.fixed_point import FixedPointConfig
from hardware.backends.input_spikes import kept_populations, max_message, require_spikes
from hardware.backends.loihi_limits import prepared_graph
from hardware.backends.loihi_neuron import state_bias
from hardware.backends.torch_neuron import DeviceLif, DeviceState
from hardware.backends.torch_sums import DeviceSums, device_sums
from hardware.placement import PipelineSchedule, pipeline_schedule
from hardware.target import HardwareTarget
from snnface.errors import BackendUnavailableError, ConfigError, HardwareError

__all__ = ["DevicePopulation", "TorchFixedPointBackend", "TorchProgram"]

NEURONS_AT_ONCE = 1 << 25
"""Neurons, times samples, times steps, of the largest layer that are computed together; some hundred MB."""


@dataclass(frozen=True, slots=True, eq=False)
class DevicePopulation:
    """A population on the device: its neurons, and the source and the sums of each connection."""

    name: str
    shape: tuple[int, ...]
    neurons: DeviceLif
    inputs: tuple[tuple[str, DeviceSums], ...]


@dataclass(frozen=True, slots=True, eq=False)
class TorchProgram:
    """A network ready to run on one device; `num_altered_weights` as in `FixedPointProgram`."""

    graph: IntegerGraph
    schedule: PipelineSchedule
    populations: tuple[DevicePopulation, ...]
    num_altered_weights: Mapping[str, int]
    device: torch.device


@dataclass(frozen=True, slots=True)
class TorchFixedPointBackend:
    """Bit-exact simulation of an integer graph of LIF neurons on a torch device.

    Attributes:
        device: "cuda", "cuda:1", ..., or "cpu", where `FixedPointBackend` is faster.
        config: as of the fixed-point backend; `num_threads` is not read.

    Raises:
        ConfigError: if the device is none of these.
    """

    device: str = "cuda"
    config: FixedPointConfig = field(default_factory=FixedPointConfig)

    def __post_init__(self) -> None:
        kind, _, number = self.device.partition(":")
        if kind not in ("cuda", "cpu") or (":" in self.device and not number.isdecimal()):
            raise ConfigError(f"device must be 'cpu', 'cuda', or 'cuda:' and a number; got {self.device!r}.")

    @property
    def name(self) -> str:
        return "torch_fixed_point"

    def compile(self, graph: IntegerGraph, target: HardwareTarget) -> TorchProgram:
        """Check the graph against the target and bring it onto the device.

        Raises:
            BackendUnavailableError: if torch cannot use the device.
            PrecisionError: if a weight, neuron parameter or input message does not fit its bits.
            HardwareError: if shapes do not fit, paths into a population differ in length, or there are
                other than LIF neurons, delays, or weight exponents.
        """
        device = torch.device(self.device)
        if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
            raise BackendUnavailableError(
                f"torch sees {torch.cuda.device_count()} CUDA devices, not {self.device!r}. Install a torch with CUDA, "
                "or run on FixedPointBackend, which gives the same spikes."
            )
        for population in graph.populations:
            _require_plain(population)
        schedule = pipeline_schedule(graph)
        prepared = prepared_graph(graph, target, self.config.mode)
        populations = tuple(
            self._placed(prepared.graph, population, device) for population in prepared.graph.populations
        )
        return TorchProgram(graph, schedule, populations, prepared.num_altered_weights, device)

    def _placed(self, graph: IntegerGraph, population: IntegerPopulation, device: torch.device) -> DevicePopulation:
        inputs = tuple(
            (
                link.source,
                device_sums(link.synapse, max_message(graph.input_bits) if link.source == INPUT else 1, device),
            )
            for link in population.inputs
        )
        neuron = population.neuron
        assert isinstance(neuron, IntegerNeuron)
        bias = torch.from_numpy(state_bias(neuron, population.shape).astype(np.int32)).to(device)
        return DevicePopulation(
            population.name, population.shape, DeviceLif(neuron, bias, self.config.overflow), inputs
        )

    @torch.inference_mode()
    def run(self, program: TorchProgram, spikes: np.ndarray, *, keep: tuple[str, ...] | None = None) -> RunResult:
        """Run samples, each from zero state; see `FixedPointBackend.run`.

        Raises:
            ShapeError, DataError, PrecisionError: if the spikes do not fit.
            ConfigError: if `keep` names an unknown population.
        """
        graph = program.graph
        require_spikes(spikes, graph.input_shape, input_bits=graph.input_bits)
        kept = kept_populations(keep, tuple(population.name for population in program.populations))
        start = time.perf_counter()
        largest = max(int(np.prod(graph.shape_of(name))) for name in (INPUT, *_names(program)))
        samples = max(1, NEURONS_AT_ONCE // largest)
        wanted = {*kept, graph.readout.source}
        parts = [
            _run_samples(program, spikes[:, first : first + samples], wanted, NEURONS_AT_ONCE // largest)
            for first in range(0, spikes.shape[1], samples)
        ]
        return _joined(parts, graph, kept, seconds=time.perf_counter() - start)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """What some of the samples gave; the fields are those of `RunResult`, with every train that is wanted."""

    spikes: dict[str, np.ndarray]
    num_spikes: dict[str, int]
    voltage: dict[str, np.ndarray]
    current: dict[str, np.ndarray]
    num_folds: dict[str, int]
    num_saturations: dict[str, int]


def _run_samples(program: TorchProgram, spikes: np.ndarray, wanted: set[str], room: int) -> _Part:
    """Some samples through all their steps, piece by piece of time; `room` steps of one sample fit."""
    steps, batch = spikes.shape[:2]
    states = {
        population.name: DeviceState.zero(batch, population.shape, program.device) for population in program.populations
    }
    rasters: dict[str, list[np.ndarray]] = {name: [] for name in wanted}
    num_spikes = dict.fromkeys(states, 0)
    piece = max(1, room // batch)
    for first in range(0, steps, piece):
        trains = {INPUT: torch.from_numpy(spikes[first : first + piece].astype(np.int32)).to(program.device)}
        for population in program.populations:
            train = population.neurons.run(_sums(population, trains), states[population.name])
            trains[population.name] = train
            num_spikes[population.name] += int(train.sum())
        for name, raster in rasters.items():
            raster.append(trains[name].cpu().numpy())
    return _Part(
        spikes={name: np.concatenate(raster) for name, raster in rasters.items()},
        num_spikes=num_spikes,
        voltage={name: state.voltage.cpu().numpy().astype(np.int64) for name, state in states.items()},
        current={name: state.current.cpu().numpy().astype(np.int64) for name, state in states.items()},
        num_folds={name: int(state.num_folds) for name, state in states.items()},
        num_saturations={name: int(state.num_saturations) for name, state in states.items()},
    )


def _sums(population: DevicePopulation, trains: Mapping[str, Tensor]) -> Tensor:
    """What arrives at each neuron at each step, int32 [T, B, *shape]."""
    total: Tensor | None = None
    for source, sums in population.inputs:
        train = trains[source]
        arriving = sums(train.flatten(0, 1)).reshape(*train.shape[:2], *population.shape)
        total = arriving if total is None else total + arriving
    assert total is not None
    return total


def _joined(parts: list[_Part], graph: IntegerGraph, kept: tuple[str, ...], *, seconds: float) -> RunResult:
    """All samples, and their answers: at once, since sums of floats depend on how many there are."""

    def along(axis: int, tables: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        return {name: np.concatenate([table[name] for table in tables], axis=axis) for name in tables[0]}

    def added(tables: list[dict[str, int]]) -> dict[str, int]:
        return {name: sum(table[name] for table in tables) for name in tables[0]}

    trains = along(1, [part.spikes for part in parts])
    return RunResult(
        spikes={name: trains[name] for name in kept},
        num_spikes=added([part.num_spikes for part in parts]),
        voltage=along(0, [part.voltage for part in parts]),
        current=along(0, [part.current for part in parts]),
        answers=graph.readout(trains[graph.readout.source]),
        num_folds=added([part.num_folds for part in parts]),
        num_saturations=added([part.num_saturations for part in parts]),
        seconds=seconds,
    )


def _names(program: TorchProgram) -> tuple[str, ...]:
    return tuple(population.name for population in program.populations)


def _require_plain(population: IntegerPopulation) -> None:
    """LIF neurons behind connections without delays or exponents of their own."""
    odd = [] if isinstance(population.neuron, IntegerNeuron) else [f"{type(population.neuron).__name__} neurons"]
    for link in population.inputs:
        odd += ["delays"] * (link.delay is not None)
        odd += ["a weight exponent"] * bool(link.weight_exp)
    if odd:
        raise HardwareError(
            f"population {population.name!r} has {', '.join(odd)}; this backend runs LIF neurons without. Run the "
            "network on FixedPointBackend."
        )
