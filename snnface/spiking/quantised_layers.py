"""Spiking layers that run in integers while they are trained (quantisation-aware training).

The parameters stay float and learn; what runs is what `conversion.quantize` makes of them: batch
norm in its running statistics, frozen and folded, the gain folded, one scale a layer,
8-bit weights, 12-bit decay, integer neurons. Spikes are those of the fixed-point backend, to the bit
(in evaluation mode; dropout of training makes currents that are no whole numbers). Gradients go
straight through every rounding.

Source: Jacob et al. 2018, arXiv:1712.05877, sec. 3 (simulated quantisation, batch norm folded and
frozen); Krishnamoorthi 2018, arXiv:1806.08342, sec. 3 (likewise, at the end of training).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from snnface.errors import ConfigError
from snnface.shapes import require_shape
from snnface.spiking.integer_neurons import integer_neurons
from snnface.spiking.layers import SpikingConv2d, SpikingLinear
from snnface.spiking.neurons import LayerOutput, SpikingNeuron
from snnface.spiking.quantisation import IntegerLayer, integer_layer
from snnface.spiking.streaming import StreamingModule

__all__ = ["QuantisedConv2d", "QuantisedLinear", "quantised_layers"]


@contextmanager
def quantised_layers(model: nn.Module) -> Iterator[None]:
    """Inside, every spiking layer of `model` runs in integers; parameters and their names stay the same.

    Raises:
        ConfigError: if there is no spiking layer, or one that has no integer form (a reset by
            subtraction, a leak of each channel, recurrence); names it.
    """
    parents = [
        (parent, key, child, f"{prefix}.{key}".lstrip("."))
        for prefix, parent in model.named_modules()
        for key, child in parent.named_children()
        if type(child) in _QUANTISED
    ]
    _require_expressible(model, {name: child for _, _, child, name in parents})
    for parent, key, child, _ in parents:
        quantised = _QUANTISED[type(child)](child).train(child.training)
        setattr(parent, key, quantised)
    try:
        yield
    finally:
        for parent, key, child, _ in parents:
            child.train(getattr(parent, key).training)
            setattr(parent, key, child)


class QuantisedConv2d(StreamingModule):
    """A `SpikingConv2d` in integers; it shares the layer's modules."""

    def __init__(self, layer: SpikingConv2d) -> None:
        super().__init__()
        self.conv, self.norm, self.neuron, self.pool = layer.conv, layer.norm, layer.neuron, layer.pool

    def forward(self, inputs: Tensor) -> Tensor:
        return self._run(inputs, None)[0]

    def advance(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Spikes of the next T steps; the state is v in its integer units, float64 [B, C, H, W]."""
        self._require_eval()
        return self._run(inputs, state)

    def _run(self, inputs: Tensor, voltage: Tensor | None) -> tuple[Tensor, Tensor]:
        conv, norm = self.conv, self.norm
        require_shape(inputs, f"T B {conv.in_channels} H W", what="the input of a spiking convolution")
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = (norm.running_var.double() + norm.eps).rsqrt() * norm.weight.double()
        weight = conv.weight.double() * scale.reshape(-1, 1, 1, 1)
        bias = norm.bias.double() - norm.running_mean.double() * scale
        steps = inputs.shape[:2]

        def currents(weight: Tensor) -> Tensor:
            summed = nn.functional.conv2d(inputs.flatten(0, 1).to(weight), weight, None, conv.stride, conv.padding)
            return summed.reshape(*steps, *summed.shape[1:])

        output = _run_integers(self.neuron, weight, bias[:, None, None], currents, voltage)
        return self.pool(output.spikes.flatten(0, 1)).unflatten(0, steps), output.voltage


class QuantisedLinear(StreamingModule):
    """A `SpikingLinear` in integers; it shares the layer's modules."""

    def __init__(self, layer: SpikingLinear) -> None:
        super().__init__()
        self.dropout, self.linear, self.neuron = layer.dropout, layer.linear, layer.neuron

    def forward(self, inputs: Tensor) -> Tensor:
        return self._run(inputs, None).spikes

    def advance(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Spikes of the next T steps; the state is v in its integer units, float64 [B, D]."""
        self._require_eval()
        output = self._run(inputs, state)
        return output.spikes, output.voltage

    def _run(self, inputs: Tensor, voltage: Tensor | None) -> LayerOutput:
        require_shape(inputs, f"T B {self.linear.in_features}", what="the input of a spiking full layer")
        rows = self.dropout(inputs)

        def currents(weight: Tensor) -> Tensor:
            return nn.functional.linear(rows.to(weight), weight)

        bias = torch.zeros((), dtype=torch.float64, device=inputs.device)
        return _run_integers(self.neuron, self.linear.weight.double(), bias, currents, voltage)


def _run_integers(
    neuron: SpikingNeuron, weight: Tensor, bias: Tensor, currents: Callable[[Tensor], Tensor], voltage: Tensor | None
) -> LayerOutput:
    """The layer with folded float64 weights and bias: gain, integers, currents, neurons."""
    config = neuron.config
    leak = torch.sigmoid(neuron.w.double()) if config.kind == "plif" else neuron.leak.double()
    if config.decay_input:
        weight, bias = leak * weight, leak * bias
    layer = _integers(weight, bias, leak, neuron)
    integers = _StraightThrough.apply(weight, layer.weights[0], layer.scale)  # type: ignore[no-untyped-call]
    # Half precision would round the sums; float32 holds whole numbers below 2^24.
    with torch.autocast(weight.device.type, enabled=False):
        summed = currents(integers)
        output = integer_neurons(summed, bias, leak, layer, config, voltage=voltage)
    neuron.report(output, summed.numel(), output.spikes)
    return output


def _integers(weight: Tensor, bias: Tensor, leak: Tensor, neuron: SpikingNeuron) -> IntegerLayer:
    config = neuron.config
    return integer_layer(
        [weight.detach().cpu().numpy()],
        bias.detach().cpu().numpy(),
        leak=float(leak.detach()),
        # v_reset moved to 0: an exact substitution.
        threshold=config.threshold - config.v_reset,
        fires_on_equality=config.fires_on_equality,
    )


class _StraightThrough(torch.autograd.Function):
    """Integer weights, float32; the gradient goes on to the float weights as if there were no rounding."""

    @staticmethod
    def forward(ctx, weight, integers: np.ndarray, scale: float):  # type: ignore[no-untyped-def]
        ctx.scale = scale
        return torch.as_tensor(integers, dtype=torch.float32, device=weight.device)

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def]
        return gradient.double() * ctx.scale, None, None


_QUANTISED: dict[type[nn.Module], Callable[[Any], StreamingModule]] = {
    SpikingConv2d: QuantisedConv2d,
    SpikingLinear: QuantisedLinear,
}


def _require_expressible(model: nn.Module, layers: dict[str, nn.Module]) -> None:
    if not layers:
        raise ConfigError(
            "quantisation-aware training needs spiking layers (SpikingConv2d, SpikingLinear); this model has none. "
            "Set quantisation_aware_epochs to 0."
        )
    covered = {id(part) for layer in layers.values() for part in layer.modules()}
    for name, module in model.named_modules():
        if not isinstance(module, SpikingNeuron):
            continue
        problem = (
            "resets by subtraction" if module.config.reset != "zero"
            else "has a leak for each channel" if module.config.leak_per == "channel"
            else "stands in a layer other than SpikingConv2d and SpikingLinear" if id(module) not in covered
            else ""
        )  # fmt: skip
        if problem:
            raise ConfigError(
                f"the neurons {name!r} cannot run in the chip's integers: it {problem}. "
                "Change the model, or set quantisation_aware_epochs to 0."
            )
