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
from conversion.ann.kernels import MapShape, composed, read_size, synapse_of
from conversion.ann.network import AnnLayer, AnnNetwork
from conversion.ann.relay_layers import copies_of, cropped_copy, ones
from conversion.ann.rewrites import needed_nodes, with_average_pools, without_softmax
from conversion.graph import INPUT, Connection, LinearSynapse, Synapse
from snnface.errors import ConversionError, UnsupportedLayerError

__all__ = ["network_of"]


def network_of(graph: AnnGraph, *, max_pool: Literal["refuse", "average"] = "refuse") -> AnnNetwork:
    """The weighted sums and ReLUs that compute what the graph computes.

    The result is compared with the graph, in float64 on random input, before it is returned.
    A softmax behind the answers goes: the network answers with logits.

    Args:
        max_pool: "average" puts an average in the place of every maximum (`with_average_pools`), which
            changes the answers: fine-tune afterwards. `removed` names each.

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
        return self.graph.input_shape if term.source == INPUT else self.layer(term.source).shape

    def layer(self, name: str) -> AnnLayer:
        return next(layer for layer in self.layers if layer.name == name)

    def behind(self, value: Expression, kernel: Conv, node: AnnNode) -> Expression:
        """The value through one more kernel.

        Zeros that pad a shifted value are no zeros of what was shifted; so a shift in front of
        them becomes a map of ones times the shift, which is padded like the rest.
        """
        if value.shift.any() and any(kernel.padding):
            size = (1, *value.shape[1:])
            shift = Term(self.ones(size, node), size, Conv(value.shift.reshape(-1, 1, 1, 1)))
            value = replace(value, terms=(*value.terms, shift), shift=np.zeros_like(value.shift))
        if any(kernel.padding):
            value = replace(value, terms=tuple(self.cropped(term, kernel, node) for term in value.terms))
        return behind(value, kernel, node.name)

    def cropped(self, term: Term, kernel: Conv, node: AnnNode) -> Term:
        """The term as it is, or with a copy of its source without the rows and columns that it does not read.

        A pool of 2 leaves the last row of an odd map out, which the zeros behind its own map would let the kernel see.
        """
        read = read_size(term.kernel, term.shape)
        if read == term.shape or term.source == INPUT or composed(term.kernel, kernel, term.shape) is not None:
            return term
        name = f"{term.source}.{read[1]}x{read[2]}"
        if all(layer.name != name for layer in self.layers):
            self.layers.append(cropped_copy(name, self.layer(term.source), read))
            self.notes.append(
                f"{node.name!r} pads what a pool leaves of {term.source!r}, {term.shape[1:]}: layer {name!r}, a copy "
                "without the rows and columns that the pool does not read, stands between them"
            )
        padding = tuple(
            0 if side > 1 and read[side - 1] < term.shape[side - 1] else zeros
            for side, zeros in enumerate(term.kernel.padding)
        )
        top, left, bottom, right = padding
        return Term(name, read, replace(term.kernel, padding=(top, left, bottom, right)))

    def ones(self, size: MapShape, node: AnnNode) -> str:
        """The name of a layer of ones of this size."""
        name = f"ones_{size[1]}x{size[2]}"
        if all(layer.name != name for layer in self.layers):
            self.layers.append(ones(name, size, self.graph.input_shape))
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
        links = self.connections(value, value.shape[:1])
        if any(link.source == INPUT for link in links):
            raise UnsupportedLayerError(
                f"the answer {answer.name!r} reads the input past every ReLU; it can be made of spikes only. Put a "
                "ReLU behind the last sum."
            )
        source, readout = links[0].source, links[0].synapse
        if len(links) > 1:
            source, readout = self.gathered(answer, links)
        assert isinstance(readout, LinearSynapse)
        return AnnNetwork(self.graph.input_shape, tuple(self.layers), source, readout, (*removed, *self.notes))

    def gathered(self, answer: AnnNode, links: tuple[Connection, ...]) -> tuple[str, LinearSynapse]:
        """One layer of copies of all layers that the answer reads, and the answer's weights behind it.

        An answer has one source, and a sum without a ReLU has none of its own: the sum of two spike trains is no train.
        """
        name = f"{answer.name}.copies"
        self.layers.append(copies_of(name, [self.layer(link.source) for link in links]))
        read = " and ".join(repr(link.source) for link in links)
        self.notes.append(
            f"the answer {answer.name!r} reads {read}, and no ReLU closes their sum: layer {name!r} copies them"
        )
        weight = np.concatenate([link.synapse.weight for link in links], axis=1)
        return name, LinearSynapse(weight, links[0].synapse.bias)


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
        clipped = reduction.layer(value.terms[0].source).ceiling
        if ceiling is None or (clipped is not None and clipped <= ceiling):
            return value
    return reduction.add_layer(node, value, ceiling)


def _flatten(_: _Reduction, node: AnnNode, value: Expression) -> Expression:
    return replace(value, is_flat=True)


def _max(reduction: _Reduction, node: AnnNode, value: Expression) -> Expression:
    """Of windows of one number, which leave out rows and columns, an exact map; no other."""
    assert isinstance(node.operation, MaxPool)
    if node.operation.window == (1, 1):
        kernel = Conv(np.ones((value.shape[0], 1, 1, 1)), None, node.operation.stride, groups=value.shape[0])
        return reduction.behind(value, kernel, node)
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
