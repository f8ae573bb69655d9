"""Spiking layers: weights, normalisation, neurons and pooling over [T, B, ...]."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from snnface.shapes import require_shape
from snnface.spiking.dropout import Dropout
from snnface.spiking.kernels import (
    PackedSpikes,
    conv_layer,
    neuron_layer,
    recurrent_layer,
    relay_conv_layer,
    relay_full_layer,
    spike_full_layer,
    spike_product,
)
from snnface.spiking.neurons import LayerOutput, NeuronConfig, SpikingNeuron
from snnface.spiking.streaming import StreamingModule

__all__ = ["SpikingConv2d", "SpikingLinear", "SpikingRecurrent"]

_MIN_ROWS = 16
"""Matrix products of fewer rows round differently; rows of zeros make up the number."""


class SpikingConv2d(StreamingModule):
    """Convolution - batch norm - neurons - max-pool, over [T, B, C, H, W].

    Time is folded into the batch for everything but the neurons, so batch statistics
    are taken over T, B, H and W. The convolution has no bias (batch norm has one).
    Max-pool on spikes is a logical OR. The whole layer is one kernel call; the modules in
    it hold the parameters and say what is computed.

    Args:
        padding: zeros around the picture; None keeps its size at stride 1.
        pool: side of the pooling windows; 1 for none.
        small_inputs: a promise that the inputs are whole numbers from 0 to 255, such as
            spikes: they are kept as bytes for the backward pass, and in evaluation they are
            added up without multiplications; other inputs are then refused.
        checkpoint: do not keep the convolution's output for the backward pass but compute
            it again there; the same gradients for less memory and more time.

    Source: Mastropasqua et al. 2025, sec. 4.3.2 (3 x 3, stride 1, padding 1, pool 2).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        neuron: NeuronConfig,
        *,
        kernel_size: int = 3,
        stride: int = 1,
        padding: int | None = None,
        pool: int = 2,
        small_inputs: bool = False,
        checkpoint: bool = False,
    ) -> None:
        super().__init__()
        self.stride = stride
        self.padding = kernel_size // 2 if padding is None else padding
        self.pool_size = pool
        self.small_inputs = small_inputs
        self.checkpoint = checkpoint
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, self.padding, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)
        self.neuron = SpikingNeuron(neuron, out_channels)
        self.pool = nn.MaxPool2d(pool) if pool > 1 else nn.Identity()

    def forward(self, inputs: Float[Tensor, "T B C H W"]) -> Float[Tensor, "T B C2 H2 W2"]:
        return self._run(inputs, None).spikes

    def advance(
        self, inputs: Float[Tensor, "T B C H W"], state: Float[Tensor, "B C2 H1 W1"] | None = None
    ) -> tuple[Float[Tensor, "T B C2 H2 W2"], Float[Tensor, "B C2 H1 W1"]]:
        """Spikes of the next T steps; the state is the voltage [B, C, H, W] before pooling."""
        self._require_eval()
        output = self._run(inputs, state)
        return output.spikes, output.voltage

    def relay(self, inputs: Tensor | PackedSpikes, state: Tensor | None) -> tuple[PackedSpikes, Tensor]:
        """`advance` as part of a `SpikeRelay`: to packed spikes, and of packed spikes but in the first layer."""
        self._require_eval()
        output = relay_conv_layer(
            inputs,
            self.conv.weight,
            self.neuron.leak,
            self.neuron.config,
            norm=self.norm,
            stride=self.stride,
            padding=self.padding,
            pool=self.pool_size,
            voltage=state,
        )
        assert isinstance(output.spikes, PackedSpikes)
        return output.spikes, output.voltage

    def _run(self, inputs: Tensor, voltage: Tensor | None) -> LayerOutput:
        require_shape(inputs, f"T B {self.conv.in_channels} H W", what="the input of a spiking convolution")
        # Whoever keeps the trains wants them before pooling.
        pool = 1 if self.neuron.keeps_trains else self.pool_size
        if self.checkpoint and torch.is_grad_enabled():
            output = self._checkpointed(inputs, voltage, pool)
        else:
            output = self._layer(inputs, voltage, pool)
        num_updates = len(inputs) * output.voltage.numel()
        self.neuron.report(output, num_updates, output.spikes if pool == 1 else None)
        if pool != self.pool_size:
            pooled = self.pool(output.spikes.flatten(0, 1)).unflatten(0, inputs.shape[:2])
            output = output._replace(spikes=pooled)
        return output

    def _layer(self, inputs: Tensor, voltage: Tensor | None, pool: int) -> LayerOutput:
        return conv_layer(
            inputs,
            self.conv.weight,
            self.neuron.leak,
            self.neuron.config,
            norm=self.norm,
            stride=self.stride,
            padding=self.padding,
            pool=pool,
            voltage=voltage,
            training=self.training,
            small_inputs=self.small_inputs,
        )

    def _checkpointed(self, inputs: Tensor, voltage: Tensor | None, pool: int) -> LayerOutput:
        calls = 0

        def run(inputs: Tensor) -> LayerOutput:
            nonlocal calls
            calls += 1
            if calls == 1:
                return self._layer(inputs, voltage, pool)
            with _unmoved_statistics(self.norm):
                return self._layer(inputs, voltage, pool)

        output: LayerOutput = checkpoint(run, inputs, use_reentrant=False, preserve_rng_state=False)
        return output


