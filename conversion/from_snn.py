"""A trained spiking model as a spiking graph: nothing but weights and neurons is left.

Populations bear the names of the modules that they come from ("encoder.blocks.0.neuron",
"encoder.blocks.0.pool"), as `snnface.spiking.record_activity` names them, so that spike
trains can be compared by name.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
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
from snnface.models.reconstruction import SpikingReconstruction
from snnface.models.temporal import EveryStep, LeakyReadout, MeanOverTime
from snnface.spiking.encoder import ConvSnn
from snnface.spiking.layers import SpikingConv2d, SpikingLinear
from snnface.spiking.neurons import SpikingNeuron
from snnface.spiking.residual import SewBlock, SewResNet, SewStage

__all__ = ["RELAY", "graph_from_model"]

RELAY = Neuron(leak=1.0, threshold=0.5, is_relay=True)
"""Fires exactly where an input spikes; with several inputs it is a logical OR."""


def graph_from_model(model: nn.Module, *, head: str | None = None) -> SpikingGraph:
    """The spiking graph of a model in evaluation mode; the model stays unchanged.

    Exact but for rounding (everything is computed in float64): batch norm and input gain
    fold into the weights, a reset voltage other than 0 shifts the threshold, max-pool on
    spikes becomes an OR relay, and dropout goes. What reads the sum of a residual block reads
    both of its trains through the same weights, the shorter path lengthened by relays
    ("<population>.relay0", ...). The temporal part with the head's linear map becomes the
    readout: a mean over time, an answer at every step, or a leaky potential.

    Args:
        model: FaceModel(ConvSnn or SewResNet; MeanOverTime, EveryStep or LeakyReadout; {name:
            VotingHead or linear MlpHead}); or SpikingReconstruction, whose graph reads what
            `model.joined` makes of events and reference, and answers the pixels' potentials,
            [B, H W], for `model.picture`.
        head: the head to read; None if there is one only.

    Raises:
        UnsupportedLayerError: if a part has no counterpart here; the message names it.
        ConfigError: if there is no head of that name.
        ConversionError: if there are several heads and none is named.
    """
    if isinstance(model, SpikingReconstruction):
        return _reconstruction_graph(model)
    if not isinstance(model, FaceModel):
        raise UnsupportedLayerError(f"a FaceModel or SpikingReconstruction was expected; got {type(model).__name__}.")
    encoder: Any = model.encoder
    if type(encoder) not in _ENCODER_PARTS:
        raise _unsupported("encoder", encoder, " or ".join(kind.__name__ for kind in _ENCODER_PARTS))
    name = _head_name(model, head)
    leak = _readout_leak(model, name)
    populations = _Populations((encoder.in_channels, encoder.resolution.height, encoder.resolution.width))
    source = populations.add_parts(
        {f"encoder.{part}": getattr(encoder, part) for part in _ENCODER_PARTS[type(encoder)]}
    )
    weight, bias = _head_matrix(f"heads.{name}", model.heads[name], encoder.num_features)
    return populations.graph(Readout(source, weight, bias, leak), head=name)


def _reconstruction_graph(model: SpikingReconstruction) -> SpikingGraph:
    size = model.resolution
    populations = _Populations((model.in_channels + 1, size.height, size.width))
    source = populations.add_parts({"encoder": model.encoder, "decoder": model.decoder})
    bias = model.readout.bias
    assert bias is not None
    return populations.graph(Readout(source, _array(model.readout.weight), _array(bias)), head="picture")


_ENCODER_PARTS: dict[type[nn.Module], tuple[str, ...]] = {
    ConvSnn: ("blocks", "layers"),
    SewResNet: ("stem", "stages", "layers"),
}


class _Populations:
    """What has been built so far."""

    def __init__(self, input_shape: tuple[int, ...]) -> None:
        self.input_shape = input_shape
        self.done: dict[str, Population] = {}
        self._depth = {INPUT: 0}

    def add_parts(self, parts: Mapping[str, nn.Module]) -> str:
        """Add modules one after the other, the first on the input; returns the last population."""
        sources: tuple[str, ...] = (INPUT,)
        for name, module in parts.items():
            sources = _add_module(self, name, module, sources)
        return sources[0]

    def graph(self, readout: Readout, *, head: str) -> SpikingGraph:
        metadata = {"made_by": "graph_from_model", "head": head}
        return SpikingGraph(self.input_shape, tuple(self.done.values()), readout, metadata)

    def add(self, name: str, synapse: Synapse, neuron: Neuron, sources: tuple[str, ...]) -> tuple[str, ...]:
        """A population that reads the sum of the sources' spikes; it is the new only source."""
        longest = max(self._depth[source] for source in sources)
        level = [self._delayed(source, longest - self._depth[source]) for source in sources]
        # W (a + b) + c = (W a + c) + W b
        links = [Connection(source, synapse if k == 0 else _without_bias(synapse)) for k, source in enumerate(level)]
        self.done[name] = Population(name, synapse.output_shape(self._shape(level[0])), neuron, tuple(links))
        self._depth[name] = longest + 1
        return (name,)

    def _delayed(self, source: str, num_steps: int) -> str:
        """The source, behind so many relays."""
        end = source
        for place in range(num_steps):
            name = f"{source}.relay{place}"
            if name not in self.done:
                channels = self._shape(end)[0]
                copy = Conv2dSynapse(np.ones((channels, 1, 1, 1)), groups=channels)
                self.add(name, copy, RELAY, (end,))
            end = name
        return end

    def _shape(self, name: str) -> tuple[int, ...]:
        return self.input_shape if name == INPUT else self.done[name].shape


