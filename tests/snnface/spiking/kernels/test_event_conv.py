"""The event-driven first layer against the definition, and against itself."""

from dataclasses import dataclass

import pytest
import torch
import torch.distributed as dist
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from snnface.errors import DataError, ShapeError, SnnfaceError
from snnface.spiking import NeuronConfig
from snnface.spiking.kernels import event_conv, reference
from snnface.spiking.kernels.event_conv import event_conv_layer
from snnface.spiking.neurons import LayerOutput

pytestmark = pytest.mark.skipif(
    event_conv.unavailable() is not None, reason=f"no compiled kernels: {event_conv.unavailable()}"
)

CONFIGS = [
    NeuronConfig(),
    NeuronConfig(reset="subtract", v_reset=-0.2, surrogate="sigmoid"),
    NeuronConfig(decay_input=True, surrogate="triangle", surrogate_alpha=0.5),
    NeuronConfig(detach_reset=False, fires_on_equality=True, surrogate="superspike", leak_per="channel"),
    NeuronConfig(detach_reset=False, decay_input=True, reset="subtract", threshold=0.7, v_reset=0.1),
    NeuronConfig(decay_input=True, leak_per="channel", v_reset=-0.1),
]


@dataclass(frozen=True, kw_only=True)
class Case:
    steps: int = 4
    batch: int = 2
    channels: int = 2
    height: int = 6
    width: int = 7
    maps: int = 5
    kernel: int = 3
    pool: int = 2
    density: float = 0.2
    config: NeuronConfig = CONFIGS[0]
    training: bool = True
    starts: bool = False

    def inputs(self, dtype: torch.dtype = torch.float64) -> Tensor:
        """Counts of either sign, most of them absent."""
        generator = torch.Generator().manual_seed(self.steps + 10 * self.width)
        size = (self.steps, self.batch, self.channels, self.height, self.width)
        values = torch.randint(1, 4, size, generator=generator) * (
            2 * torch.randint(0, 2, size, generator=generator) - 1
        )
        return (values * (torch.rand(size, generator=generator) < self.density)).to(dtype)


class Layer:
    """Parameters of one layer, the same for the same case."""

    def __init__(self, case: Case, dtype: torch.dtype = torch.float64) -> None:
        generator = torch.Generator().manual_seed(case.maps)

        def drawn(*size: int) -> Tensor:
            return torch.rand(size, generator=generator, dtype=torch.float64).to(dtype)

        self.case = case
        self.weight = (drawn(case.maps, case.channels, case.kernel, case.kernel) - 0.4).requires_grad_()
        self.norm = nn.BatchNorm2d(case.maps).to(dtype)
        with torch.no_grad():
            self.norm.weight.copy_(drawn(case.maps) + 0.5)
            self.norm.bias.copy_(drawn(case.maps) - 0.3)
        assert self.norm.running_mean is not None
        assert self.norm.running_var is not None
        self.norm.running_mean.copy_(drawn(case.maps) * 0.1)
        self.norm.running_var.copy_(drawn(case.maps) + 0.5)
        self.leak = (0.2 + 0.6 * drawn(*[case.maps] * (case.config.leak_per == "channel"))).requires_grad_()
        self.start = drawn(case.batch, case.maps, case.height, case.width) if case.starts else None

    def __call__(self, kernel, inputs: Tensor) -> LayerOutput:  # type: ignore[no-untyped-def]
        case = self.case
        return kernel(
            inputs,
            self.weight,
            self.leak,
            case.config,
            norm=self.norm,
            padding=case.kernel // 2,
            pool=case.pool,
            voltage=self.start,
            training=case.training,
        )

    def learn(self, output: LayerOutput) -> None:
        """Gradients of a loss in which every spike and the number of spikes have a part."""
        generator = torch.Generator().manual_seed(7)
        wanted = torch.rand(output.spikes.shape, generator=generator, dtype=torch.float64)
        ((output.spikes * wanted).sum() + 0.3 * output.num_spikes).backward()

    @property
    def gradients(self) -> list[Tensor]:
        leaves = (self.weight, self.norm.weight, self.norm.bias, self.leak)
        return [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves]


