"""The definition: one autograd step after the other."""

import torch
from jaxtyping import Float
from torch import Tensor

from snnface.spiking.neurons import NeuronConfig, neuron_step

__all__ = ["neuron_sequence"]


def neuron_sequence(
    currents: Float[Tensor, "T B *N"], leak: Float[Tensor, ""], config: NeuronConfig
) -> Float[Tensor, "T B *N"]:
    """Spikes of a layer over T steps, from rest; see `neuron_step`."""
    voltage = torch.full_like(currents[0], config.v_reset)
    spikes = []
    for current in currents:
        fired, voltage = neuron_step(voltage, current, leak, config)
        spikes.append(fired)
    return torch.stack(spikes)
