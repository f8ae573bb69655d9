"""Synaptic sums of many frames at once on a torch device, exact although they are floats.

A sum of integers is exact in floating point as long as no partial sum can leave the integers that
the format holds: 2^24 in float32, 2^53 in float64. A convolution is added up kernel tap by kernel
tap, each tap a matrix product, because libraries' own convolutions may use transforms (Winograd,
FFT) whose intermediate numbers are no integers.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int32
from torch import Tensor
from torch.nn.functional import pad

from conversion.graph import Conv2dSynapse, LinearSynapse, Synapse
from hardware.backends.loihi_synapse import largest_sum
from snnface.errors import PrecisionError

__all__ = ["DeviceSums", "device_sums", "exact_dtype"]

SHORT = 1 << 8
"""Integers up to here are themselves in TF32 and in bfloat16 too, to which a user may have let torch round factors."""


@dataclass(frozen=True, slots=True, eq=False)
class DeviceSums:
    """A connection on a device.

    Attributes:
        synapse: integer weights and geometry.
        weight: the weights as floats on the device: [O, I] of a full matrix, else [kh, kw, groups,
            O / groups, I / groups].
        may_wrap: a convolution's sum could leave 24 bits, where Lava wraps it.
    """

    synapse: Synapse
    weight: Float[Tensor, "..."]
    may_wrap: bool

    def __call__(self, messages: Tensor) -> Int32[Tensor, "F ..."]:
        """Messages [F, *source shape], integers, to sums [F, *target shape]."""
        messages = messages.to(self.weight.dtype)
        if isinstance(self.synapse, LinearSynapse):
            return (messages.flatten(1) @ self.weight.T).to(torch.int32)
        sums = self._tap_sums(self.synapse, messages)
        return ((sums + (1 << 23)) & 0xFFFFFF) - (1 << 23) if self.may_wrap else sums

    def _tap_sums(self, synapse: Conv2dSynapse, messages: Tensor) -> Tensor:
        frames, *source_shape = messages.shape
        channels, height, width = synapse.output_shape(tuple(source_shape))
        (rows, columns), (down, right) = synapse.padding, synapse.stride
        # Channels first of all, so that a tap of all frames is one matrix [I, F H W].
        padded = pad(messages.transpose(0, 1), (columns, columns, rows, rows))
        total = messages.new_zeros((synapse.groups, channels // synapse.groups, frames * height * width))
        for i, j in np.ndindex(*self.weight.shape[:2]):
            top, left = i * synapse.dilation[0], j * synapse.dilation[1]
            seen = padded[
                :, :, top : top + down * (height - 1) + 1 : down, left : left + right * (width - 1) + 1 : right
            ]
            total.baddbmm_(self.weight[i, j], seen.reshape(synapse.groups, -1, frames * height * width))
        return total.to(torch.int32).reshape(channels, frames, height, width).transpose(0, 1)


def device_sums(synapse: Synapse, max_message: int, device: torch.device) -> DeviceSums:
    """Lay a connection out on a device.

    Raises:
        PrecisionError: if its sums could leave the integers of float64.
    """
    weight = torch.from_numpy(synapse.weight.astype(np.float64)).to(exact_dtype(synapse, max_message))
    if isinstance(synapse, LinearSynapse):
        return DeviceSums(synapse, weight.to(device), may_wrap=False)
    grouped = weight.reshape(synapse.groups, -1, *weight.shape[1:]).permute(3, 4, 0, 1, 2).contiguous()
    return DeviceSums(synapse, grouped.to(device), may_wrap=largest_sum(synapse, max_message) >= 1 << 23)


def exact_dtype(synapse: Synapse, max_message: int) -> torch.dtype:
    """The smaller float in which every sum of this connection is exact.

    Raises:
        PrecisionError: if there is none.
    """
    largest = largest_sum(synapse, max_message)
    if largest >= 1 << 53:
        raise PrecisionError(
            f"sums could reach {largest}, beyond 2^53, where floats are not exact. Use smaller weights."
        )
    factor = max(int(np.abs(synapse.weight).max(initial=0)), max_message)
    return torch.float32 if largest < 1 << 24 and factor <= SHORT else torch.float64
