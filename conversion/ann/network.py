"""An ANN as nothing but weighted sums with ReLUs between them: what spikes can carry.

a_l = min(max(sum over connections of synapse(a_source), 0), ceiling),    answer = readout(a_last)
"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from conversion.graph import INPUT, Connection, LinearSynapse
from conversion.simulate import apply_synapse

__all__ = ["AnnLayer", "AnnNetwork"]


@dataclass(frozen=True, slots=True, eq=False)
class AnnLayer:
    """One hidden layer: the sum of its connections (float64), then ReLU.

    Attributes:
        name: of the last weights in front of the ReLU, as the model calls them.
        shape: of its output, (C, H, W) or (N,).
        inputs: from the network's input or earlier layers; several are a residual. The first one has a bias.
        ceiling: the upper end of a clipped ReLU (6 for ReLU6), or None.
    """

    name: str
    shape: tuple[int, ...]
    inputs: tuple[Connection, ...]
    ceiling: float | None = None

    def current(self, values: dict[str, Tensor]) -> Tensor:
        """What the ReLU gets: [B, *shape], of the activations of its sources by name."""
        total = apply_synapse(self.inputs[0].synapse, values[self.inputs[0].source])
        for link in self.inputs[1:]:
            total = total + apply_synapse(link.synapse, values[link.source])
        return total


@dataclass(frozen=True, slots=True, eq=False)
class AnnNetwork:
    """A whole ANN.

    Attributes:
        layers: in execution order.
        source: the layer that the readout reads.
        readout: the last weights, without a ReLU; float64, with a bias; flattens its source.
        removed: what is not part of the spiking network, one sentence each.
    """

    input_shape: tuple[int, ...]
    layers: tuple[AnnLayer, ...]
    source: str
    readout: LinearSynapse
    removed: tuple[str, ...] = ()

    def activations(self, inputs: Tensor) -> Iterator[tuple[AnnLayer, Tensor]]:
        """Every layer with its activations [B, *shape], in order."""
        last_use = {link.source: layer.name for layer in self.layers for link in layer.inputs}
        values = {INPUT: inputs}
        for layer in self.layers:
            values[layer.name] = layer.current(values).clamp(min=0.0, max=layer.ceiling)
            yield layer, values[layer.name]
            # So that memory holds what is still to be read, not the whole network.
            values = {name: value for name, value in values.items() if last_use.get(name) != layer.name}

    def __call__(self, inputs: Tensor) -> Tensor:
        """[B, *input_shape] -> answers [B, K], in the type of the inputs."""
        value = inputs
        for layer, activation in self.activations(inputs):
            if layer.name == self.source:
                value = activation
        return apply_synapse(self.readout, value)
