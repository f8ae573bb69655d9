"""Synaptic sums from the spikes alone: each spike adds its column of weights, and nothing else is touched.

Integers in 32 bits throughout, so the sums are exact by construction. A sum beyond 32 bits
wraps, as Lava's does. Neurons of a map are numbered channels-last, (row, column, channel),
because then the weights of one kernel tap and the sums that they go to are both contiguous.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32, Int64, Integer

from conversion.graph import Conv2dSynapse, LinearSynapse, Synapse
from hardware.backends.loihi_synapse import is_mostly_zero, largest_sum, wrapped24
from hardware.backends.sparse_sums import SparseSums, sparse_sums
from hardware.backends.spike_train import SpikeTrain
from snnface.jit import jit

__all__ = ["ConvSums", "LinearSums", "SpikeSums", "channels_first", "channels_last", "spike_sums"]


def spike_sums(synapse: Synapse, source_shape: tuple[int, ...], max_message: int | None) -> "SpikeSums":
    """Prepare a connection for fast summing.

    Args:
        synapse: integer weights, used as they are.
        source_shape: (C, H, W) or (N,) of the population that it reads.
        max_message: the largest magnitude that the source sends; 1 for binary spikes, None where it may be any.
    """
    if isinstance(synapse, LinearSynapse):
        columns = synapse.weight.reshape(-1, *source_shape)
        if len(source_shape) == 3:
            columns = columns.transpose(0, 2, 3, 1)
        by_source = columns.reshape(len(columns), -1).T
        return sparse_sums(by_source) if is_mostly_zero(by_source) else LinearSums(_narrow(by_source))
    out_channels, out_height, out_width = synapse.output_shape(source_shape)
    kernel = synapse.weight.shape[2:]
    rows, columns = (
        _targets(source_shape[1 + axis], kernel[axis], size, synapse.stride[axis], synapse.padding[axis], dilation)
        for axis, size, dilation in zip((0, 1), (out_height, out_width), synapse.dilation, strict=True)
    )
    sums = ConvSums(
        weight=_narrow(_weights_by_source(synapse)),
        row_targets=np.where(rows < 0, -1, rows * out_width * out_channels),
        column_targets=np.where(columns < 0, -1, columns * out_channels),
        num_groups=synapse.groups,
        may_wrap=max_message is None or largest_sum(synapse, max_message) >= 1 << 23,
    )
    reaches_one = (rows >= 0).sum(axis=1).max() <= 1 and (columns >= 0).sum(axis=1).max() <= 1
    is_pool = reaches_one and synapse.groups == out_channels and not sums.may_wrap
    return _pool_sums(sums) if is_pool else sums


def channels_last(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The order of axes that numbers the neurons here: (C, H, W) -> (H, W, C); one axis stays."""
    return (1, 2, 0) if len(shape) == 3 else (0,)


