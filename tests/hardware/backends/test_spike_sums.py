"""Sums from spikes alone equal the sums by definition, whatever the geometry."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversion.graph import Conv2dSynapse, LinearSynapse
from hardware.backends.loihi_synapse import conv_sums, dense_sums
from hardware.backends.sparse_sums import SparseSums
from hardware.backends.spike_sums import ConvSums, channels_first, channels_last, spike_sums
from hardware.backends.spike_train import SpikeTrain

PAIR = st.tuples(st.integers(1, 3), st.integers(1, 3))


def train_of(messages: np.ndarray) -> SpikeTrain:
    """[T, *shape] in the numbering of the sums."""
    axes = (0, *(1 + axis for axis in channels_last(messages.shape[1:])))
    return SpikeTrain.from_dense(np.ascontiguousarray(messages.transpose(axes)).reshape(len(messages), -1))


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    groups=st.integers(1, 3),
    per_group=PAIR,
    kernel=PAIR,
    stride=PAIR,
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    dilation=PAIR,
    extra=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    largest=st.sampled_from([1, 255]),
    weight_bits=st.sampled_from([8, 20]),
)
def test_convolutions_of_any_geometry_sum_as_defined(
    seed: int,
    groups: int,
    per_group: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    extra: tuple[int, int],
    largest: int,
    weight_bits: int,
) -> None:
    draw = np.random.default_rng(seed)
    height, width = (d * (k - 1) + 1 + more for d, k, more in zip(dilation, kernel, extra, strict=True))
    bound = 1 << weight_bits
    weight = draw.integers(-bound, bound, size=(groups * per_group[0], per_group[1], *kernel))
    synapse = Conv2dSynapse(weight, None, stride, padding, dilation, groups)
    shape = (groups * per_group[1], height, width)
    messages = draw.integers(0, largest + 1, size=(4, *shape)) * draw.integers(0, 2, size=(4, *shape))
    connection = spike_sums(synapse, shape, largest)
    target = synapse.output_shape(shape)
    sums = np.full((2, int(np.prod(target))), 1000, dtype=np.int32)  # what another connection left there
    connection.add_to(sums, train_of(messages), 1)
    expected = conv_sums(synapse, messages)[1:3] + 1000
    assert np.array_equal(channels_first(sums, target), expected)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    kernel=PAIR,
    gap=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    channels=st.sampled_from([(1, 1), (3, 1), (2, 3)]),
)
def test_pools_are_lists_of_one_target_a_neuron_and_sum_as_defined(
    seed: int, kernel: tuple[int, int], gap: tuple[int, int], padding: tuple[int, int], channels: tuple[int, int]
) -> None:
    draw = np.random.default_rng(seed)
    groups, in_group = channels
    stride = (kernel[0] + gap[0], kernel[1] + gap[1])  # no two windows overlap
    synapse = Conv2dSynapse(
        draw.integers(1, 200, size=(groups, in_group, *kernel)), None, stride, padding, groups=groups
    )
    shape = (groups * in_group, 7, 5)
    connection = spike_sums(synapse, shape, 1)
    assert isinstance(connection, SparseSums)
    assert np.diff(connection.offsets).max() <= 1
    messages = draw.integers(0, 2, size=(3, *shape))
    target = synapse.output_shape(shape)
    sums = np.zeros((3, int(np.prod(target))), dtype=np.int32)
    connection.add_to(sums, train_of(messages), 0)
    assert np.array_equal(channels_first(sums, target), conv_sums(synapse, messages))


def test_a_pool_whose_sums_could_wrap_is_summed_as_a_convolution() -> None:
    synapse = Conv2dSynapse(np.full((1, 1, 2, 2), 1 << 21), stride=(2, 2))
    assert isinstance(spike_sums(synapse, (1, 4, 4), 1), ConvSums)


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.sampled_from([(5,), (1,), (3, 2, 4)]),
    num_targets=st.integers(1, 40),
    largest=st.sampled_from([1, 255]),
)
def test_full_matrices_read_maps_in_channel_row_column_order(
    seed: int, shape: tuple[int, ...], num_targets: int, largest: int
) -> None:
    draw = np.random.default_rng(seed)
    weight = draw.integers(-256, 256, size=(num_targets, int(np.prod(shape))))
    messages = draw.integers(0, largest + 1, size=(5, *shape))
    sums = np.zeros((5, num_targets), dtype=np.int32)
    spike_sums(LinearSynapse(weight), shape, largest).add_to(sums, train_of(messages), 0)
    assert np.array_equal(sums, dense_sums(weight, messages.reshape(5, -1)))


def test_no_spikes_add_nothing() -> None:
    connection = spike_sums(LinearSynapse(np.ones((3, 2), dtype=np.int64)), (2,), 1)
    sums = np.zeros((4, 3), dtype=np.int32)
    connection.add_to(sums, SpikeTrain.from_dense(np.zeros((4, 2), dtype=np.int64)), 0)
    assert not sums.any()


@pytest.mark.parametrize("weight", [255, 1 << 20])
def test_narrow_and_wide_weights_give_the_same_kind_of_sum(weight: int) -> None:
    connection: Any = spike_sums(LinearSynapse(np.array([[weight]])), (1,), 1)
    sums = np.zeros((1, 1), dtype=np.int32)
    connection.add_to(sums, SpikeTrain.from_dense(np.array([[3]])), 0)
    assert sums.tolist() == [[3 * weight]]
