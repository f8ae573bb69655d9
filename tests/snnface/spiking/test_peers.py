"""Spikes identical to snntorch, norse and spikingjelly under the matching conventions, and gradients alike."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import snntorch
import torch
from torch import Tensor

from snnface.spiking import NeuronConfig, SpikingNeuron

STEPS, BATCH, NEURONS = 60, 4, 12


def currents(seed: int = 1, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    # Below the threshold: snntorch resets once more at the next step a voltage that a soft reset leaves above it.
    return (0.6 * torch.randn(STEPS, BATCH, NEURONS, generator=generator, dtype=dtype) + 0.4).clamp(max=0.8)


def trained(run: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Spikes, and the gradient of a fixed random sum of them in the currents."""
    x = x.clone().requires_grad_()
    spikes = run(x)
    weights = torch.randn(spikes.shape, generator=torch.Generator().manual_seed(9), dtype=x.dtype)
    (spikes * weights).sum().backward()
    assert x.grad is not None
    return spikes.detach(), x.grad


def require_agreement(config: NeuronConfig, theirs: Callable[[Tensor], Tensor], *, gradients: bool = True) -> None:
    neuron = SpikingNeuron(config).double()
    spikes, gradient = trained(neuron, currents())
    peers_spikes, peers_gradient = trained(theirs, currents())
    assert 100 < int(spikes.sum()) < spikes.numel() / 2
    assert torch.equal(spikes, peers_spikes.double())
    if gradients:
        torch.testing.assert_close(gradient, peers_gradient, rtol=1e-8, atol=1e-10)


def over_time(cell: Callable[[Tensor, Any], tuple[Tensor, Any]], state: object) -> Callable[[Tensor], Tensor]:
    def run(x: Tensor) -> Tensor:
        now, spikes = state, []
        for current in x:
            fired, now = cell(current, now)
            spikes.append(fired)
        return torch.stack(spikes)

    return run


@pytest.mark.parametrize("tau", [4.0, 3.0])
@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize(
    ("surrogate", "alpha", "theirs"),
    [
        ("atan", 2.0, snntorch.surrogate.atan(alpha=2.0)),
        ("superspike", 5.0, snntorch.surrogate.fast_sigmoid(slope=5.0)),
    ],
)
def test_lif_is_snntorchs_leaky(tau: float, reset: str, surrogate: str, alpha: float, theirs: Any) -> None:
    config = NeuronConfig(kind="lif", tau=tau, threshold=0.875, reset=reset, surrogate=surrogate, surrogate_alpha=alpha)  # type: ignore[arg-type]
    # Our leak 1/tau is stored in float32; snntorch gets the same number.
    beta = 1 - torch.tensor(1 / tau).double()
    cell = snntorch.Leaky(beta=beta, threshold=0.875, reset_mechanism=reset, reset_delay=False, spike_grad=theirs)
    # snntorch's gradient of the pair (spike, reset) differs from every one of ours: spikes only.
    require_agreement(config, over_time(cell.double(), torch.zeros(BATCH, NEURONS).double()), gradients=False)


def test_if_is_snntorchs_leaky_without_leak() -> None:
    cell = snntorch.Leaky(beta=1.0, threshold=3.0, reset_mechanism="subtract", reset_delay=False)
    config = NeuronConfig(kind="if", threshold=3.0, reset="subtract")
    require_agreement(config, over_time(cell.double(), torch.zeros(BATCH, NEURONS).double()), gradients=False)


def test_dyadic_leaks_agree_with_snntorch_in_float32_to_the_bit() -> None:
    x = currents(dtype=torch.float32)
    cell = snntorch.Leaky(beta=0.75, threshold=1.0, reset_mechanism="zero", reset_delay=False)
    theirs = over_time(cell, cell.init_leaky())(x)
    ours = SpikingNeuron(NeuronConfig(kind="lif", tau=4.0))(x)
    assert int(ours.sum()) > 100
    assert torch.equal(ours, theirs)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("v_reset", [0.0, -0.25])
