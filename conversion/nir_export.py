"""Spiking graphs as NIR, in a normal form that other tools read with the same spikes.

NIR knows time constants, not steps: `dt_s` maps one to the other. A reader that advances
by forward Euler with that dt gets the graph's own update:

    leaky (0 < leak <= 1)   LIF, tau = dt / leak, r = 1, v_leak = rest (0), v_reset = 0; the
                            weights in front are divided by leak, as Euler multiplies by
                            dt / tau:  v' = v + dt/tau (-v + r I).  Where the leak differs within
                            a map, no kernel can be divided by it: r = 1 / leak, weights as they are
    without leak            IF, r = 1 / dt, v_reset = 0; weights as they are:
                            v' = v + dt r I.  Readers that ignore dt and r (norse) agree.
    relay, OR-pool          LIF with tau = dt
    reset by subtraction    `conversion.nir_soft_reset`: an integrator, a threshold and a feedback

Every array has its full shape, kernel sizes are pairs, grouped kernels are written block
by block into an ungrouped one, and node names sort in execution order. Two connections into
one population (a residual) are two weight nodes with an edge each into its neuron node; only
the first has a bias. The last Affine node is the readout: its mean over time is the answer, or,
where the metadata says so, every step of it. A readout that leaks has an LI node in front of its Affine:

    LI, tau = dt / leak, r = 1, v_leak = 0:     f' = f + dt/tau (-f + s)

snntorch 1.0.0 reads two edges into one neuron node rightly and refuses LI; norse 1.1.0 reads such
edges otherwise than NIR defines them and leaves LI out.

Source: Pedersen et al. 2024, Nature Communications 15:8122 (the primitives).
"""

import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import nir
import numpy as np

from conversion.graph import INPUT, Conv2dSynapse, Population, Readout, SpikingGraph, Synapse
from conversion.nir_soft_reset import soft_reset_nodes
from conversion.nir_weights import per_output
from snnface.errors import ConfigError, UnsupportedLayerError
from snnface.files import atomic_path

__all__ = ["DEFAULT_DT_S", "MEAN_READOUT", "STEP_READOUT", "block_diagonal", "nir_from_graph", "write_nir"]

DEFAULT_DT_S = 1e-4
"""The time step that snntorch's importer assumes (snntorch 1.0.0)."""

MEAN_READOUT = "mean over time of the output"
STEP_READOUT = "every step of the output"


def nir_from_graph(
    graph: SpikingGraph, *, dt_s: float = DEFAULT_DT_S, scales: Mapping[str, float] | None = None
) -> nir.NIRGraph:
    """The graph as NIR nodes and edges.

    Metadata, which no reader needs: dt, comparison, reset, readout, the graph's own
    metadata, and per neuron node its population's name, whether it is a relay, and its
    quantisation scale.

    Args:
        dt_s: length of one step in seconds.
        scales: population name -> integer weight per float weight, where quantised.

    Raises:
        UnsupportedLayerError: if a population has no NIR form (reset by subtraction with a leak,
            an initial voltage or `>=` with reset to zero, neurons with and without a leak), or a kernel
            that NIR 1.0.8 cannot describe.
        ConfigError: if dt_s is not positive.
    """
    if not (np.isfinite(dt_s) and dt_s > 0):
        raise ConfigError(f"dt_s is the length of a step in seconds and must be positive; got {dt_s}.")
    writer = _Writer(graph.input_shape)
    for population in graph.populations:
        _require_expressible(population)
        unit = _weight_unit(population)
        links = [
            writer.add_synapse(link.source, graph.shape_of(link.source), _divided(link.synapse, unit))
            for link in population.inputs
        ]
        writer.add_population(population, links, dt_s, (scales or {}).get(population.name))
    read = graph.shape_of(graph.readout.source)
    answers = writer.add_readout(graph.readout, read, dt_s)
    shape = graph.readout.synapse.output_shape(read)
    writer.add("output", nir.Output(output_type={"output": np.array(shape)}), [answers])
    metadata = {
        "writer": "snnface",
        "dt": float(dt_s),
        "comparison": ">=" if any(p.neuron.fires_on_equality for p in graph.populations) else ">",
        "reset": "subtract" if any(p.neuron.reset == "subtract" for p in graph.populations) else "zero",
        "readout": STEP_READOUT if graph.readout.keeps_steps else MEAN_READOUT,
    }
    if graph.metadata:
        metadata["graph"] = dict(graph.metadata)
    nodes, edges = writer.finished()
    return nir.NIRGraph(nodes=nodes, edges=edges, metadata=metadata)