def channels_first(flat: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Arrays [..., N] in this module's numbering -> [..., *shape]."""
    leading = flat.shape[:-1]
    if len(shape) != 3:
        return flat.reshape(*leading, *shape)
    channels, height, width = shape
    return np.moveaxis(flat.reshape(*leading, height, width, channels), -1, -3)


@dataclass(frozen=True, slots=True, eq=False)
class LinearSums:
    """A full matrix, one contiguous row per source neuron.

    Attributes:
        weight: int16 or int32 [I, O].
    """

    weight: Integer[np.ndarray, "I O"]

    def add_to(self, sums: Int32[np.ndarray, "T O"], train: SpikeTrain, first: int) -> None:
        """Add the sums of steps first, first + 1, ... of `train` to `sums`, in place."""
        _add_linear(sums, self.weight, train.offsets[first : first + len(sums) + 1], train.index, train.value)


@dataclass(frozen=True, slots=True, eq=False)
class ConvSums:
    """A convolution, its kernels seen from the source neuron.

    Attributes:
        weight: int16 or int32 [I, kh, kw, O / groups].
        row_targets: [H, kh]; the number of the first neuron of the output row that kernel row
            i reaches from source row h, or -1 where that lies outside or between strides.
        column_targets: [W, kw]; likewise the distance from there to the output column.
        may_wrap: a sum could leave 24 bits, where Lava wraps it before other connections are added.
    """

    weight: Integer[np.ndarray, "I kh kw O"]
    row_targets: Int64[np.ndarray, "H kh"]
    column_targets: Int64[np.ndarray, "W kw"]
    num_groups: int
    may_wrap: bool

    def add_to(self, sums: Int32[np.ndarray, "T N"], train: SpikeTrain, first: int) -> None:
        """Add the sums of steps first, first + 1, ... of `train` to `sums`, in place."""
        own = np.zeros_like(sums) if self.may_wrap else sums
        offsets = train.offsets[first : first + len(sums) + 1]
        _add_conv(
            own, self.weight, self.row_targets, self.column_targets, self.num_groups, offsets, train.index, train.value
        )
        if self.may_wrap:
            sums += wrapped24(own)


SpikeSums = LinearSums | ConvSums | SparseSums


def _pool_sums(sums: ConvSums) -> SparseSums:
    """Where each source neuron reaches one target at most, as in a pool: the list of these."""
    channels = sums.weight.shape[0]
    row_tap, column_tap = (targets.argmax(axis=1) for targets in (sums.row_targets, sums.column_targets))
    row, column = sums.row_targets.max(axis=1)[:, None, None], sums.column_targets.max(axis=1)[None, :, None]
    channel = np.arange(channels)
    reached = np.broadcast_to((row >= 0) & (column >= 0), (row.size, column.size, channels))
    target = row + column + channel // (channels // sums.num_groups)
    weight = sums.weight[channel, row_tap[:, None, None], column_tap[None, :, None], 0]
    offsets = np.concatenate(([0], np.cumsum(reached))).astype(np.int64)
    return SparseSums(offsets, target[reached].astype(np.int32), weight[reached].astype(np.int32))


def _targets(
    size: int, kernel: int, out_size: int, stride: int, padding: int, dilation: int
) -> Int64[np.ndarray, "size kernel"]:
    """Along one axis: the output position that each tap reaches from each input position, or -1."""
    position = np.arange(size)[:, None] + padding - np.arange(kernel)[None] * dilation
    target = position // stride
    return np.where((position % stride == 0) & (target >= 0) & (target < out_size), target, -1)


def _weights_by_source(synapse: Conv2dSynapse) -> np.ndarray:
    """[O, I / groups, kh, kw] -> [I, kh, kw, O / groups]."""
    out_channels, in_group, *kernel = synapse.weight.shape
    by_group = synapse.weight.reshape(synapse.groups, out_channels // synapse.groups, in_group, *kernel)
    return by_group.transpose(0, 2, 3, 4, 1).reshape(synapse.groups * in_group, *kernel, -1)


def _narrow(weight: np.ndarray) -> np.ndarray:
    """Weights in the fewest bits, since reading them is most of the work."""
    largest = max(-int(weight.min(initial=0)), int(weight.max(initial=0)))
    return np.ascontiguousarray(weight, dtype=np.int16 if largest < 1 << 15 else np.int32)


# Unsigned indices below: a signed one could count from the end, and the check for that keeps
# the inner loops from becoming vector code.


@jit
def _add_linear(sums, weight, offsets, index, value):  # type: ignore[no-untyped-def]
    num_targets = np.uint64(weight.shape[1])
    weights = weight.reshape(-1)
    for step in range(sums.shape[0]):
        row = sums[step]
        for spike in range(offsets[step], offsets[step + 1]):
            factor = value[spike]
            start = np.uint64(index[spike]) * num_targets
            for n in range(num_targets):
                row[n] += weights[start + n] * factor


@jit
def _add_conv(sums, weight, row_targets, column_targets, num_groups, offsets, index, value):  # type: ignore[no-untyped-def]
    channels, kernel_height, kernel_width, out_group = weight.shape
    num_channels, width = np.uint32(channels), np.uint32(column_targets.shape[0])
    in_group, num_targets = np.uint32(channels // num_groups), np.uint64(out_group)
    weights = weight.reshape(-1)
    for step in range(sums.shape[0]):
        sums_now = sums[step]
        for spike in range(offsets[step], offsets[step + 1]):
            factor = value[spike]
            pixel = np.uint32(index[spike]) // num_channels
            channel = np.uint32(index[spike]) - pixel * num_channels
            row = pixel // width
            column = pixel - row * width
            first_channel = (channel // in_group) * out_group
            for i in range(kernel_height):
                row_target = row_targets[row, i]
                if row_target < 0:
                    continue
                for j in range(kernel_width):
                    column_target = column_targets[column, j]
                    if column_target < 0:
                        continue
                    target = np.uint64(row_target + column_target + first_channel)
                    tap = np.uint64(((channel * kernel_height + i) * kernel_width + j) * out_group)
                    for n in range(num_targets):
                        sums_now[target + n] += weights[tap + n] * factor
