"""The ANN of few bits against values on paper."""

import pytest
import torch
from torch import nn

from hardware.counts.quantised_ann import quantised_ann
from snnface.errors import CalibrationError, ConfigError


def two_layers() -> nn.Sequential:
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, 0.301], [0.0, 0.5]]))
        model[2].weight.copy_(torch.tensor([[1.0, -1.0]]))
    return model


def test_weights_and_activations_are_rounded_as_on_paper() -> None:
    model = two_layers()
    twin = quantised_ann(model, [torch.tensor([[3.0, 0.0], [0.0, 1.0]])], activation_bits=2, weight_bits=3)
    # 3 bits: rows to multiples of 1/3 and 1/6; whole inputs up to 3 stay in 2 bits.
    torch.testing.assert_close(twin[0].weight.detach(), torch.tensor([[1.0, 1 / 3], [0.0, 0.5]]))
    # Largest activation in calibration 3: steps of 1. 2 + 1/3 -> 2, 0.5 * 1 -> 0 (to even): 2.
    assert twin(torch.tensor([[2.0, 1.0]])).item() == pytest.approx(2.0)
    # Beyond the range it saturates at 3.
    assert twin(torch.tensor([[9.0, 0.0]])).item() == pytest.approx(3.0)
    # The ANN itself is as it was.
    assert model[0].weight[0, 1].item() == pytest.approx(0.301)
    assert model(torch.tensor([[2.0, 1.0]])).item() == pytest.approx(2.301 - 0.5)


def test_negative_inputs_get_a_sign_bit() -> None:
    model = nn.Sequential(nn.Linear(1, 1, bias=False))
    with torch.no_grad():
        model[0].weight.fill_(1.0)
    twin = quantised_ann(model, [torch.tensor([[-1.5], [0.75]])], activation_bits=3)
    # Three steps of 0.5 on either side.
    assert twin(torch.tensor([[-1.4], [0.6], [7.0]])).flatten().tolist() == pytest.approx([-1.5, 0.5, 1.5])


def test_many_bits_change_next_to_nothing() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.ReLU(), nn.ConvTranspose2d(4, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(75, 5)
    ).eval()
    inputs = torch.rand(6, 2, 6, 6)
    fine = quantised_ann(model, [inputs], activation_bits=16, weight_bits=16)
    coarse = quantised_ann(model, [inputs], activation_bits=2, weight_bits=3)
    torch.testing.assert_close(fine(inputs), model(inputs), atol=1e-3, rtol=1e-3)
    assert (coarse(inputs) - model(inputs)).abs().max() > 1e-2


def test_nonsense_is_refused() -> None:
    with pytest.raises(ConfigError, match="an activation needs 1 bit or more and a weight 2; got 0 and 8"):
        quantised_ann(two_layers(), [torch.ones(1, 2)], activation_bits=0)
    with pytest.raises(CalibrationError, match="nothing to calibrate on"):
        quantised_ann(two_layers(), [], activation_bits=4)
