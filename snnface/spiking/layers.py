"""Spiking layers: weights, normalisation, neurons and pooling over [T, B, ...]."""

from jaxtyping import Float
from torch import Tensor, nn

from snnface.spiking.neurons import NeuronConfig, SpikingNeuron

__all__ = ["SpikingConv2d", "SpikingLinear"]


class SpikingConv2d(nn.Module):
    """Convolution 3x3 (stride 1, padding 1) - batch norm - neurons - max-pool 2x2.

    Time is folded into the batch for everything but the neurons, so batch statistics
    are taken over T, B, H and W. The convolution has no bias (batch norm has one).
    Max-pool on spikes is a logical OR.

    Source: Mastropasqua et al. 2025, sec. 4.3.2.
    """

    def __init__(self, in_channels: int, out_channels: int, neuron: NeuronConfig) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)
        self.neuron = SpikingNeuron(neuron)
        self.pool = nn.MaxPool2d(2)

    def forward(self, inputs: Float[Tensor, "T B C H W"]) -> Float[Tensor, "T B C2 H2 W2"]:
        steps = inputs.shape[:2]
        currents = self.norm(self.conv(inputs.flatten(0, 1)))
        spikes = self.neuron(currents.unflatten(0, steps))
        return self.pool(spikes.flatten(0, 1)).unflatten(0, steps)


class SpikingLinear(nn.Module):
    """Dropout - full weight matrix without bias - neurons, over [T, B, D].

    Source: Mastropasqua et al. 2025, sec. 4.3.2.
    """

    def __init__(self, in_features: int, out_features: int, neuron: NeuronConfig, *, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(in_features, out_features, bias=False)
        self.neuron = SpikingNeuron(neuron)

    def forward(self, inputs: Float[Tensor, "T B D"]) -> Float[Tensor, "T B D2"]:
        return self.neuron(self.linear(self.dropout(inputs)))
