"""Integers in a parity check: the fixed-point simulator, Lava and netx, quantised as for Loihi 2.

Registered in the entry points "conversion.runners". All give spikes without pipeline delay. A .net
file is integers already: every tool here reads it and runs it as it stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from conversion.graph import INPUT, SpikingGraph
from conversion.integer_graph import IntegerGraph, IntegerNeuron
from conversion.quantize import QuantizeConfig, quantize
from conversion.runners.graph_runner import load_spiking_graph
from conversion.runners.run import READOUT, Run
from conversion.simulate import apply_synapse
from hardware.backends.base import RunResult
from hardware.backends.fixed_point import FixedPointBackend
from hardware.backends.lava import LavaBackend
from hardware.backends.loihi_neuron import state_bias, subthreshold_step
from hardware.backends.netx import NetxBackend, NetxConfig
from hardware.netx.reader import read_netx
from hardware.netx.writer import NETX_SUFFIX
from hardware.target import LOIHI2

__all__ = ["IntegerRunner", "open_fixed_point", "open_lava", "open_netx"]


@dataclass(frozen=True, slots=True, eq=False)
class IntegerRunner:
    """A graph run in integers; a float graph is quantised for the input it is shown."""

    graph: SpikingGraph | IntegerGraph
    backend: FixedPointBackend | LavaBackend | NetxBackend
    has_steps: bool = True
    num_steps: int | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.graph.input_shape

    def run(self, inputs: np.ndarray) -> Run:
        """Run samples of whole numbers [T, B, *input_shape]; potentials are in units of the float graph, or of v.

        Raises:
            UnsupportedLayerError: if a neuron has no form on the chip; the message names its population.
            DataError, PrecisionError: if the input is not whole numbers of 0 or more that fit the chip's messages.
            HardwareError: if a netx file cannot hold the network.
        """
        integers = _integers(self.graph, inputs)
        graph, ran, notes = self._run(integers.graph, inputs)

        def potential(population: str, sample: int) -> np.ndarray:
            charged = _voltages(graph, population, {INPUT: inputs, **ran.spikes}, sample)
            return np.asarray(charged / integers.units[population])

        has_delays = any(link.delay is not None for population in graph.populations for link in population.inputs)
        return Run(
            spikes=ran.spikes,
            answers={READOUT: ran.answers},
            potential=None if has_delays else potential,
            notes=(*integers.notes, *notes),
        )

    def _run(self, graph: IntegerGraph, inputs: np.ndarray) -> tuple[IntegerGraph, RunResult, tuple[str, ...]]:
        """The graph that ran, what it gave, and how it differs from the one that came."""
        if isinstance(self.backend, NetxBackend):
            program = self.backend.compile(graph, LOIHI2)
            return program.graph, self.backend.run(program, inputs), tuple(map(str, program.rounded_biases))
        if isinstance(self.backend, LavaBackend):
            return graph, self.backend.run(self.backend.compile(graph, LOIHI2), inputs), ()
        return graph, self.backend.run(self.backend.compile(graph, LOIHI2), inputs), ()


def open_fixed_point(path: Path, dt_s: float | None) -> IntegerRunner:
    """A .nir, .json or .net file for the fixed-point simulator."""
    return IntegerRunner(_load(path, dt_s), FixedPointBackend())


def open_lava(path: Path, dt_s: float | None) -> IntegerRunner:
    """A .nir, .json or .net file for Lava."""
    return IntegerRunner(_load(path, dt_s), LavaBackend())


def open_netx(path: Path, dt_s: float | None) -> IntegerRunner:
    """A .nir, .json or .net file for lava-dl's netx; biases are rounded as netx holds them, and the run says so."""
    return IntegerRunner(_load(path, dt_s), NetxBackend(NetxConfig(round_biases=True)))


def _load(path: Path, dt_s: float | None) -> SpikingGraph | IntegerGraph:
    return read_netx(path) if path.suffix == NETX_SUFFIX else load_spiking_graph(path, dt_s)


@dataclass(frozen=True, slots=True, eq=False)
class _Integers:
    """A graph in integers, and by population how many units of v make a potential of 1 in the graph that came."""

    graph: IntegerGraph
    units: Mapping[str, float]
    notes: tuple[str, ...]


def _integers(graph: SpikingGraph | IntegerGraph, inputs: np.ndarray) -> _Integers:
    if isinstance(graph, IntegerGraph):
        return _Integers(graph, {population.name: 1.0 for population in graph.populations}, ())
    peak = max(int(inputs.max()), 1)
    bits = min(LOIHI2.input_bits, peak.bit_length())
    peak_input = min(peak, max(2**bits - 1, 1))
    config = QuantizeConfig(weight_bits=LOIHI2.weight_bits, input_bits=bits, peak_input=peak_input)
    quantized = quantize(graph, config)
    return _Integers(
        quantized.graph, {layer.name: 64 * layer.scale for layer in quantized.layers}, tuple(quantized.warnings)
    )


def _voltages(graph: IntegerGraph, name: str, trains: dict[str, np.ndarray], sample: int) -> np.ndarray:
    """v before its reset at every step of one sample, by the neuron's definition."""
    population = graph.population(name)
    neuron = population.neuron
    assert isinstance(neuron, IntegerNeuron)  # neither quantising nor a netx file gives another
    fired = trains[name][:, sample].reshape(len(trains[name]), -1)
    sums = sum(
        apply_synapse(link.synapse, torch.tensor(trains[link.source][:, sample], dtype=torch.float64)).numpy()
        for link in population.inputs
    )
    activation = np.asarray(sums).round().astype(np.int64).reshape(fired.shape)
    bias = state_bias(neuron, population.shape).reshape(-1).astype(np.int32)
    current, voltage = np.zeros((2, fired.shape[1]), dtype=np.int64)
    charged = np.empty(fired.shape)
    for step, spikes in enumerate(fired):
        current, charged[step], _, _ = subthreshold_step(
            activation[step], current, voltage, neuron=neuron, bias=bias, overflow="lava"
        )
        voltage = np.where(spikes, 0, charged[step]).astype(np.int64)
    return charged.reshape(trains[name][:, sample].shape)
