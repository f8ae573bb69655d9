"""A trained spiking model as a spiking graph: nothing but weights and neurons is left.

Populations bear the names of the modules that they come from ("encoder.blocks.0.neuron",
"encoder.blocks.0.pool"), as `snnface.spiking.record_activity` names them, so that spike
trains can be compared by name.
"""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from conversion.fold_batchnorm import fold_batchnorm
from conversion.graph import (
    INPUT,
    Connection,
    Conv2dSynapse,
    LinearSynapse,
    Neuron,
    Population,
    Readout,
    SpikingGraph,
    Synapse,
)
from snnface.errors import ConversionError, UnsupportedLayerError, unknown_name
from snnface.models.face_model import FaceModel
from snnface.models.heads import MlpHead, VotingHead
from snnface.models.temporal import MeanOverTime
from snnface.spiking.encoder import ConvSnn
from snnface.spiking.layers import SpikingConv2d, SpikingLinear
from snnface.spiking.neurons import SpikingNeuron

__all__ = ["RELAY", "graph_from_model"]

RELAY = Neuron(leak=1.0, threshold=0.5, is_relay=True)
"""Fires exactly where an input spikes; with several inputs it is a logical OR."""


def graph_from_model(model: nn.Module, *, head: str | None = None) -> SpikingGraph:
    """The spiking graph of a FaceModel in evaluation mode; the model stays unchanged.

    Exact but for rounding (everything is computed in float64): batch norm and input gain
    fold into the weights, a reset voltage other than 0 shifts the threshold, max-pool on
    spikes becomes an OR relay, dropout goes, and mean over time with the head's linear map
    becomes the readout.

    Args:
        model: FaceModel(ConvSnn, MeanOverTime, {name: VotingHead or linear MlpHead}).
        head: the head to read; None if there is one only.

    Raises:
        UnsupportedLayerError: if a part has no counterpart here; the message names it.
        ConfigError: if there is no head of that name.
        ConversionError: if there are several heads and none is named.
    """
    if not isinstance(model, FaceModel):
        raise UnsupportedLayerError(f"a FaceModel was expected; got {type(model).__name__}.")
    if type(model.encoder) is not ConvSnn:
        raise _unsupported("encoder", model.encoder, "ConvSnn")
    if type(model.temporal) is not MeanOverTime:
        raise _unsupported("temporal", model.temporal, "MeanOverTime: the readout is a mean over steps")
    size = model.encoder.resolution
    populations = _Populations((model.encoder.in_channels, size.height, size.width))
    for part in ("blocks", "layers"):
        for name, module in getattr(model.encoder, part).named_children():
            _add_module(populations, f"encoder.{part}.{name}", module)
    name = _head_name(model, head)
    weight, bias = _head_matrix(f"heads.{name}", model.heads[name], model.encoder.num_features)
    return SpikingGraph(
        input_shape=populations.input_shape,
        populations=tuple(populations.done),
        readout=Readout(populations.source, weight, bias),
        metadata={"made_by": "graph_from_model", "head": name},
    )


class _Populations:
    """What has been built so far; the next one reads the last."""

    def __init__(self, input_shape: tuple[int, ...]) -> None:
        self.input_shape = input_shape
        self.done: list[Population] = []

    @property
    def source(self) -> str:
        return self.done[-1].name if self.done else INPUT

    def add(self, name: str, synapse: Synapse, neuron: Neuron) -> None:
        shape = synapse.output_shape(self.done[-1].shape if self.done else self.input_shape)
        self.done.append(Population(name, shape, neuron, (Connection(self.source, synapse),)))


def _add_module(populations: _Populations, name: str, module: nn.Module) -> None:
    if type(module) not in _MODULES:
        raise _unsupported(name, module, ", ".join(kind.__name__ for kind in _MODULES))
    _MODULES[type(module)](populations, name, module)


