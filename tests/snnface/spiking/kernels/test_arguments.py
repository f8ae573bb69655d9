"""Arguments that a kernel would read past the end of: refused before any kernel sees them."""

import pytest
import torch
from torch import nn

from snnface.errors import ConfigError, ShapeError, SnnfaceError
from snnface.spiking import NeuronConfig
from snnface.spiking.kernels import arguments, conv_layer, neuron_layer, recurrent_layer, use_kernel

LEAK = torch.tensor(0.5)
PICTURES = torch.zeros(2, 3, 4, 6, 6)
NEURON = {"voltage": None, "scale": None, "shift": None, "pool": 1}
CONV = {"norm": nn.BatchNorm2d(5), "stride": 1, "padding": 1, "pool": 1, "voltage": None}
WEIGHT = torch.zeros(5, 4, 3, 3)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        (
            {"voltage": torch.zeros(3, 4, 6, 5)},
            ShapeError,
            r"voltage must be \[3, 4, 6, 6\] .* \[3, 4, 6, 5\]",
        ),
        ({"scale": torch.ones(4)}, ConfigError, "scale and shift belong together"),
        ({"scale": torch.ones(4), "shift": torch.ones(3)}, ShapeError, r"the shift must be \[4\]"),
        ({"pool": -1}, ConfigError, "at least 1; got -1"),
        ({"pool": 0}, ConfigError, "at least 1; got 0"),
        ({"pool": 7}, ShapeError, r"at least 7 x 7; these are \[6, 6\]"),
        ({"voltage": torch.zeros(3, 4, 6, 6, device="meta")}, ConfigError, "one device; got cpu and meta"),
    ],
)
def test_a_neuron_layer_refuses_what_does_not_fit(
    changed: dict[str, object], error: type[SnnfaceError], message: str
) -> None:
    with pytest.raises(error, match=message):
        arguments.require_neuron_layer(PICTURES, LEAK, **{**NEURON, **changed})  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [1, 3, 5])
def test_a_leak_of_another_number_of_channels_is_refused(size: int) -> None:
    with pytest.raises(ShapeError, match=rf"the leak must be one number, or 4; its shape is \[{size}\]"):
        neuron_layer(PICTURES, torch.full((size,), 0.5), NeuronConfig())


@pytest.mark.parametrize("shape", [(0, 3, 4, 6, 6), (2, 0, 4, 6, 6), (2, 3, 0, 6, 6), (2, 3, 4, 0, 6), (2, 3, 4, 6, 0)])
def test_nothing_to_compute_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="at least one step"):
        neuron_layer(torch.zeros(shape), LEAK, NeuronConfig())
    with pytest.raises(ShapeError, match="at least one step"):
        conv_layer(
            torch.zeros(shape), torch.zeros(5, shape[2], 3, 3), LEAK, NeuronConfig(), norm=nn.BatchNorm2d(5), padding=1
        )


@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 0, 4), (2, 3, 0)])
def test_no_neurons_to_hear_each_other_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="at least one step"):
        recurrent_layer(torch.zeros(shape), torch.zeros(shape[2], shape[2]), LEAK, NeuronConfig())


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"weight": torch.zeros(5, 3, 3, 3)}, ShapeError, r"must be \[O, 4, k, k\]"),
        ({"weight": torch.zeros(5, 4, 9, 9)}, ShapeError, "smaller than the kernel"),
        ({"stride": 0}, ConfigError, "stride must be at least 1"),
        ({"padding": -1}, ConfigError, "padding at least 0; got 1 and -1"),
        ({"norm": nn.BatchNorm2d(4)}, ConfigError, "weight and bias of 5 channels; it is BatchNorm2d"),
        ({"norm": nn.BatchNorm2d(5, affine=False)}, ConfigError, "must have weight and bias"),
        ({"voltage": torch.zeros(3, 4, 6, 6)}, ShapeError, r"the voltage must be \[3, 5, 6, 6\]"),
        ({"pool": 9}, ShapeError, "at least 9 x 9"),
    ],
)
def test_a_convolution_refuses_what_does_not_fit(
    changed: dict[str, object], error: type[SnnfaceError], message: str
) -> None:
    given = {"weight": WEIGHT, **CONV, **changed}
    with pytest.raises(error, match=message):
        arguments.require_conv_layer(PICTURES, given.pop("weight"), LEAK, **given)  # type: ignore[arg-type]


def test_a_recurrent_layer_refuses_what_does_not_fit() -> None:
    currents, nothing = torch.zeros(2, 3, 4), {"voltage": None, "spikes": None}
    with pytest.raises(ShapeError, match=r"the recurrent weight must be \[4, 4\] .* it is \[3, 4\]"):
        arguments.require_recurrent_layer(currents, torch.zeros(3, 4), LEAK, **nothing)
    with pytest.raises(ShapeError, match=r"the last spikes must be \[3, 4\]"):
        arguments.require_recurrent_layer(currents, torch.zeros(4, 4), LEAK, voltage=None, spikes=torch.zeros(1, 4))
    with pytest.raises(ShapeError, match=r"must be \[T, B, N\]"):
        arguments.require_recurrent_layer(PICTURES, torch.zeros(4, 4), LEAK, **nothing)


@pytest.mark.parametrize("leak", [-0.5, 1.5])
def test_a_voltage_gets_no_gradient_and_a_leak_beyond_its_range_computes_the_same_everywhere(leak: float) -> None:
    currents = torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(0)).transpose(1, 2).contiguous()
    voltage = torch.rand(3, 2, requires_grad=True)
    results = []
    for name in (None, "reference"):
        with use_kernel(name):
            leaves = currents.clone().requires_grad_()
            output = neuron_layer(leaves, torch.tensor(leak), NeuronConfig(), voltage=voltage)
            output.spikes.sum().backward()
            results.append((output.spikes, output.voltage, leaves.grad))
    assert voltage.grad is None
    for ours, wanted in zip(*results, strict=True):
        torch.testing.assert_close(ours, wanted)


def test_a_current_that_is_no_number_never_fires_and_spoils_no_other_neuron() -> None:
    currents = torch.full((3, 1, 4), 2.0)
    currents[0, 0, 1] = torch.nan
    output = neuron_layer(currents, LEAK, NeuronConfig())
    assert output.spikes[:, 0].T.tolist() == [[1, 1, 1], [0, 0, 0], [1, 1, 1], [1, 1, 1]]
