"""Layers that read spikes: against dense products, against the reference, and against themselves."""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from snnface.errors import DataError
from snnface.spiking import NeuronConfig
from snnface.spiking.kernels import reference
from snnface.spiking.kernels import spike_layer as kernel
from snnface.spiking.kernels.spike_layer import spike_conv_layer, spike_full_layer, spike_product
from snnface.spiking.neurons import LayerOutput

pytestmark = pytest.mark.skipif(kernel.unavailable() is not None, reason=f"no compiled kernels: {kernel.unavailable()}")

CONFIGS = [
    NeuronConfig(threshold=0.5),
    NeuronConfig(kind="lif", tau=3.0, decay_input=True, v_reset=-0.25, threshold=0.1),
    NeuronConfig(kind="if", reset="subtract", fires_on_equality=True),
]
STORED = [torch.float32, torch.bfloat16, torch.float64]
LEAK = torch.tensor(0.5)


@contextmanager
def threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def numbers(*size: int, density: float, most: int, seed: int) -> Tensor:
    """Whole numbers from 0 to `most`, most of them 0."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(1, most + 1, size, generator=generator)
    return (drawn * (torch.rand(size, generator=generator) < density)).float()


def normal(*size: int, seed: int = 0) -> Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed))


def sixteenths(values: Tensor) -> Tensor:
    return (values * 16).round() / 16


def in_16_bits(weight: Tensor) -> Tensor:
    """Weights [O, C, k1, k2] as multiples of a power of two for each map, with which 9 words in a row fit 16 bits."""
    rounded = torch.empty_like(weight)
    for to, maps in zip(rounded, weight, strict=True):
        words = [
            float(tap[first : first + 32].abs().sum()) for tap in maps.flatten(1).T for first in range(0, len(tap), 32)
        ]
        longest = max(sum(words[first : first + 9]) for first in range(0, len(words), 9))
        quantum = 2.0 ** math.ceil(math.log2(longest / (32767 - 144)))
        to.copy_((maps / quantum).round() * quantum)
    return rounded


def moved_norm(maps: int, seed: int) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(maps).requires_grad_(False)
    for place, values in enumerate((norm.weight, norm.bias, norm.running_mean, norm.running_var)):
        assert values is not None
        values.copy_(torch.rand(maps, generator=torch.Generator().manual_seed(seed + place)) + 0.1)
    return norm


def still_norm(maps: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(maps, eps=0.0).eval().requires_grad_(False)


def run_conv(inputs: Tensor, weight: Tensor, config: NeuronConfig = CONFIGS[0], **settings: int) -> LayerOutput:
    return spike_conv_layer(inputs, weight, LEAK, config, norm=moved_norm(len(weight), 3), **settings).dense()


def equal(first: LayerOutput, second: LayerOutput) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


# ---- values


def test_sums_by_hand() -> None:
    weight = torch.tensor([[1.0, 10.0, 100.0, 1000.0, 1e4], [2.0, 20.0, 200.0, 2000.0, 2e4]])
    inputs = torch.tensor([[[0.0, 1.0, 0.0, 0.0, 1.0]], [[2.0, 0.0, 5.0, 255.0, 0.0]], [[0.0] * 5]])
    assert spike_product(inputs, weight).tolist() == [[[10010, 20020]], [[255502, 511004]], [[0, 0]]]


@settings(max_examples=60)
@given(
    steps=st.integers(1, 30),
    batch=st.integers(1, 9),
    size=st.integers(1, 140),
    outputs=st.sampled_from([1, 5, 16, 17, 70]),
    density=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    most=st.sampled_from([1, 1, 2, 5, 255]),
    stored=st.sampled_from(STORED),
    seed=st.integers(0, 99),
)
def test_products_are_those_of_the_matrix(
    steps: int, batch: int, size: int, outputs: int, density: float, most: int, stored: torch.dtype, seed: int
) -> None:
    inputs = numbers(steps, batch, size, density=density, most=most, seed=seed).to(stored)
    weight = normal(outputs, size, seed=seed).to(torch.float64 if stored == torch.float64 else torch.float32)
    products = spike_product(inputs, weight)
    assert products.dtype == weight.dtype
    exact = inputs.double() @ weight.double().T
    bound = 16 * torch.finfo(weight.dtype).eps * (inputs.double() @ weight.double().T.abs())
    assert ((products - exact).abs() <= bound).all()


@settings(max_examples=80)
@given(
    config=st.sampled_from(CONFIGS),
    steps=st.integers(1, 5),
    batch=st.integers(1, 3),
    channels=st.sampled_from([1, 3, 4, 30, 33, 70]),
    maps=st.sampled_from([1, 7, 16, 37]),
    size=st.tuples(st.integers(3, 12), st.integers(3, 40)),
    kernel_size=st.integers(1, 4),
    stride=st.integers(1, 3),
    padding=st.integers(0, 4),
    pool=st.integers(1, 3),
    most=st.sampled_from([1, 1, 2, 255]),
    stored=st.sampled_from(STORED),
    seed=st.integers(0, 99),
)
def test_convolutions_and_their_neurons_are_those_of_the_reference(
    config: NeuronConfig,
    steps: int,
    batch: int,
    channels: int,
    maps: int,
    size: tuple[int, int],
    kernel_size: int,
    stride: int,
    padding: int,
    pool: int,
    most: int,
    stored: torch.dtype,
    seed: int,
) -> None:
    sizes = [(side + 2 * padding - kernel_size) // stride + 1 for side in size]
    assume(min(sizes) >= pool)
    inputs = numbers(steps, batch, channels, *size, density=0.3, most=most, seed=seed).to(stored)
    real = torch.float64 if stored == torch.float64 else torch.float32
    # Sixteenths add up without rounding, so that every spike has to be right.
    weight = sixteenths(normal(maps, channels, kernel_size, kernel_size, seed=seed)).to(real)
    norm, leak = moved_norm(maps, seed).to(real), torch.rand(maps, dtype=real)
    geometry = {"stride": stride, "padding": padding, "pool": pool}
    start = normal(batch, maps, *sizes, seed=seed).to(real)
    found = spike_conv_layer(inputs, weight, leak, config, norm=norm, voltage=start, **geometry).dense()
    wide = inputs.to(real)
    expected = reference.conv_layer(wide, weight, leak, config, norm=norm, voltage=start, **geometry)
    assert found.spikes.dtype == stored
    assert torch.equal(found.spikes.to(real), expected.spikes)
    assert torch.equal(found.voltage, expected.voltage)
    assert float(found.num_spikes) == float(expected.num_spikes)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("stored", STORED)
@pytest.mark.parametrize(("steps", "batch"), [(1, 1), (3, 5), (40, 2)])
def test_full_layers_are_products_and_neurons(
    config: NeuronConfig, stored: torch.dtype, steps: int, batch: int
) -> None:
    inputs = numbers(steps, batch, 50, density=0.4, most=2, seed=1).to(stored)
    real = torch.float64 if stored == torch.float64 else torch.float32
    weight, start = sixteenths(normal(41, 50)).to(real), normal(batch, 41, seed=2).to(real)
    found = spike_full_layer(inputs, weight, LEAK.to(real), config, voltage=start).dense()
    expected = reference.neuron_layer(spike_product(inputs, weight), LEAK, config, voltage=start)
    assert found.spikes.dtype == stored
    assert torch.equal(found.spikes.to(real), expected.spikes)
    assert torch.equal(found.voltage, expected.voltage)
    assert float(found.num_spikes) == float(expected.num_spikes) > 0


@pytest.mark.parametrize("most", [1, 5])
@pytest.mark.parametrize(("channels", "maps"), [(3, 8), (40, 8), (70, 37)])
def test_bfloat16_layers_are_those_of_weights_rounded_to_16_bits(channels: int, maps: int, most: int) -> None:
    inputs, weight = numbers(4, 2, channels, 6, 6, density=0.3, most=most, seed=0), normal(maps, channels, 3, 3)
    wide = run_conv(inputs, in_16_bits(weight))
    narrow = run_conv(inputs.bfloat16(), weight)
    assert (narrow.spikes.dtype, narrow.voltage.dtype) == (torch.bfloat16, torch.float32)
    assert equal(narrow._replace(spikes=narrow.spikes.float()), wide)
    with torch.autocast("cpu", torch.bfloat16):
        assert equal(run_conv(inputs, weight), narrow)


def test_bfloat16_rows_are_those_of_weights_rounded_to_16_bits() -> None:
    inputs, weight = numbers(4, 2, 1440, density=0.3, most=1, seed=0), normal(45, 1440)
    rounded = in_16_bits(weight[:, :, None, None])[:, :, 0, 0]
    wide = spike_full_layer(inputs, rounded, LEAK, CONFIGS[0]).dense()
    narrow = spike_full_layer(inputs.bfloat16(), weight, LEAK, CONFIGS[0]).dense()
    assert equal(narrow._replace(spikes=narrow.spikes.float()), wide)
    assert not torch.equal(rounded, weight)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_sums_of_16_bits_hold_every_input_at_once(sign: float) -> None:
    # A hair below a power of two, where the quantum leaves the least room.
    weight = torch.full((3, 32, 3, 3), sign * (32767 - 144) / 288 / 64)
    start = torch.zeros(1, 3, 1, 1)
    never = NeuronConfig(kind="if", threshold=1e9)
    layer = spike_conv_layer(
        torch.ones(1, 1, 32, 3, 3).bfloat16(), weight, LEAK, never, norm=still_norm(3), voltage=start
    )
    assert layer.voltage.flatten().tolist() == pytest.approx([288 * float(weight[0, 0, 0, 0])] * 3, rel=1e-2)


def test_weights_that_are_not_finite_are_summed_as_they_are() -> None:
    weight = torch.ones(2, 40)
    weight[0, 0] = torch.inf
    inputs = torch.ones(1, 1, 40).bfloat16()
    never = NeuronConfig(kind="if", threshold=1e9)
    layer = spike_full_layer(inputs, weight, LEAK, never)
    assert layer.spikes.flatten().tolist() == [1, 0]  # type: ignore[union-attr]
    assert float(layer.voltage[0, 1]) == 40


@pytest.mark.parametrize("stored", STORED)
def test_channels_may_lie_anywhere_in_memory(stored: torch.dtype) -> None:
    inputs, weight = (
        numbers(3, 2, 40, 5, 6, density=0.3, most=1, seed=0).to(stored),
        normal(8, 40, 3, 3).to(torch.float64),
    )
    innermost = inputs.movedim(2, -1).contiguous().movedim(-1, 2)
    assert equal(run_conv(inputs, weight), run_conv(innermost, weight))


# ---- the same bits, however they are made


@settings(max_examples=40)
@given(
    steps=st.integers(1, 9),
    batch=st.integers(1, 4),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    geometry=st.sampled_from([(3, 1, 1, 2), (3, 2, 1, 1), (1, 1, 0, 1), (2, 1, 2, 3)]),
    most=st.sampled_from([1, 3]),
    stored=st.sampled_from([torch.float32, torch.bfloat16]),
    cut=st.integers(1, 8),
    number=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_pieces_samples_and_threads_change_no_bit_of_convolutions(
    steps: int,
    batch: int,
    size: tuple[int, int],
    geometry: tuple[int, int, int, int],
    most: int,
    stored: torch.dtype,
    cut: int,
    number: int,
    seed: int,
) -> None:
    kernel_size, stride, padding, pool = geometry
    sizes = [(side + 2 * padding - kernel_size) // stride + 1 for side in size]
    assume(min(sizes) >= 1)
    settings = {"stride": stride, "padding": padding, "pool": pool if min(sizes) >= pool else 1}
    inputs, weight = (
        numbers(steps, batch, 37, *size, density=0.3, most=most, seed=seed).to(stored),
        normal(40, 37, kernel_size, kernel_size),
    )
    whole = run_conv(inputs, weight, **settings)
    norm = moved_norm(40, 3)
    with threads(number):
        for sample in range(batch):
            voltage, spikes = None, []
            for piece in (inputs[:cut, sample : sample + 1], inputs[cut:, sample : sample + 1]):
                if len(piece):
                    layer = {"norm": norm, "voltage": voltage, **settings}
                    part = spike_conv_layer(piece, weight, LEAK, CONFIGS[0], **layer).dense()
                    voltage = part.voltage
                    spikes.append(part.spikes)
            assert torch.equal(torch.cat(spikes)[:, 0], whole.spikes[:, sample])
            assert voltage is not None
            assert torch.equal(voltage[0], whole.voltage[sample])


@settings(max_examples=40)
@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 8), st.integers(1, 3), st.sampled_from([1, 2, 200]))
def test_a_row_is_the_same_whatever_is_beside_it(steps: int, batch: int, cut: int, number: int, most: int) -> None:
    # Few rows are summed from the weights, many from tables.
    inputs, weight = numbers(steps, batch, 700, density=0.2, most=most, seed=steps), normal(133, 700)
    whole = spike_product(inputs, weight)
    with threads(number):
        pieces = [spike_product(piece, weight) for piece in (inputs[:cut], inputs[cut:]) if len(piece)]
        assert torch.equal(torch.cat(pieces), whole)
        assert torch.equal(spike_product(inputs[-1:, -1:], weight), whole[-1:, -1:])


def test_large_pictures_of_many_tiles() -> None:
    inputs, weight = numbers(2, 1, 3, 7, 2100, density=0.3, most=1, seed=0), sixteenths(normal(20, 3, 3, 3))
    norm = moved_norm(20, 3)
    for number in (1, 2):
        with threads(number):
            found = spike_conv_layer(inputs, weight, LEAK, CONFIGS[0], norm=norm, padding=1, pool=2).dense()
        assert equal(found, reference.conv_layer(inputs, weight, LEAK, CONFIGS[0], norm=norm, padding=1, pool=2))


# ---- weights and inputs out of the ordinary


def test_weights_that_changed_are_read_again() -> None:
    weight, inputs = nn.Parameter(torch.ones(2, 3)), torch.eye(3)[:, None]
    assert spike_product(inputs, weight).flatten(1).tolist() == [[1, 1]] * 3
    with torch.no_grad():
        weight[1] = 5
    assert spike_product(inputs, weight).flatten(1).tolist() == [[1, 5]] * 3
    weight.data = torch.full((2, 3), 7.0)
    assert spike_product(inputs, weight).flatten(1).tolist() == [[7, 7]] * 3
    assert spike_product(inputs.double(), weight).dtype == torch.float64


def test_weights_made_for_inference_alone() -> None:
    inputs = torch.eye(3)[:, None]
    with torch.inference_mode():
        weight = torch.ones(2, 3)
        assert spike_product(inputs, weight).flatten(1).tolist() == [[1, 1]] * 3
        weight[1] = 5
        assert spike_product(inputs, weight).flatten(1).tolist() == [[1, 5]] * 3


def test_negative_zeros_are_zeros() -> None:
    inputs, weight = torch.tensor([[[-0.0, 1.0, 0.0]]]), torch.tensor([[3.0, -0.0, 2.0]])
    for rows in (inputs, inputs.repeat(20, 1, 1)):
        products = spike_product(rows, weight)
        assert not products.any()
        assert not products.signbit().any()


@pytest.mark.parametrize("steps", [1, 20])
def test_weights_that_are_no_finite_numbers_count_where_a_spike_meets_them(steps: int) -> None:
    weight = torch.tensor([[1.0, float("nan"), float("inf"), 2.0, float("-inf")]])
    rows = torch.tensor([[1.0, 0, 0, 1, 0], [1, 0, 1, 0, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 1]])
    products = spike_product(rows.repeat(steps, 1, 1), weight)[-1, :, 0]
    assert products[:2].tolist() == [3, float("inf")]
    assert products[2:].isnan().all()


@pytest.mark.parametrize("value", [0.5, -1.0, 256.0, float("nan"), float("inf"), -1e30])
@pytest.mark.parametrize("stored", STORED)
def test_a_broken_promise_is_refused_with_the_value_and_its_place(value: float, stored: torch.dtype) -> None:
    inputs = torch.ones(2, 1, 35, 3, 3, dtype=stored)
    inputs[1, 0, 34, 2, 1] = value
    wanted = "whole numbers from 0 to 255; it was given " + re.escape(
        f"{float(inputs[1, 0, 34, 2, 1])} at [1, 0, 34, 2, 1]"
    )
    with pytest.raises(DataError, match=wanted):
        run_conv(inputs, torch.ones(2, 35, 3, 3))
    with pytest.raises(DataError, match=r"small_inputs.*\[1, 0, 313\]"):
        spike_product(inputs.flatten(2), torch.ones(2, 315))
