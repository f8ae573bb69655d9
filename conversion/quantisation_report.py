"""Which step of quantising costs which spikes: each step alone, and all together.

Integers differ from the trained network in five roundings and in how they are computed with. Here each is
put into the float graph by itself, everything else as it was trained, and the whole network is run:

    weights      W becomes W_int / S
    bias         b becomes (bias_mant << bias_exp) / (64 S)
    leak         becomes dv / 4096
    threshold    V becomes vth / S
    comparison   >= becomes >
    all numbers  all five at once, still in float64
    integers     the fixed-point run: beyond all numbers, v loses its fraction as it leaks

A difference in one population moves those behind it, so counts of a step grow along the network.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from conversion.graph import Connection, Population, SpikingGraph
from conversion.head_room import HeadRoom, head_room, joined_head_room
from conversion.integer_graph import IntegerGraph, IntegerNeuron, IntegerPopulation
from conversion.quantize import Quantized, QuantizedLayer, total_bias
from conversion.simulate import simulate
from conversion.spike_comparison import SpikeComparison, added_comparisons, compare_spikes

__all__ = ["QuantisationReport", "QuantisationStep", "StepEffect", "StepMeter", "graph_with_step"]

QuantisationStep = Literal["weights", "bias", "leak", "threshold", "comparison", "all numbers", "integers"]

RunIntegers = Callable[[IntegerGraph, np.ndarray], tuple[Mapping[str, np.ndarray], np.ndarray]]
"""Runs an integer graph: (spikes of every population, answers)."""

_ROUNDINGS: tuple[QuantisationStep, ...] = ("weights", "bias", "leak", "threshold", "comparison")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEffect:
    """What one step alone changed.

    Attributes:
        comparisons: the trained network's spikes (a) against those with this step (b), population by population.
        metrics: of the answers with this step; empty where nothing judged them.
    """

    step: QuantisationStep
    comparisons: tuple[SpikeComparison, ...]
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def num_differing(self) -> int:
        return sum(comparison.num_differing for comparison in self.comparisons)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantisationReport:
    """All steps, and how near the integers came to their limits.

    Attributes:
        num_samples: that were run.
        metrics: of the float graph's answers.
    """

    num_samples: int
    steps: tuple[StepEffect, ...]
    head_room: tuple[HeadRoom, ...]
    metrics: Mapping[str, float] = field(default_factory=dict)


class StepMeter:
    """Runs batches of samples through the graph with each step in it.

    Args:
        quantized: what became of `graph`.
        run_integers: runs the integers; the fixed-point backend, for instance.
    """

    def __init__(self, graph: SpikingGraph, quantized: Quantized, *, run_integers: RunIntegers) -> None:
        self._graph, self._quantized, self._run_integers = graph, quantized, run_integers
        self._comparisons: dict[QuantisationStep, list[tuple[SpikeComparison, ...]]] = {}
        self._head_room: list[tuple[HeadRoom, ...]] = []
        self._num_samples = 0
        # A step that alters no number changes no spike, and needs no run.
        steps: tuple[QuantisationStep, ...] = (*_ROUNDINGS, "all numbers")
        self._altered = {step: graph_with_step(graph, quantized, step) for step in steps}

    def add(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Run samples [T, B, *input_shape]; returns the answers with each step, and without any under "float"."""
        exact = simulate(self._graph, inputs)
        answers = {"float": exact.answers}
        for step, altered in self._altered.items():
            ran = exact if altered is None else simulate(altered, inputs)
            self._comparisons.setdefault(step, []).append(compare_spikes(exact.spikes, ran.spikes))
            answers[step] = ran.answers
        spikes, answers["integers"] = self._run_integers(self._quantized.graph, inputs)
        self._comparisons.setdefault("integers", []).append(compare_spikes(exact.spikes, spikes))
        self._head_room.append(head_room(self._quantized.graph, inputs, spikes))
        self._num_samples += inputs.shape[1]
        return answers

    def report(self, metrics: Mapping[str, Mapping[str, float]] | None = None) -> QuantisationReport:
        """Over all samples that were added.

        Args:
            metrics: step, or "float" -> the metrics of its answers.
        """
        judged = metrics or {}
        return QuantisationReport(
            num_samples=self._num_samples,
            steps=tuple(
                StepEffect(step=step, comparisons=added_comparisons(parts), metrics=judged.get(step, {}))
                for step, parts in self._comparisons.items()
            ),
            head_room=tuple(joined_head_room(parts) for parts in zip(*self._head_room, strict=True)),
            metrics=judged.get("float", {}),
        )


