"""A trained feed-forward ANN as a list of synapses with ReLUs between them.

Reads (nested) nn.Sequential models: batch norm is folded into the layer before it,
average pooling into the layer behind it, dropout and identities go, a softmax at the end
goes (the argmax stays). What is left is convolution or full layer, ReLU, and so on, then
the last full layer, which becomes the readout. Everything else is refused by name.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from conversion.fold_batchnorm import BATCHNORMS, fold_batchnorm
from conversion.fold_pooling import pooled_conv, pooled_linear
from conversion.graph import Conv2dSynapse, LinearSynapse, Synapse
from conversion.simulate import apply_synapse
from snnface.errors import ConversionError, UnsupportedLayerError

__all__ = ["AnnLayer", "AnnLayers", "layers_of"]


@dataclass(frozen=True, slots=True, eq=False)
class AnnLayer:
    """One hidden layer: synapse (float64, always with a bias), then ReLU.

    Attributes:
        name: of the weight module in the model.
        shape: of its output, (C, H, W) or (N,).
        ceiling: the upper end of a clipped ReLU (6 for ReLU6), or None.
    """

    name: str
    shape: tuple[int, ...]
    synapse: Synapse
    ceiling: float | None = None

    def __call__(self, inputs: Tensor) -> Tensor:
        """[B, *source] -> activations [B, *shape]."""
        return apply_synapse(self.synapse, inputs).clamp(min=0.0, max=self.ceiling)


@dataclass(frozen=True, slots=True, eq=False)
class AnnLayers:
    """A whole ANN.

    Attributes:
        layers: the hidden layers in order.
        readout: the last full layer, without ReLU; float64, with a bias.
        removed: modules that are not part of the spiking network, with the reason.
    """

    input_shape: tuple[int, ...]
    layers: tuple[AnnLayer, ...]
    readout: LinearSynapse
    removed: tuple[str, ...]

    def __call__(self, inputs: Tensor) -> Tensor:
        """[B, *input_shape] -> answers [B, K]."""
        for layer in self.layers:
            inputs = layer(inputs)
        return apply_synapse(self.readout, inputs)


def layers_of(model: nn.Module, input_shape: tuple[int, ...]) -> AnnLayers:
    """Read a model; the model stays unchanged.

    The result is compared with the model, in float64 on random input, before it is returned.

    Args:
        model: an nn.Sequential of Conv2d, Linear, BatchNorm, ReLU, ReLU6, Hardtanh(0, c),
            AvgPool2d, AdaptiveAvgPool2d, Flatten, Dropout, Identity and Sequential.
        input_shape: (C, H, W) or (N,), without the batch axis.

    Raises:
        UnsupportedLayerError: if the model holds something else, or these in an order that
            has no spiking form; the message names the module and the reason.
        ConversionError: if the result does not compute what the model computes.
    """
    double = copy.deepcopy(model).double().eval()
    modules = list(_modules(double, ""))
    reader = _Reader(input_shape)
    for name, module in modules:
        reader.visit(name, module)
    layers = reader.finished()
    _require_same(layers, [module for _, module in modules])
    return layers


def _modules(model: nn.Module, prefix: str) -> Iterator[tuple[str, nn.Module]]:
    if not isinstance(model, nn.Sequential):
        raise UnsupportedLayerError(
            f"{prefix or 'the model'} is {type(model).__name__}; only nn.Sequential is read, as its order is its data "
            "flow. Residual connections and own forward methods are not supported yet."
        )
    for name, module in model.named_children():
        if isinstance(module, nn.Sequential):
            yield from _modules(module, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", module


@dataclass(slots=True)
class _Reader:
    """State while walking through the modules in order."""

    input_shape: tuple[int, ...]
    layers: list[AnnLayer] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    # The weights that still wait for their ReLU, and where they came from.
    waiting: Synapse | None = None
    waiting_name: str = ""
    waiting_shape: tuple[int, ...] = ()
    has_norm: bool = False
    # The pooling and flattening between the last layer and the next weights.
    window: tuple[int, int] = (1, 1)
    is_flat: bool = False
    is_over: bool = False

    def visit(self, name: str, module: nn.Module) -> None:
        kind = type(module)
        if self.is_over:
            raise UnsupportedLayerError(f"layer {name!r} is {kind.__name__} and stands behind a softmax.")
        if kind not in _VISITORS:
            reason = _REASONS.get(kind, "it has no spiking counterpart here")
            raise UnsupportedLayerError(
                f"layer {name!r} is {kind.__name__}: {reason}. Conversion supports "
                f"{', '.join(sorted(k.__name__ for k in _VISITORS))}."
            )
        _VISITORS[kind](self, name, module)

    @property
    def source_shape(self) -> tuple[int, ...]:
        """Shape of the last layer's output, before pooling."""
        return self.layers[-1].shape if self.layers else self.input_shape

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape that the next module sees."""
        if self.waiting is not None:
            return self.waiting_shape
        shape = self.source_shape
        if len(shape) == 3:
            shape = (shape[0], shape[1] // self.window[0], shape[2] // self.window[1])
        return (int(np.prod(shape)),) if self.is_flat else shape

    def add_weights(self, name: str, synapse: Synapse) -> None:
        if self.waiting is not None:
            raise UnsupportedLayerError(
                f"layer {name!r} follows {self.waiting_name!r} without a ReLU between them. Merge them, or add a ReLU."
            )
        shape = synapse.output_shape(self.shape)
        if self.window != (1, 1):
            fold = pooled_conv if isinstance(synapse, Conv2dSynapse) else pooled_linear
            synapse = fold(synapse, self.window, input_shape=self.source_shape, is_mean=True)  # type: ignore[arg-type]
        self.waiting, self.waiting_name, self.waiting_shape = synapse, name, shape
        self.has_norm, self.window, self.is_flat = False, (1, 1), len(shape) == 1

    def finished(self) -> AnnLayers:
        if not isinstance(self.waiting, LinearSynapse):
            raise UnsupportedLayerError(
                "the model must end with a Linear layer without ReLU, which becomes the readout. "
                "Add one, or replace a pooled convolution head by pooling, Flatten and Linear."
            )
        if not self.layers:
            raise UnsupportedLayerError("the model has no hidden layer with a ReLU; there is nothing to convert.")
        return AnnLayers(self.input_shape, tuple(self.layers), self.waiting, tuple(self.removed))


def _visit_conv(reader: _Reader, name: str, module: nn.Conv2d) -> None:
    if len(reader.shape) != 3:
        raise UnsupportedLayerError(f"layer {name!r} is Conv2d and reads {reader.shape}; it needs (C, H, W).")
    if module.padding_mode != "zeros":
        raise UnsupportedLayerError(f"layer {name!r} pads with {module.padding_mode!r}; only zeros can be converted.")
    weight, bias = _numbers(module)
    synapse = Conv2dSynapse(
        weight=weight,
        bias=bias,
        stride=_pair(module.stride),
        padding=_padding(name, module),
        dilation=_pair(module.dilation),
        groups=module.groups,
    )
    reader.add_weights(name, synapse)


def _visit_linear(reader: _Reader, name: str, module: nn.Linear) -> None:
    if len(reader.shape) != 1:
        raise UnsupportedLayerError(
            f"layer {name!r} is Linear and reads a map {reader.shape}; put a Flatten before it."
        )
    weight, bias = _numbers(module)
    reader.add_weights(name, LinearSynapse(weight, bias))


def _visit_norm(reader: _Reader, name: str, module: nn.Module) -> None:
    partner = LinearSynapse if isinstance(module, nn.BatchNorm1d) else Conv2dSynapse
    if not isinstance(reader.waiting, partner) or reader.has_norm:
        raise UnsupportedLayerError(
            f"layer {name!r} is {type(module).__name__} and must stand directly behind a "
            f"{'Linear' if partner is LinearSynapse else 'Conv2d'} layer, once; elsewhere it cannot be folded exactly."
        )
    synapse = reader.waiting
    weight, bias = fold_batchnorm(torch.as_tensor(synapse.weight), torch.as_tensor(synapse.bias), module)
    reader.waiting = _with_numbers(synapse, weight.numpy(), bias.numpy())
    reader.has_norm = True


def _visit_relu(reader: _Reader, name: str, module: nn.Module) -> None:
    if reader.waiting is None:
        raise UnsupportedLayerError(f"layer {name!r} is {type(module).__name__} without weights before it.")
    ceiling = None
    if isinstance(module, nn.Hardtanh):  # ReLU6 is one, too
        if module.min_val != 0 or module.max_val <= 0:
            raise UnsupportedLayerError(
                f"layer {name!r} clips to {module.min_val}..{module.max_val}; spikes need a lower end of 0."
            )
        ceiling = float(module.max_val)
    reader.layers.append(AnnLayer(reader.waiting_name, reader.waiting_shape, reader.waiting, ceiling))
    reader.waiting = None
    reader.is_flat = len(reader.waiting_shape) == 1


def _visit_pool(reader: _Reader, name: str, module: nn.AvgPool2d) -> None:
    window, padding = _pair(module.kernel_size), _pair(module.padding)
    stride = _pair(module.stride if module.stride is not None else module.kernel_size)
    if stride != window or padding != (0, 0) or module.ceil_mode or module.divisor_override is not None:
        raise UnsupportedLayerError(
            f"layer {name!r} pools {window} with stride {stride} and padding {padding}; only stride = window, no "
            "padding, no ceil_mode and no divisor_override can be folded exactly."
        )
    _pool(reader, name, window)


def _visit_adaptive_pool(reader: _Reader, name: str, module: nn.AdaptiveAvgPool2d) -> None:
    _require_map(reader, name)
    sizes = module.output_size if isinstance(module.output_size, tuple) else (module.output_size,) * 2
    wanted = [reader.shape[axis + 1] if size is None else int(size) for axis, size in enumerate(sizes)]
    if reader.shape[1] % wanted[0] or reader.shape[2] % wanted[1]:
        raise UnsupportedLayerError(
            f"layer {name!r} pools {reader.shape[1:]} to {tuple(wanted)}, which does not divide it: windows overlap."
        )
    _pool(reader, name, (reader.shape[1] // wanted[0], reader.shape[2] // wanted[1]))


def _pool(reader: _Reader, name: str, window: tuple[int, int]) -> None:
    _require_map(reader, name)
    if reader.waiting is not None:
        raise UnsupportedLayerError(
            f"layer {name!r} pools before the ReLU of {reader.waiting_name!r}. Put it behind the ReLU."
        )
    reader.window = (reader.window[0] * window[0], reader.window[1] * window[1])


def _require_map(reader: _Reader, name: str) -> None:
    if len(reader.shape) != 3:
        raise UnsupportedLayerError(f"layer {name!r} pools {reader.shape}; it needs (C, H, W).")


def _visit_flatten(reader: _Reader, name: str, module: nn.Flatten) -> None:
    if (module.start_dim, module.end_dim) not in ((1, -1), (1, len(reader.shape))):
        raise UnsupportedLayerError(f"layer {name!r} must flatten from axis 1 to the last one; it does not.")
    if reader.waiting is not None and len(reader.shape) > 1:
        raise UnsupportedLayerError(f"layer {name!r} stands between {reader.waiting_name!r} and its ReLU; swap them.")
    reader.is_flat = True


def _visit_nothing(reader: _Reader, name: str, module: nn.Module) -> None:
    reader.removed.append(f"{name} ({type(module).__name__}): does nothing when evaluated")


def _visit_softmax(reader: _Reader, name: str, module: nn.Module) -> None:
    reader.removed.append(f"{name} ({type(module).__name__}): the argmax stays; the answers are logits")
    reader.is_over = True


_VISITORS: dict[type[nn.Module], Callable[..., None]] = {
    nn.Conv2d: _visit_conv,
    nn.Linear: _visit_linear,
    **dict.fromkeys(BATCHNORMS, _visit_norm),
    nn.ReLU: _visit_relu,
    nn.ReLU6: _visit_relu,
    nn.Hardtanh: _visit_relu,
    nn.AvgPool2d: _visit_pool,
    nn.AdaptiveAvgPool2d: _visit_adaptive_pool,
    nn.Flatten: _visit_flatten,
    nn.Dropout: _visit_nothing,
    nn.Dropout2d: _visit_nothing,
    nn.Identity: _visit_nothing,
    nn.Softmax: _visit_softmax,
    nn.LogSoftmax: _visit_softmax,
}

_SIGNED = "its values below 0 would need a signed neuron; train with ReLU"
_MAX_POOL = (
    "the maximum over spikes is a logical OR, which overestimates the rate; train with AvgPool2d or a strided Conv2d"
)
_REASONS: dict[type[nn.Module], str] = {
    nn.MaxPool2d: _MAX_POOL,
    nn.AdaptiveMaxPool2d: _MAX_POOL,
    nn.LeakyReLU: _SIGNED,
    nn.PReLU: _SIGNED,
    nn.ELU: _SIGNED,
    nn.GELU: _SIGNED,
    nn.SiLU: _SIGNED,
    nn.Tanh: _SIGNED,
    nn.Sigmoid: "a rate code has no sigmoid; train with ReLU",
    nn.LayerNorm: "it takes its statistics from the input",
    nn.GroupNorm: "it takes its statistics from the input",
    nn.InstanceNorm2d: "it takes its statistics from the input",
    nn.LSTM: "recurrent layers are not converted",
    nn.GRU: "recurrent layers are not converted",
}


def _numbers(module: nn.Conv2d | nn.Linear) -> tuple[np.ndarray, np.ndarray]:
    weight = module.weight.detach().numpy().copy()
    bias = np.zeros(len(weight)) if module.bias is None else module.bias.detach().numpy().copy()
    return weight, bias


def _with_numbers(synapse: Synapse, weight: np.ndarray, bias: np.ndarray) -> Synapse:
    if isinstance(synapse, LinearSynapse):
        return LinearSynapse(weight, bias)
    return Conv2dSynapse(weight, bias, synapse.stride, synapse.padding, synapse.dilation, synapse.groups)


def _padding(name: str, module: nn.Conv2d) -> tuple[int, int]:
    if module.padding == "valid":
        return (0, 0)
    if module.padding == "same":
        total = [d * (k - 1) for d, k in zip(_pair(module.dilation), _pair(module.kernel_size), strict=True)]
        if any(n % 2 for n in total):
            raise UnsupportedLayerError(f"layer {name!r} pads an even kernel to the same size, one side more.")
        return (total[0] // 2, total[1] // 2)
    assert not isinstance(module.padding, str)
    return _pair(module.padding)


def _pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


@torch.no_grad()
def _require_same(layers: AnnLayers, modules: list[nn.Module]) -> None:
    inputs = torch.randn(2, *layers.input_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    wanted = inputs
    for module in modules:
        if not isinstance(module, nn.Softmax | nn.LogSoftmax):
            wanted = module(wanted)
    difference = float((layers(inputs) - wanted).abs().max())
    if not difference <= 1e-6 * max(float(wanted.abs().max()), 1.0):
        raise ConversionError(
            f"the converted layers differ from the model by {difference} on random input. "
            "The model may hold hooks or NaN weights; convert a plain, trained one."
        )
