"""What the arguments of a layer must be; kernels that read memory by pointers trust it."""

from torch import Tensor, nn

from snnface.errors import ConfigError, ShapeError

__all__ = ["require_conv_layer", "require_full_layer", "require_neuron_layer", "require_recurrent_layer"]


def require_neuron_layer(
    currents: Tensor,
    leak: Tensor,
    *,
    voltage: Tensor | None,
    scale: Tensor | None,
    shift: Tensor | None,
    pool: int,
) -> None:
    """Check the arguments of `reference.neuron_layer`.

    Raises:
        ShapeError: if there is nothing to compute, or a shape does not fit the currents'.
        ConfigError: if tensors lie on several devices, or a scale comes without a shift.
    """
    _require_something(currents, axes=3)
    channels = currents.shape[2]
    if (scale is None) != (shift is None):
        raise ConfigError("scale and shift belong together; give both or none.")
    _require_leak(leak, channels)
    _require(voltage, tuple(currents.shape[1:]), "the voltage")
    for name, values in (("scale", scale), ("shift", shift)):
        _require(values, (channels,), f"the {name}")
    _require_pool(pool, tuple(currents.shape[3:]))
    _require_one_device(currents, leak, voltage, scale, shift)


def require_conv_layer(
    inputs: Tensor,
    weight: Tensor,
    leak: Tensor,
    *,
    norm: nn.BatchNorm2d,
    stride: int,
    padding: int,
    pool: int,
    voltage: Tensor | None,
) -> None:
    """Check the arguments of `reference.conv_layer`.

    Raises:
        ShapeError: if there is nothing to compute, or shapes do not fit each other.
        ConfigError: if tensors lie on several devices, a step or a border is no distance,
            or the batch norm has no weight and bias.
    """
    _require_something(inputs, axes=5)
    if weight.ndim != 4 or weight.shape[1] != inputs.shape[2]:
        raise ShapeError(
            f"the weight must be [O, {inputs.shape[2]}, k, k] for inputs {list(inputs.shape)}; "
            f"its shape is {list(weight.shape)}."
        )
    if stride < 1 or padding < 0:
        raise ConfigError(f"stride must be at least 1 and padding at least 0; got {stride} and {padding}.")
    sides = zip(inputs.shape[3:], weight.shape[2:], strict=True)
    sizes = tuple((size + 2 * padding - side) // stride + 1 for size, side in sides)
    if min(sizes) < 1:
        raise ShapeError(
            f"pictures of {list(inputs.shape[3:])} with {padding} around them are smaller than the kernel, "
            f"{list(weight.shape[2:])}. Use larger pictures, or more padding."
        )
    maps = weight.shape[0]
    if norm.weight is None or norm.bias is None or norm.num_features != maps:
        raise ConfigError(f"the batch norm must have weight and bias of {maps} channels; it is {norm}.")
    _require_leak(leak, maps)
    _require(voltage, (inputs.shape[1], maps, *sizes), "the voltage")
    _require_pool(pool, sizes)
    _require_one_device(inputs, weight, leak, voltage, norm.weight)


def require_full_layer(
    inputs: Tensor, weight: Tensor, leak: Tensor | None = None, *, voltage: Tensor | None = None
) -> None:
    """Check the inputs and the weight of a full layer, and its neurons where they belong to it.

    Raises:
        ShapeError: if there is nothing to compute, or shapes do not fit each other.
        ConfigError: if tensors lie on several devices.
    """
    _require_something(inputs, axes=3)
    if inputs.ndim > 3 or weight.ndim != 2 or weight.shape[1] != inputs.shape[2]:
        raise ShapeError(
            f"a full layer's inputs must be [T, B, D] and its weight [O, D]; their shapes are {list(inputs.shape)} and "
            f"{list(weight.shape)}."
        )
    if leak is not None:
        _require_leak(leak, len(weight))
    _require(voltage, (inputs.shape[1], len(weight)), "the voltage")
    _require_one_device(inputs, weight, leak, voltage)


def require_recurrent_layer(
    currents: Tensor, recurrent: Tensor, leak: Tensor, *, voltage: Tensor | None, spikes: Tensor | None
) -> None:
    """Check the arguments of `reference.recurrent_layer`.

    Raises:
        ShapeError: if there is nothing to compute, or a shape does not fit the currents'.
        ConfigError: if tensors lie on several devices.
    """
    _require_something(currents, axes=3)
    if currents.ndim > 3:
        raise ShapeError(f"a recurrent layer's currents must be [T, B, N]; their shape is {list(currents.shape)}.")
    _, samples, neurons = currents.shape
    _require_leak(leak, neurons)
    _require(recurrent, (neurons, neurons), "the recurrent weight")
    for name, values in (("voltage", voltage), ("last spikes", spikes)):
        _require(values, (samples, neurons), f"the {name}")
    _require_one_device(currents, recurrent, leak, voltage, spikes)


def _require_something(inputs: Tensor, *, axes: int) -> None:
    if inputs.ndim < axes:
        raise ShapeError(f"a spiking layer's input must have {axes} axes; its shape is {list(inputs.shape)}.")
    if 0 in inputs.shape:
        raise ShapeError(
            f"a spiking layer's input must have at least one step; its shape is {list(inputs.shape)}. "
            "Leave empty clips and batches out."
        )


def _require(values: Tensor | None, shape: tuple[int, ...], what: str) -> None:
    if values is not None and tuple(values.shape) != shape:
        raise ShapeError(f"{what} must be {list(shape)} for this layer; it is {list(values.shape)}.")


def _require_leak(leak: Tensor, channels: int) -> None:
    if leak.ndim and tuple(leak.shape) != (channels,):
        raise ShapeError(f"the leak must be one number, or {channels}; its shape is {list(leak.shape)}.")


def _require_pool(pool: int, sizes: tuple[int, ...]) -> None:
    if pool == 1:
        return
    if pool < 1:
        raise ConfigError(f"pool is the side of a window, at least 1; got {pool}.")
    if len(sizes) != 2 or min(sizes) < pool:
        raise ShapeError(
            f"pooling by {pool} needs pictures of at least {pool} x {pool}; these are {list(sizes)}. Use pool = 1."
        )


def _require_one_device(first: Tensor, *others: Tensor | None) -> None:
    for other in others:
        if other is not None and other.device != first.device:
            raise ConfigError(
                f"a layer's tensors must lie on one device; got {first.device} and {other.device}. "
                "Move the model, its state and the inputs to the same one."
            )
