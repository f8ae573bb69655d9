"""Runs of a spiking graph with other neurons than its own: what the variants of one simulation share."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from conversion.graph import INPUT, Population, SpikingGraph
from conversion.simulate import apply_synapse

__all__ = ["Fire", "trains_of"]

Fire = Callable[[Population, Tensor], Tensor]
"""(population, its currents [T, B, *shape]) -> what it sends, [T, B, *shape]."""


@torch.no_grad()
def trains_of(graph: SpikingGraph, inputs: np.ndarray, fire: Fire) -> Mapping[str, Tensor]:
    """What every population sends, float32 [T, B, *shape], layer by layer within each step.

    Args:
        inputs: [T, B, *input_shape].
    """
    num_steps = len(inputs)
    trains = {INPUT: torch.tensor(np.ascontiguousarray(inputs), dtype=torch.float32)}
    for population in graph.populations:
        currents = torch.zeros(())
        for link in population.inputs:
            part = apply_synapse(link.synapse, trains[link.source].flatten(0, 1))
            currents = currents + part.reshape(num_steps, -1, *part.shape[1:])
        # Weights are computed with in the type of what they read; spikes are bytes.
        trains[population.name] = fire(population, currents).float()
    return {population.name: trains[population.name] for population in graph.populations}
