"""Neurons: hand-worked traces, limits, and agreement of kernels and of independent implementations."""

import math

import pytest
import snntorch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnface.errors import ConfigError
from snnface.spiking import NeuronConfig, SpikingNeuron, neuron_step, spike
from snnface.spiking.kernels import neuron_layer, reference
from snnface.spiking.surrogate import derivative

CONFIGS = [
    NeuronConfig(),
    NeuronConfig(decay_input=True, v_reset=-0.25),
    NeuronConfig(reset="subtract"),
    NeuronConfig(fires_on_equality=True, threshold=0.5),
]


def run(currents: list[float], config: NeuronConfig) -> list[float]:
    return SpikingNeuron(config)(torch.tensor(currents).reshape(-1, 1, 1)).flatten().tolist()


def voltages(currents: list[float], config: NeuronConfig) -> list[float]:
    neuron, voltage, trace = SpikingNeuron(config), None, []
    for current in currents:
        voltage = neuron.step(torch.tensor([[current]]), voltage).voltage
        trace.append(round(float(voltage.detach()), 6))
    return trace


def test_plif_trace_by_hand() -> None:
    # leak 1/2: h = 0.5 v + x. 0.8; 0.4+0.5 = 0.9; 0.45+0.6 = 1.05 fires, back to 0; 0.2.
    assert voltages([0.8, 0.5, 0.6, 0.2], NeuronConfig(tau=2.0)) == [0.8, 0.9, 0.0, 0.2]
    assert run([0.8, 0.5, 0.6, 0.2], NeuronConfig(tau=2.0)) == [0, 0, 1, 0]


def test_soft_reset_keeps_the_rest() -> None:
    # Integrator: 0.7, then 1.4 fires and keeps 0.4, then 1.1 fires and keeps 0.1.
    assert voltages([0.7, 0.7, 0.7], NeuronConfig(kind="if", reset="subtract")) == [0.7, 0.4, 0.1]


def test_decay_input_scales_the_input_by_the_leak() -> None:
    assert voltages([1.0, 1.0], NeuronConfig(tau=4.0, decay_input=True)) == [0.25, 0.4375]


def test_leak_pulls_towards_the_reset_value() -> None:
    # v0 = -1; h = -1 - 0.5 * 0 + 0.5 = -0.5; then -0.5 - 0.5 * 0.5 + 0 = -0.75.
    assert voltages([0.5, 0.0], NeuronConfig(tau=2.0, v_reset=-1.0)) == [-0.5, -0.75]


@pytest.mark.parametrize(("fires_on_equality", "expected"), [(False, [0.0]), (True, [1.0])])
def test_equality_with_the_threshold_fires_only_when_asked(fires_on_equality: bool, expected: list[float]) -> None:
    assert run([1.0], NeuronConfig(fires_on_equality=fires_on_equality)) == expected


def test_plif_starts_at_its_tau() -> None:
    assert float(SpikingNeuron(NeuronConfig(tau=2.5)).leak.detach()) == pytest.approx(1 / 2.5)


def test_a_neuron_without_leak_integrates() -> None:
    torch.manual_seed(0)
    currents = torch.rand(20, 2, 3) * 0.04
    neuron = SpikingNeuron(NeuronConfig(kind="if"))
    voltage = None
    for current in currents:
        voltage = neuron.step(current, voltage).voltage
    assert voltage is not None
    torch.testing.assert_close(voltage, currents.sum(0))


def test_surrogate_derivative_is_that_of_the_arctangent() -> None:
    x = torch.linspace(-2, 2, 9, dtype=torch.float64, requires_grad=True)
    (torch.arctan(math.pi / 2 * 3.0 * x) / math.pi + 0.5).sum().backward()
    torch.testing.assert_close(x.grad, derivative(x.detach(), "atan", 3.0))


def test_spike_passes_the_surrogate_gradient() -> None:
    x = torch.tensor([-0.5, 0.0, 0.5], requires_grad=True)
    fired = spike(x)
    assert fired.tolist() == [0, 0, 1]
    fired.sum().backward()
    torch.testing.assert_close(x.grad, derivative(x.detach(), "atan", 2.0))


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(CONFIGS), st.integers(1, 12), st.floats(0.05, 0.95), st.integers(0, 2**31))
def test_the_fast_kernel_equals_the_definition(config: NeuronConfig, steps: int, leak: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    currents = torch.randn(steps, 2, 5, generator=generator, dtype=torch.float64)
    weights = torch.randn(steps, 2, 5, generator=generator, dtype=torch.float64)
    results = []
    for kernel in (reference.neuron_layer, neuron_layer):
        x, a = currents.clone().requires_grad_(), torch.tensor(leak, dtype=torch.float64, requires_grad=True)
        spikes = kernel(x, a, config).spikes
        (spikes * weights).sum().backward()
        results.append((spikes.detach(), x.grad, a.grad))
    assert torch.equal(results[0][0], results[1][0])
    torch.testing.assert_close(results[1][1], results[0][1], rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(results[1][2], results[0][2], rtol=1e-9, atol=1e-12)


def test_lif_agrees_with_snntorch() -> None:
    torch.manual_seed(1)
    currents = torch.rand(50, 4, 10)
    cell = snntorch.Leaky(beta=0.75, threshold=1.0, reset_mechanism="zero", reset_delay=False)
    membrane, theirs = cell.init_leaky(), []
    for current in currents:
        fired, membrane = cell(current, membrane)
        theirs.append(fired)
    ours = SpikingNeuron(NeuronConfig(kind="lif", tau=4.0))(currents)
    assert int(ours.sum()) > 100
    assert torch.equal(ours, torch.stack(theirs))


def test_state_does_not_leak_between_calls() -> None:
    neuron = SpikingNeuron(NeuronConfig())
    currents = torch.full((3, 1, 1), 0.9)
    assert torch.equal(neuron(currents), neuron(currents))


def test_no_gradient_flows_through_the_reset() -> None:
    # h1 = x1 fires; the reset is detached, so v1 does not depend on x1 and x1 gets only its own surrogate.
    x = torch.tensor([1.5, 0.2]).reshape(2, 1, 1).requires_grad_()
    neuron_layer(x, torch.tensor(0.5), NeuronConfig()).spikes[1].sum().backward()
    assert x.grad is not None
    assert float(x.grad[0]) == 0.0
    assert float(x.grad[1]) > 0.0


def test_step_reports_spikes_and_voltage() -> None:
    step = neuron_step(torch.zeros(1, 1), torch.full((1, 1), 2.0), torch.tensor(0.5), NeuronConfig())
    assert (float(step.spikes), float(step.voltage)) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tau": 1.0}, "tau is counted in steps and must be above 1"),
        ({"threshold": 0.0}, "threshold must lie above v_reset"),
        ({"kind": "if", "decay_input": True}, "has no tau"),
    ],
)
def test_impossible_neurons_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        NeuronConfig(**settings)
