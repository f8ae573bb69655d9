"""Which kernel runs a layer: by device, number type, what is available, and what is asked for."""

import importlib
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType

import torch
from jaxtyping import Float
from torch import Tensor, nn

from snnface.errors import unknown_name
from snnface.spiking import processes
from snnface.spiking.kernels import reference
from snnface.spiking.kernels.arguments import (
    require_conv_layer,
    require_full_layer,
    require_neuron_layer,
    require_recurrent_layer,
)
from snnface.spiking.kernels.packed_spikes import PackedSpikes, RelayOutput
from snnface.spiking.neurons import LayerOutput, NeuronConfig

__all__ = [
    "conv_layer",
    "flattened",
    "kernel_report",
    "neuron_layer",
    "recurrent_layer",
    "relay_conv_layer",
    "relay_full_layer",
    "relays_spikes",
    "spike_full_layer",
    "spike_product",
    "use_kernel",
]

_NAMES = ("reference", "cpu", "cuda")
_DTYPES = {
    "cpu": (torch.float32, torch.bfloat16, torch.float64),
    "cuda": (torch.float32, torch.bfloat16, torch.float16),
}
_MAX_EVENT_CHANNELS = 8

_forced = os.environ.get("SNNFACE_KERNEL") or None
_loaded: dict[str, ModuleType] = {"reference": reference}
_ran: set[str] = set()


def neuron_layer(
    currents: Float[Tensor, "T B *N"],
    leak: Float[Tensor, ""] | Float[Tensor, " C"],
    config: NeuronConfig,
    *,
    voltage: Float[Tensor, "B *N"] | None = None,
    scale: Float[Tensor, " C"] | None = None,
    shift: Float[Tensor, " C"] | None = None,
    pool: int = 1,
) -> LayerOutput:
    """Neurons over T steps, then max-pooling; see `reference.neuron_layer`."""
    leak = _leak(leak, currents)
    require_neuron_layer(currents, leak, voltage=voltage, scale=scale, shift=shift, pool=pool)
    kernel = _kernel("neuron_layer", currents)
    return kernel(currents, leak, config, voltage=voltage, scale=scale, shift=shift, pool=pool)


def conv_layer(
    inputs: Float[Tensor, "T B C H W"],
    weight: Float[Tensor, "O C k1 k2"],
    leak: Float[Tensor, ""] | Float[Tensor, " O"],
    config: NeuronConfig,
    *,
    norm: nn.BatchNorm2d,
    stride: int = 1,
    padding: int = 0,
    pool: int = 1,
    voltage: Float[Tensor, "B O H2 W2"] | None = None,
    training: bool = False,
    small_inputs: bool = False,
) -> LayerOutput:
    """Convolution, batch norm, neurons, max-pooling; see `reference.conv_layer`.

    If this machine has them: small inputs in evaluation without gradient take the path for
    spikes (`spike_layer`). Others of few channels that need no gradient may take one whose
    cost goes with the events (`event_conv`): in training where most are zero, in evaluation always, because a
    choice by the density of each piece would round whole sequences and pieces differently.
    """
    leak = _leak(leak, inputs)
    require_conv_layer(inputs, weight, leak, norm=norm, stride=stride, padding=padding, pool=pool, voltage=voltage)
    if small_inputs and not training and _reads_spikes(inputs, weight, leak, norm.weight, norm.bias):
        run = _loaded[_load("spike_layer", "spike_conv_layer")].spike_conv_layer
        geometry = {"stride": stride, "padding": padding, "pool": pool}
        output: LayerOutput = run(inputs, weight, leak, config, norm=norm, voltage=voltage, **geometry).dense()
        return output
    event_driven = _event_driven(inputs, weight, stride=stride, padding=padding, pool=pool)
    if event_driven and (not training or _sparse(inputs)):
        kernel = _loaded[_load("event_conv", "event_conv_layer")].event_conv_layer
    else:
        kernel = _kernel("conv_layer", inputs)
    return kernel(
        inputs,
        weight,
        leak,
        config,
        norm=norm,
        stride=stride,
        padding=padding,
        pool=pool,
        voltage=voltage,
        training=training,
        small_inputs=small_inputs,
    )


