"""The spiking core: neurons, layers, encoders, and what watches them."""

from snnface.spiking.activity import Activity, record_activity
from snnface.spiking.encoder import ConvSnn, ConvSnnConfig
from snnface.spiking.layers import SpikingConv2d, SpikingLinear
from snnface.spiking.neurons import NeuronConfig, NeuronStep, SpikingNeuron, neuron_step
from snnface.spiking.surrogate import atan_derivative, spike

__all__ = [
    "Activity",
    "ConvSnn",
    "ConvSnnConfig",
    "NeuronConfig",
    "NeuronStep",
    "SpikingConv2d",
    "SpikingLinear",
    "SpikingNeuron",
    "atan_derivative",
    "neuron_step",
    "record_activity",
    "spike",
]