def write_nir(
    graph: SpikingGraph, path: Path, *, dt_s: float = DEFAULT_DT_S, scales: Mapping[str, float] | None = None
) -> None:
    """Write the graph as a .nir file (HDF5), whole or not at all.

    Raises:
        UnsupportedLayerError, ConfigError: as `nir_from_graph`.
    """
    # Through memory: the HDF5 library takes the process down when a disk is full.
    memory = io.BytesIO()
    nir.write(memory, nir_from_graph(graph, dt_s=dt_s, scales=scales))
    with atomic_path(path) as temporary:
        temporary.write_bytes(memory.getbuffer())


def block_diagonal(synapse: Conv2dSynapse) -> Conv2dSynapse:
    """The same convolution without groups: one full kernel with zeros between the groups."""
    if synapse.groups == 1:
        return synapse
    outputs, per_group, *kernel = synapse.weight.shape
    weight = np.zeros((outputs, per_group * synapse.groups, *kernel), dtype=synapse.weight.dtype)
    rows = outputs // synapse.groups
    for group in range(synapse.groups):
        weight[group * rows : (group + 1) * rows, group * per_group : (group + 1) * per_group] = synapse.weight[
            group * rows : (group + 1) * rows
        ]
    return Conv2dSynapse(weight, synapse.bias, synapse.stride, synapse.padding, synapse.dilation)


class _Writer:
    """Collects nodes in execution order; names get their numbers when all are known."""

    def __init__(self, input_shape: tuple[int, ...]) -> None:
        self._nodes: list[tuple[str, nir.NIRNode]] = [("input", nir.Input(input_type={"input": np.array(input_shape)}))]
        self._edges: list[tuple[int, int]] = []
        self._populations = {INPUT: 0}

    def add(self, kind: str, node: nir.NIRNode, sources: list[int]) -> int:
        self._nodes.append((kind, node))
        index = len(self._nodes) - 1
        self._edges += [(source, index) for source in sources]
        return index

    def add_readout(self, readout: Readout, shape: tuple[int, ...], dt_s: float) -> int:
        start = self._populations[readout.source]
        if readout.leak is not None and readout.leak < 1:
            zeros = np.zeros(shape)
            leaky = nir.LI(tau=np.full(shape, dt_s / readout.leak), r=np.ones(shape), v_leak=zeros)
            start = self.add("li", leaky, [start])
        return self._add_weights(start, readout.source, shape, readout.synapse)

    def add_synapse(self, source: str, shape: tuple[int, ...], synapse: Synapse) -> int:
        return self._add_weights(self._populations[source], source, shape, synapse)

    def _add_weights(self, start: int, source: str, shape: tuple[int, ...], synapse: Synapse) -> int:
        if isinstance(synapse, Conv2dSynapse):
            return self.add("conv", _conv_node(source, synapse, shape), [start])
        if len(shape) > 1:
            flatten = nir.Flatten(input_type={"input": np.array(shape)}, start_dim=0, end_dim=-1)
            start = self.add("flatten", flatten, [start])
        bias = np.zeros(len(synapse.weight)) if synapse.bias is None else synapse.bias
        return self.add("fc", nir.Affine(weight=synapse.weight, bias=bias), [start])

    def add_population(self, population: Population, links: list[int], dt_s: float, scale: float | None) -> None:
        neuron, shape = population.neuron, population.shape
        metadata: dict[str, str | int | float] = {"population": population.name, "is_relay": int(neuron.is_relay)}
        if scale is not None:
            metadata["quantisation_scale"] = scale
        if neuron.reset == "zero":
            node = _neuron_node(population, dt_s, metadata)
            self._populations[population.name] = self.add("lif" if np.any(neuron.leak) else "if", node, links)
            return
        nodes = soft_reset_nodes(neuron, shape, r=_inverse(dt_s), metadata=metadata)
        integrator = self.add("i", nodes[0], links)
        threshold = self.add("threshold", nodes[1], [integrator])
        feedback = self.add("feedback", nodes[2], [threshold])
        self._edges.append((feedback, integrator))
        self._populations[population.name] = threshold

    def finished(self) -> tuple[dict[str, nir.NIRNode], list[tuple[str, str]]]:
        digits = max(2, len(str(len(self._nodes) - 1)))
        names = [f"n{index:0{digits}d}_{kind}" for index, (kind, _) in enumerate(self._nodes)]
        nodes = {name: node for name, (_, node) in zip(names, self._nodes, strict=True)}
        return nodes, [(names[source], names[target]) for source, target in self._edges]


