"""Spiking layers in C++ for the CPU, compiled at first use; see `compiler`."""

from snnface.spiking.kernels.cpu.compiler import unavailable
from snnface.spiking.kernels.cpu.conv_layer import conv_layer
from snnface.spiking.kernels.cpu.neuron_layer import neuron_layer
from snnface.spiking.kernels.cpu.recurrent_layer import recurrent_layer

__all__ = ["conv_layer", "neuron_layer", "recurrent_layer", "unavailable"]