def _add_conv(populations: _Populations, name: str, module: SpikingConv2d) -> None:
    conv = module.conv
    if type(conv) is not nn.Conv2d or conv.padding_mode != "zeros" or isinstance(conv.padding, str):
        raise _unsupported(f"{name}.conv", conv, "a Conv2d with zero padding, given in pixels")
    folded = fold_batchnorm(conv.weight, conv.bias, module.norm)
    gain, neuron = _neuron(f"{name}.neuron", module.neuron)
    synapse = Conv2dSynapse(
        weight=gain * _array(folded.weight),
        bias=gain * _array(folded.bias),
        stride=_pair(conv.stride),
        padding=_pair(conv.padding),
        dilation=_pair(conv.dilation),
        groups=conv.groups,
    )
    populations.add(f"{name}.neuron", synapse, neuron)
    _add_pool(populations, f"{name}.pool", module.pool, len(folded.bias))


def _add_pool(populations: _Populations, name: str, pool: nn.Module, channels: int) -> None:
    if type(pool) is nn.Identity:
        return
    if type(pool) is not nn.MaxPool2d or pool.ceil_mode:
        raise _unsupported(name, pool, "MaxPool2d without ceil_mode, or Identity")
    kernel = _pair(pool.kernel_size)
    synapse = Conv2dSynapse(
        weight=np.ones((channels, 1, *kernel)),
        stride=_pair(pool.stride),
        padding=_pair(pool.padding),
        dilation=_pair(pool.dilation),
        groups=channels,
    )
    populations.add(name, synapse, RELAY)


def _add_linear(populations: _Populations, name: str, module: SpikingLinear) -> None:
    linear = module.linear
    if type(linear) is not nn.Linear:
        raise _unsupported(f"{name}.linear", linear, "Linear")
    gain, neuron = _neuron(f"{name}.neuron", module.neuron)
    bias = None if linear.bias is None else gain * _array(linear.bias)
    populations.add(f"{name}.neuron", LinearSynapse(gain * _array(linear.weight), bias), neuron)


_MODULES: dict[type[nn.Module], Callable[[_Populations, str, Any], None]] = {
    SpikingConv2d: _add_conv,
    SpikingLinear: _add_linear,
}


def _neuron(name: str, module: SpikingNeuron) -> tuple[float, Neuron]:
    """The gain on the input, and the neuron with v_reset moved to 0 (an exact substitution)."""
    if type(module) is not SpikingNeuron:
        raise _unsupported(name, module, "SpikingNeuron")
    config = module.config
    leak = float(module.leak.detach().double())
    neuron = Neuron(
        leak=leak,
        threshold=config.threshold - config.v_reset,
        reset=config.reset,
        fires_on_equality=config.fires_on_equality,
    )
    return (leak if config.decay_input else 1.0), neuron


def _head_name(model: FaceModel, head: str | None) -> str:
    names = list(model.heads)
    if head is None:
        if len(names) != 1:
            raise ConversionError(f"the model has the heads {', '.join(names)}; say which one the graph shall answer.")
        return names[0]
    if head not in names:
        raise unknown_name("head", head, names)
    return head


def _head_matrix(name: str, head: nn.Module, num_features: int) -> tuple[np.ndarray, np.ndarray]:
    """Weight [K, D] and bias [K] of a head that is linear: its answers to the unit vectors."""
    if not (type(head) is VotingHead or (type(head) is MlpHead and len(head.layers) == 1)):
        raise _unsupported(name, head, "a VotingHead, or an MlpHead without hidden layers")
    linear = copy.deepcopy(head).double().eval()
    with torch.no_grad():
        bias = linear(torch.zeros(1, num_features, dtype=torch.float64))
        weight = linear(torch.eye(num_features, dtype=torch.float64)) - bias
    return _array(weight.T), _array(bias[0])


def _unsupported(name: str, module: nn.Module, expected: str) -> UnsupportedLayerError:
    return UnsupportedLayerError(
        f"{name!r} is {type(module).__name__}; a spiking graph can be made of {expected}. "
        "Replace it, or convert a model without it."
    )


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().double().cpu().numpy().copy()


def _pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))