cases = st.builds(
    Case,
    steps=st.sampled_from([1, 2, 5]),
    batch=st.integers(1, 3),
    channels=st.integers(1, 3),
    height=st.integers(2, 7),
    width=st.integers(2, 9),
    maps=st.integers(1, 5),
    kernel=st.sampled_from([1, 3, 5]),
    pool=st.sampled_from([1, 2]),
    density=st.sampled_from([0.0, 0.05, 0.4, 1.0]),
    config=st.sampled_from(CONFIGS),
    training=st.booleans(),
    starts=st.booleans(),
)


@settings(max_examples=60)
@given(cases)
@example(Case(maps=40, width=70, height=3))
@example(Case(maps=33, channels=8, kernel=5, height=5, width=131, pool=1, steps=2))
@example(Case(height=1, width=2, pool=1, kernel=5))
@example(Case(height=8, width=41, kernel=11, channels=1, maps=2, density=0.05))
@example(Case(steps=1, batch=1, width=64, config=CONFIGS[3]))
def test_the_layer_is_the_definition(case: Case) -> None:
    inputs, ours, theirs = case.inputs(), Layer(case), Layer(case)
    output, expected = ours(event_conv_layer, inputs), theirs(reference.conv_layer, inputs)
    assert torch.equal(output.spikes, expected.spikes)
    assert output.num_spikes.tolist() == expected.num_spikes.tolist()
    torch.testing.assert_close(output.voltage, expected.voltage, rtol=1e-10, atol=1e-10)
    ours.learn(output)
    theirs.learn(expected)
    for gradient, wanted in zip(ours.gradients, theirs.gradients, strict=True):
        torch.testing.assert_close(gradient, wanted, rtol=1e-9, atol=1e-9)
    for buffer, wanted in zip(ours.norm.buffers(), theirs.norm.buffers(), strict=True):
        torch.testing.assert_close(buffer, wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("channels", [1, 3, 20, 33])
def test_inputs_are_read_as_they_lie(channels: int, dtype: torch.dtype) -> None:
    case = Case(channels=channels, width=70, training=False)
    inputs = case.inputs(dtype)
    layer = Layer(case, torch.float64 if dtype == torch.float64 else torch.float32)
    innermost = inputs.flatten(0, 1).contiguous(memory_format=torch.channels_last).view(inputs.shape)
    neither = inputs.transpose(3, 4).contiguous().transpose(3, 4)
    expected = layer(event_conv_layer, inputs)
    for same in (innermost, neither):
        output = layer(event_conv_layer, same)
        assert torch.equal(output.spikes, expected.spikes)
        assert torch.equal(output.voltage, expected.voltage)


def test_one_neuron_by_hand() -> None:
    # leak 1/2, weight 0.9, norm without effect: h = 0.9; 0.45; 0.225 + 0.9 = 1.125 fires; 0.
    norm = nn.BatchNorm2d(1, eps=0.0).double()
    pictures = torch.tensor([1.0, 0.0, 1.0, 0.0], dtype=torch.float64).reshape(4, 1, 1, 1, 1)
    weight, leak = torch.full((1, 1, 1, 1), 0.9, dtype=torch.float64), torch.tensor(0.5, dtype=torch.float64)
    output = event_conv_layer(pictures, weight, leak, NeuronConfig(), norm=norm)
    assert output.spikes.flatten().tolist() == [0, 0, 1, 0]
    assert output.voltage.flatten().tolist() == [0]
    assert output.num_spikes.tolist() == 1


@pytest.mark.parametrize("training", [False, True])
def test_float32_spikes_are_those_of_the_definition_unless_the_threshold_is_met(training: bool) -> None:
    case = Case(steps=12, height=16, width=20, maps=8, pool=1, training=training, density=0.05)
    spikes = Layer(case, torch.float32)(event_conv_layer, case.inputs(torch.float32)).spikes
    layer = Layer(case)
    with torch.no_grad():
        expected = layer(reference.conv_layer, case.inputs()).spikes
        currents = reference.convolve(case.inputs().flatten(0, 1), layer.weight, stride=1, padding=1)
        scale, shift = reference.batch_affine(currents, layer.norm, training=training)
        currents = (currents * scale[:, None, None] + shift[:, None, None]).unflatten(0, (12, 2))
        voltage, clear = torch.zeros_like(currents[0]), torch.ones_like(currents[0], dtype=torch.bool)
        for current in currents:
            charged = voltage - layer.leak * voltage + current
            clear &= (charged - 1).abs() > 1e-5
            voltage = torch.where(charged > 1, 0, charged)
    assert float(clear.float().mean()) > 0.99
    assert int(expected.sum()) > 100
    assert torch.equal(spikes.double() * clear, expected * clear)


def test_float32_gradients_agree_with_float64() -> None:
    case = Case(steps=12, height=16, width=20, maps=8, density=0.05)
    ours, theirs = Layer(case, torch.float32), Layer(case)
    ours.learn(ours(event_conv_layer, case.inputs(torch.float32)))
    theirs.learn(theirs(reference.conv_layer, case.inputs()))
    for gradient, wanted in zip(ours.gradients, theirs.gradients, strict=True):
        assert float((gradient - wanted).abs().max()) < 1e-4 * float(wanted.abs().max())


def test_moments_are_those_of_the_unfolded_patches() -> None:
    inputs = Case(height=5, width=68, kernel=5, density=0.3).inputs()
    sizes = [*inputs.shape, 1, 5, 1]
    first, second = event_conv._event_moments(inputs, sizes)
    patches = functional.unfold(inputs.flatten(0, 1), 5, padding=2).movedim(1, 0).flatten(1)
    assert torch.equal(first, patches.sum(1))
    assert torch.equal(second, patches @ patches.T)


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    case = Case(steps=6, batch=3, height=18, width=40, maps=35)
    results = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            layer = Layer(case, torch.float32)
            output = layer(event_conv_layer, case.inputs(torch.float32))
            layer.learn(output)
            results.append([output.spikes, output.voltage, *layer.gradients])
    finally:
        torch.set_num_threads(before)
    for result in results[1:]:
        assert all(torch.equal(*pair) for pair in zip(result, results[0], strict=True))


def test_a_sequence_in_pieces_is_the_whole_to_the_bit() -> None:
    case = Case(steps=9, training=False, starts=True, pool=1)
    inputs, layer = case.inputs(torch.float32), Layer(case, torch.float32)
    whole = layer(event_conv_layer, inputs)
    pieces = []
    for piece in inputs.split([1, 3, 5]):
        output = layer(event_conv_layer, piece)
        layer.start = output.voltage
        pieces.append(output.spikes)
    assert torch.equal(torch.cat(pieces), whole.spikes)
    assert torch.equal(layer.start, whole.voltage)


def test_neurons_left_alone_rest_until_an_event_comes() -> None:
    # After some fifty steps without an event the voltages stand still, to the bit; at step 90 an event wakes them.
    case = Case(steps=100, batch=1, height=4, width=8, pool=1, training=False)
    inputs = torch.zeros_like(case.inputs())
    inputs[0, 0, 0, 1, 2], inputs[90, 0, 1, 2, 5] = 3, 8
    output, expected = Layer(case)(event_conv_layer, inputs), Layer(case)(reference.conv_layer, inputs)
    assert torch.equal(output.spikes, expected.spikes)
    assert int(output.spikes[90].sum()) > int(output.spikes[89].sum())
    torch.testing.assert_close(output.voltage, expected.voltage, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("training", [False, True])
def test_pictures_without_events_teach_the_weights_nothing(training: bool) -> None:
    case = Case(density=0.0, training=training)
    layer = Layer(case)
    output = layer(event_conv_layer, case.inputs())
    layer.learn(output)
    assert torch.equal(output.spikes, Layer(case)(reference.conv_layer, case.inputs()).spikes)
    assert not layer.gradients[0].any()
    assert layer.gradients[2].any()


def test_autocast_changes_the_type_of_the_spikes_only() -> None:
    case = Case(maps=20)
    inputs, wide, narrow = case.inputs(torch.float32), Layer(case, torch.float32), Layer(case, torch.float32)
    expected = wide(event_conv_layer, inputs)
    with torch.autocast("cpu", torch.bfloat16):
        output = narrow(event_conv_layer, inputs)
    assert output.spikes.dtype == torch.bfloat16
    assert output.voltage.dtype == torch.float32
    assert torch.equal(output.spikes.float(), expected.spikes)
    expected.spikes.sum().backward()
    output.spikes.sum().backward()
    for gradient, wanted in zip(narrow.gradients, wide.gradients, strict=True):
        assert torch.equal(gradient, wanted)


def test_only_the_events_are_kept_for_the_gradient() -> None:
    case = Case(steps=20, height=32, width=32, maps=32, density=0.05)
    inputs, layer = case.inputs(torch.float32), Layer(case, torch.float32)
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        kept[tensor.data_ptr()] = tensor.nbytes
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        output = layer(event_conv_layer, inputs)
    convolved = 20 * 2 * 32 * 32 * 32 * 4
    assert output.spikes.requires_grad
    assert sum(kept.values()) < inputs.nbytes < convolved / 10


def test_batch_statistics_are_taken_over_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    # Two processes with the same clips: the sums double, and all is as if one process had every clip twice.
    case = Case(batch=2)
    inputs, alone, whole = case.inputs(), Layer(case), Layer(case)
    expected = whole(event_conv_layer, torch.cat([inputs, inputs], dim=1))
    expected.spikes.sum().backward()
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(dist, "all_reduce", lambda sums: sums.mul_(2))
    output = alone(event_conv_layer, inputs)
    output.spikes.sum().backward()
    assert torch.equal(output.spikes, expected.spikes[:, :2])
    for gradient, wanted in zip(alone.gradients, whole.gradients, strict=True):
        torch.testing.assert_close(2 * gradient, wanted, rtol=1e-10, atol=1e-10)
    for buffer, wanted in zip(alone.norm.buffers(), whole.norm.buffers(), strict=True):
        torch.testing.assert_close(buffer, wanted, rtol=1e-12, atol=1e-12)


def test_a_gradient_of_a_gradient_is_refused_by_name() -> None:
    case = Case()
    layer = Layer(case)
    output = layer(event_conv_layer, case.inputs())
    (gradient,) = torch.autograd.grad(output.spikes.square().sum(), layer.weight, create_graph=True)
    with pytest.raises(SnnfaceError, match="event_conv_layer has no double backward; set SNNFACE_KERNEL=reference"):
        gradient.sum().backward()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stride": 2, "padding": 1}, "got kernel 3, stride 2, padding 1, pool 1"),
        ({"padding": 0}, "got kernel 3, stride 1, padding 0, pool 1"),
        ({"padding": 1, "pool": 3}, "got kernel 3, stride 1, padding 1, pool 3"),
    ],
)
def test_layers_that_the_kernel_does_not_know_are_refused(settings: dict, message: str) -> None:
    case = Case()
    layer = Layer(case)
    with pytest.raises(ShapeError, match=message):
        event_conv_layer(case.inputs(), layer.weight, layer.leak, case.config, norm=layer.norm, **settings)


