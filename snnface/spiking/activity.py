"""Watching the spikes of any model without changing it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from snnface.spiking.neurons import SpikingNeuron

__all__ = ["Activity", "record_activity"]


@dataclass
class Activity:
    """Spikes per neuron layer, filled while the model runs.

    Attributes:
        num_spikes: total over all steps and samples so far.
        num_updates: neurons x steps x samples so far.
        trains: the spike trains uint8 [T, B, *N] of the last call, if asked for.
    """

    num_spikes: dict[str, int] = field(default_factory=dict)
    num_updates: dict[str, int] = field(default_factory=dict)
    trains: dict[str, Tensor] = field(default_factory=dict)

    @property
    def rates(self) -> dict[str, float]:
        """Spikes per neuron and step, by layer."""
        return {name: self.num_spikes[name] / max(self.num_updates[name], 1) for name in self.num_spikes}


@contextmanager
def record_activity(model: nn.Module, *, keep_trains: bool = False) -> Iterator[Activity]:
    """Count the spikes of every `SpikingNeuron` in `model` while the context is open.

    Layers are named as the neuron modules are in `model.named_modules()`.

    Example:
        with record_activity(model) as activity:
            model(inputs)
        activity.rates
    """
    activity = Activity()

    def watch(name: str):  # type: ignore[no-untyped-def]
        def hook(module: nn.Module, inputs: object, spikes: Tensor) -> None:
            activity.num_spikes[name] = activity.num_spikes.get(name, 0) + int(torch.count_nonzero(spikes.detach()))
            activity.num_updates[name] = activity.num_updates.get(name, 0) + spikes.numel()
            if keep_trains:
                activity.trains[name] = spikes.detach().to(torch.uint8)

        return hook

    handles = [
        module.register_forward_hook(watch(name))
        for name, module in model.named_modules()
        if isinstance(module, SpikingNeuron)
    ]
    try:
        yield activity
    finally:
        for handle in handles:
            handle.remove()
