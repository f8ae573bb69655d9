"""Whole-sequence kernels and the one place that chooses among them.

`reference` is the definition (autograd through plain steps); every other kernel is
tested against it, in values and in gradients. The choice is made by device, number type
and what the machine has; `SNNFACE_KERNEL=reference|cpu|cuda`, or `use_kernel`, makes it
by name. A kernel that is not available is replaced by the reference, which is slower:
one warning in the log and `kernel_report` say so.
"""

from snnface.spiking.kernels.dispatch import (
    conv_layer,
    flattened,
    kernel_report,
    neuron_layer,
    recurrent_layer,
    relay_conv_layer,
    relay_full_layer,
    relays_spikes,
    spike_full_layer,
    spike_product,
    use_kernel,
)
from snnface.spiking.kernels.packed_spikes import PackedSpikes, RelayOutput
from snnface.spiking.neurons import LayerOutput

__all__ = [
    "LayerOutput",
    "PackedSpikes",
    "RelayOutput",
    "conv_layer",
    "flattened",
    "kernel_report",
    "neuron_layer",
    "recurrent_layer",
    "relay_conv_layer",
    "relay_full_layer",
    "relays_spikes",
    "spike_full_layer",
    "spike_product",
    "use_kernel",
]
