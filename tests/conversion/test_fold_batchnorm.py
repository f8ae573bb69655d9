"""Folding batch norm leaves the output unchanged."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from conversion.fold_batchnorm import fold_batchnorm, fold_sequential
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


def test_folding_a_nested_model_keeps_output_names_and_the_original():
    generator = torch.Generator().manual_seed(1)
    model = nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 3, 3), randomised(nn.BatchNorm2d(3), generator), nn.ReLU()),
        nn.Flatten(),
        nn.Linear(27, 4, bias=False),
        nn.Dropout(),
        randomised(nn.BatchNorm1d(4), generator),
    ).eval()
    inputs = torch.randn(6, 1, 5, 5, generator=generator)
    before = model(inputs)
    folded = fold_sequential(model)
    torch.testing.assert_close(folded(inputs), before, rtol=1e-4, atol=1e-5)
    assert [type(m).__name__ for m in folded.modules()].count("Identity") == 2
    assert isinstance(model[0][1], nn.BatchNorm2d)
    assert folded[2].weight.dtype == torch.float32


def test_batch_norm_in_another_place_or_without_statistics_is_refused_by_name():
    with pytest.raises(UnsupportedLayerError, match=r"layer '1' is BatchNorm2d .* it stands behind ReLU"):
        fold_sequential(nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3)))
    with pytest.raises(UnsupportedLayerError, match=r"layer '0.0' is BatchNorm2d .* behind nothing"):
        fold_sequential(nn.Sequential(nn.Sequential(nn.BatchNorm2d(3))))
    with pytest.raises(UnsupportedLayerError, match="without running statistics"):
        fold_batchnorm(torch.zeros(3, 2), None, nn.BatchNorm1d(3, track_running_stats=False))
    with pytest.raises(UnsupportedLayerError, match="got LayerNorm"):
        fold_batchnorm(torch.zeros(3, 2), None, nn.LayerNorm(3))
