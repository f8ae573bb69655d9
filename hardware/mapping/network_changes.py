"""Networks of another shape: the same layers with fewer channels, a smaller picture, more pooling.

Only shapes and which weights are zero have a meaning in what comes out: the weights are those
of the old network, cut or repeated, and it would have to be trained again. Neurons are relays.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from conversion.graph import INPUT, Connection, Conv2dSynapse, LinearSynapse, SpikingGraph, Synapse
from conversion.integer_graph import IntegerGraph, IntegerNeuron, IntegerPopulation
from snnface.errors import ConversionError

__all__ = ["ShapeChange", "changed_network", "last_convolution", "without_small_inputs"]

AnyGraph = SpikingGraph | IntegerGraph
_NEURON = IntegerNeuron(du=4095, dv=4095, vth=63, bias_mant=np.zeros((), dtype=np.int64), is_relay=True)


@dataclass(frozen=True, kw_only=True)
class ShapeChange:
    """What shall be different; names are those of populations.

    Attributes:
        crop: rows and columns of the input.
        channels: output channels.
        stride: of the convolutions into it, in both directions.
        window: side of the pooling window, which is its stride too.
        pooled: what is read through one more OR pool, 2 x 2.
    """

    crop: tuple[int, int] | None = None
    channels: Mapping[str, int] = field(default_factory=dict)
    stride: Mapping[str, int] = field(default_factory=dict)
    window: Mapping[str, int] = field(default_factory=dict)
    pooled: str | None = None


def changed_network(graph: AnyGraph, change: ShapeChange) -> IntegerGraph:
    """The network with `change` made, every layer behind it as small as follows.

    Raises:
        ConversionError: if a kernel no longer fits the maps that it reads, or paths no longer meet.
    """
    shapes = {INPUT: graph.input_shape if change.crop is None else (graph.input_shape[0], *change.crop)}
    populations: list[IntegerPopulation] = []

    def add(name: str, inputs: list[Connection]) -> None:
        made = {link.synapse.output_shape(shapes[link.source]) for link in inputs}
        if len(made) > 1:
            raise ConversionError(f"the connections into {name!r} would no longer agree; they give {sorted(made)}.")
        shapes[name] = made.pop()
        populations.append(IntegerPopulation(name, shapes[name], _NEURON, tuple(inputs)))

    renamed: dict[str, str] = {}
    for population in graph.populations:
        inputs = []
        for link in population.inputs:
            source = renamed.get(link.source, link.source)
            synapse = _resized(link.synapse, population.name, shapes[source], change)
            inputs.append(replace(link, source=source, synapse=synapse))
        add(population.name, inputs)
        if population.name == change.pooled:
            channels = shapes[population.name][0]
            pool = Conv2dSynapse(np.full((channels, 1, 2, 2), 64), stride=(2, 2), groups=channels)
            renamed[population.name] = f"{population.name}.pool"
            add(renamed[population.name], [Connection(population.name, pool)])
    return IntegerGraph(shapes[INPUT], 0, tuple(populations), graph.readout)


def without_small_inputs(graph: AnyGraph, name: str, keep: int) -> tuple[IntegerGraph, float]:
    """All but the `keep` inputs of a full matrix with the largest weights set to zero.

    Returns:
        The network, and the share of the sum of squared weights that is left.
    """
    same = changed_network(graph, ShapeChange())
    population = same.population(name)
    weight = population.inputs[0].synapse.weight
    strength = np.square(weight.astype(np.float64)).sum(axis=0)
    kept = np.sort(np.argsort(-strength, kind="stable")[:keep])
    pruned = np.zeros_like(weight)
    pruned[:, kept] = weight[:, kept]
    smaller = replace(population, inputs=(replace(population.inputs[0], synapse=LinearSynapse(pruned)),))
    populations = tuple(smaller if one.name == name else one for one in same.populations)
    return replace(same, populations=populations), float(strength[kept].sum() / max(strength.sum(), 1e-300))


def last_convolution(graph: AnyGraph, source: str, is_wanted: Callable[[Conv2dSynapse], bool]) -> str | None:
    """The nearest population at or before `source`, along its first connections, that a wanted convolution feeds."""
    while source != INPUT:
        link = graph.population(source).inputs[0]
        if isinstance(link.synapse, Conv2dSynapse) and is_wanted(link.synapse):
            return source
        if not isinstance(link.synapse, Conv2dSynapse):
            return None
        source = link.source
    return None


def _resized(synapse: Synapse, name: str, input_shape: tuple[int, ...], change: ShapeChange) -> Synapse:
    outputs = change.channels.get(name, len(synapse.weight))
    if isinstance(synapse, LinearSynapse):
        return LinearSynapse(_fitted(synapse.weight, (outputs, int(np.prod(input_shape)))))
    groups, inputs = synapse.groups, input_shape[0]
    if groups > 1:
        # Groups keep their size: there are as many fewer as there are fewer channels.
        groups = max(1, inputs // synapse.weight.shape[1])
        outputs = groups * (len(synapse.weight) // synapse.groups)
    side = change.window.get(name)
    kernel = synapse.weight.shape[2:] if side is None else (side, side)
    step = change.stride.get(name, side)
    weight = _fitted(synapse.weight, (outputs, inputs // groups, *kernel))
    stride = synapse.stride if step is None else (step, step)
    return replace(synapse, weight=weight, bias=None, stride=stride, groups=groups)


def _fitted(weight: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Cut where it is too large, repeated where it is too small."""
    if weight.shape == shape:
        return weight
    for axis, size in enumerate(shape):
        weight = np.take(weight, np.arange(size) % weight.shape[axis], axis=axis)
    return weight
