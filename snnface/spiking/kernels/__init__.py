"""Whole-sequence kernels and the one place that chooses among them.

`reference` is the definition (autograd through plain steps); every other kernel is
tested against it, in values and in gradients.
"""

from snnface.spiking.kernels.unrolled import neuron_sequence

__all__ = ["neuron_sequence"]