def test_no_steps_and_single_values_are_refused() -> None:
    case = Case(height=1, width=1, batch=1, steps=1, pool=1)
    with pytest.raises(DataError, match="batch norm needs at least two values a channel to train on; got 1"):
        Layer(case)(event_conv_layer, case.inputs())
    with pytest.raises(ShapeError, match="at least one step, sample and neuron"):
        Layer(case)(event_conv_layer, case.inputs()[:0])


def test_the_operators_are_what_they_tell_torch() -> None:
    case = Case()
    inputs, layer = case.inputs(torch.float32), Layer(case, torch.float32)
    sizes = [*inputs.shape, case.maps, case.kernel, case.pool]
    tests = ("test_schema", "test_autograd_registration", "test_faketensor")
    operators = torch.ops.snnface
    torch.library.opcheck(operators.event_rows.default, (inputs, sizes), test_utils=tests)
    torch.library.opcheck(operators.event_moments.default, (inputs, sizes), test_utils=tests)
    rows = operators.event_rows(inputs, sizes)
    options = event_conv.options_of(case.config)
    affine = (layer.norm.weight.detach(), layer.norm.bias.detach(), layer.leak.detach())
    values = (*rows, layer.weight, *affine, None, options, sizes, torch.float32)
    torch.library.opcheck(operators.event_conv.default, values, test_utils=tests)
