"""NIR as a spiking graph: read by forward Euler, or refused with the reason.

    LIF   v' = v + dt/tau (v_leak - v + r I):   leak = dt / tau, weights times r dt / tau
    IF    v' = v + dt r I:                      leak = 0,        weights times r dt

    I with a Threshold and a feedback (`conversion.nir_soft_reset`): reset by subtraction

Every parameter may differ between neurons. A v_reset other than 0 moves the potential's zero there: threshold and
start shift by it. A v_leak other than v_reset is a current that always flows, and becomes a bias where it is one
number a channel. Shapes that nodes declare must
be those that arrive. Between two neuron nodes (or the input and one) stand exactly one Conv2d, Affine or Linear,
and any number of SumPool2d, AvgPool2d (folded into the weights behind them), uniform Scale
and Flatten in front of it; a neuron read directly becomes a one-to-one connection. The
weights between the last neurons and the output are the readout; an LI node directly behind
those neurons is its leak.
"""

from collections.abc import Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import nir
import numpy as np

from conversion.graph import INPUT, Connection, LinearSynapse, Population, Readout, SpikingGraph, Synapse
from conversion.nir_export import STEP_READOUT
from conversion.nir_file import read_nodes, time_step
from conversion.nir_neurons import NodeNeuron, leak_of, neuron_of, plain, require_neurons
from conversion.nir_soft_reset import SoftReset, feedbacks_of, soft_reset_neuron
from conversion.nir_weights import (
    BEFORE_WEIGHTS,
    WEIGHTS,
    require_declared,
    require_values,
    synapse_from_nodes,
    with_drive,
    with_gain,
    with_readout_weights,
)
from snnface.errors import ConversionError, UnsupportedLayerError

__all__ = ["graph_from_nir", "read_nir"]

_NEURONS = (nir.LIF, nir.IF)
_SUPPORTED = (nir.Input, nir.Output, *_NEURONS, nir.LI, *WEIGHTS, *BEFORE_WEIGHTS)
_ADVICE = {
    nir.CubaLIF: "Its current has a memory of its own; train with LIF or IF neurons.",
    nir.CubaLI: "Its current has a memory of its own; train with an LI readout.",
    nir.Delay: "Delays are not kept; train without.",
    nir.Conv1d: "Write it as a Conv2d with a kernel of one row, over an input of (C, 1, W).",
    nir.NIRGraph: "Write the nodes of this inner graph into the outer one; a recurrent layer is refused there too.",
    nir.I: "An integrator is kept only with the Threshold behind it and the Scale that feeds its reset back.",
    nir.Threshold: "Write it as a LIF with tau equal to the time step, which has no memory.",
}


def graph_from_nir(nir_graph: nir.NIRGraph, *, dt_s: float | None = None) -> SpikingGraph:
    """The spiking graph that a forward-Euler reader of `nir_graph` runs.

    Weights come back within a few units of the last place of float64 (exactly, where tau
    is dt or the neuron has no leak); biases that are all 0 come back as None. A threshold
    or r that differs between neurons is folded into their weights where these can take it in.

    Args:
        dt_s: the time step in seconds; None takes it from the file's metadata ("dt").

    Raises:
        ConversionError: if there is no time step, or two that differ; or edges, shapes do not fit.
        UnsupportedLayerError: if a node, or a value in it, has no counterpart in a graph;
            the message names the node.
    """
    step = time_step(nir_graph.metadata, dt_s)
    resets = feedbacks_of(nir_graph)
    order = _execution_order(nir_graph, resets)
    reader = _Reader(nir_graph, step, resets)
    for name in order:
        reader.visit(name)
    return reader.finished()


def read_nir(path: Path, *, dt_s: float | None = None) -> SpikingGraph:
    """Read a .nir file as a spiking graph; see `graph_from_nir`.

    Raises:
        DatasetNotFoundError: if the file does not exist.
        DataError: if it is no NIR file, is damaged, links to other files, or holds more than 4 GiB.
        ConversionError, UnsupportedLayerError: as `graph_from_nir`.
    """
    return graph_from_nir(read_nodes(path), dt_s=dt_s)


