"""Choosing how far to clip each layer's weights, by what it does to the spikes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from conversion.graph import Readout, SpikingGraph
from conversion.integer_graph import IntegerGraph
from conversion.quantize import QuantizeConfig, quantize
from conversion.simulate import simulate
from conversion.spike_comparison import compare_spikes
from snnface.errors import CalibrationError

__all__ = ["choose_scales"]

DEFAULT_CANDIDATES = (100.0, 99.99, 99.9, 99.5, 99.0)


def choose_scales(
    graph: SpikingGraph,
    spikes: np.ndarray,
    candidates: Sequence[float] = DEFAULT_CANDIDATES,
    *,
    run: Callable[[IntegerGraph, np.ndarray], Mapping[str, np.ndarray]],
    config: QuantizeConfig | None = None,
) -> dict[str, float]:
    """The clip percentile of every population whose spikes then differ least from the float graph's.

    Populations are decided in order, each with the choices before it in place; of equal
    candidates the first wins. The result goes to `quantize(..., percentiles=...)`.

    Args:
        spikes: calibration input [T, B, *input_shape].
        candidates: percentiles of |W|; 100 clips nothing.
        run: runs an integer graph and returns its spikes by population; the fixed-point
            backend's `run`, for instance.
        config: bits of weights and input.

    Raises:
        CalibrationError: if there is no candidate, or a population never spikes in the
            float graph, so that nothing can be compared.
    """
    if not candidates:
        raise CalibrationError("at least one clip percentile is needed; got none.")
    wanted = simulate(graph, spikes).spikes
    chosen: dict[str, float] = {}
    for index, population in enumerate(graph.populations):
        name = population.name
        if not wanted[name].any():
            raise CalibrationError(
                f"population {name!r} never spikes on the calibration input, so no scale can be chosen for it. "
                "Calibrate on more or stronger input."
            )
        if population.neuron.is_relay:
            continue
        part = _first_populations(graph, index + 1)

        def mismatch(percentile: float, part: SpikingGraph = part, name: str = name) -> int:
            integers = quantize(part, config, percentiles=chosen | {name: percentile}).graph
            (comparison,) = compare_spikes({name: wanted[name]}, run(integers, spikes))
            return comparison.num_differing

        chosen[name] = min(candidates, key=mismatch)
    return chosen


def _first_populations(graph: SpikingGraph, count: int) -> SpikingGraph:
    """The graph up to its `count`-th population, with an empty readout."""
    last = graph.populations[count - 1]
    readout = Readout(last.name, np.zeros((1, last.num_neurons)), np.zeros(1))
    return replace(graph, populations=graph.populations[:count], readout=readout)
