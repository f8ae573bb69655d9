"""Converted networks that are shown the events themselves instead of a picture held over time.

The first layer is linear, so the mean of its currents over T parts of a picture's time is the
current of the mean: W mean_t(e[t]). An ANN that was trained on the sum of the events, T times
their mean, gets it with T times the weights in the first layer; and as events come as counts
of 0, 1 and a little more, that layer adds where it would have multiplied.
"""

from dataclasses import replace

from conversion.graph import INPUT, Population, SpikingGraph

__all__ = ["for_event_bins"]


def for_event_bins(graph: SpikingGraph, num_bins: int) -> SpikingGraph:
    """The graph for T parts that add up to what the ANN is shown; biases are added in every step, as before."""
    populations = tuple(_scaled(population, num_bins) for population in graph.populations)
    return replace(graph, populations=populations, metadata={**graph.metadata, "event_bins": num_bins})


def _scaled(population: Population, factor: int) -> Population:
    return replace(
        population,
        inputs=tuple(
            replace(link, synapse=replace(link.synapse, weight=link.synapse.weight * factor))
            if link.source == INPUT
            else link
            for link in population.inputs
        ),
    )
