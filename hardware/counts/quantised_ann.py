"""The ANN that is a spiking network's fair partner: weights of 8 bits, activations of as many as its codes carry."""

import copy
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

from hardware.counts.ann_counters import COUNTED
from snnface.errors import CalibrationError, ConfigError

__all__ = ["quantised_ann"]


def quantised_ann(
    module: nn.Module, calibration: Iterable[Tensor], *, activation_bits: int, weight_bits: int = 8
) -> nn.Module:
    """A copy of `module` in eval mode whose weights and inputs of layers are rounded; nothing is retrained.

    Weights: symmetric, one scale for each output channel, the largest to 2^(bits - 1) - 1. The input of each
    convolution, linear layer or LSTM: one scale, the largest value seen in calibration to 2^bits - 1 where no value
    was negative, otherwise to 2^(bits - 1) - 1 on both sides; beyond that it saturates. Whole numbers that fit as
    they are (counts of events) stay. Products of attention, sums and biases keep their precision.

    Args:
        calibration: inputs of `module`; of clips that it is not judged on.

    Raises:
        ConfigError: if there are fewer than 1 bit for activations or 2 for weights.
        CalibrationError: if there is nothing to calibrate on.

    Source: Jacob et al. 2018, arXiv:1712.05877, sec. 3 (per channel, after training).
    """
    if activation_bits < 1 or weight_bits < 2:
        raise ConfigError(f"an activation needs 1 bit or more and a weight 2; got {activation_bits} and {weight_bits}.")
    twin = copy.deepcopy(module).eval()
    layers = {name: layer for name, layer in twin.named_modules() if isinstance(layer, COUNTED)}
    ranges = _ranges(twin, layers, calibration)
    for name, layer in layers.items():
        for values in layer.parameters(recurse=False):
            if values.ndim > 1:
                is_transposed = isinstance(layer, nn.modules.conv._ConvTransposeNd)
                with torch.no_grad():
                    values.copy_(_rounded_weights(values, weight_bits, axis=int(is_transposed)))
        if name in ranges:
            layer.register_forward_pre_hook(_rounding(ranges[name], activation_bits))
    return twin


class _Range:
    """What the inputs of a layer were."""

    def __init__(self) -> None:
        self.low = self.high = 0.0
        self.is_whole = True

    def add(self, inputs: Tensor) -> None:
        self.low, self.high = min(self.low, float(inputs.min())), max(self.high, float(inputs.max()))
        self.is_whole &= bool((inputs == inputs.round()).all())


def _ranges(model: nn.Module, layers: Mapping[str, nn.Module], calibration: Iterable[Tensor]) -> dict[str, _Range]:
    found: dict[str, _Range] = {}

    def watch(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        return lambda _, args: found.setdefault(name, _Range()).add(args[0])

    handles = [layer.register_forward_pre_hook(watch(name)) for name, layer in layers.items()]
    try:
        with torch.no_grad():
            for inputs in calibration:
                model(inputs)
    finally:
        for handle in handles:
            handle.remove()
    if not found:
        raise CalibrationError("there is nothing to calibrate on: no input reached a layer with weights.")
    return found


def _rounded_weights(weight: Tensor, bits: int, *, axis: int) -> Tensor:
    others = [dim for dim in range(weight.ndim) if dim != axis]
    scale = weight.abs().amax(dim=others, keepdim=True) / (2 ** (bits - 1) - 1)
    return torch.where(scale > 0, (weight / scale.clamp(min=1e-30)).round() * scale, weight)


def _rounding(seen: _Range, bits: int) -> Callable[[nn.Module, tuple[Tensor, ...]], tuple[Tensor, ...] | None]:
    signed = seen.low < 0
    top = max(2 ** (bits - 1) - 1, 1) if signed else 2**bits - 1
    largest = max(seen.high, -seen.low)
    scale = largest / top if largest > 0 else 1.0

    def round_inputs(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if seen.is_whole and largest <= top:
            return None
        return ((args[0] / scale).round().clamp(-top if signed else 0, top) * scale, *args[1:])

    return round_inputs
