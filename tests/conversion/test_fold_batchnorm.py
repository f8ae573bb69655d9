"""Folding batch norm leaves the output unchanged."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from conversion.fold_batchnorm import fold_batchnorm
from snnface.errors import UnsupportedLayerError


def randomised(bn: nn.Module, generator: torch.Generator) -> nn.Module:
    size = bn.num_features
    bn.running_mean = torch.randn(size, generator=generator)
    bn.running_var = torch.rand(size, generator=generator) + 0.1
    if bn.weight is not None:
        bn.weight.data = torch.randn(size, generator=generator)
        bn.bias.data = torch.randn(size, generator=generator)
    return bn.eval()


def test_the_folded_numbers_are_those_worked_out_by_hand():
    bn = nn.BatchNorm1d(1, eps=0.0).eval()
    bn.running_mean, bn.running_var = torch.tensor([3.0]), torch.tensor([4.0])
    bn.weight.data, bn.bias.data = torch.tensor([6.0]), torch.tensor([1.0])
    folded = fold_batchnorm(torch.tensor([[2.0]]), torch.tensor([5.0]), bn)
    # 6 / 2 = 3: weight 3 * 2, bias 3 * (5 - 3) + 1
    assert folded.weight.item() == 6.0
    assert folded.bias.item() == 7.0


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), has_bias=st.booleans(), affine=st.booleans(), groups=st.sampled_from([1, 2]))
def test_folding_a_convolution_leaves_the_output_unchanged(seed, has_bias, affine, groups):
    generator = torch.Generator().manual_seed(seed)
    conv = nn.Conv2d(2, 4, 3, bias=has_bias, groups=groups).double()
    bn = randomised(nn.BatchNorm2d(4, affine=affine), generator).double()
    inputs = torch.randn(2, 2, 5, 5, generator=generator, dtype=torch.float64)
    folded = fold_batchnorm(conv.weight, conv.bias, bn)
    outputs = nn.functional.conv2d(inputs, folded.weight, folded.bias, groups=groups)
    torch.testing.assert_close(outputs, bn(conv(inputs)), rtol=1e-9, atol=1e-9)


def test_what_is_no_batch_norm_or_has_no_statistics_is_refused():
    with pytest.raises(UnsupportedLayerError, match="without running statistics"):
        fold_batchnorm(torch.zeros(3, 2), None, nn.BatchNorm1d(3, track_running_stats=False))
    with pytest.raises(UnsupportedLayerError, match="got LayerNorm"):
        fold_batchnorm(torch.zeros(3, 2), None, nn.LayerNorm(3))
