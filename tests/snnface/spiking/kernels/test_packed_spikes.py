"""Packed spikes: the words, and the layers that write and read them, against the same layers with numbers."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from snnface.spiking import NeuronConfig
from snnface.spiking.kernels import PackedSpikes, flattened, spike_layer
from snnface.spiking.kernels.event_conv import event_conv_layer, packed_event_layer
from snnface.spiking.kernels.packed_spikes import RelayOutput
from snnface.spiking.kernels.spike_layer import spike_conv_layer, spike_full_layer

pytestmark = pytest.mark.skipif(
    spike_layer.unavailable() is not None, reason=f"no compiled kernels: {spike_layer.unavailable()}"
)

LEAK = torch.tensor(0.5)
CONFIGS = [
    NeuronConfig(threshold=0.5),
    NeuronConfig(kind="lif", tau=3.0, decay_input=True, v_reset=-0.25, threshold=0.1),
    NeuronConfig(v_reset=0.25, fires_on_equality=True),
    NeuronConfig(kind="if", reset="subtract"),
]
MAPS = [1, 5, 16, 32, 33, 70]


def drawn(*size: int, seed: int) -> Tensor:
    return torch.rand(size, generator=torch.Generator().manual_seed(seed))


def spikes_of(*size: int, seed: int, density: float = 0.3) -> Tensor:
    return (drawn(*size, seed=seed) < density).float()


def packed(spikes: Tensor) -> PackedSpikes:
    """Packed by plain arithmetic: channel 4 i + j of a word counts 2^(8 i + j)."""
    channels = spikes.shape[2]
    words = torch.zeros(-(-channels // 32), *spikes.shape[:2], *spikes.shape[3:], dtype=torch.int64)
    for channel in range(channels):
        words[channel // 32] += spikes[:, :, channel].long() * 2 ** (8 * (channel % 32 // 4) + channel % 4)
    return PackedSpikes(words=words, channels=channels, dtype=spikes.dtype)


def norm_of(maps: int, seed: int) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(maps).requires_grad_(False)
    for place, values in enumerate((norm.weight, norm.bias, norm.running_mean, norm.running_var)):
        assert values is not None
        values.copy_(drawn(maps, seed=seed + place) + 0.1)
    return norm


def require_same(found: RelayOutput, expected: RelayOutput) -> None:
    """The same spikes, voltages and counts, and no bit beside the spikes."""
    assert isinstance(found.spikes, PackedSpikes)
    assert isinstance(expected.spikes, Tensor)
    dense = found.spikes.dense()
    assert (dense.dtype, dense.shape) == (expected.spikes.dtype, expected.spikes.shape)
    assert torch.equal(dense, expected.spikes)
    assert torch.equal(found.spikes.words, packed(expected.spikes).words)
    assert torch.equal(found.voltage, expected.voltage)
    assert float(found.num_spikes) == float(expected.num_spikes)


def test_words_by_hand() -> None:
    # Channels 0 and 3 lie in the first byte, 4 in the second, 31 in the eighth, 32 in the next word.
    words = torch.tensor([1 + 8 + 256 + (8 << 56), 1], dtype=torch.int64).reshape(2, 1, 1)
    spikes = PackedSpikes(words=words, channels=33, dtype=torch.bfloat16)
    assert spikes.shape == (1, 1, 33)
    assert spikes.dense().dtype == torch.bfloat16
    assert spikes.dense().flatten().nonzero().flatten().tolist() == [0, 3, 4, 31, 32]


def test_an_outline_has_the_shape_and_no_memory() -> None:
    outline = packed(spikes_of(2, 3, 40, 5, 6, seed=0)).outline()
    assert outline.shape == (2, 3, 40, 5, 6)
    assert outline.dtype == torch.float32
    assert outline.untyped_storage().nbytes() == 4


@settings(max_examples=60)
@given(
    config=st.sampled_from(CONFIGS),
    steps=st.integers(1, 4),
    batch=st.integers(1, 3),
    channels=st.sampled_from([1, 4, 30, 33, 70]),
    maps=st.sampled_from(MAPS),
    size=st.tuples(st.integers(3, 9), st.integers(3, 40)),
    geometry=st.sampled_from([(3, 1, 1, 2), (3, 2, 1, 1), (1, 1, 0, 1), (2, 1, 2, 3)]),
    seed=st.integers(0, 99),
)
def test_convolutions_read_and_write_the_spikes_that_they_would_as_numbers(
    config: NeuronConfig,
    steps: int,
    batch: int,
    channels: int,
    maps: int,
    size: tuple[int, int],
    geometry: tuple[int, int, int, int],
    seed: int,
) -> None:
    kernel_size, stride, padding, pool = geometry
    sizes = [(side + 2 * padding - kernel_size) // stride + 1 for side in size]
    assume(min(sizes) >= pool)
    inputs = spikes_of(steps, batch, channels, *size, seed=seed)
    weight = drawn(maps, channels, kernel_size, kernel_size, seed=seed) - 0.4
    start, norm = drawn(batch, maps, *sizes, seed=seed), norm_of(maps, seed)

    def run(inputs: Tensor | PackedSpikes, *, packed: bool) -> RelayOutput:
        layer = {"norm": norm, "voltage": start, "stride": stride, "padding": padding, "pool": pool}
        return spike_conv_layer(inputs, weight, LEAK, config, packed=packed, **layer)

    expected = run(inputs, packed=False)
    require_same(run(inputs, packed=True), expected)
    require_same(run(packed(inputs), packed=True), expected)
    read = run(packed(inputs), packed=False)
    assert isinstance(read.spikes, Tensor)
    assert isinstance(expected.spikes, Tensor)
    assert torch.equal(read.spikes, expected.spikes)


@settings(max_examples=60)
@given(
    config=st.sampled_from(CONFIGS),
    steps=st.integers(1, 4),
    batch=st.integers(1, 3),
    maps=st.sampled_from(MAPS),
    size=st.tuples(st.integers(2, 7), st.integers(2, 70)),
    pool=st.sampled_from([1, 2]),
    density=st.sampled_from([0.0, 0.05, 0.5]),
    seed=st.integers(0, 99),
)
def test_event_layers_write_the_spikes_that_they_would_as_numbers(
    config: NeuronConfig,
    steps: int,
    batch: int,
    maps: int,
    size: tuple[int, int],
    pool: int,
    density: float,
    seed: int,
) -> None:
    inputs = 2 * spikes_of(steps, batch, 2, *size, seed=seed, density=density)
    weight, norm = drawn(maps, 2, 3, 3, seed=seed) - 0.4, norm_of(maps, seed)
    start = drawn(batch, maps, *size, seed=seed)
    geometry = {"norm": norm, "padding": 1, "pool": pool, "voltage": start}
    expected = event_conv_layer(inputs, weight, LEAK, config, **geometry)
    require_same(packed_event_layer(inputs, weight, LEAK, config, **geometry), RelayOutput(*expected))


def test_neurons_left_alone_rest_in_packed_spikes_too() -> None:
    inputs = torch.zeros(100, 1, 2, 4, 8)
    inputs[0, 0, 0, 1, 2], inputs[90, 0, 1, 2, 5] = 3, 8
    weight, norm = drawn(40, 2, 3, 3, seed=0), norm_of(40, 0)
    expected = event_conv_layer(inputs, weight, LEAK, CONFIGS[0], norm=norm, padding=1, pool=2)
    found = packed_event_layer(inputs, weight, LEAK, CONFIGS[0], norm=norm, padding=1, pool=2)
    require_same(found, RelayOutput(*expected))


@settings(max_examples=60)
@given(
    steps=st.integers(1, 3),
    batch=st.integers(1, 9),
    channels=st.sampled_from([1, 3, 32, 33, 40]),
    height=st.integers(1, 9),
    width=st.integers(1, 20),
    seed=st.integers(0, 99),
)
def test_flattened_pictures_are_flattened_tensors(
    steps: int, batch: int, channels: int, height: int, width: int, seed: int
) -> None:
    spikes = spikes_of(steps, batch, channels, height, width, seed=seed)
    found = flattened(packed(spikes))
    assert found.shape == (steps, batch, channels * height * width)
    assert torch.equal(found.words, packed(spikes.flatten(2)).words)
    assert torch.equal(found.dense(), spikes.flatten(2))


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("outputs", MAPS)
@pytest.mark.parametrize(("steps", "batch"), [(1, 1), (3, 5), (40, 2)])
def test_full_layers_read_and_write_the_spikes_that_they_would_as_numbers(
    config: NeuronConfig, outputs: int, steps: int, batch: int
) -> None:
    inputs, weight = spikes_of(steps, batch, 50, seed=1), drawn(outputs, 50, seed=2) - 0.4
    start = drawn(batch, outputs, seed=3)
    expected = spike_full_layer(inputs, weight, LEAK, config, voltage=start)
    require_same(spike_full_layer(packed(inputs), weight, LEAK, config, voltage=start, packed=True), expected)
    read = spike_full_layer(packed(inputs), weight, LEAK, config, voltage=start)
    assert isinstance(read.spikes, Tensor)
    assert isinstance(expected.spikes, Tensor)
    assert torch.equal(read.spikes, expected.spikes)


def test_under_autocast_packed_spikes_stand_for_narrow_ones() -> None:
    inputs, weight, norm = spikes_of(3, 2, 2, 6, 6, seed=0), drawn(8, 2, 3, 3, seed=1), norm_of(8, 0)
    with torch.autocast("cpu", torch.bfloat16):
        first = packed_event_layer(inputs, weight, LEAK, CONFIGS[0], norm=norm, padding=1)
        assert isinstance(first.spikes, PackedSpikes)
        rows = spike_full_layer(flattened(first.spikes), drawn(5, 288, seed=2), LEAK, CONFIGS[0])
    assert first.spikes.dtype == torch.bfloat16
    assert first.voltage.dtype == torch.float32
    assert isinstance(rows.spikes, Tensor)
    assert rows.spikes.dtype == torch.bfloat16