def _without_bias(synapse: Synapse) -> Synapse:
    return synapse if synapse.bias is None else replace(synapse, bias=None)


def _add_module(populations: _Populations, name: str, module: nn.Module, sources: tuple[str, ...]) -> tuple[str, ...]:
    """Add what `module` is made of; returns the populations whose sum is its output."""
    if type(module) not in _MODULES:
        raise _unsupported(name, module, ", ".join(kind.__name__ for kind in _MODULES))
    return _MODULES[type(module)](populations, name, module, sources)


def _add_children(populations: _Populations, name: str, module: nn.Module, sources: tuple[str, ...]) -> tuple[str, ...]:
    """Modules one after the other."""
    for child_name, child in module.named_children():
        sources = _add_module(populations, f"{name}.{child_name}", child, sources)
    return sources


def _add_block(populations: _Populations, name: str, block: SewBlock, sources: tuple[str, ...]) -> tuple[str, ...]:
    return (*sources, *_add_children(populations, name, block, sources))


def _add_conv(populations: _Populations, name: str, module: SpikingConv2d, sources: tuple[str, ...]) -> tuple[str, ...]:
    conv = module.conv
    if type(conv) is not nn.Conv2d or conv.padding_mode != "zeros" or isinstance(conv.padding, str):
        raise _unsupported(f"{name}.conv", conv, "a Conv2d with zero padding, given in pixels")
    folded = fold_batchnorm(conv.weight, conv.bias, module.norm)
    synapse = Conv2dSynapse(
        weight=_array(folded.weight),
        bias=_array(folded.bias),
        stride=_pair(conv.stride),
        padding=_pair(conv.padding),
        dilation=_pair(conv.dilation),
        groups=conv.groups,
    )
    sources = populations.add(f"{name}.neuron", *_neuron(f"{name}.neuron", module.neuron, synapse), sources)
    return _add_pool(populations, f"{name}.pool", module.pool, len(folded.bias), sources)


def _add_pool(
    populations: _Populations, name: str, pool: nn.Module, channels: int, sources: tuple[str, ...]
) -> tuple[str, ...]:
    if type(pool) is nn.Identity:
        return sources
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
    return populations.add(name, synapse, RELAY, sources)


def _add_linear(
    populations: _Populations, name: str, module: SpikingLinear, sources: tuple[str, ...]
) -> tuple[str, ...]:
    linear = module.linear
    if type(linear) is not nn.Linear:
        raise _unsupported(f"{name}.linear", linear, "Linear")
    synapse = LinearSynapse(_array(linear.weight), None if linear.bias is None else _array(linear.bias))
    return populations.add(f"{name}.neuron", *_neuron(f"{name}.neuron", module.neuron, synapse), sources)


_MODULES: dict[type[nn.Module], Callable[[_Populations, str, Any, tuple[str, ...]], tuple[str, ...]]] = {
    SpikingConv2d: _add_conv,
    SpikingLinear: _add_linear,
    SewBlock: _add_block,
    SewStage: _add_children,
    nn.Sequential: _add_children,
}


def _neuron(name: str, module: SpikingNeuron, synapse: Synapse) -> tuple[Synapse, Neuron]:
    """The synapse with the gain on its currents, and the neuron with v_reset moved to 0 (an exact substitution)."""
    if type(module) is not SpikingNeuron:
        raise _unsupported(name, module, "SpikingNeuron")
    config, leak = module.config, _array(module.leak)
    # One leak, or one a channel, of neurons (C, H, W) or (N,).
    outputs = [1] * (synapse.weight.ndim - 2)
    neuron = Neuron(
        leak=leak.reshape(-1, *outputs),
        threshold=config.threshold - config.v_reset,
        reset=config.reset,
        fires_on_equality=config.fires_on_equality,
    )
    if not config.decay_input:
        return synapse, neuron
    bias = None if synapse.bias is None else leak * synapse.bias
    return replace(synapse, weight=leak.reshape(-1, 1, *outputs) * synapse.weight, bias=bias), neuron


def _head_name(model: FaceModel, head: str | None) -> str:
    names = list(model.heads)
    if head is None:
        if len(names) != 1:
            raise ConversionError(f"the model has the heads {', '.join(names)}; say which one the graph shall answer.")
        return names[0]
    if head not in names:
        raise unknown_name("head", head, names)
    return head


def _readout_leak(model: FaceModel, head: str) -> float | None:
    """The leak of a readout that reads as the head's temporal part does."""
    part = model.temporal_part(head)
    name = "temporal" if part is model.temporal else f"temporal.{head}"
    if type(part) is LeakyReadout:
        return float(part.leak.detach().double())
    if type(part) not in (MeanOverTime, EveryStep):
        raise _unsupported(name, part, "MeanOverTime, EveryStep or LeakyReadout")
    return None if type(part) is MeanOverTime else 1.0


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
