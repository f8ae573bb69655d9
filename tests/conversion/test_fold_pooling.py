"""Pooling folded into weights gives what pooling and then the weights give."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from conversion.fold_pooling import pooled_conv, pooled_linear
from conversion.graph import Conv2dSynapse, LinearSynapse
from conversion.simulate import apply_synapse
from snnface.errors import UnsupportedLayerError


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    window=st.sampled_from([(2, 2), (3, 3), (1, 2)]),
    stride=st.integers(1, 2),
    padding=st.integers(0, 2),
    dilation=st.integers(1, 2),
    groups=st.sampled_from([1, 2]),
    is_mean=st.booleans(),
)
def test_a_pooled_convolution_equals_pooling_first(seed, window, stride, padding, dilation, groups, is_mean):
    generator = np.random.default_rng(seed)
    synapse = Conv2dSynapse(
        generator.normal(size=(4, 2 // groups, 3, 2)),
        generator.normal(size=4),
        (stride, stride),
        (padding, padding),
        (dilation, dilation),
        groups,
    )
    maps = torch.as_tensor(generator.normal(size=(2, 2, 18, 18)))
    pooled = functional.avg_pool2d(maps, window) * (1 if is_mean else window[0] * window[1])
    folded = pooled_conv(synapse, window, input_shape=(2, 18, 18), is_mean=is_mean)
    torch.testing.assert_close(apply_synapse(folded, maps), apply_synapse(synapse, pooled), rtol=1e-9, atol=1e-9)


def test_a_pooled_linear_layer_equals_pooling_first_and_ignores_the_rest():
    generator = np.random.default_rng(0)
    synapse = LinearSynapse(generator.normal(size=(4, 2 * 3 * 2)), generator.normal(size=4))
    maps = torch.as_tensor(generator.normal(size=(3, 2, 7, 5)))
    folded = pooled_linear(synapse, (2, 2), input_shape=(2, 7, 5), is_mean=True)
    expected = apply_synapse(synapse, functional.avg_pool2d(maps, 2))
    torch.testing.assert_close(apply_synapse(folded, maps), expected, rtol=1e-9, atol=1e-9)


def test_leftover_pixels_behind_a_padded_convolution_are_refused():
    padded = Conv2dSynapse(np.ones((1, 1, 3, 3)), padding=(1, 1))
    with pytest.raises(UnsupportedLayerError, match="leaves pixels over"):
        pooled_conv(padded, (2, 2), input_shape=(1, 7, 8), is_mean=True)


def test_leftover_pixels_are_never_read_without_padding():
    synapse = Conv2dSynapse(np.random.default_rng(2).normal(size=(2, 1, 2, 2)))
    maps = torch.as_tensor(np.random.default_rng(3).normal(size=(1, 1, 7, 7)))
    folded = pooled_conv(synapse, (2, 2), input_shape=(1, 7, 7), is_mean=True)
    expected = apply_synapse(synapse, functional.avg_pool2d(maps, 2))
    torch.testing.assert_close(apply_synapse(folded, maps), expected, rtol=1e-9, atol=1e-9)
