"""Counting what any PyTorch network does while it runs: ours, snntorch's, norse's, spikingjelly's, or an ANN.

    with monitor(model) as counts:
        model(inputs)
    summarise_operations(counts.operations)

The counts are those of `hardware.counts.operation_counts`, from forward hooks on every weighted layer
and every layer of neurons. What a layer reads is followed from tensor to tensor, through
pooling, reshaping, batch norm and sums: a sum of two spike trains, or an average over spikes,
is no spike. A weighted layer that no neurons read is a layer of kind "readout", or "analogue"
where another weighted layer reads it.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hardware.counts.declared_neurons import DeclaredNeuron, declared_neuron
from hardware.counts.module_fan_out import WEIGHTED
from hardware.counts.monitored_layers import Batch, WatchedLayer, WatchedNeurons
from hardware.counts.operation_counts import LayerOperations, NetworkOperations
from hardware.counts.tensor_origins import Origin, TensorOrigins
from snnface.errors import DataError
from snnface.spiking.activity import Activity, record_activity
from snnface.spiking.layers import SpikingConv2d, SpikingLinear, SpikingRecurrent

__all__ = ["Monitor", "monitor"]

_FUSED = (SpikingConv2d, SpikingLinear, SpikingRecurrent)
"""Weights and neurons in one kernel: the modules inside are never called."""


@contextmanager
def monitor(model: nn.Module, *, batch_axis: int = 1) -> Iterator["Monitor"]:
    """Count what `model` does while the context is open. It is left as it was, whatever happens.

    One context is one batch of samples: a model that is called step by step adds steps. The
    counts of several batches add up with `NetworkOperations.combine`.

    Args:
        batch_axis: of the samples in the model's inputs: 1 for [T, B, ...]; 0 for [B, ...] at
            each step, and for [B, T, ...].

    Example:
        with monitor(model) as counts:
            model(inputs)
        counts.operations.total("synops").mean
    """
    watching = Monitor(model, batch_axis=batch_axis)
    with ExitStack() as leaving:
        leaving.callback(watching.forget)
        watching.activity = leaving.enter_context(record_activity(model, keep_trains=True))
        leaving.enter_context(watching.origins)
        leaving.enter_context(torch.no_grad())
        for handle in watching.hooks():
            leaving.callback(handle.remove)
        yield watching


class Monitor:
    """What was counted so far; see `monitor`."""

    def __init__(self, model: nn.Module, *, batch_axis: int) -> None:
        self.origins = TensorOrigins()
        self.activity = Activity()
        self._model, self._batch_axis = model, batch_axis
        self._batch: Batch | None = None
        self._layers: dict[str, WatchedLayer] = {}
        self._neurons: dict[str, WatchedNeurons] = {}
        self._calls = 0

    @property
    def operations(self) -> NetworkOperations:
        """Counts of all calls, layers in the order of their first.

        Raises:
            DataError: if the model was not called, or has no weighted layer that was.
        """
        if self._batch is None or not self._layers:
            raise DataError("nothing was counted: call the model itself inside `with monitor(model) as counts:`.")
        read = {name for neurons in self._neurons.values() for name in neurons.layers}
        found = [(neurons.order, self._operations_of(neurons)) for neurons in self._neurons.values()]
        found += [(layer.order, self._alone(layer)) for name, layer in self._layers.items() if name not in read]
        steps = max([n.steps for n in self._neurons.values()] + [layer.steps for layer in self._layers.values()])
        return NetworkOperations(
            layers=tuple(layer for _, layer in sorted(found, key=lambda pair: pair[0])),
            steps=np.full(self._batch.size, steps, np.int64),
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What could not be counted, or only by a bound, one sentence each."""
        found = list(_unknown_weights(self._model))
        for name, layer in self._weighted().items():
            if name not in self._layers:
                found.append(f"layer {name!r} ({type(layer).__name__}) was never called; it is not counted.")
        found += [
            f"neurons {neurons.name!r}: updates reached are an upper bound."
            for neurons in self._neurons.values()
            if not neurons.is_reach_exact
        ]
        if self._model.training:
            found.append("the model was in training mode: dropout and batch statistics are not those of inference.")
        return tuple(found)

    def forget(self) -> None:
        """Drop what is only needed while the model runs."""
        for layer in self._layers.values():
            layer.reached = None

    def hooks(self) -> Iterator[Any]:
        """Hook everything that is counted; yields the handles."""
        yield self._model.register_forward_pre_hook(self._before_model, with_kwargs=True)
        fused = {name: module for name, module in self._model.named_modules() if isinstance(module, _FUSED)}
        for name, module in fused.items():
            yield module.register_forward_hook(self._after_fused(name))
        for name, layer in self._weighted().items():
            if name.rpartition(".")[0] not in fused:
                yield layer.register_forward_hook(self._after_layer(name), with_kwargs=True)
        for name, (neurons, declared) in self._neuron_modules().items():
            if name.rpartition(".")[0] not in fused:
                yield neurons.register_forward_hook(self._after_neurons(name, declared), with_kwargs=True)

    def _weighted(self) -> dict[str, Any]:
        return {name: module for name, module in self._model.named_modules() if isinstance(module, WEIGHTED)}

    def _neuron_modules(self) -> dict[str, tuple[nn.Module, DeclaredNeuron]]:
        """Outermost ones: a layer of neurons may be made of cells."""
        found: dict[str, tuple[nn.Module, DeclaredNeuron]] = {}
        for name, module in self._model.named_modules():
            declared = declared_neuron(module)
            if declared is not None and not any(name.startswith(f"{outer}.") for outer in found):
                found[name] = (module, declared)
        return found

    def _before_model(self, _: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        tensors = [value for value in (*args, *named.values()) if isinstance(value, Tensor)]
        if not tensors or tensors[0].ndim <= self._batch_axis:
            raise DataError(f"the model's input has no axis {self._batch_axis} of samples; set batch_axis.")
        size = tensors[0].shape[self._batch_axis]
        if self._batch is None:
            self._batch = Batch(size, time_first=self._batch_axis > 0)
        if self._batch.size != size:
            raise DataError(f"the batch changed from {self._batch.size} to {size} samples; open one monitor a batch.")
        self.origins.mark(tensors[0], Origin("input", "input"))

    def _after_layer(self, name: str) -> Callable[..., None]:
        def hook(layer: Any, args: tuple[Any, ...], named: dict[str, Any], outputs: Tensor) -> None:
            inputs = args[0] if args else named["input"]
            axes = 1 if isinstance(layer, nn.Linear) else layer.weight.ndim - 1
            self._count(name, layer, inputs, tuple(outputs.shape[outputs.ndim - axes :]))
            self.origins.mark(outputs, Origin("weights", name))

        return hook

    def _after_neurons(self, name: str, declared: DeclaredNeuron) -> Callable[..., None]:
        def hook(_: nn.Module, args: tuple[Any, ...], named: dict[str, Any], outputs: Any) -> None:
            currents = args[0] if args else next(iter(named.values()))
            reads = {origin.name for origin in self.origins.of(currents) if origin.kind == "weights"}
            # Recurrent weights inside the neurons' own module.
            reads |= {layer for layer in self._layers if layer.startswith(f"{name}.")}
            spikes = outputs[0] if isinstance(outputs, tuple) else outputs
            self._fire(name, declared, spikes, [layer for key, layer in self._layers.items() if key in reads])
            self.origins.mark(outputs, Origin("state", name))
            self.origins.mark(spikes, Origin("neurons", name))

        return hook

    def _after_fused(self, name: str) -> Callable[..., None]:
        def hook(module: Any, args: tuple[Tensor, ...], outputs: Tensor) -> None:
            neurons, recurrent = _inside(name, "neuron"), _inside(name, "recurrent")
            trains = self.activity.trains[neurons]
            weights = "conv" if isinstance(module, SpikingConv2d) else "linear"
            layer, out_shape = _inside(name, weights), tuple(trains.shape[2:])
            self._count(layer, getattr(module, weights), args[0], out_shape)
            layers = [self._layers[layer]]
            layers[0].has_norm = isinstance(module, SpikingConv2d)
            if isinstance(module, SpikingRecurrent):
                delayed = torch.cat([torch.zeros_like(trains[:1]), trains[:-1]])
                self.origins.mark(delayed, Origin("neurons", neurons))
                self._count(recurrent, module.recurrent, delayed, out_shape)
                layers.append(self._layers[recurrent])
            declared = declared_neuron(module.neuron)
            assert declared is not None
            self._fire(neurons, declared, trains, layers)
            self.origins.mark(outputs, Origin("neurons", neurons))

        return hook

    def _count(self, name: str, layer: Any, inputs: Tensor, out_shape: tuple[int, ...]) -> None:
        if name not in self._layers:
            self._layers[name] = WatchedLayer(name, layer, self._required_batch(name))
            self._layers[name].order = self._calls
        self._calls += 1
        origins = self.origins.of(inputs)
        with self.origins.resting():
            self._layers[name].add(inputs, out_shape, origins)

    def _fire(self, name: str, declared: DeclaredNeuron, spikes: Tensor, layers: list[WatchedLayer]) -> None:
        if name not in self._neurons:
            self._neurons[name] = WatchedNeurons(name, declared, self._required_batch(name))
            self._neurons[name].order = self._calls
        self._calls += 1
        with self.origins.resting():
            self._neurons[name].add(spikes, layers)

    def _required_batch(self, name: str) -> Batch:
        if self._batch is None:
            raise DataError(f"{name!r} was called, the model itself was not: call the model inside the monitor.")
        return self._batch

    def _operations_of(self, neurons: WatchedNeurons) -> LayerOperations:
        layers = [self._layers[name] for name in neurons.layers]
        for layer in layers:
            layer.has_norm |= layer.name in self.origins.normalised
        return neurons.operations(layers)

    def _alone(self, layer: WatchedLayer) -> LayerOperations:
        """A weighted layer that no neurons read."""
        layer.has_norm |= layer.name in self.origins.normalised
        feeds = any(Origin("weights", layer.name) in other.origins for other in self._layers.values())
        steps = np.full(layer.batch.size, layer.steps, np.int64)
        return LayerOperations(
            name=layer.name,
            kind="analogue" if feeds else "readout",
            shape=layer.out_shape,
            num_neurons=0,
            num_decays=0,
            biases_per_step=layer.num_biases_per_step,
            weight_bits=8 * layer.layer.weight.element_size(),
            state_bits=0,
            connections=(layer.connection(),),
            steps=steps,
            spikes=np.zeros_like(steps),
            neuron_spikes=np.zeros(0, np.int64),
            updates_active=np.zeros_like(steps),
        )


def _inside(name: str, part: str) -> str:
    """The name of a module's part in the whole model, whose own name is empty."""
    return f"{name}.{part}" if name else part


def _unknown_weights(model: nn.Module) -> Iterator[str]:
    for name, module in model.named_modules():
        matrices = [p for p in module.parameters(recurse=False) if p.ndim > 1]
        if matrices and not isinstance(module, WEIGHTED):
            yield f"module {name!r} ({type(module).__name__}) has weights of its own that cannot be counted."
