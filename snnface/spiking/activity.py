"""Watching the spikes of any model without changing it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from snnface.spiking.neurons import LayerOutput, SpikingNeuron

__all__ = ["Activity", "SpikeCounts", "keeps_trains", "record_activity", "spike_counts"]

Watcher = Callable[[LayerOutput, int, Tensor | None], None]


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


@dataclass
class SpikeCounts:
    """Spikes per neuron layer as tensors with a gradient, for losses that ask for fewer or more.

    Attributes:
        num_spikes: total over all steps and samples so far; 0-d float64.
        num_updates: neurons x steps x samples so far.
    """

    num_spikes: dict[str, Tensor] = field(default_factory=dict)
    num_updates: dict[str, int] = field(default_factory=dict)

    @property
    def rates(self) -> dict[str, Tensor]:
        """Spikes per neuron and step, by layer; 0-d float32."""
        return {name: (spikes / self.num_updates[name]).float() for name, spikes in self.num_spikes.items()}


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

    def watcher(name: str) -> Watcher:
        def watch(output: LayerOutput, num_updates: int, trains: Tensor | None) -> None:
            activity.num_spikes[name] = activity.num_spikes.get(name, 0) + int(output.num_spikes.detach())
            activity.num_updates[name] = activity.num_updates.get(name, 0) + num_updates
            if keep_trains and trains is not None:
                activity.trains[name] = trains.detach().to(torch.uint8)

        return watch

    with _watching(model, watcher, keeps_trains=keep_trains):
        yield activity


@contextmanager
def spike_counts(model: nn.Module) -> Iterator[SpikeCounts]:
    """Gather the differentiable spike counts of every `SpikingNeuron` in `model`.

    Example:
        with spike_counts(model) as counts:
            answers = model(inputs)
        loss = loss + sum((rate - 0.05).square() for rate in counts.rates.values())
    """
    counts = SpikeCounts()

    def watcher(name: str) -> Watcher:
        def watch(output: LayerOutput, num_updates: int, trains: Tensor | None) -> None:
            before = counts.num_spikes.get(name)
            counts.num_spikes[name] = output.num_spikes if before is None else before + output.num_spikes
            counts.num_updates[name] = counts.num_updates.get(name, 0) + num_updates

        return watch

    with _watching(model, watcher, keeps_trains=False):
        yield counts


def keeps_trains(model: nn.Module) -> bool:
    """Is somebody keeping the trains of a neuron of `model`, which wants whole sequences?"""
    return any(isinstance(module, SpikingNeuron) and module.keeps_trains for module in model.modules())


@contextmanager
def _watching(model: nn.Module, watcher: Callable[[str], Watcher], *, keeps_trains: bool) -> Iterator[None]:
    neurons = {name: module for name, module in model.named_modules() if isinstance(module, SpikingNeuron)}
    with ExitStack() as leaving:
        for name, neuron in neurons.items():
            watch = watcher(name)
            neuron.watchers.append(watch)
            leaving.callback(neuron.watchers.remove, watch)
            neuron.keeps_trains += keeps_trains
            leaving.callback(_forget_trains, neuron, keeps_trains)
        yield


def _forget_trains(neuron: SpikingNeuron, kept: bool) -> None:
    neuron.keeps_trains -= kept