def recurrent_layer(
    currents: Float[Tensor, "T B N"],
    recurrent: Float[Tensor, "N N"],
    leak: Float[Tensor, ""] | Float[Tensor, " N"],
    config: NeuronConfig,
    *,
    voltage: Float[Tensor, "B N"] | None = None,
    spikes: Float[Tensor, "B N"] | None = None,
) -> LayerOutput:
    """Neurons that hear each other's spikes; see `reference.recurrent_layer`."""
    leak = _leak(leak, currents)
    require_recurrent_layer(currents, recurrent, leak, voltage=voltage, spikes=spikes)
    kernel = _kernel("recurrent_layer", currents)
    return kernel(currents, recurrent, leak, config, voltage=voltage, spikes=spikes)


def spike_full_layer(
    inputs: Float[Tensor, "T B D"],
    weight: Float[Tensor, "D2 D"],
    leak: Float[Tensor, ""] | Float[Tensor, " D2"],
    config: NeuronConfig,
    *,
    voltage: Float[Tensor, "B D2"] | None = None,
) -> LayerOutput | None:
    """Neurons whose currents are inputs weight^T, small whole numbers, without gradient; None where that cannot be."""
    leak = _leak(leak, inputs)
    require_full_layer(inputs, weight, leak, voltage=voltage)
    if not _reads_spikes(inputs, weight, leak):
        return None
    run = _loaded[_load("spike_layer", "spike_full_layer")].spike_full_layer
    output: LayerOutput = run(inputs, weight, leak, config, voltage=voltage).dense()
    return output


def spike_product(inputs: Float[Tensor, "T B D"], weight: Float[Tensor, "D2 D"]) -> Float[Tensor, "T B D2"] | None:
    """inputs weight^T of small whole numbers, without gradient; None where that cannot be."""
    require_full_layer(inputs, weight)
    if not _reads_spikes(inputs, weight):
        return None
    run: Callable[..., Tensor] = _loaded[_load("spike_layer", "spike_product")].spike_product
    return run(inputs, weight)


# ---- spikes that only our own layers see ----


def relays_spikes(
    inputs: Float[Tensor, "T B C H W"], weight: Float[Tensor, "O C k1 k2"], *, stride: int, padding: int, pool: int
) -> bool:
    """Can layers hand packed spikes to each other that begin with this convolution of pictures of events?"""
    if inputs.dtype not in (torch.float32, torch.bfloat16) or torch.is_grad_enabled():
        return False
    return _special("spike_layer", inputs) and _event_driven(inputs, weight, stride=stride, padding=padding, pool=pool)


def relay_conv_layer(
    inputs: Float[Tensor, "T B C H W"] | PackedSpikes,
    weight: Float[Tensor, "O C k1 k2"],
    leak: Float[Tensor, ""] | Float[Tensor, " O"],
    config: NeuronConfig,
    *,
    norm: nn.BatchNorm2d,
    stride: int = 1,
    padding: int = 0,
    pool: int = 1,
    voltage: Float[Tensor, "B O H2 W2"] | None = None,
) -> RelayOutput:
    """`conv_layer` in evaluation where `relays_spikes`: of pictures of events or of packed spikes, to packed spikes.

    It is the same kernel, so that the spikes are those of `conv_layer` to the bit.
    """
    outline = inputs if isinstance(inputs, Tensor) else inputs.outline()
    leak = _leak(leak, outline)
    geometry = {"stride": stride, "padding": padding, "pool": pool}
    require_conv_layer(outline, weight, leak, norm=norm, voltage=voltage, **geometry)
    output: RelayOutput
    if isinstance(inputs, Tensor):
        run = _loaded[_load("event_conv", "packed_event_layer")].packed_event_layer
        output = run(inputs, weight, leak, config, norm=norm, voltage=voltage, **geometry)
    else:
        run = _loaded[_load("spike_layer", "spike_conv_layer")].spike_conv_layer
        output = run(inputs, weight, leak, config, norm=norm, voltage=voltage, packed=True, **geometry)
    return output


def relay_full_layer(
    inputs: PackedSpikes,
    weight: Float[Tensor, "D2 D"],
    leak: Float[Tensor, ""] | Float[Tensor, " D2"],
    config: NeuronConfig,
    *,
    voltage: Float[Tensor, "B D2"] | None = None,
    packed: bool,
) -> RelayOutput:
    """`spike_full_layer` of packed spikes, and to packed spikes if wanted."""
    outline = inputs.outline()
    leak = _leak(leak, outline)
    require_full_layer(outline, weight, leak, voltage=voltage)
    run = _loaded[_load("spike_layer", "spike_full_layer")].spike_full_layer
    output: RelayOutput = run(inputs, weight, leak, config, voltage=voltage, packed=packed)
    return output