@pytest.mark.parametrize("surrogate", ["triangle", "superspike"])
def test_lif_with_scaled_input_is_norses(v_reset: float, surrogate: str) -> None:
    pytest.importorskip("norse.torch", reason="norse is an extra")
    from norse.torch.functional.lif import LIFFeedForwardState, LIFParameters, lif_feed_forward_step

    # dt / tau_syn = 1: the current lasts one step; dt / tau_mem = 1/4 is the leak; v_leak is where we pull to.
    parameters = LIFParameters(
        tau_syn_inv=torch.tensor(1000.0).double(),
        tau_mem_inv=torch.tensor(250.0).double(),
        v_leak=torch.tensor(v_reset).double(),
        v_reset=torch.tensor(v_reset).double(),
        v_th=torch.tensor(0.125).double(),
        method={"superspike": "super", "triangle": "triangle"}[surrogate],
        alpha=1.0,
    )
    rest = torch.full((BATCH, NEURONS), v_reset).double()
    # norse integrates what is left of the current of the step before; at tau_syn = dt that is nothing.
    cell = over_time(
        lambda x, state: lif_feed_forward_step(x, state, parameters, dt=0.001),
        LIFFeedForwardState(v=rest, i=torch.zeros_like(rest)),
    )
    config = NeuronConfig(
        kind="lif",
        tau=4.0,
        threshold=0.125,
        v_reset=v_reset,
        decay_input=True,
        surrogate=surrogate,
        surrogate_alpha=1.0,
        detach_reset=False,
    )  # type: ignore[arg-type]
    require_agreement(config, cell)


SPIKINGJELLY = [
    NeuronConfig(fires_on_equality=True),
    NeuronConfig(fires_on_equality=True, tau=3.0, decay_input=True, v_reset=-0.25, threshold=0.1),
    NeuronConfig(fires_on_equality=True, reset="subtract", surrogate="sigmoid", surrogate_alpha=4.0),
    NeuronConfig(fires_on_equality=True, surrogate="triangle", surrogate_alpha=1.0),
]


@pytest.mark.parametrize("kind", ["plif", "lif", "if"])
@pytest.mark.parametrize("detach_reset", [True, False])
@pytest.mark.parametrize("config", SPIKINGJELLY)
def test_neurons_are_spikingjellys(config: NeuronConfig, kind: str, detach_reset: bool) -> None:
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron", reason="spikingjelly is not installed")
    from spikingjelly.activation_based import surrogate

    decay_input = config.decay_input and kind != "if"
    config = replace(config, kind=kind, detach_reset=detach_reset, decay_input=decay_input)  # type: ignore[arg-type]
    name = {"atan": "ATan", "sigmoid": "Sigmoid", "triangle": "PiecewiseQuadratic"}[config.surrogate]
    settings: dict[str, object] = {
        "v_threshold": config.threshold,
        "v_reset": None if config.reset == "subtract" else config.v_reset,
        "surrogate_function": getattr(surrogate, name)(alpha=config.surrogate_alpha),
        "detach_reset": detach_reset,
        "step_mode": "m",
    }
    leaky = {"decay_input": config.decay_input, **settings}
    theirs = {
        "plif": lambda: neuron.ParametricLIFNode(init_tau=config.tau, **leaky),
        "lif": lambda: neuron.LIFNode(tau=config.tau, **leaky),
        "if": lambda: neuron.IFNode(**settings),
    }[kind]().double()
    ours = SpikingNeuron(config).double()
    spikes, gradient = trained(ours, currents())
    peers_spikes, peers_gradient = trained(theirs, currents())
    assert int(spikes.sum()) > 100
    assert torch.equal(spikes, peers_spikes)
    # LIF: our leak is stored in float32, theirs is a Python float.
    torch.testing.assert_close(gradient, peers_gradient, rtol=1e-5, atol=1e-6)
    if kind == "plif":
        torch.testing.assert_close(ours.w.grad, theirs.w.grad, rtol=1e-5, atol=1e-6)
