"""Dropout with four values to a draw."""

import pytest
import torch
from torch import Tensor, nn

from snnface.spiking.dropout import Dropout


def dropped(share: float, inputs: Tensor, *, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    outputs: Tensor = Dropout(share)(inputs)
    return outputs


def test_the_share_left_out_is_p_and_the_rest_is_divided_by_what_is_kept() -> None:
    outputs = dropped(0.25, torch.full((1000, 1001), 3.0))
    assert sorted(set(outputs.flatten().tolist())) == [0.0, 4.0]
    assert abs(float((outputs == 0).float().mean()) - 0.25) < 5 * (0.25 * 0.75 / 1_001_000) ** 0.5


def test_values_that_share_a_draw_are_independent() -> None:
    left_out = (dropped(0.3, torch.ones(250_000, 4)) == 0).double()
    together = left_out.T @ left_out / len(left_out)
    expected = torch.full((4, 4), 0.09, dtype=torch.float64).fill_diagonal_(0.3)
    torch.testing.assert_close(together, expected, rtol=0, atol=0.005)


def test_the_seed_decides() -> None:
    inputs = torch.rand(7, 3)
    assert torch.equal(dropped(0.5, inputs, seed=4), dropped(0.5, inputs, seed=4))
    assert not torch.equal(dropped(0.5, inputs, seed=4), dropped(0.5, inputs, seed=5))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("shape", [(5,), (3, 7), (2, 3, 4, 5)])
def test_the_gradient_goes_where_the_values_went(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    inputs = torch.ones(shape, dtype=dtype).requires_grad_()
    outputs = dropped(0.5, inputs)
    (gradient,) = torch.autograd.grad(outputs.sum(), inputs)
    assert outputs.dtype == dtype
    assert torch.equal(gradient, outputs)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_all_or_nothing_is_exact(share: float) -> None:
    inputs = torch.rand(9)
    assert torch.equal(dropped(share, inputs), inputs * (1 - share))


def test_a_share_next_to_one_stays_finite() -> None:
    assert bool(torch.isfinite(dropped(0.9999999, torch.ones(100_000))).all())


def test_evaluation_leaves_everything_as_it_is() -> None:
    inputs = torch.rand(9)
    layer = Dropout(0.5).eval()
    assert isinstance(layer, nn.Dropout)
    assert torch.equal(layer(inputs), inputs)
