"""The Loihi synapse in integers, by definition: weight preparation and exact sums in plain NumPy.

What the chip stores is not always what was asked for. Weights share one sign mode per
connection, have 8 bits, and lose low bits when fewer are chosen or the signs are mixed:

    sgn = -1 for INHIBITORY, else +1
    w   = clip(sgn w, -256 if MIXED else 0, 255)
    k   = 8 - weight_bits + (1 if MIXED else 0)
    w   = sgn ((w >> k) << k)                        floor, so 3 becomes 2 when mixed

Sums are int64 here and slow; `spike_sums` computes the same from the spikes alone.

Source: lava-nc 0.10.0, lava/utils/weightutils.py, lava/proc/dense/models.py (PyDenseModelBitAcc),
lava/proc/conv/models.py (PyConvModelFixed, which prepares no weights and wraps its sums to 24 bits).
"""

from enum import Enum

import numpy as np
from jaxtyping import Int64, Integer

from conversion.graph import Conv2dSynapse, LinearSynapse

__all__ = [
    "SignMode",
    "conv_sums",
    "delayed_sums",
    "dense_sums",
    "is_mostly_zero",
    "largest_sum",
    "prepared_weight",
    "sign_mode_of",
    "wrapped24",
]

# Below this share of non-zero weights, a list of them beats the full matrix.
SPARSE_BELOW = 1 / 8


class SignMode(Enum):
    """What signs the weights of one connection may have."""

    MIXED = "mixed"
    EXCITATORY = "excitatory"
    INHIBITORY = "inhibitory"


def sign_mode_of(weight: Int64[np.ndarray, "..."]) -> SignMode:
    """EXCITATORY if no weight is negative (all zero included), else INHIBITORY if none is positive, else MIXED."""
    if weight.min(initial=0) >= 0:
        return SignMode.EXCITATORY
    return SignMode.INHIBITORY if weight.max(initial=0) <= 0 else SignMode.MIXED


def prepared_weight(
    weight: Int64[np.ndarray, "*shape"], *, weight_bits: int = 8, sign_mode: SignMode | None = None
) -> Int64[np.ndarray, "*shape"]:
    """The weights that the chip holds when it is given these.

    Args:
        weight_bits: 1..8.
        sign_mode: None finds it from the weights.

    >>> prepared_weight(np.array([300, 3, -3])).tolist()
    [254, 2, -4]
    """
    mode = sign_mode_of(weight) if sign_mode is None else sign_mode
    sign = -1 if mode is SignMode.INHIBITORY else 1
    lowest, lost_bits = (-256, 9 - weight_bits) if mode is SignMode.MIXED else (0, 8 - weight_bits)
    clipped = np.clip(sign * weight, lowest, 255)
    return np.asarray(sign * ((clipped >> lost_bits) << lost_bits))


def dense_sums(
    weight: Int64[np.ndarray, "O I"], messages: Integer[np.ndarray, "T I"], *, weight_exp: int = 0
) -> Int64[np.ndarray, "T O"]:
    """Synaptic sums of a full matrix; the exponent shifts the finished sum, to the right with floor.

    Args:
        weight: as `prepared_weight` gives it.
        messages: 0/1, or graded values.
    """
    sums = messages.astype(np.int64) @ weight.T
    return sums << weight_exp if weight_exp > 0 else sums >> -weight_exp


def delayed_sums(
    weight: Int64[np.ndarray, "O I"],
    delay: Int64[np.ndarray, "O I"],
    messages: Integer[np.ndarray, "T I"],
    *,
    weight_exp: int = 0,
) -> Int64[np.ndarray, "T O"]:
    """Synaptic sums of a full matrix whose weights act `delay` steps later than without.

    The weights of one delay are summed and shifted on their own, then all delays added.
    """
    sums = np.zeros((len(messages), len(weight)), dtype=np.int64)
    for steps in np.unique(delay):
        late = dense_sums(np.where(delay == steps, weight, 0), messages, weight_exp=weight_exp)
        sums[steps:] += late[: max(len(late) - steps, 0)]
    return sums


def conv_sums(synapse: Conv2dSynapse, messages: Integer[np.ndarray, "T C H W"]) -> Int64[np.ndarray, "T O Ho Wo"]:
    """Synaptic sums of a convolution, wrapped to 24 bits; the synapse's weights are used as they are."""
    (rows, columns), (down, right) = synapse.padding, synapse.stride
    padded = np.pad(messages.astype(np.int64), ((0, 0), (0, 0), (rows, rows), (columns, columns)))
    out_channels, in_group, *kernel = synapse.weight.shape
    spans = [dilation * (size - 1) + 1 for dilation, size in zip(synapse.dilation, kernel, strict=True)]
    windows = np.lib.stride_tricks.sliding_window_view(padded, spans, axis=(2, 3))
    windows = windows[:, :, ::down, ::right, :: synapse.dilation[0], :: synapse.dilation[1]]
    windows = windows.reshape(len(messages), synapse.groups, in_group, *windows.shape[2:])
    kernels = synapse.weight.reshape(synapse.groups, out_channels // synapse.groups, in_group, *kernel)
    sums = np.einsum("tgihwkl,goikl->tgohw", windows, kernels)
    return wrapped24(sums.reshape(len(messages), out_channels, *sums.shape[3:]))


def wrapped24(sums: Integer[np.ndarray, "*shape"]) -> Integer[np.ndarray, "*shape"]:
    """Sums as signed 24-bit integers."""
    return np.asarray(((sums + (1 << 23)) & ((1 << 24) - 1)) - (1 << 23))


def is_mostly_zero(weight: np.ndarray) -> bool:
    """A matrix that is kept as a list of its weights, and is a `Sparse` process in Lava.

    >>> is_mostly_zero(np.eye(9, dtype=int)), is_mostly_zero(np.eye(8, dtype=int))
    (True, False)
    """
    return bool(np.count_nonzero(weight) < SPARSE_BELOW * weight.size)


def largest_sum(synapse: Conv2dSynapse | LinearSynapse, max_message: int) -> int:
    """The largest magnitude that a sum of this connection can have."""
    per_output = np.abs(synapse.weight.reshape(len(synapse.weight), -1)).sum(axis=1)
    return int(per_output.max(initial=0)) * max_message
