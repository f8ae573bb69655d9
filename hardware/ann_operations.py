"""Exact counts of what an ANN does, so that a spiking network is compared with its like.

Per weighted layer and inference:

    dense      multiply-accumulates of existing connections (padding not counted)
    dense_pad  the textbook number, padding counted
    effective  dense without those whose input is exactly zero (after a ReLU, say): what an
               ANN accelerator that skips zeros does
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor, nn

from hardware.fan_out import conv_fan_out, weights_per_tap
from hardware.operation_counts import Statistic, bootstrap_statistic
from snnface.errors import DataError, ShapeError
from snnface.seeding import SeedTree

__all__ = ["ANN_QUANTITIES", "AnnLayerOperations", "AnnOperations", "count_ann_operations"]

ANN_QUANTITIES = ("dense", "dense_pad", "effective", "frames", "inputs", "input_zeros", "outputs", "bias_adds")
"""Names of the per-sample counts of a layer, for `AnnOperations.total`."""

_Conv = nn.Conv1d | nn.Conv2d | nn.Conv3d
_Weighted = _Conv | nn.Linear


def count_ann_operations(module: nn.Module, inputs: Tensor, *, batch_axis: int) -> "AnnOperations":
    """Count the multiply-accumulates of every convolution and linear layer of `module`.

    Samples are run one by one in eval mode, so counts do not depend on the batch and a
    layer that sees time folded into its batch axis is still counted per inference. The
    module's training flags are restored and every hook is removed, whatever happens.

    Batch normalisation counts nothing (it folds into the layer before it). Every other
    module with weights of its own that cannot be counted is named in `warnings`.

    Products that belong to no module (attention scores, additions of a residual) cannot be
    seen by any hook and are not counted.

    Args:
        inputs: a batch; [T, B, C, H, W] has `batch_axis` 1, [B, C, H, W] has 0.

    Raises:
        ShapeError: if `inputs` has no such axis or no sample.
    """
    if not 0 <= batch_axis < inputs.ndim or not inputs.shape[batch_axis]:
        raise ShapeError(f"counting needs at least one sample along axis {batch_axis}; got {list(inputs.shape)}.")
    layers = {name: layer for name, layer in module.named_modules() if isinstance(layer, _Weighted)}
    counters = {name: _Counter(layer) for name, layer in layers.items()}
    order: list[str] = []
    with _eval_mode(module), _watching(layers, counters, order), torch.no_grad():
        for sample in range(inputs.shape[batch_axis]):
            for counter in counters.values():
                counter.start_sample()
            module(inputs.narrow(batch_axis, sample, 1))
    called = dict.fromkeys(order)
    return AnnOperations(
        layers=tuple(counters[name].layer_operations(name) for name in called),
        warnings=tuple(_warnings(module, layers, called)),
        num_samples=inputs.shape[batch_axis],
    )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class AnnLayerOperations:
    """Counts of one weighted layer.

    Attributes:
        input_size, output_size: elements of one frame (one picture, one feature vector).
        num_parameters: weights and biases.
        kernel_size: O * prod(kernel) of a convolution, 0 of a linear layer.
        counts: name in `ANN_QUANTITIES` -> int64 [B]. `frames` is how often the layer is
            evaluated, `inputs` and `outputs` are elements read and written, `input_zeros`
            the inputs that are exactly zero.
    """

    name: str
    kind: str
    input_size: int
    output_size: int
    num_parameters: int
    num_zero_weights: int
    kernel_size: int
    counts: dict[str, Int64[np.ndarray, " B"]]

    def mean(self, quantity: str) -> float:
        """Mean per inference of one of `ANN_QUANTITIES`."""
        return float(self.counts[quantity].mean())

    @property
    def input_sparsity(self) -> float:
        """Share of the inputs that are exactly zero."""
        return float(self.counts["input_zeros"].sum() / max(int(self.counts["inputs"].sum()), 1))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class AnnOperations:
    """Counts of a whole ANN over some samples.

    Attributes:
        layers: weighted layers in the order of their first call.
        warnings: what could not be counted, one sentence each.
    """

    layers: tuple[AnnLayerOperations, ...]
    warnings: tuple[str, ...]
    num_samples: int

    @property
    def num_parameters(self) -> int:
        """Of the counted layers."""
        return sum(layer.num_parameters for layer in self.layers)

    @property
    def activation_sparsity(self) -> float:
        """Share of exact zeros among the inputs of all layers but the first."""
        zeros = sum(int(layer.counts["input_zeros"].sum()) for layer in self.layers[1:])
        return zeros / max(sum(int(layer.counts["inputs"].sum()) for layer in self.layers[1:]), 1)

    def per_sample(self, quantity: str) -> Int64[np.ndarray, " B"]:
        """One of `ANN_QUANTITIES` summed over the layers, per sample."""
        return sum((layer.counts[quantity] for layer in self.layers), np.zeros(self.num_samples, np.int64))

    def total(self, quantity: str, *, seed: int = 0) -> Statistic:
        """One of `ANN_QUANTITIES` per inference, over the whole network."""
        return bootstrap_statistic(self.per_sample(quantity), generator=SeedTree(seed).numpy("ann", quantity))

    def combine(self, other: "AnnOperations") -> "AnnOperations":
        """Counts over the samples of both.

        Raises:
            DataError: if they were not counted on the same network.
        """
        names, others = ([layer.name for layer in part.layers] for part in (self, other))
        if names != others:
            raise DataError(f"only counts of one network can be combined; got layers {names} and {others}.")
        layers = tuple(
            replace(a, counts={key: np.concatenate([a.counts[key], b.counts[key]]) for key in a.counts})
            for a, b in zip(self.layers, other.layers, strict=True)
        )
        warnings = tuple(dict.fromkeys(self.warnings + other.warnings))
        return AnnOperations(layers=layers, warnings=warnings, num_samples=self.num_samples + other.num_samples)


class _Counter:
    """Adds up the calls of one layer, sample by sample."""

    def __init__(self, layer: _Weighted) -> None:
        self.layer = layer
        self.samples: list[dict[str, int]] = []
        self.input_size = self.output_size = 0
        self.fan_outs: dict[tuple[int, ...], Tensor] = {}

    def start_sample(self) -> None:
        self.samples.append(dict.fromkeys(ANN_QUANTITIES, 0))

    def add(self, inputs: Tensor, outputs: Tensor) -> None:
        counts = self.samples[-1]
        nonzero = inputs != 0
        if isinstance(self.layer, nn.Linear):
            width = self.layer.out_features
            num_frames = inputs.numel() // self.layer.in_features
            dense = dense_pad = inputs.numel() * width
            effective = int(nonzero.sum()) * width
        else:
            frames = inputs.reshape(-1, *inputs.shape[1 - self.layer.weight.ndim :])
            fan = self._fan_out(self.layer, tuple(frames.shape[1:]))
            num_frames = len(frames)
            dense = num_frames * int(fan.sum())
            dense_pad = outputs.numel() * self.layer.weight[0].numel()
            # Whole numbers below 2^53 are exact in float64, where the sum is quick.
            effective = int((nonzero.reshape(frames.shape).sum(0).double() * fan).sum())
        self.input_size, self.output_size = inputs.numel() // num_frames, outputs.numel() // num_frames
        counts["frames"] += num_frames
        counts["dense"] += dense
        counts["dense_pad"] += dense_pad
        counts["effective"] += effective
        counts["inputs"] += inputs.numel()
        counts["input_zeros"] += inputs.numel() - int(nonzero.sum())
        counts["outputs"] += outputs.numel()
        counts["bias_adds"] += 0 if self.layer.bias is None else outputs.numel()

    def _fan_out(self, layer: _Conv, shape: tuple[int, ...]) -> Tensor:
        if shape not in self.fan_outs:
            fan = conv_fan_out(
                weights_per_tap(np.ones(tuple(layer.weight.shape), bool), layer.groups),
                shape[1:],
                stride=layer.stride,
                padding=_padding(layer),
                dilation=layer.dilation,
            )
            self.fan_outs[shape] = torch.from_numpy(fan).double().to(layer.weight.device)
        return self.fan_outs[shape]

    def layer_operations(self, name: str) -> AnnLayerOperations:
        weight, bias = self.layer.weight, self.layer.bias
        return AnnLayerOperations(
            name=name,
            kind=type(self.layer).__name__,
            input_size=self.input_size,
            output_size=self.output_size,
            num_parameters=weight.numel() + (0 if bias is None else bias.numel()),
            num_zero_weights=int((weight == 0).sum()),
            kernel_size=0 if isinstance(self.layer, nn.Linear) else len(weight) * int(np.prod(weight.shape[2:])),
            counts={key: np.array([sample[key] for sample in self.samples], dtype=np.int64) for key in ANN_QUANTITIES},
        )


def _padding(layer: _Conv) -> list[tuple[int, int]]:
    """(before, after) per axis, as PyTorch resolves `padding`, which may also be "same" or "valid"."""
    if not isinstance(layer.padding, str):
        return [(pad, pad) for pad in layer.padding]
    if layer.padding == "valid":
        return [(0, 0)] * len(layer.kernel_size)
    totals = [dilation * (kernel - 1) for dilation, kernel in zip(layer.dilation, layer.kernel_size, strict=True)]
    return [(total // 2, total - total // 2) for total in totals]


@contextmanager
def _eval_mode(module: nn.Module) -> Iterator[None]:
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


@contextmanager
def _watching(layers: dict[str, _Weighted], counters: dict[str, _Counter], order: list[str]) -> Iterator[None]:
    def watch(name: str) -> Callable[..., None]:
        def hook(layer: nn.Module, args: tuple[Tensor, ...], named: dict[str, Tensor], outputs: Tensor) -> None:
            order.append(name)
            counters[name].add(args[0] if args else named["input"], outputs)

        return hook

    handles = [layer.register_forward_hook(watch(name), with_kwargs=True) for name, layer in layers.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _warnings(module: nn.Module, layers: dict[str, _Weighted], called: dict[str, None]) -> Iterator[str]:
    for name, part in module.named_modules():
        kind = type(part).__name__
        if name in layers:
            if name not in called:
                yield f"layer {name!r} ({kind}) has weights, but its forward was never called; it is not counted."
            elif getattr(part, "padding_mode", "zeros") != "zeros":
                yield f"layer {name!r} pads with {part.padding_mode!r}; connections to the padding are not counted."
        elif not isinstance(part, nn.modules.batchnorm._BatchNorm) and list(part.parameters(recurse=False)):
            yield f"module {name!r} ({kind}) has parameters of its own that cannot be counted; it is left out."
        if isinstance(part, nn.MultiheadAttention):
            yield f"module {name!r}: the matrix products of attention are not counted."
