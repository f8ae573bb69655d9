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
from snnface.spiking.kernels.arguments import require_conv_layer, require_neuron_layer, require_recurrent_layer
from snnface.spiking.neurons import LayerOutput, NeuronConfig

__all__ = ["conv_layer", "full_product", "kernel_report", "neuron_layer", "recurrent_layer", "use_kernel"]

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

    Inputs that need no gradient may take a path whose cost goes with the events, if this
    machine has it: those of few channels, in training where most of them are zero, in
    evaluation always, because a choice by the density of each piece would round whole
    sequences and pieces differently; and in evaluation the spikes of a stream (`_one_stream`).
    """
    leak = _leak(leak, inputs)
    require_conv_layer(inputs, weight, leak, norm=norm, stride=stride, padding=padding, pool=pool, voltage=voltage)
    event_driven = inputs.shape[2] <= _MAX_EVENT_CHANNELS or (small_inputs and not training and _one_stream(inputs))
    event_driven &= _event_driven(inputs, weight, stride=stride, padding=padding, pool=pool)
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


def full_product(inputs: Float[Tensor, "T B D"], weight: Float[Tensor, "D2 D"]) -> Float[Tensor, "T B D2"] | None:
    """inputs weight^T of a stream without gradient, at a cost that goes with the events; None where that cannot be."""
    wanted = torch.is_grad_enabled() and (inputs.requires_grad or weight.requires_grad)
    by_type = torch.float64 if inputs.dtype == torch.float64 else torch.float32
    if wanted or weight.dtype != by_type or not _one_stream(inputs) or not _for_events(inputs):
        return None
    product: Callable[..., Tensor] = _loaded[_load("event_product", "event_product")].event_product
    return product(inputs, weight)


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
    report = {name: _missing(name) or "ready" for name in ("cpu", "event_conv", "cuda")}
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


def _event_driven(inputs: Tensor, weight: Tensor, *, stride: int, padding: int, pool: int) -> bool:
    """Is there a kernel for events, and can it take this layer?"""
    if (torch.is_grad_enabled() and inputs.requires_grad) or not _for_events(inputs):
        return False
    side = weight.shape[2]
    if side % 2 == 0 or weight.shape[3] != side or padding != side // 2 or stride != 1 or pool > 2:
        return False
    return side in _module("event_conv").KERNELS


def _for_events(inputs: Tensor) -> bool:
    """May kernels for events run on such inputs, and are there any?"""
    if _forced or inputs.device.type != "cpu" or torch.compiler.is_compiling():
        return False
    return inputs.dtype in _DTYPES["cpu"] and _missing("event_conv") is None


def _one_stream(inputs: Tensor) -> bool:
    """Is this a single sample, in float32 or wider?

    Its steps come one by one, too few for dense products to pay. Trained networks let 15 to 40 % of
    the spikes through a pool, and with batches, or in bfloat16, dense products are faster from 10 %.
    The rule looks at what all pieces of a sequence share, so that they round as the whole does.
    """
    in_autocast = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
    return inputs.shape[1] == 1 and inputs.dtype != torch.bfloat16 and not in_autocast


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
