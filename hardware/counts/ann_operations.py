"""Exact counts of what an ANN does, so that a spiking network is compared with its like.

Per weighted layer and inference:

    dense      multiply-accumulates of existing connections (padding not counted)
    dense_pad  the textbook number, padding counted; of a transposed convolution what padding cuts off again
    effective  dense without those whose input is exactly zero (after a ReLU, say): what an
               ANN accelerator that skips zeros does
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

from hardware.counts.ann_counters import COUNTED, AttentionCounter, Counter, LayerCounter, counter_of
from hardware.counts.ann_layer_operations import ANN_QUANTITIES, AnnLayerOperations
from hardware.counts.operation_counts import Statistic, bootstrap_statistic
from snnface.errors import DataError, ShapeError
from snnface.seeding import SeedTree

__all__ = ["ANN_QUANTITIES", "AnnLayerOperations", "AnnOperations", "count_ann_operations"]

ATTENTION = "attention products"
"""The name of what all calls of attention do together, which belongs to no module."""


def count_ann_operations(module: nn.Module, inputs: Tensor, *, batch_axis: int) -> "AnnOperations":
    """Count the multiply-accumulates of the convolutions, transposed or not, linear layers, LSTMs and attention of
    `module`.

    Samples are run one by one in eval mode, so counts do not depend on the batch and a
    layer that sees time folded into its batch axis is still counted per inference. The
    module's training flags are restored and every hook is removed, whatever happens.

    Batch normalisation counts nothing (it folds into the layer before it). Every other
    module with weights of its own that cannot be counted is named in `warnings`.

    The products of attention are those of all calls of `scaled_dot_product_attention`, in one entry. An LSTM
    starts from rest. Additions of residuals and activation functions are not counted.

    Args:
        inputs: a batch; [T, B, C, H, W] has `batch_axis` 1, [B, C, H, W] has 0.

    Raises:
        ShapeError: if `inputs` has no such axis or no sample.
    """
    if not 0 <= batch_axis < inputs.ndim or not inputs.shape[batch_axis]:
        raise ShapeError(f"counting needs at least one sample along axis {batch_axis}; got {list(inputs.shape)}.")
    layers = {name: layer for name, layer in module.named_modules() if isinstance(layer, COUNTED)}
    attention = AttentionCounter()
    of_layers = {name: counter_of(layer) for name, layer in layers.items()}
    counters: dict[str, Counter] = {**of_layers, ATTENTION: attention}
    order: list[str] = []
    with _eval_mode(module), _watching(layers, of_layers, order), _WatchedAttention(attention, order), torch.no_grad():
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
def _watching(
    layers: Mapping[str, nn.Module], counters: Mapping[str, LayerCounter], order: list[str]
) -> Iterator[None]:
    def watch(name: str) -> Callable[..., None]:
        def hook(layer: nn.Module, args: tuple[Any, ...], named: dict[str, Any], outputs: Any) -> None:
            order.append(name)
            counters[name].add(
                args[0] if args else named["input"], outputs[0] if isinstance(outputs, tuple) else outputs
            )

        return hook

    handles = [layer.register_forward_hook(watch(name), with_kwargs=True) for name, layer in layers.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _WatchedAttention(TorchFunctionMode):
    """Counts the calls of the one function in which attention multiplies activations with each other."""

    def __init__(self, counter: AttentionCounter, order: list[str]) -> None:
        super().__init__()
        self._counter, self._order = counter, order

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        outputs = function(*args, **(kwargs or {}))
        if function is scaled_dot_product_attention:
            query, key, value = (*args, *(kwargs or {}).values())[:3]
            self._order.append(ATTENTION)
            self._counter.add_attention(query, key, value, outputs)
        return outputs


def _warnings(module: nn.Module, layers: Mapping[str, nn.Module], called: Mapping[str, None]) -> Iterator[str]:
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
