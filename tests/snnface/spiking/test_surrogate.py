"""Surrogates: each is the derivative of its primitive, and what the peers mean by its name."""

import pytest
import snntorch.surrogate
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnface.errors import ConfigError
from snnface.spiking import NeuronConfig, Surrogate, spike
from snnface.spiking.surrogate import derivative, primitive

NAMES: tuple[Surrogate, ...] = ("atan", "sigmoid", "triangle", "superspike")
DISTANCES = torch.linspace(-1.7, 1.7, 24, dtype=torch.float64)


@pytest.mark.parametrize(
    ("name", "alpha", "distance", "expected"),
    [
        ("atan", 2.0, 0.0, 1.0),
        # (1/2) / (1 + (pi/2 . 1 . 2/pi)^2) = 1/4
        ("atan", 1.0, 2 / torch.pi, 0.25),
        ("sigmoid", 4.0, 0.0, 1.0),
        # sg = 3/4 at alpha x = ln 3: 2 . 3/4 . 1/4
        ("sigmoid", 2.0, 0.5493061443340549, 0.375),
        ("triangle", 2.0, 0.25, 1.0),
        ("triangle", 2.0, -0.25, 1.0),
        ("triangle", 2.0, 0.6, 0.0),
        ("superspike", 10.0, 0.0, 1.0),
        # 1 / (1 + 10 . 0.1)^2
        ("superspike", 10.0, -0.1, 0.25),
    ],
)
def test_derivatives_by_hand(name: Surrogate, alpha: float, distance: float, expected: float) -> None:
    value = derivative(torch.tensor(distance, dtype=torch.float64), name, alpha)
    assert float(value) == pytest.approx(expected, rel=1e-12, abs=1e-15)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(NAMES), st.floats(0.2, 8.0))
def test_derivative_is_that_of_the_primitive(name: Surrogate, alpha: float) -> None:
    step = 1e-6
    inside = DISTANCES[(alpha * DISTANCES.abs() - 1).abs() > 1e-3]  # the triangle has corners at 1 / alpha
    slope = (primitive(inside + step, name, alpha) - primitive(inside - step, name, alpha)) / (2 * step)
    torch.testing.assert_close(slope, derivative(inside, name, alpha), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_primitive_passes_gradcheck(name: Surrogate) -> None:
    x = torch.tensor([-0.8, -0.2, 0.1, 0.7], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: primitive(x, name, 1.5), (x,))
    (slope,) = torch.autograd.grad(primitive(x, name, 1.5).sum(), x)
    torch.testing.assert_close(slope, derivative(x.detach(), name, 1.5))


@pytest.mark.parametrize("name", NAMES)
def test_spike_passes_the_surrogate_gradient_twice(name: Surrogate) -> None:
    x = torch.tensor([-0.5, -0.1, 0.0, 0.3], dtype=torch.float64, requires_grad=True)
    fired = spike(x, surrogate=name, alpha=1.5)
    assert fired.tolist() == [0, 0, 0, 1]
    (slope,) = torch.autograd.grad(fired.sum(), x, create_graph=True)
    assert torch.equal(slope.detach(), derivative(x.detach(), name, 1.5))
    (curvature,) = torch.autograd.grad(slope.sum(), x)
    (expected,) = torch.autograd.grad(derivative(x, name, 1.5).sum(), x)
    torch.testing.assert_close(curvature, expected)


def peers_gradient(function: object) -> torch.Tensor:
    x = DISTANCES.clone().requires_grad_()
    function(x).sum().backward()  # type: ignore[operator]
    assert x.grad is not None
    return x.grad


@pytest.mark.parametrize(
    ("name", "alpha", "theirs"),
    [
        ("atan", 3.0, snntorch.surrogate.atan(alpha=3.0)),
        ("sigmoid", 4.0, snntorch.surrogate.sigmoid(slope=4.0)),
        ("superspike", 25.0, snntorch.surrogate.fast_sigmoid(slope=25.0)),
    ],
)
def test_surrogates_agree_with_snntorch(name: Surrogate, alpha: float, theirs: object) -> None:
    torch.testing.assert_close(derivative(DISTANCES, name, alpha), peers_gradient(theirs), rtol=1e-9, atol=1e-12)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("name", "alpha", "theirs"), [("superspike", 1.0, "super"), ("triangle", 1.0, "triangle")])
def test_surrogates_agree_with_norse(name: Surrogate, alpha: float, theirs: str) -> None:
    pytest.importorskip("norse.torch", reason="norse is an extra")
    from norse.torch.functional.threshold import threshold

    gradient = peers_gradient(lambda x: threshold(x, theirs, alpha))
    torch.testing.assert_close(derivative(DISTANCES, name, alpha), gradient, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "alpha", "theirs"),
    [("atan", 2.0, "ATan"), ("sigmoid", 4.0, "Sigmoid"), ("triangle", 1.5, "PiecewiseQuadratic")],
)
def test_surrogates_agree_with_spikingjelly(name: Surrogate, alpha: float, theirs: str) -> None:
    surrogate = pytest.importorskip("spikingjelly.activation_based.surrogate", reason="spikingjelly is not installed")
    gradient = peers_gradient(getattr(surrogate, theirs)(alpha=alpha))
    torch.testing.assert_close(derivative(DISTANCES, name, alpha), gradient, rtol=1e-9, atol=1e-12)


def test_a_not_a_number_does_not_fire() -> None:
    distance = torch.tensor([float("nan")])
    assert spike(distance).tolist() == [0]
    assert spike(distance, fires_on_equality=True).tolist() == [0]


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("inf"), float("nan")])
def test_a_steepness_that_is_none_is_refused(alpha: float) -> None:
    with pytest.raises(ConfigError, match="surrogate_alpha must be positive and finite"):
        NeuronConfig(surrogate_alpha=alpha)
