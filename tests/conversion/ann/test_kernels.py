"""Two correlations in a row as one: the same numbers, or none where there is no such kernel."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from conversion.ann import kernels
from conversion.ann.graph import Conv
from conversion.ann.kernels import MapShape, composed, identity, output_shape, synapse_of
from conversion.graph import Conv2dSynapse, LinearSynapse
from conversion.simulate import apply_synapse
from snnface.errors import UnsupportedLayerError


@st.composite
def correlations(draw: st.DrawFn, channels: int) -> Conv:
    kind = draw(st.sampled_from(["dense", "grouped", "single"]))
    groups = {"dense": 1, "grouped": 2, "single": channels}[kind]
    outputs = channels if kind == "single" else draw(st.sampled_from([2, 4]))
    window = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    generator = np.random.default_rng(draw(st.integers(0, 10**6)))
    return Conv(
        generator.normal(size=(outputs, channels // groups, *window)),
        None,
        draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
        draw(st.tuples(*[st.integers(0, 2)] * 4)),
        draw(st.tuples(st.integers(1, 2), st.integers(1, 2))),
        groups,
    )


@st.composite
def pairs(draw: st.DrawFn) -> tuple[MapShape, Conv, Conv]:
    """A map's shape and two kernels that it passes, one after the other."""
    shape = (4, draw(st.integers(5, 12)), draw(st.integers(5, 12)))
    first = draw(correlations(4))
    assume(min(output_shape(first, shape)) > 0)
    second = draw(correlations(len(first.weight)))
    assume(min(output_shape(second, output_shape(first, shape))) > 0)
    return shape, first, second


@settings(max_examples=100, deadline=None)
@given(pair=pairs())
def test_a_composed_kernel_equals_both_in_a_row_as_a_connection_too(pair):
    shape, first, second = pair
    kernel = composed(first, second, shape)
    assume(kernel is not None)
    maps = torch.as_tensor(np.random.default_rng(0).normal(size=(2, *shape)))
    expected = second(first(maps))
    torch.testing.assert_close(kernel(maps), expected, rtol=1e-9, atol=1e-9)
    synapse = synapse_of(kernel, shape, tuple(expected.shape[1:]), None)
    assert synapse.output_shape(shape) == tuple(expected.shape[1:])
    torch.testing.assert_close(apply_synapse(synapse, maps), expected, rtol=1e-9, atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(pair=pairs())
def test_without_padding_in_the_second_there_is_always_a_kernel(pair):
    shape, first, second = pair
    second = replace(second, padding=(0, 0, 0, 0))
    assume(min(output_shape(second, output_shape(first, shape))) > 0)
    assert composed(first, second, shape) is not None


def test_two_padded_convolutions_are_no_single_one():
    padded = Conv(np.ones((1, 1, 3, 3)), padding=(1, 1, 1, 1))
    assert composed(padded, padded, (1, 6, 6)) is None
    # With as much padding as the window is wide there is nothing left to see behind the border.
    wide = Conv(np.ones((1, 1, 3, 3)), padding=(2, 2, 2, 2))
    kernel = composed(wide, padded, (1, 6, 6))
    assert kernel is not None
    assert kernel.weight[0, 0].tolist() == np.outer([1, 2, 3, 2, 1], [1, 2, 3, 2, 1]).tolist()


def test_a_pool_in_front_of_a_padded_convolution_needs_windows_without_overlap():
    second = Conv(np.ones((1, 1, 3, 3)), padding=(1, 1, 1, 1))
    apart = Conv(np.full((1, 1, 2, 2), 0.25), stride=(2, 2))
    overlapping = Conv(np.full((1, 1, 3, 3), 1 / 9), stride=(2, 2))
    kernel = composed(apart, second, (1, 8, 8))
    assert kernel is not None
    assert (kernel.weight.shape, kernel.stride, kernel.padding) == ((1, 1, 6, 6), (2, 2), (2, 2, 2, 2))
    assert composed(overlapping, second, (1, 9, 9)) is None


def test_uneven_padding_becomes_zeros_in_the_kernel():
    kernel = Conv(np.arange(1.0, 5.0).reshape(1, 1, 2, 2), padding=(0, 0, 1, 1))
    synapse = synapse_of(kernel, (1, 4, 4), (1, 4, 4), np.array([0.5]))
    assert isinstance(synapse, Conv2dSynapse)
    assert synapse.padding == (1, 1)
    assert synapse.weight[0, 0].tolist() == [[0, 0, 0], [0, 1, 2], [0, 3, 4]]
    maps = torch.as_tensor(np.random.default_rng(0).normal(size=(1, 1, 4, 4)))
    torch.testing.assert_close(apply_synapse(synapse, maps), kernel(maps) + 0.5)


def test_into_a_vector_a_kernel_is_a_matrix():
    kernel = Conv(np.array([[[[2.0]]], [[[3.0]]]]), groups=2)
    synapse = synapse_of(kernel, (2,), (2,), None)
    assert isinstance(synapse, LinearSynapse)
    assert synapse.weight.tolist() == [[2, 0], [0, 3]]


def test_a_kernel_too_large_to_hold_is_refused(monkeypatch):
    monkeypatch.setattr(kernels, "MAX_WEIGHTS", 1000)
    wide, window = Conv(np.ones((8, 8, 1, 1))), Conv(np.ones((8, 8, 4, 4)))
    with pytest.raises(UnsupportedLayerError, match=r"matrix of 1024 weights; at most 1000 are made\. Put a ReLU"):
        composed(wide, window, (8, 16, 16))
    # A scale a channel makes nothing larger.
    assert composed(identity(8), window, (8, 16, 16)) is not None
