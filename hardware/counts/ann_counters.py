"""How the operations of a part of an ANN add up, call by call: convolutions, linear layers, LSTMs, attention."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from hardware.counts.ann_layer_operations import ANN_QUANTITIES, AnnLayerOperations
from hardware.counts.fan_out import conv_fan_out, transposed_fan_out, weights_per_tap

__all__ = ["COUNTED", "AttentionCounter", "Counter", "LayerCounter", "counter_of"]

_Conv = nn.Conv1d | nn.Conv2d | nn.Conv3d
_TransposedConv = nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
COUNTED = (
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
    *(nn.Linear, nn.LSTM),
)
"""Layers with weights that can be counted."""


class Counter:
    """The counts of one part, sample by sample."""

    kernel_size = 0

    def __init__(self, kind: str, parameters: Sequence[Tensor] = ()) -> None:
        self.kind = kind
        self.parameters = tuple(parameters)
        self.samples: list[dict[str, int]] = []
        self.input_size = self.output_size = 0

    def start_sample(self) -> None:
        self.samples.append(dict.fromkeys(ANN_QUANTITIES, 0))

    def layer_operations(self, name: str) -> AnnLayerOperations:
        return AnnLayerOperations(
            name=name,
            kind=self.kind,
            input_size=self.input_size,
            output_size=self.output_size,
            num_parameters=sum(tensor.numel() for tensor in self.parameters),
            num_zero_weights=sum(int((tensor == 0).sum()) for tensor in self.parameters if tensor.ndim > 1),
            kernel_size=self.kernel_size,
            counts={key: np.array([sample[key] for sample in self.samples], dtype=np.int64) for key in ANN_QUANTITIES},
        )

    def _count(self, *, frames: int, inputs: int, input_zeros: int, outputs: int, **counts: int) -> None:
        self.input_size, self.output_size = inputs // frames, outputs // frames
        found = {"frames": frames, "inputs": inputs, "input_zeros": input_zeros, "outputs": outputs, **counts}
        for name, number in found.items():
            self.samples[-1][name] += number


class LayerCounter(Counter, ABC):
    """The counts of a layer with weights."""

    @abstractmethod
    def add(self, inputs: Tensor, outputs: Tensor) -> None:
        """One call of the layer."""


def counter_of(layer: _Conv | _TransposedConv | nn.Linear | nn.LSTM) -> LayerCounter:
    """The counter of a layer of one of the kinds in `COUNTED`."""
    if isinstance(layer, nn.Linear):
        return _LinearCounter(layer)
    if isinstance(layer, _TransposedConv):
        return _TransposedConvCounter(layer)
    return _LstmCounter(layer) if isinstance(layer, nn.LSTM) else _ConvCounter(layer)


class _LinearCounter(LayerCounter):
    def __init__(self, layer: nn.Linear) -> None:
        super().__init__("Linear", list(layer.parameters()))
        self._layer = layer

    def add(self, inputs: Tensor, outputs: Tensor) -> None:
        width, num_nonzero = self._layer.out_features, int((inputs != 0).sum())
        self._count(
            frames=inputs.numel() // self._layer.in_features,
            inputs=inputs.numel(),
            input_zeros=inputs.numel() - num_nonzero,
            outputs=outputs.numel(),
            dense=inputs.numel() * width,
            dense_pad=inputs.numel() * width,
            effective=num_nonzero * width,
            bias_adds=0 if self._layer.bias is None else outputs.numel(),
        )


class _AnyConvCounter(LayerCounter, ABC):
    """A convolution, from how many products each element of a frame takes part in."""

    def __init__(self, layer: _Conv | _TransposedConv) -> None:
        super().__init__(type(layer).__name__, list(layer.parameters()))
        self.kernel_size = layer.out_channels * int(np.prod(layer.kernel_size))
        self._num_axes = layer.weight.ndim - 2
        self._has_bias = layer.bias is not None
        self._fan_outs: dict[tuple[int, ...], Tensor] = {}

    @abstractmethod
    def _fan_out(self, shape: tuple[int, ...], output_size: tuple[int, ...]) -> np.ndarray:
        """Of each element of a frame [I, *size], or with one channel that stands for all."""

    @abstractmethod
    def _dense_pad(self, inputs: Tensor, outputs: Tensor) -> int:
        """The textbook number of products, those with padding too."""

    def add(self, inputs: Tensor, outputs: Tensor) -> None:
        frames = inputs.reshape(-1, *inputs.shape[-1 - self._num_axes :])
        shape, output_size = tuple(frames.shape[1:]), tuple(outputs.shape[-self._num_axes :])
        key = (*shape, *output_size)
        if key not in self._fan_outs:
            fan = np.broadcast_to(self._fan_out(shape, output_size), shape)
            self._fan_outs[key] = torch.from_numpy(fan.astype(np.float64)).to(inputs.device)
        fan_out, nonzero = self._fan_outs[key], frames != 0
        self._count(
            frames=len(frames),
            inputs=inputs.numel(),
            input_zeros=inputs.numel() - int(nonzero.sum()),
            outputs=outputs.numel(),
            dense=len(frames) * int(fan_out.sum()),
            dense_pad=self._dense_pad(inputs, outputs),
            # Whole numbers below 2^53 are exact in float64, where the sum is quick.
            effective=int((nonzero.sum(0).double() * fan_out).sum()),
            bias_adds=outputs.numel() if self._has_bias else 0,
        )


class _ConvCounter(_AnyConvCounter):
    def __init__(self, layer: _Conv) -> None:
        super().__init__(layer)
        self._layer = layer

    def _fan_out(self, shape: tuple[int, ...], output_size: tuple[int, ...]) -> np.ndarray:
        layer = self._layer
        return conv_fan_out(
            weights_per_tap(np.ones(tuple(layer.weight.shape), bool), layer.groups),
            shape[1:],
            stride=layer.stride,
            padding=_padding(layer),
            dilation=layer.dilation,
        )

    def _dense_pad(self, inputs: Tensor, outputs: Tensor) -> int:
        return outputs.numel() * self._layer.weight[0].numel()


class _TransposedConvCounter(_AnyConvCounter):
    """Every input is multiplied by its kernel; what falls beside the output, where padding cuts, counts as padding."""

    def __init__(self, layer: _TransposedConv) -> None:
        super().__init__(layer)
        self._layer = layer

    def _fan_out(self, shape: tuple[int, ...], output_size: tuple[int, ...]) -> np.ndarray:
        layer = self._layer
        assert not isinstance(layer.padding, str)
        return transposed_fan_out(
            layer.out_channels // layer.groups,
            shape[1:],
            output_size,
            kernel=layer.kernel_size,
            stride=layer.stride,
            padding=layer.padding,
            dilation=layer.dilation,
        )

    def _dense_pad(self, inputs: Tensor, outputs: Tensor) -> int:
        return inputs.numel() * self._layer.weight[0].numel()


class _LstmCounter(LayerCounter):
    """Every step multiplies all weights once. Zeros among the layer's own inputs, and the hidden state of zeros at the
    start, are what "effective" leaves out; hidden states behind gates are taken as never zero."""

    def __init__(self, layer: nn.LSTM) -> None:
        super().__init__("LSTM", list(layer.parameters()))
        self._layer = layer
        self._num_weights = sum(tensor.numel() for tensor in self.parameters if tensor.ndim > 1)
        self._num_biases = sum(tensor.numel() for tensor in self.parameters if tensor.ndim == 1)

    def add(self, inputs: Tensor, outputs: Tensor) -> None:
        num_steps, (first, start) = inputs.numel() // self._layer.input_size, self._reads()
        num_sequences = inputs.shape[1 - self._layer.batch_first] if inputs.ndim == 3 else 1
        num_zeros = inputs.numel() - int((inputs != 0).sum())
        dense = num_steps * self._num_weights
        self._count(
            frames=num_steps,
            inputs=inputs.numel(),
            input_zeros=num_zeros,
            outputs=outputs.numel(),
            dense=dense,
            dense_pad=dense,
            effective=dense - num_zeros * first - num_sequences * start,
            bias_adds=num_steps * self._num_biases,
        )

    def _reads(self) -> tuple[int, int]:
        """Products of one number of the input; products of all hidden states at the start."""
        of_inputs = [tensor for name, tensor in self._layer.named_parameters() if name.startswith("weight_ih_l0")]
        of_hidden = [tensor for name, tensor in self._layer.named_parameters() if name.startswith("weight_hh")]
        return sum(len(tensor) for tensor in of_inputs), sum(tensor.numel() for tensor in of_hidden)


class AttentionCounter(Counter):
    """The products of queries with keys, and of their softmax with values; all count, as none of them is zero."""

    def __init__(self) -> None:
        super().__init__("attention")

    def add_attention(self, query: Tensor, key: Tensor, value: Tensor, outputs: Tensor) -> None:
        """One call: query [..., T, D], key [..., S, D], value [..., S, V]."""
        macs = query[..., 0].numel() * key.shape[-2] * (query.shape[-1] + value.shape[-1])
        read = (query, key, value)
        self._count(
            frames=1,
            inputs=sum(tensor.numel() for tensor in read),
            input_zeros=sum(int((tensor == 0).sum()) for tensor in read),
            outputs=outputs.numel(),
            dense=macs,
            dense_pad=macs,
            effective=macs,
        )


def _padding(layer: _Conv) -> list[tuple[int, int]]:
    """(before, after) per axis, as PyTorch resolves `padding`, which may also be "same" or "valid"."""
    if not isinstance(layer.padding, str):
        return [(pad, pad) for pad in layer.padding]
    if layer.padding == "valid":
        return [(0, 0)] * len(layer.kernel_size)
    totals = [dilation * (kernel - 1) for dilation, kernel in zip(layer.dilation, layer.kernel_size, strict=True)]
    return [(total // 2, total - total // 2) for total in totals]
