"""The definition of every kernel: one autograd step after the other, in any float type.

All other kernels are tested against these functions, in values and in gradients. Double
backward works here and only here.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from snnface.spiking import processes
from snnface.spiking.kernels import batch_norm
from snnface.spiking.neurons import LayerOutput, NeuronConfig, neuron_step

__all__ = ["batch_affine", "conv_layer", "convolve", "neuron_layer", "recurrent_layer"]


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
    """Neurons over T steps, then max-pooling.

    The voltage is float32 (float64 for float64 currents) whatever the currents are stored
    in. The gradient of a pooled maximum goes to the first one in row-major order.

    Args:
        currents: [T, B, C, ...].
        leak: 1/tau, one for all or one a channel; see `neuron_step`.
        voltage: where to start; None is rest, `v_reset`.
        scale, shift: what currents * scale + shift make of each channel, two rounded operations.
        pool: side and stride of the max-pooling windows; rests at the far borders are left out.
    """
    wide = _widened(currents)
    if scale is not None and shift is not None:
        wide = wide * _per_channel(scale, wide) + _per_channel(shift, wide)
    now = torch.full_like(wide[0], config.v_reset) if voltage is None else voltage.detach()
    fired = []
    for current in wide:
        spikes, now = neuron_step(now, current, leak.to(wide), config)
        fired.append(spikes)
    return _output(torch.stack(fired), now, currents.dtype, pool)


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
    """Convolution, batch norm, neurons over T steps, max-pooling; see `neuron_layer`.

    Args:
        norm: its statistics are those of this batch over T, B, H and W in training (the
            running ones are updated), else the running ones; see `batch_affine`.
        small_inputs: a promise that the inputs are whole numbers from 0 to 255, which a
            kernel may keep as bytes for the backward pass; nothing changes here.
    """
    del small_inputs
    currents = convolve(inputs.flatten(0, 1), weight, stride=stride, padding=padding)
    scale, shift = batch_affine(currents, norm, training=training)
    currents = currents.reshape(*inputs.shape[:2], *currents.shape[1:])
    return neuron_layer(currents, leak, config, voltage=voltage, scale=scale, shift=shift, pool=pool)


def recurrent_layer(
    currents: Float[Tensor, "T B N"],
    recurrent: Float[Tensor, "N N"],
    leak: Float[Tensor, ""] | Float[Tensor, " N"],
    config: NeuronConfig,
    *,
    voltage: Float[Tensor, "B N"] | None = None,
    spikes: Float[Tensor, "B N"] | None = None,
) -> LayerOutput:
    """Neurons that also hear each other's spikes, one step later: x[t] + s[t-1] recurrent^T enters.

    Args:
        recurrent: the weight from neuron j to neuron i at [i, j].
        spikes: those of the step before the first; None is none.
    """
    wide = _widened(currents)
    now = torch.full_like(wide[0], config.v_reset) if voltage is None else voltage.detach()
    last = torch.zeros_like(wide[0]) if spikes is None else spikes.detach().to(wide.dtype)
    fired = []
    for current in wide:
        heard = torch.einsum("bj,ij->bi", last, recurrent.to(last)).to(wide.dtype)
        last, now = neuron_step(now, current + heard, leak.to(wide), config)
        fired.append(last)
    return _output(torch.stack(fired), now, currents.dtype, pool=1)


def convolve(
    inputs: Float[Tensor, "N C H W"], weight: Float[Tensor, "O C k1 k2"], *, stride: int, padding: int
) -> Float[Tensor, "N O H2 W2"]:
    """The convolution of every kernel, channels last; in the type that autocast asks for.

    torch takes another algorithm, with other rounding, for a single picture; it is
    convolved with a copy of itself, so that a picture has one result whatever its batch.
    """
    alone = len(inputs) == 1
    inputs = (inputs.expand(2, -1, -1, -1) if alone else inputs).contiguous(memory_format=torch.channels_last)
    outputs = functional.conv2d(inputs, weight.to(memory_format=torch.channels_last), stride=stride, padding=padding)
    return outputs[:1] if alone else outputs


def batch_affine(
    currents: Float[Tensor, "N C H W"], norm: nn.BatchNorm2d, *, training: bool
) -> tuple[Float[Tensor, " C"], Float[Tensor, " C"]]:
    """Batch norm as currents * scale + shift, per channel.

        scale = gamma / sqrt(var + eps),  shift = beta - mean scale

    in float64, rounded once to the type of the parameters. In training mean and biased
    variance are those of `currents`, over all processes of `torch.distributed`, and the
    running statistics move as torch moves them (with the unbiased variance).

    Raises:
        DataError: if there is but one value a channel to take a variance of.
    """
    if training:
        mean, variance = _batch_statistics(currents, norm)
    else:
        mean, variance = batch_norm.running_statistics(norm)
    return batch_norm.affine_of(mean, variance, norm.weight, norm.bias, norm.eps)


def _batch_statistics(currents: Tensor, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    count = currents.numel() // currents.shape[1]
    wide = currents.double()
    sums = processes.differentiable_sum(torch.cat([wide.sum((0, 2, 3)), wide.new_full((1,), count)]))
    mean, total = sums[:-1] / sums[-1], sums[-1].detach()
    batch_norm.require_statistics(int(total) if processes.is_distributed() else count)
    squares = processes.differentiable_sum((wide - mean[:, None, None]).square().sum((0, 2, 3)))
    batch_norm.update_running(norm, mean.detach(), squares.detach() / (total - 1))
    return mean, squares / total


def _widened(currents: Tensor) -> Tensor:
    return currents if currents.dtype == torch.float64 else currents.float()


def _per_channel(values: Tensor, currents: Tensor) -> Tensor:
    return values.to(currents).reshape(-1, *[1] * (currents.ndim - 3))


def _output(spikes: Tensor, voltage: Tensor, dtype: torch.dtype, pool: int) -> LayerOutput:
    num_spikes = spikes.sum(dtype=torch.float64)
    if pool > 1:
        pooled = functional.max_pool2d(spikes.flatten(0, 1), pool)
        spikes = pooled.reshape(*spikes.shape[:2], *pooled.shape[1:])
    return LayerOutput(spikes.to(dtype), voltage.detach(), num_spikes)