def _require_expressible(population: Population) -> None:
    neuron = population.neuron
    is_soft, leak = neuron.reset == "subtract", np.asarray(neuron.leak)
    wrong = leak[~((leak >= 0) & (leak <= 1))].tolist()
    reasons = {
        "resets by subtraction and leaks; only an integrator can be given that feedback": is_soft and leak.any(),
        "starts at a voltage other than 0; NIR has no initial state": not is_soft and np.any(neuron.initial_voltage),
        "fires on equality (>=); NIR fires above the threshold (>)": not is_soft and neuron.fires_on_equality,
        f"has a leak of {wrong[0] if wrong else 0}, which no time constant of at least one step gives": bool(wrong),
        "has neurons with a leak and neurons without; a node of NIR holds one kind": leak.any() and not leak.all(),
    }
    for reason, applies in reasons.items():
        if applies:
            raise UnsupportedLayerError(
                f"population {population.name!r} {reason}, so the spikes would change. "
                "Save the graph as .json (conversion.graph_io.save_graph), or train it with the neuron that NIR has."
            )


def _neuron_node(population: Population, dt_s: float, metadata: Mapping[str, str | int | float]) -> nir.NIRNode:
    neuron, shape = population.neuron, population.shape
    threshold, zeros = np.full(shape, neuron.threshold), np.zeros(shape)
    if not np.any(neuron.leak):
        return nir.IF(r=np.full(shape, _inverse(dt_s)), v_threshold=threshold, v_reset=zeros, metadata=dict(metadata))
    unit = _weight_unit(population)
    return nir.LIF(
        tau=np.full(shape, dt_s / neuron.leak),
        r=np.full(shape, unit.reshape(-1, *[1] * (len(shape) - 1)) / neuron.leak),
        v_leak=np.full(shape, neuron.rest),
        v_threshold=threshold,
        v_reset=zeros,
        metadata=dict(metadata),
    )


def _inverse(dt_s: float) -> float:
    """1 / dt, one rounding up where that makes dt * r exactly 1."""
    inverse = 1 / dt_s
    return inverse if inverse * dt_s == 1 else float(np.nextafter(inverse, np.inf))


def _weight_unit(population: Population) -> np.ndarray:
    """[C]: what the weights into a population are divided by, for r = unit / leak.

    That is the leak, so that r = 1; or 1, without any leak or where it differs within a map.
    """
    leak = per_output(np.asarray(population.neuron.leak), population.shape)
    return np.ones(population.shape[0]) if leak is None or not leak.any() else leak


def _divided(synapse: Synapse, unit: np.ndarray) -> Synapse:
    """The synapse, ungrouped, with every output in units of its own."""
    whole = block_diagonal(synapse) if isinstance(synapse, Conv2dSynapse) else synapse
    wide = unit.reshape(-1, *[1] * (whole.weight.ndim - 1))
    return replace(whole, weight=whole.weight / wide, bias=None if whole.bias is None else whole.bias / unit)


def _conv_node(source: str, synapse: Conv2dSynapse, shape: tuple[int, ...]) -> nir.Conv2d:
    square = _square(source, synapse)
    return nir.Conv2d(
        input_shape=(shape[1], shape[2]),
        weight=square.weight,
        stride=np.array(square.stride),
        padding=np.array(square.padding),
        dilation=np.array(square.dilation),
        groups=1,
        bias=np.zeros(len(square.weight)) if square.bias is None else square.bias,
    )


def _square(source: str, synapse: Conv2dSynapse) -> Conv2dSynapse:
    """The same convolution with a square kernel: nir 1.0.8 takes the height for both sides."""
    height, width = synapse.weight.shape[2:]
    if (height - width) % 2:
        raise UnsupportedLayerError(
            f"the convolution behind {source!r} has a {height}x{width} kernel; NIR's shape check knows square kernels "
            "only, and this one cannot be widened evenly on both sides. Use sides that differ by an even number."
        )
    rows, columns = max(width - height, 0) // 2, max(height - width, 0) // 2
    return Conv2dSynapse(
        weight=np.pad(synapse.weight, ((0, 0), (0, 0), (rows, rows), (columns, columns))),
        bias=synapse.bias,
        stride=synapse.stride,
        padding=(
            synapse.padding[0] + rows * synapse.dilation[0],
            synapse.padding[1] + columns * synapse.dilation[1],
        ),
        dilation=synapse.dilation,
    )
