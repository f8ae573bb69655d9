"""A spiking graph run by `conversion.simulate`, with the potentials behind every spike."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from conversion.graph import INPUT, SpikingGraph
from conversion.graph_io import load_graph
from conversion.nir_import import read_nir
from conversion.runners.run import READOUT, Run
from conversion.simulate import apply_synapse, simulate
from snnface.errors import ConfigError

__all__ = ["GraphRunner", "load_spiking_graph", "open_graph"]


@dataclass(frozen=True, slots=True)
class GraphRunner:
    """The definition: float64, step by step, as `conversion.graph` says."""

    graph: SpikingGraph
    has_steps: bool = True
    num_steps: int | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.graph.input_shape

    def run(self, inputs: np.ndarray) -> Run:
        """Run samples [T, B, *input_shape] in float64."""
        ran = simulate(self.graph, inputs)

        def potential(population: str, sample: int) -> np.ndarray:
            return _potentials(self.graph, population, {INPUT: inputs, **ran.spikes}, sample)

        return Run(spikes=ran.spikes, answers={READOUT: ran.answers}, potential=potential)


def open_graph(path: Path, dt_s: float | None) -> GraphRunner:
    """A runner of a .nir or .json file."""
    return GraphRunner(load_spiking_graph(path, dt_s))


def load_spiking_graph(path: Path, dt_s: float | None) -> SpikingGraph:
    """The graph in a .nir file (see `conversion.nir_import`) or a .json file (`conversion.graph_io`).

    Raises:
        ConfigError: if the name ends in neither.
        DatasetNotFoundError, DataError, ConversionError: as the readers.
    """
    if path.suffix == ".nir":
        return read_nir(path, dt_s=dt_s)
    if path.suffix == ".json":
        return load_graph(path)
    raise ConfigError(f"a spiking graph stands in a file that ends in .nir or .json; got {path.name!r}.")


def _potentials(graph: SpikingGraph, name: str, trains: dict[str, np.ndarray], sample: int) -> np.ndarray:
    """h of every step of one sample, from the spikes that were seen."""
    population = graph.population(name)
    current = sum(
        apply_synapse(link.synapse, torch.tensor(trains[link.source][:, sample], dtype=torch.float64)).numpy()
        for link in population.inputs
    )
    neuron, fired = population.neuron, trains[name][:, sample]
    voltage = np.zeros(population.shape) + neuron.initial_voltage
    charged = np.empty(fired.shape)
    for step, incoming in enumerate(np.asarray(current)):
        charged[step] = voltage - neuron.leak * (voltage - neuron.rest) + incoming
        kept = charged[step] - neuron.threshold if neuron.reset == "subtract" else np.zeros(population.shape)
        voltage = np.where(fired[step], kept, charged[step])
    return charged
