"""Which modules are spiking neurons, by what they declare: ours, snntorch's, norse's and spikingjelly's.

Other frameworks are known by the names of their base classes, so none of them is imported.
"""

from dataclasses import dataclass

import torch
from torch import nn

from snnface.spiking.neurons import SpikingNeuron

__all__ = ["DeclaredNeuron", "declared_neuron"]


@dataclass(frozen=True, slots=True)
class DeclaredNeuron:
    """What a layer of neurons does at every step.

    Attributes:
        framework: whose module it is.
        num_decays: state variables that leak: multiplications per neuron and step.
        num_states: state variables in all.
    """

    framework: str
    num_decays: int
    num_states: int


def declared_neuron(module: nn.Module) -> DeclaredNeuron | None:
    """What `module` declares, or None if it fires no spikes (leaky readouts do not)."""
    if isinstance(module, SpikingNeuron):
        return DeclaredNeuron("snnface", int(module.config.kind != "if"), 1)
    bases = {(base.__module__.partition(".")[0], base.__name__) for base in type(module).__mro__}
    if ("snntorch", "SpikingNeuron") in bases:
        return _snntorch(module)
    if bases & {("norse", "SNN"), ("norse", "SNNCell"), ("norse", "SNNRecurrent"), ("norse", "SNNRecurrentCell")}:
        return _norse(module)
    if ("spikingjelly", "BaseNode") in bases:
        leaks = int(any(hasattr(module, name) for name in ("tau", "w", "decay")))
        return DeclaredNeuron("spikingjelly", leaks, 1)
    return None


def _snntorch(module: nn.Module) -> DeclaredNeuron:
    """beta leaks the membrane, alpha the synapse; decays of 0 and 1 multiply nothing."""
    decays = [torch.as_tensor(getattr(module, name)) for name in ("alpha", "beta") if hasattr(module, name)]
    leaking = sum(bool(((decay > 0) & (decay < 1)).any()) for decay in decays)
    return DeclaredNeuron("snntorch", leaking, max(len(decays), 1))


def _norse(module: nn.Module) -> DeclaredNeuron | None:
    if type(module).__name__.startswith("LI") and not type(module).__name__.startswith("LIF"):
        return None
    constants = [name for name in ("tau_mem_inv", "tau_syn_inv") if hasattr(getattr(module, "p", None), name)]
    return DeclaredNeuron("norse", len(constants), max(len(constants), 1))
