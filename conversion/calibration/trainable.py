"""A network's weights as parameters of torch, and back: what every fine-tuning trains."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from conversion.ann.network import AnnLayer
from conversion.graph import INPUT, Connection, Conv2dSynapse, Population, Synapse

__all__ = ["TrainableNetwork", "TrainableSynapse"]

Layer = TypeVar("Layer", AnnLayer, Population)


class TrainableNetwork(nn.Module):
    """Sums of connections with an activation behind each, and a readout; float32 parameters.

    Values have a step axis: an activation gets [S, B, *shape] and may return another
    number of steps. The input has one step; what reads the input alone is computed once.

    Args:
        layers: of an ANN, or populations of a spiking graph; unchanged.
        readout: from the last layer.
        activations: one a layer.
    """

    def __init__(
        self, layers: Sequence[AnnLayer | Population], readout: Connection, activations: Sequence[nn.Module]
    ) -> None:
        super().__init__()
        self._names = [layer.name for layer in layers]
        self._sources = [[link.source for link in layer.inputs] for layer in layers]
        self._read = readout.source
        self._sums = [[TrainableSynapse(link.synapse) for link in layer.inputs] for layer in layers]
        self.links = nn.ModuleList(link for links in self._sums for link in links)
        self.readout = TrainableSynapse(readout.synapse)
        self.activations = nn.ModuleList(activations)

    def forward(self, inputs: Float[Tensor, "B *N"]) -> Float[Tensor, "S B K"]:
        """The answer of every step."""
        values = {INPUT: inputs[None]}
        for name, sources, links, activation in zip(
            self._names, self._sources, self._sums, self.activations, strict=True
        ):
            parts = [link(values[source]) for link, source in zip(links, sources, strict=True)]
            values[name] = activation(sum(parts[1:], start=parts[0]))
        answers: Tensor = self.readout(values[self._read])
        return answers

    def trained_layers(self, layers: Sequence[Layer]) -> tuple[Layer, ...]:
        """The layers that it was made of, with the weights that it has now (float64)."""
        return tuple(
            replace(
                layer,
                inputs=tuple(
                    replace(link, synapse=trained.synapse()) for link, trained in zip(layer.inputs, links, strict=True)
                ),
            )
            for layer, links in zip(layers, self._sums, strict=True)
        )


class TrainableSynapse(nn.Module):
    """A connection with weight and bias as parameters."""

    def __init__(self, synapse: Synapse) -> None:
        super().__init__()
        self._start = synapse
        self.weight = nn.Parameter(torch.tensor(synapse.weight, dtype=torch.float32))
        self.bias = None if synapse.bias is None else nn.Parameter(torch.tensor(synapse.bias, dtype=torch.float32))

    def forward(self, values: Float[Tensor, "S B *N"]) -> Float[Tensor, "S B *M"]:
        """Currents of every step."""
        folded, start = values.flatten(0, 1), self._start
        if isinstance(start, Conv2dSynapse):
            geometry = start.stride, start.padding, start.dilation, start.groups
            currents = functional.conv2d(folded, self.weight, self.bias, *geometry)
        else:
            currents = functional.linear(folded.flatten(1), self.weight, self.bias)
        return currents.reshape(*values.shape[:2], *currents.shape[1:])

    def synapse(self) -> Synapse:
        """As a value, float64."""
        bias = None if self.bias is None else self.bias.detach().double().numpy().copy()
        return replace(self._start, weight=self.weight.detach().double().numpy().copy(), bias=bias)