@contextmanager
def _unmoved_statistics(norm: nn.BatchNorm2d) -> Iterator[None]:
    """Computing a layer once more must not move the running statistics once more."""
    before = {name: buffer.clone() for name, buffer in norm.named_buffers()}
    try:
        yield
    finally:
        with torch.no_grad():
            for name, buffer in norm.named_buffers():
                buffer.copy_(before[name])


class SpikingLinear(StreamingModule):
    """Dropout - full weight matrix without bias - neurons, over [T, B, D].

    Args:
        small_inputs: a promise that the inputs are whole numbers from 0 to 255, such as
            spikes: see `SpikingConv2d`.

    Source: Mastropasqua et al. 2025, sec. 4.3.2.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        neuron: NeuronConfig,
        *,
        dropout: float = 0.0,
        small_inputs: bool = False,
    ) -> None:
        super().__init__()
        self.small_inputs = small_inputs
        self.dropout = Dropout(dropout)
        self.linear = nn.Linear(in_features, out_features, bias=False)
        self.neuron = SpikingNeuron(neuron, out_features)

    def forward(self, inputs: Float[Tensor, "T B D"]) -> Float[Tensor, "T B D2"]:
        return self._run(inputs, None).spikes

    def advance(
        self, inputs: Float[Tensor, "T B D"], state: Float[Tensor, "B D2"] | None = None
    ) -> tuple[Float[Tensor, "T B D2"], Float[Tensor, "B D2"]]:
        """Spikes of the next T steps; the state is the voltage [B, D]."""
        self._require_eval()
        output = self._run(inputs, state)
        return output.spikes, output.voltage

    def relay(
        self, inputs: PackedSpikes, state: Tensor | None, *, packed: bool
    ) -> tuple[Tensor | PackedSpikes, Tensor]:
        """`advance` as part of a `SpikeRelay`: of packed spikes, and to packed spikes if wanted."""
        self._require_eval()
        neuron = self.neuron
        weight = self.linear.weight
        output = relay_full_layer(inputs, weight, neuron.leak, neuron.config, voltage=state, packed=packed)
        return output.spikes, output.voltage

    def _run(self, inputs: Tensor, voltage: Tensor | None) -> LayerOutput:
        require_shape(inputs, f"T B {self.linear.in_features}", what="the input of a spiking full layer")
        neuron, output = self.neuron, None
        if self.small_inputs and not self.training:
            output = spike_full_layer(inputs, self.linear.weight, neuron.leak, neuron.config, voltage=voltage)
        if output is None:
            currents = _rows_product(self.linear, self.dropout(inputs))
            output = neuron_layer(currents, neuron.leak, neuron.config, voltage=voltage)
        neuron.report(output, output.spikes.numel(), output.spikes)
        return output


class SpikingRecurrent(StreamingModule):
    """Full weight matrix - neurons that hear each other's spikes of the step before, over [T, B, D].

    x[t] = input[t] linear^T + s[t-1] recurrent^T; neither matrix has a bias.

    Args:
        small_inputs: a promise that the inputs are whole numbers from 0 to 255, such as
            spikes: see `SpikingConv2d`.
    """

    def __init__(
        self, in_features: int, out_features: int, neuron: NeuronConfig, *, small_inputs: bool = False
    ) -> None:
        super().__init__()
        self.small_inputs = small_inputs
        self.linear = nn.Linear(in_features, out_features, bias=False)
        self.recurrent = nn.Linear(out_features, out_features, bias=False)
        self.neuron = SpikingNeuron(neuron, out_features)

    def forward(self, inputs: Float[Tensor, "T B D"]) -> Float[Tensor, "T B D2"]:
        return self._run(inputs, None)[0]

    def advance(
        self,
        inputs: Float[Tensor, "T B D"],
        state: tuple[Float[Tensor, "B D2"], Float[Tensor, "B D2"]] | None = None,
    ) -> tuple[Float[Tensor, "T B D2"], tuple[Float[Tensor, "B D2"], Float[Tensor, "B D2"]]]:
        """Spikes of the next T steps; the state is the voltage and the spikes of the last step, [B, D] each."""
        self._require_eval()
        return self._run(inputs, state)

    def _run(self, inputs: Tensor, state: tuple[Tensor, Tensor] | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        require_shape(inputs, f"T B {self.linear.in_features}", what="the input of a recurrent spiking layer")
        currents = None
        if self.small_inputs and not self.training:
            currents = spike_product(inputs, self.linear.weight)
        if currents is None:
            currents = _rows_product(self.linear, inputs)
        voltage, spikes = state or (None, None)
        output = recurrent_layer(
            currents, self.recurrent.weight, self.neuron.leak, self.neuron.config, voltage=voltage, spikes=spikes
        )
        self.neuron.report(output, currents.numel(), output.spikes)
        return output.spikes, (output.voltage, output.spikes[-1].detach().clone())


def _rows_product(linear: nn.Linear, inputs: Tensor) -> Tensor:
    """`linear` over [T, B, D], with one result for a row however many rows there are.

    Matrix products round differently for few rows, and for rows that begin at odd
    addresses as a piece of a sequence may.
    """
    rows = inputs.flatten(0, 1)
    missing = max(_MIN_ROWS - len(rows), 0)
    if missing:
        rows = nn.functional.pad(rows, (0, 0, 0, missing))
    elif not (linear.training or torch.compiler.is_compiling()) and rows.storage_offset():
        rows = rows.clone()
    products: Tensor = linear(rows)
    return products[: len(products) - missing].reshape(*inputs.shape[:2], linear.out_features)
