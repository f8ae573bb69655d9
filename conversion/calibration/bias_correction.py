"""Biases that bring every channel's mean rate to the ANN's mean activation, for one number of steps."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from conversion.graph import INPUT, Population, SpikingGraph
from conversion.simulate import apply_synapse, run_neurons

__all__ = ["corrected_biases"]

_CHUNK_BYTES = 64 * 2**20


@torch.no_grad()
def corrected_biases(
    graph: SpikingGraph, mean_rates: Mapping[str, np.ndarray], inputs: np.ndarray, *, num_steps: int, rounds: int = 1
) -> SpikingGraph:
    """The graph with shifted biases.

    Layers are corrected in order; each is measured with all before it corrected:

        bias += mean over samples and space of (a / theta - spikes / T),  per channel

    Valid for this number of steps only. Every population is run `rounds` + 1 times in all:
    its spikes are kept, eight steps a byte, while a population behind still reads them.

    Args:
        mean_rates: a / theta of the ANN by population, averaged over samples and space, float64 [C].
        inputs: [B, *input_shape], held over all steps.
        rounds: how often each population is measured and corrected.

    Source: Li et al. 2021, arXiv:2106.06984 ("light" bias calibration).
    """
    last_reader = {link.source: population.name for population in graph.populations for link in population.inputs}
    trains = _Trains(graph, inputs, num_steps)
    corrected = []
    for population in graph.populations:
        for _ in range(rounds):
            change = mean_rates[population.name] - trains.channel_rates(population)
            population = _with_bias(population, change)
        trains.keep(population)
        corrected.append(population)
        for name in {link.source for link in population.inputs}:
            if last_reader[name] == population.name:
                trains.forget(name)
    return replace(graph, populations=tuple(corrected))


def _with_bias(population: Population, change: np.ndarray) -> Population:
    """The population with `change` [C] added to the bias of its first connection."""
    first, *others = population.inputs
    bias = change if first.synapse.bias is None else first.synapse.bias + change
    return replace(population, inputs=(replace(first, synapse=replace(first.synapse, bias=bias)), *others))


class _Trains:
    """Spike trains of all samples, for the populations that are still read."""

    def __init__(self, graph: SpikingGraph, inputs: np.ndarray, num_steps: int) -> None:
        self._num_samples, self._num_steps = len(inputs), num_steps
        largest = max(population.num_neurons for population in graph.populations)
        chunk = max(1, _CHUNK_BYTES // (4 * num_steps * largest))
        samples = torch.tensor(inputs, dtype=torch.float32)
        self._inputs = torch.split(samples, chunk)
        self._packed: dict[str, list[np.ndarray]] = {}

    def keep(self, population: Population) -> None:
        self._packed[population.name] = [np.packbits(spikes.numpy(), axis=0) for spikes in self._run(population)]

    def forget(self, name: str) -> None:
        self._packed.pop(name, None)

    def channel_rates(self, population: Population) -> np.ndarray:
        """Spikes per neuron and step of every channel, float64 [C]."""
        total = np.zeros(population.shape[0])
        for spikes in self._run(population):
            total += spikes.flatten(3).sum((0, 1, 3)).numpy() if spikes.ndim > 3 else spikes.sum((0, 1)).numpy()
        return total / (self._num_steps * self._num_samples * (population.num_neurons // population.shape[0]))

    def _run(self, population: Population) -> Iterator[Tensor]:
        """Spikes uint8 [T, b, *shape] of the samples, piece by piece."""
        for place in range(len(self._inputs)):
            current: Tensor | float = 0.0
            for link in population.inputs:
                train = self._train(link.source, place)
                part = apply_synapse(link.synapse, train.flatten(0, 1))
                current = current + part.reshape(*train.shape[:2], *part.shape[1:])
            assert isinstance(current, Tensor)
            yield run_neurons(current.expand(self._num_steps, *current.shape[1:]), population.neuron)[0]

    def _train(self, name: str, place: int) -> Tensor:
        """[T, b, *shape]; of the input one step, which stands for all."""
        if name == INPUT:
            return self._inputs[place][None]
        spikes = np.unpackbits(self._packed[name][place], axis=0, count=self._num_steps)
        return torch.from_numpy(spikes).float()
