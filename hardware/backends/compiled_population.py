"""A population laid out for speed: the sums of its connections and its neurons, through all steps of a sample."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from conversion.integer_graph import (
    ChipNeuron,
    DeltaNeuron,
    IntegerGraph,
    IntegerNeuron,
    IntegerPopulation,
    SigmaDeltaNeuron,
    TernaryNeuron,
)
from hardware.backends.connection_sums import ConnectionSums, connection_sums
from hardware.backends.loihi_neuron import LifNeurons, state_bias
from hardware.backends.neuron_run import NeuronRun, Neurons, Overflow, PeriodicReset
from hardware.backends.sigma_delta_neuron import DeltaNeurons, SigmaDeltaNeurons, SigmaNeurons
from hardware.backends.spike_sums import channels_last
from hardware.backends.spike_train import SpikeTrain
from hardware.backends.ternary_neuron import TernaryNeurons
from snnface.errors import PrecisionError

__all__ = ["CompiledPopulation", "compiled_population", "neurons_in_order"]

# Sums of one piece of time stay in the cache: at most this many, but at least one step.
SUMS_AT_ONCE = 1 << 18


@dataclass(frozen=True, slots=True, eq=False)
class CompiledPopulation:
    """A population ready to run; its neurons are numbered channels-last.

    Attributes:
        neurons: the neurons with their biases.
        inputs: the sums of each connection.
    """

    name: str
    shape: tuple[int, ...]
    neurons: Neurons
    inputs: tuple[ConnectionSums, ...]

    @property
    def num_neurons(self) -> int:
        return int(np.prod(self.shape))

    def run(self, trains: Mapping[str, SpikeTrain], *, num_steps: int, reset: PeriodicReset | None = None) -> NeuronRun:
        """All steps of one sample from zero state, piece by piece.

        Args:
            trains: what each source sends; spikes of a step act in the same step.

        Raises:
            PrecisionError: if messages are so large that a sum could leave 32 bits; names the population.
        """
        self._require_exact(trains)
        piece = max(1, SUMS_AT_ONCE // self.num_neurons)
        state, parts, num_folds, num_saturations = self.neurons.zero_state(), [], 0, 0
        buffer = np.empty((min(piece, num_steps), self.num_neurons), dtype=np.int32)
        for first in range(0, num_steps, piece):
            sums = buffer[: num_steps - first]
            sums.fill(0)
            for connection in self.inputs:
                connection.add_to(sums, trains[connection.source], first)
            run = self.neurons.run(sums, state, reset=reset, first_step=first + 1)
            state = run.state
            parts.append(run.spikes)
            num_folds += run.num_folds
            num_saturations += run.num_saturations
        return NeuronRun(SpikeTrain.joined(parts), state, num_folds, num_saturations)

    def _require_exact(self, trains: Mapping[str, SpikeTrain]) -> None:
        for connection in self.inputs:
            try:
                connection.require_exact(trains[connection.source])
            except PrecisionError as error:
                raise PrecisionError(f"population {self.name!r}: {error}") from error


def compiled_population(graph: IntegerGraph, population: IntegerPopulation, overflow: Overflow) -> CompiledPopulation:
    """Lay out a population of a graph whose numbers have been checked (`loihi_limits.prepared_graph`)."""
    inputs = tuple(
        connection_sums(connection, graph.shape_of(connection.source), graph.largest_message(connection.source))
        for connection in population.inputs
    )
    neurons = _neurons(population.neuron, population.shape, overflow)
    return CompiledPopulation(population.name, population.shape, neurons, inputs)


def neurons_in_order(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """[T, *shape] -> [T, N] in the numbering of `spike_sums`."""
    axes = (0, *(1 + axis for axis in channels_last(shape)))
    return np.ascontiguousarray(array.transpose(axes)).reshape(len(array), -1)


def _neurons(neuron: ChipNeuron, shape: tuple[int, ...], overflow: Overflow) -> Neurons:
    num_neurons = int(np.prod(shape))
    if isinstance(neuron, IntegerNeuron):
        return LifNeurons(neuron, _spread(state_bias(neuron, shape), shape), overflow)
    if isinstance(neuron, TernaryNeuron):
        return TernaryNeurons(neuron, _spread(state_bias(neuron, shape), shape), overflow)
    if isinstance(neuron, SigmaDeltaNeuron):
        return SigmaDeltaNeurons(neuron, _spread(np.asarray(neuron.bias << neuron.exponent), shape))
    return DeltaNeurons(neuron, num_neurons) if isinstance(neuron, DeltaNeuron) else SigmaNeurons(num_neurons)


def _spread(bias: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """One bias for every neuron, in the numbering of `spike_sums`."""
    return neurons_in_order(np.broadcast_to(bias, shape)[None], shape)[0].astype(np.int32)