def _execution_order(graph: nir.NIRGraph, resets: Mapping[str, SoftReset]) -> list[str]:
    """Node names so that every edge looks forward, but for the feedbacks of resets; ties in name order."""
    sources: dict[str, set[str]] = {name: set() for name in graph.nodes}
    back = {(nodes.feedback, nodes.integrator) for nodes in resets.values()}
    for source, target in graph.edges:
        for end in (source, target):
            if end not in sources:
                raise ConversionError(f"an edge names the node {end!r}, which is not in the graph.")
        if (source, target) not in back:
            sources[target].add(source)
    sorter = TopologicalSorter(sources)
    try:
        sorter.prepare()
    except CycleError as error:
        raise UnsupportedLayerError(
            f"the nodes {' -> '.join(error.args[1])} form a cycle; cycles are not supported. A recurrent layer has no "
            "counterpart here: train a feed-forward network, whose neurons still remember."
        ) from error
    order: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        order += ready
        sorter.done(*ready)
    return order


class _Reader:
    """Turns nodes into populations, in execution order."""

    def __init__(self, graph: nir.NIRGraph, dt_s: float, resets: Mapping[str, SoftReset]) -> None:
        self._graph = graph
        self._dt_s = dt_s
        self._resets = resets
        self._within_resets = {name for nodes in resets.values() for name in (nodes.integrator, nodes.feedback)}
        self._before: dict[str, list[str]] = {name: [] for name in graph.nodes}
        for source, target in graph.edges:
            self._before[target].append(source)
        self._names: dict[str, str] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._populations: list[Population] = []
        self._readout: Readout | None = None

    def visit(self, name: str) -> None:
        node = self._graph.nodes[name]
        if name in self._within_resets:
            return
        if name in self._resets:
            self._add_population(name, node)
            return
        if not isinstance(node, _SUPPORTED):
            raise UnsupportedLayerError(
                f"node {name!r} is {type(node).__name__}; a spiking graph can hold "
                f"{', '.join(kind.__name__ for kind in _SUPPORTED)}. {_ADVICE.get(type(node), '')}".rstrip()
            )
        if isinstance(node, nir.Input):
            self._add_input(name, node)
        elif isinstance(node, nir.Output):
            self._add_readout(name)
        elif isinstance(node, _NEURONS):
            self._add_population(name, node)

    def finished(self) -> SpikingGraph:
        if self._readout is None or INPUT not in self._shapes:
            raise ConversionError("the graph must have one Input node and one Output node.")
        stored = self._graph.metadata.get("graph", {})
        if not isinstance(stored, Mapping):
            raise ConversionError(f"the file's metadata 'graph' must be names with values; got {stored!r}.")
        return SpikingGraph(
            input_shape=self._shapes[INPUT],
            populations=tuple(self._populations),
            readout=self._readout,
            metadata={key: plain(value) for key, value in stored.items()},
        )

    def _add_input(self, name: str, node: nir.Input) -> None:
        if INPUT in self._shapes:
            raise UnsupportedLayerError(f"node {name!r} is a second Input; a spiking graph has one.")
        shape = tuple(int(size) for size in np.atleast_1d(node.input_type["input"]))
        if len(shape) not in (1, 3):
            raise UnsupportedLayerError(f"node {name!r} has the shape {shape}; (C, H, W) or (N,) is supported.")
        self._names[name] = INPUT
        self._shapes[INPUT] = shape

    def _add_population(self, name: str, node: nir.NIRNode) -> None:
        soft = self._resets.get(name)
        before = self._before[name if soft is None else soft.integrator]
        links = [self._connection(source, name) for source in before if soft is None or source != soft.feedback]
        if not links:
            raise ConversionError(f"node {name!r} has no edge into it; every neuron needs weights in front of it.")
        # Some exporters write one number for the whole layer, so that its shape is that of the currents.
        shape, *others = (link.synapse.output_shape(self._shapes[link.source]) for link in links)
        if any(other != shape for other in others):
            raise ConversionError(f"node {name!r} adds up currents of different shapes: {shape} and {others}.")
        require_neurons(name, node, shape)
        if soft is None:
            read = neuron_of(name, node, self._dt_s)
        else:
            read = NodeNeuron(soft_reset_neuron(self._graph, soft, self._dt_s), np.ones(1), np.zeros(1))
        neuron, gain, drive = read.for_weights(shape)
        links = [replace(link, synapse=with_gain(name, link.synapse, gain, shape)) for link in links]
        if np.any(drive):
            links[0] = replace(links[0], synapse=with_drive(links[0].synapse, drive))
        population = str(plain(node.metadata.get("population", name)))
        population = name if population in self._shapes else population
        while population in self._shapes:
            population += "_"
        self._populations.append(Population(population, shape, neuron, tuple(links)))
        self._names[name] = population
        self._shapes[population] = shape

    def _add_readout(self, name: str) -> None:
        if self._readout is not None:
            raise UnsupportedLayerError(f"node {name!r} is a second Output; a spiking graph has one.")
        if len(self._before[name]) != 1:
            raise UnsupportedLayerError(
                f"the output {name!r} must have one edge into it; it has {len(self._before[name])}."
            )
        source, chain = self._chain(self._before[name][0])
        leak, gain = None, np.ones(1)
        if chain and isinstance(self._graph.nodes[chain[0]], nir.LI):
            node = self._graph.nodes[chain[0]]
            require_values(chain[0], node, "r", lambda r: r == r, "must be a number")
            require_values(chain[0], node, "v_leak", lambda v: v == 0, "must be 0")
            leak, gain = _one_leak(chain[0], node, self._dt_s), np.asarray(node.r)
            chain = chain[1:]
        elif plain(self._graph.metadata.get("readout")) == STEP_READOUT:
            leak = 1.0
        shape = self._shapes[source]
        synapse = with_readout_weights(name, self._synapse(chain, source, name), shape)
        bias = np.zeros(len(synapse.weight)) if synapse.bias is None else synapse.bias
        if isinstance(synapse, LinearSynapse):
            weight = synapse.weight * np.broadcast_to(gain, shape).reshape(-1)
        elif np.all(gain == gain.flat[0]):
            weight = synapse.weight * gain.flat[0]
        else:
            raise UnsupportedLayerError(f"r of the LI node in front of {chain[-1]!r} must be one number.")
        declared = self._graph.nodes[name].output_type.get("output")
        answers = int(np.prod(synapse.output_shape(shape)))
        require_declared(name, None if declared is None else int(np.prod(declared)), (answers,))
        self._readout = Readout(source=source, weight=weight, bias=bias, leak=leak)

    def _connection(self, start: str, target: str) -> Connection:
        """The connection that ends with node `start`, into `target`, without the target's gain."""
        source, chain = self._chain(start)
        return Connection(source, self._synapse(chain, source, target))

    def _chain(self, start: str) -> tuple[str, list[str]]:
        """The population (or the input) in front of node `start`, and the nodes from there to it."""
        chain: list[str] = []
        name = start
        while name not in self._names:
            chain.insert(0, name)
            if len(self._before[name]) != 1:
                raise UnsupportedLayerError(
                    f"node {name!r} has {len(self._before[name])} edges into it; only neurons add up several inputs."
                )
            name = self._before[name][0]
        return self._names[name], chain

    def _synapse(self, chain: list[str], source: str, target: str) -> Synapse:
        for name in chain:
            if isinstance(self._graph.nodes[name], nir.LI):
                raise UnsupportedLayerError(
                    f"node {name!r} (LI) sends a potential, not spikes; only the output may read one, through weights "
                    "behind an LI that itself reads neurons. Put neurons that spike in its place."
                )
        return synapse_from_nodes([(name, self._graph.nodes[name]) for name in chain], self._shapes[source], target)


def _one_leak(name: str, node: nir.LI, dt_s: float) -> float:
    """A readout filters what its weights make of spikes, so that all it reads must leak alike."""
    leak = leak_of(name, node, dt_s)
    require_values(name, node, "tau", lambda tau: tau == tau.flat[0], "must be the same for all that a readout reads")
    return float(leak.flat[0])