def graph_with_step(graph: SpikingGraph, quantized: Quantized, step: QuantisationStep) -> SpikingGraph | None:
    """The float graph with the rounded numbers of one step put back, or of all; None if no number differs."""
    wanted = _ROUNDINGS if step == "all numbers" else (step,)
    populations = tuple(
        _altered(population, integers, layer, wanted)
        for population, integers, layer in zip(
            graph.populations, quantized.graph.populations, quantized.layers, strict=True
        )
    )
    if all(new is old for new, old in zip(populations, graph.populations, strict=True)):
        return None
    return replace(graph, populations=populations)


def _altered(
    population: Population, integers: IntegerPopulation, layer: QuantizedLayer, wanted: Sequence[QuantisationStep]
) -> Population:
    trained, neuron, scale = population.neuron, integers.neuron, layer.scale
    # A relay of the chip copies spikes by other numbers; see `quantize`.
    if layer.limited_by == "relay" or not isinstance(neuron, IntegerNeuron):
        return population
    # Without leak and bias >= keeps its meaning on the chip: whole numbers above vth are those from vth + 1 on.
    keeps_equality = trained.fires_on_equality and layer.comparison_is_exact
    bias = np.ldexp(neuron.bias_mant.astype(np.float64), neuron.bias_exp - 6)
    rounded = {
        "weights": _flat([link.synapse.weight for link in integers.inputs]),
        "bias": bias.reshape(-1),
        "threshold": np.array([neuron.vth + keeps_equality], dtype=np.float64),
    }
    exact = {
        "weights": _flat([link.synapse.weight for link in population.inputs]),
        "bias": total_bias(population).reshape(-1),
        "threshold": np.array([float(trained.threshold)]),
    }
    parts = {part for part in rounded if part in wanted and not _is_close(rounded[part], scale * exact[part])}
    leak = neuron.dv / 4096 if "leak" in wanted else float(trained.leak)
    loses_equality = "comparison" in wanted and trained.fires_on_equality and not keeps_equality
    if not parts and leak == float(trained.leak) and not loses_equality:
        return population
    # Integers as they are, and the rest in their unit: so that sums that meet the threshold do so exactly.
    unit = scale if "weights" in parts else 1.0
    numbers = {part: rounded[part] * (unit / scale) if part in parts else exact[part] * unit for part in rounded}
    neurons = replace(
        trained,
        leak=leak,
        threshold=float(numbers["threshold"][0]),
        fires_on_equality=trained.fires_on_equality and not loses_equality,
    )
    weights = [link.synapse.weight for link in (integers if "weights" in parts else population).inputs]
    return replace(population, neuron=neurons, inputs=_inputs(population, weights, numbers["bias"]))


def _inputs(population: Population, weights: list[np.ndarray], bias: np.ndarray) -> tuple[Connection, ...]:
    """The connections with other weights, and the sum of their biases on the first."""
    has_bias = any(link.synapse.bias is not None for link in population.inputs)
    return tuple(
        replace(
            link,
            synapse=replace(
                link.synapse, weight=weight.astype(np.float64), bias=bias if has_bias and place == 0 else None
            ),
        )
        for place, (link, weight) in enumerate(zip(population.inputs, weights, strict=True))
    )


def _flat(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([array.ravel() for array in arrays]).astype(np.float64)


def _is_close(one: np.ndarray, other: np.ndarray) -> bool:
    """The same but for the rounding of float64."""
    return bool(np.allclose(one, other, rtol=1e-9, atol=1e-9))
