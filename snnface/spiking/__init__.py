"""The spiking core: neurons, layers, encoders, and what watches them."""

from snnface.spiking.activity import Activity, SpikeCounts, record_activity, spike_counts
from snnface.spiking.encoder import ConvSnn, ConvSnnConfig
from snnface.spiking.kernels import kernel_report, use_kernel
from snnface.spiking.layers import SpikingConv2d, SpikingLinear, SpikingRecurrent
from snnface.spiking.neurons import LayerOutput, NeuronConfig, NeuronStep, SpikingNeuron, neuron_step
from snnface.spiking.streaming import State, StreamingModule
from snnface.spiking.surrogate import Surrogate, spike

__all__ = [
    "Activity",
    "ConvSnn",
    "ConvSnnConfig",
    "LayerOutput",
    "NeuronConfig",
    "NeuronStep",
    "SpikeCounts",
    "SpikingConv2d",
    "SpikingLinear",
    "SpikingNeuron",
    "SpikingRecurrent",
    "State",
    "StreamingModule",
    "Surrogate",
    "kernel_report",
    "neuron_step",
    "record_activity",
    "spike",
    "spike_counts",
    "use_kernel",
]