def flattened(pictures: PackedSpikes) -> PackedSpikes:
    """[T, B, C, H, W] -> [T, B, C H W], in the order of `Tensor.flatten`."""
    rows: PackedSpikes = _loaded[_load("spike_layer", "flattened")].flattened(pictures)
    return rows


@contextmanager
def use_kernel(name: str | None) -> Iterator[None]:
    """Run every layer by the kernel of this name ("reference", "cpu", "cuda"); None chooses.

    Raises:
        ConfigError: if there is no kernel of that name.
    """
    global _forced
    if name is not None and name not in _NAMES:
        raise unknown_name("kernel", name, _NAMES)
    before, _forced = _forced, name
    try:
        yield
    finally:
        _forced = before


def kernel_report() -> dict[str, str]:
    """What is ready on this machine, what was asked for, and which kernels have run so far."""
    report = {name: _missing(name) or "ready" for name in ("cpu", "event_conv", "spike_layer", "cuda")}
    return {"forced": _forced or "no", **report, "ran": ", ".join(sorted(_ran)) or "none"}


@cache
def _missing(name: str) -> str | None:
    """Why the kernel cannot run here; None if it can."""
    try:
        reason: str | None = _module(name).unavailable()
    except (ImportError, AttributeError) as error:
        return f"it cannot be imported: {error}"
    return reason


@cache
def _module(name: str) -> ModuleType:
    return importlib.import_module(f"snnface.spiking.kernels.{name}")


def _kernel(function: str, inputs: Tensor) -> Callable[..., LayerOutput]:
    """`function` of the kernel that runs on such inputs."""
    if _forced is not None and _forced not in _NAMES:
        raise unknown_name("kernel", _forced, _NAMES)
    name = _forced or inputs.device.type
    fits = inputs.device.type == name and inputs.dtype in _DTYPES.get(name, ())
    return getattr(_loaded[_load(name if fits else "reference", function)], function)


def _load(name: str, function: str) -> str:
    """The kernel of that name, or the reference where it cannot run or has no such function; it is loaded then."""
    if name != "reference" and (reason := _missing(name)) is not None:
        _warn_once(name, reason)
        name = "reference"
    if not hasattr(_module(name), function):
        name = "reference"
    _ran.add(name)
    _loaded[name] = _module(name)
    return name


# What `torch.compiler.assume_constant_result` does, which imports the whole compiler to do it (seconds).
_load._dynamo_marked_constant = True  # type: ignore[attr-defined]


def _reads_spikes(inputs: Tensor, *parameters: Tensor) -> bool:
    """Is there a kernel for spikes, and no gradient that it would have to give?

    Nothing here may depend on how much there is of a sequence: its pieces round as the whole does.
    """
    if torch.is_grad_enabled() and any(values.requires_grad for values in (inputs, *parameters)):
        return False
    return _special("spike_layer", inputs)


def _event_driven(inputs: Tensor, weight: Tensor, *, stride: int, padding: int, pool: int) -> bool:
    """Is there a kernel for events, and can it take this layer?"""
    if inputs.shape[2] > _MAX_EVENT_CHANNELS or (torch.is_grad_enabled() and inputs.requires_grad):
        return False
    side = weight.shape[2]
    if side % 2 == 0 or weight.shape[3] != side or padding != side // 2 or stride != 1 or pool > 2:
        return False
    return _special("event_conv", inputs) and side in _module("event_conv").KERNELS


def _special(name: str, inputs: Tensor) -> bool:
    """May this kernel for some inputs of the processor run on such ones?"""
    if _forced or inputs.device.type != "cpu" or torch.compiler.is_compiling():
        return False
    return inputs.dtype in _DTYPES["cpu"] and _missing(name) is None


def _sparse(inputs: Tensor) -> bool:
    """Are few of the inputs not zero? Those of all processes together: their sums meet only on the same path."""
    counts = torch.tensor([int(torch.count_nonzero(inputs)), inputs.numel()], dtype=torch.float64)
    num_events, num_inputs = processes.sum_in_place(counts).tolist()
    most: float = _module("event_conv").MAX_DENSITY
    return bool(num_events < most * num_inputs)


def _leak(leak: Tensor, inputs: Tensor) -> Tensor:
    dtype = torch.float64 if inputs.dtype == torch.float64 else torch.float32
    return leak.to(inputs.device, dtype)


@cache
def _warn_once(name: str, reason: str) -> None:
    logging.getLogger(__name__).warning(
        "the %s kernel is not available (%s); the reference kernel runs instead, with the same results but slower.",
        name,
        reason,
    )
