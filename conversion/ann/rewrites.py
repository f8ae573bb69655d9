"""Graphs changed before they are reduced: without what is not needed, without softmax, without maxima."""

from dataclasses import replace

from conversion.ann.graph import AnnGraph, AnnNode, AveragePool, MaxPool, Softmax
from conversion.graph import INPUT
from snnface.errors import UnsupportedLayerError

__all__ = ["needed_nodes", "with_average_pools", "without_softmax"]


def needed_nodes(graph: AnnGraph) -> list[AnnNode]:
    """The nodes on which the answer depends, in order."""
    names = {graph.nodes[-1].name}
    for node in reversed(graph.nodes):
        if node.name in names:
            names.update(node.inputs)
    return [node for node in graph.nodes if node.name in names]


def without_softmax(graph: AnnGraph) -> tuple[AnnGraph, list[str]]:
    """The graph up to its logits, and what is said of it."""
    last = graph.nodes[-1]
    if not isinstance(last.operation, Softmax) or last.inputs == (INPUT,):
        return graph, []
    end = next(place for place, node in enumerate(graph.nodes) if node.name == last.inputs[0])
    return replace(graph, nodes=graph.nodes[: end + 1]), [
        f"softmax {last.name!r} is left to the host: the answers are logits, their order stays"
    ]


def with_average_pools(graph: AnnGraph) -> tuple[AnnGraph, list[str]]:
    """The graph with averages for its maxima, and what is said of each.

    They are over windows without overlap, of the maximum's stride, where these give a map of its size; elsewhere (a
    map of odd sides, padded) over the maximum's own windows, the zeros around the map averaged in.

    Raises:
        UnsupportedLayerError: if such a window has holes.
    """
    shapes = {INPUT: graph.input_shape, **{node.name: node.shape for node in graph.nodes}}
    nodes, replaced = [], []
    for node in graph.nodes:
        pool = node.operation
        if isinstance(pool, MaxPool):
            average = _average_for(node, pool, shapes[node.inputs[0]][1:])
            node = replace(node, operation=average)
            replaced.append(
                f"max-pool {node.name!r} over {pool.window} became an average over {average.window}: other answers "
                "than the model's, until it is fine-tuned"
            )
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes)), replaced


def _average_for(node: AnnNode, pool: MaxPool, size: tuple[int, ...]) -> AveragePool:
    if pool.stride != (1, 1) and node.shape[1:] == (size[0] // pool.stride[0], size[1] // pool.stride[1]):
        return AveragePool(pool.stride, pool.stride)
    if pool.dilation != (1, 1):
        raise UnsupportedLayerError(
            f"{node.name!r} is a max-pool of {size} to {node.shape[1:]} over windows with holes (dilation "
            f"{pool.dilation}), which no average here has. Replace it in the model and train again."
        )
    return AveragePool(pool.window, pool.stride, pool.padding)
