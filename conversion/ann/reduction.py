"""An ANN of any graph as nothing but synapses with ReLUs between them, or a refusal by name.

A value between two ReLUs is a sum of linear maps of earlier activations. Batch norms,
pools, zeros around a map and sums therefore vanish into the weights: conv(a + b) =
conv(a) + conv(b), so that a sum of two spike trains is never passed on, and its reader
reads both. An identity shortcut is a kernel of one 1 a channel.

Source: the rules of Rueckauer et al. 2017, Frontiers in Neuroscience 11:682 (batch norm,
pools), and of Hu et al. 2021, arXiv:1805.01352 (shortcuts), here for sums of any depth.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import torch

from conversion.ann.expressions import Expression, Term, added, behind, of_source, scaled_and_shifted
from conversion.ann.graph import (
    Add,
    AnnGraph,
    AnnNode,
    AveragePool,
    ChannelAffine,
    Conv,
    Flatten,
    Linear,
    MaxPool,
    Operation,
    Pad,
    Relu,
    Softmax,
)
from conversion.ann.kernels import MapShape, synapse_of
from conversion.ann.network import AnnLayer, AnnNetwork
from conversion.ann.rewrites import needed_nodes, with_average_pools, without_softmax
from conversion.graph import INPUT, Connection, Conv2dSynapse, LinearSynapse, Synapse
from snnface.errors import ConversionError, UnsupportedLayerError

__all__ = ["network_of"]


def network_of(graph: AnnGraph, *, max_pool: Literal["refuse", "average"] = "refuse") -> AnnNetwork:
    """The weighted sums and ReLUs that compute what the graph computes.

    The result is compared with the graph, in float64 on random input, before it is returned.
    A softmax behind the answers goes: the network answers with logits.

    Args:
        max_pool: "average" puts an average over windows without overlap in the place of every
            maximum, which changes the answers: fine-tune afterwards. `removed` names each.

    Raises:
        UnsupportedLayerError: if something has no spiking form where it stands; the message
            names the node, where it was found, and what to do.
        ConversionError: if the result does not compute what the graph computes.
    """
    graph, removed = without_softmax(graph)
    if max_pool == "average":
        graph, replaced = with_average_pools(graph)
        removed += replaced
    reduction = _Reduction(graph)
    for node in needed_nodes(graph):
        reduction.visit(node)
    network = reduction.finished((*graph.removed, *removed))
    _require_same(network, graph)
    return network


@dataclass(slots=True)
class _Reduction:
    """State while walking through the nodes in order."""

    graph: AnnGraph
    values: dict[str, Expression] = field(default_factory=dict)
    layers: list[AnnLayer] = field(default_factory=list)
    depths: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.values[INPUT] = of_source(INPUT, self.graph.input_shape)

    def visit(self, node: AnnNode) -> None:
        rule = _RULES[type(node.operation)]
        try:
            self.values[node.name] = rule(self, node, *(self.values[name] for name in node.inputs))
        except UnsupportedLayerError as error:
            raise UnsupportedLayerError(f"{error} (Found in {node.where}.)" if node.where else str(error)) from error

    def add_layer(self, node: AnnNode, value: Expression, ceiling: float | None) -> Expression:
        if value.each is not None:
            raise UnsupportedLayerError(
                f"{node.name!r} is a ReLU of a flattened map with a batch norm of its own for every number. Put the "
                "Flatten behind the ReLU."
            )
        taken = {layer.name for layer in self.layers}
        # Of a sum those at the end of the longest path: the block, not its shortcut.
        candidates = sorted(value.weights, key=lambda name: self.depths[name], reverse=True)
        name = next((name for name in candidates if name not in taken), node.name)
        shape = value.shape[:1] if value.is_flat and value.shape[1:] == (1, 1) else value.shape
        links = self.connections(value, shape)
        self.layers.append(AnnLayer(name, shape, links, ceiling))
        return replace(of_source(name, shape), is_flat=value.is_flat)

    def connections(self, value: Expression, shape: tuple[int, ...]) -> tuple[Connection, ...]:
        """The terms as synapses, the first one with the bias; matrices of one source become one."""
        synapses: list[tuple[str, Synapse]] = []
        for term in value.terms:
            synapse = synapse_of(term.kernel, self.shape_of(term), shape, None if synapses else value.shift)
            sources = [source for source, _ in synapses]
            if isinstance(synapse, LinearSynapse) and term.source in sources:
                place = sources.index(term.source)
                other = synapses[place][1]
                synapse = LinearSynapse(other.weight + synapse.weight, other.bias)
                synapses[place] = (term.source, synapse)
            else:
                synapses.append((term.source, synapse))
        return tuple(Connection(source, synapse) for source, synapse in synapses)

    def shape_of(self, term: Term) -> tuple[int, ...]:
        if term.source == INPUT:
            return self.graph.input_shape
        return next(layer.shape for layer in self.layers if layer.name == term.source)

    def behind(self, value: Expression, kernel: Conv, node: AnnNode) -> Expression:
        """The value through one more kernel.

        Zeros that pad a shifted value are no zeros of what was shifted; so a shift in front of
        them becomes a map of ones times the shift, which is padded like the rest.
        """
        if value.shift.any() and any(kernel.padding):
            size = (1, *value.shape[1:])
            shift = Term(self.ones(size, node), size, Conv(value.shift.reshape(-1, 1, 1, 1)))
            value = replace(value, terms=(*value.terms, shift), shift=np.zeros_like(value.shift))
        return behind(value, kernel, node.name)

    def ones(self, size: MapShape, node: AnnNode) -> str:
        """The name of a layer of ones of this size: neurons with a bias and no weights.

        The bias is above their ceiling, so that they fire at every step whatever their reset is.
        """
        name = f"ones_{size[1]}x{size[2]}"
        if all(layer.name != name for layer in self.layers):
            channels, *sizes = self.graph.input_shape
            padding = tuple(max(0, -(-(size[1 + axis] - sizes[axis]) // 2)) for axis in (0, 1))
            window = tuple(sizes[axis] + 2 * padding[axis] - size[1 + axis] + 1 for axis in (0, 1))
            synapse = Conv2dSynapse(np.zeros((1, channels, *window)), np.full(1, 1.5), padding=(padding[0], padding[1]))
            self.layers.append(AnnLayer(name, size, (Connection(INPUT, synapse),), ceiling=1.0))
        self.notes.append(
            f"the shift in front of {node.name!r} would reach its zero padding: layer {name!r}, of neurons that always "
            "fire, carries it"
        )
        return name

    def with_weights(self, value: Expression, node: AnnNode) -> Expression:
        """The value behind the weights of a node."""
        places = [INPUT, *(layer.name for layer in self.layers)]
        self.depths[node.name] = max(places.index(term.source) for term in value.terms)
        if value.weights:
            self.notes.append(
                f"layer {node.name!r} is one matrix with {value.weights[-1]!r}: no ReLU stands between them"
            )
        return replace(value, weights=(*value.weights, node.name))

    def finished(self, removed: tuple[str, ...]) -> AnnNetwork:
        answer = self.graph.nodes[-1]
        value = self.values[answer.name]
        if value.shape[1:] != (1, 1) or value.each is not None:
            raise UnsupportedLayerError(
                f"the answer {answer.name!r} is a map {answer.shape}; one number a class or a value is expected. Pool "
                "it over its pixels, or end with a full layer."
            )
        if not self.layers:
            raise UnsupportedLayerError("the model has no hidden layer with a ReLU; there is nothing to convert.")
        (link, *others) = self.connections(value, value.shape[:1])
        if others or link.source == INPUT:
            read = ", ".join(repr(part.source) for part in (link, *others))
            raise UnsupportedLayerError(
                f"the answer {answer.name!r} reads {read}; one layer with a ReLU is expected in front of it. Put a "
                "ReLU behind the last sum."
            )
        assert isinstance(link.synapse, LinearSynapse)
        return AnnNetwork(
            self.graph.input_shape, tuple(self.layers), link.source, link.synapse, (*removed, *self.notes)
        )


def _conv(reduction: _Reduction, node: AnnNode, value: Expression) -> Expression:
    assert isinstance(node.operation, Conv)
    return reduction.with_weights(reduction.behind(value, node.operation, node), node)


def _linear(reduction: _Reduction, node: AnnNode, value: Expression) -> Expression:
    """A full layer is a kernel of the size of the map in front of it."""
    assert isinstance(node.operation, Linear)
    weight, bias = node.operation.weight, node.operation.bias
    if value.each is not None:
        scale, shift = value.each
        bias = weight @ shift + (0.0 if bias is None else bias)
        weight = weight * scale
        value = replace(value, each=None)
    kernel = Conv(weight.reshape(-1, *value.shape), bias)
    return reduction.with_weights(replace(behind(value, kernel, node.name), is_flat=True), node)


def _affine(_: _Reduction, node: AnnNode, value: Expression) -> Expression:
    assert isinstance(node.operation, ChannelAffine)
    return scaled_and_shifted(value, node.operation.scale, node.operation.shift)


def _average(reduction: _Reduction, node: AnnNode, value: Expression) -> Expression:
    pool = node.operation
    assert isinstance(pool, AveragePool)
    if any(pool.padding) and not pool.counts_padding:
        raise UnsupportedLayerError(
            f"{node.name!r} averages over fewer numbers at the border. Use count_include_pad=True, or no padding."
        )
    weight = np.full((value.shape[0], 1, *pool.window), 1 / (pool.window[0] * pool.window[1]))
    kernel = Conv(weight, None, pool.stride, (*pool.padding, *pool.padding), groups=value.shape[0])
    return reduction.behind(value, kernel, node)


def _pad(reduction: _Reduction, node: AnnNode, value: Expression) -> Expression:
    assert isinstance(node.operation, Pad)
    channels = value.shape[0]
    kernel = Conv(np.ones((channels, 1, 1, 1)), padding=node.operation.padding, groups=channels)
    return reduction.behind(value, kernel, node)


def _add(_: _Reduction, node: AnnNode, *values: Expression) -> Expression:
    if any(value.each is not None or value.shape != values[0].shape for value in values):
        raise UnsupportedLayerError(
            f"{node.name!r} adds values of different shapes. Add maps before they are flattened."
        )
    return added(values)


def _relu(reduction: _Reduction, node: AnnNode, value: Expression) -> Expression:
    assert isinstance(node.operation, Relu)
    ceiling = node.operation.ceiling
    if value.is_source and value.terms[0].source != INPUT:
        clipped = next(layer.ceiling for layer in reduction.layers if layer.name == value.terms[0].source)
        if ceiling is None or (clipped is not None and clipped <= ceiling):
            return value
    return reduction.add_layer(node, value, ceiling)


def _flatten(_: _Reduction, node: AnnNode, value: Expression) -> Expression:
    return replace(value, is_flat=True)


def _max(_: _Reduction, node: AnnNode, value: Expression) -> Expression:
    raise UnsupportedLayerError(
        f"{node.name!r} is a max-pool: the maximum over spikes is a logical OR, which overestimates the rate. Train "
        "with an average pool or a strided convolution, or convert with max_pool='average' and data to fine-tune on."
    )


def _softmax(_: _Reduction, node: AnnNode, value: Expression) -> Expression:
    raise UnsupportedLayerError(f"{node.name!r} is a softmax and something stands behind it; only the last one can go.")


_RULES: dict[type[Operation], Callable[..., Expression]] = {
    Conv: _conv,
    Linear: _linear,
    ChannelAffine: _affine,
    AveragePool: _average,
    Pad: _pad,
    Add: _add,
    Relu: _relu,
    Flatten: _flatten,
    MaxPool: _max,
    Softmax: _softmax,
}


@torch.no_grad()
def _require_same(network: AnnNetwork, graph: AnnGraph) -> None:
    inputs = torch.randn(2, *graph.input_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    wanted = graph(inputs).flatten(1)
    difference = float((network(inputs) - wanted).abs().max())
    if not difference <= 1e-9 * float(wanted.abs().max()):
        raise ConversionError(
            f"the sums and ReLUs made of the model differ from it by {difference} on random input; this is an error of "
            "the conversion. Report the model."
        )
