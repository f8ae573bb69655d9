"""Integers in a parity check: the fixed-point simulator and Lava, quantised as for Loihi 2.

Registered in the entry points "conversion.runners". Both give spikes without pipeline delay.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from conversion.graph import INPUT, SpikingGraph
from conversion.integer_graph import IntegerGraph
from conversion.quantize import QuantizeConfig, Quantized, quantize
from conversion.runners.graph_runner import load_spiking_graph
from conversion.runners.run import READOUT, Run
from conversion.simulate import apply_synapse
from hardware.backends.base import RunResult
from hardware.backends.fixed_point import FixedPointBackend
from hardware.backends.lava import LavaBackend
from hardware.backends.loihi_neuron import LifState, lif_run_by_definition, state_bias
from hardware.target import LOIHI2

__all__ = ["IntegerRunner", "open_fixed_point", "open_lava"]

_LARGEST_VTH = 2**17 - 1


@dataclass(frozen=True, slots=True)
class IntegerRunner:
    """A float graph that is quantised for the input it is shown, and run in integers."""

    graph: SpikingGraph
    backend: FixedPointBackend | LavaBackend
    has_steps: bool = True
    num_steps: int | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.graph.input_shape

    def run(self, inputs: np.ndarray) -> Run:
        """Run samples of whole numbers [T, B, *input_shape]; potentials are in units of the float graph.

        Raises:
            UnsupportedLayerError: if a neuron has no form on the chip; the message names its population.
            DataError, PrecisionError: if the input is not whole numbers of 0 or more that fit the chip's messages.
        """
        peak = max(int(inputs.max()), 1)
        bits = min(LOIHI2.input_bits, peak.bit_length())
        config = QuantizeConfig(
            weight_bits=LOIHI2.weight_bits, input_bits=bits, peak_input=min(peak, max(2**bits - 1, 1))
        )
        quantized = quantize(self.graph, config)
        ran = self._run(quantized.graph, inputs)

        def potential(population: str, sample: int) -> np.ndarray:
            trains = {INPUT: inputs, **ran.spikes}
            return _potentials(quantized, population, trains, sample)

        return Run(spikes=ran.spikes, answers={READOUT: ran.answers}, potential=potential, notes=quantized.warnings)

    def _run(self, graph: IntegerGraph, inputs: np.ndarray) -> RunResult:
        if isinstance(self.backend, LavaBackend):
            return self.backend.run(self.backend.compile(graph, LOIHI2), inputs)
        return self.backend.run(self.backend.compile(graph, LOIHI2), inputs)


def open_fixed_point(path: Path, dt_s: float | None) -> IntegerRunner:
    """A .nir or .json file for the fixed-point simulator."""
    return IntegerRunner(load_spiking_graph(path, dt_s), FixedPointBackend())


def open_lava(path: Path, dt_s: float | None) -> IntegerRunner:
    """A .nir or .json file for Lava."""
    return IntegerRunner(load_spiking_graph(path, dt_s), LavaBackend())


def _potentials(quantized: Quantized, name: str, trains: dict[str, np.ndarray], sample: int) -> np.ndarray:
    """v before its reset at every step of one sample, by the neuron's definition, in units of the float graph."""
    population = quantized.graph.population(name)
    fired = trains[name][:, sample].reshape(len(trains[name]), -1)
    sums = sum(
        apply_synapse(link.synapse, torch.tensor(trains[link.source][:, sample], dtype=torch.float64)).numpy()
        for link in population.inputs
    )
    activation = np.asarray(sums).round().astype(np.int32).reshape(fired.shape)
    bias = state_bias(population.neuron, population.shape).reshape(-1).astype(np.int32)
    # With the highest threshold it does not fire; what it did in the run is put in afterwards.
    silent = replace(population.neuron, vth=_LARGEST_VTH)
    state, charged = LifState.zero(fired.shape[1]), np.empty(fired.shape)
    for step, spikes in enumerate(fired):
        after = lif_run_by_definition(activation[step : step + 1], state, neuron=silent, bias=bias).state
        charged[step] = after.voltage
        state = LifState(after.current, np.where(spikes, 0, after.voltage).astype(np.int32))
    scale = next(layer.scale for layer in quantized.layers if layer.name == name)
    return np.asarray(charged / (64 * scale)).reshape(trains[name][:, sample].shape)
