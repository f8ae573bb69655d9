"""The C++ kernel of a neuron layer: equal to the definition, to the bit forward and to rounding backward."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnface.errors import ShapeError, SnnfaceError
from snnface.spiking.kernels import cpu, reference
from snnface.spiking.neurons import LayerOutput, NeuronConfig

pytestmark = pytest.mark.skipif(cpu.unavailable() is not None, reason=f"no C++ kernels here: {cpu.unavailable()}")

TOLERANCES = {torch.float64: 1e-10, torch.float32: 1e-4, torch.bfloat16: 2e-2}


def layer_and_gradients(
    kernel, config: NeuronConfig, leaves: list[Tensor | None], voltage: Tensor | None, pool: int
) -> tuple[LayerOutput, list[Tensor | None]]:
    currents, leak, scale, shift = [None if leaf is None else leaf.clone().requires_grad_() for leaf in leaves]
    output = kernel.neuron_layer(currents, leak, config, voltage=voltage, scale=scale, shift=shift, pool=pool)
    weights = torch.randn(output.spikes.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    ((output.spikes.double() * weights.to(output.spikes.dtype)).sum() + 0.3 * output.num_spikes).backward()
    return output, [None if leaf is None else leaf.grad for leaf in (currents, leak, scale, shift)]


def require_equal(
    config: NeuronConfig,
    shape: tuple[int, ...],
    dtype: torch.dtype,
    *,
    pool: int = 1,
    affine: bool = False,
    leak_per_channel: bool = False,
    from_rest: bool = True,
    seed: int = 0,
) -> LayerOutput:
    generator = torch.Generator().manual_seed(seed)
    real = torch.float64 if dtype == torch.float64 else torch.float32

    def normal(*sizes: int) -> Tensor:
        return torch.randn(sizes, generator=generator, dtype=torch.float64)

    leak = torch.sigmoid(normal(shape[2])) if leak_per_channel else torch.tensor(0.4)
    scale, shift = (1 + 0.2 * normal(shape[2]), 0.1 * normal(shape[2])) if affine else (None, None)
    given_leaves = (1.2 * normal(*shape), leak, scale, shift)
    kinds = (dtype, real, real, real)
    leaves = [None if leaf is None else leaf.to(kind) for leaf, kind in zip(given_leaves, kinds, strict=True)]
    voltage = None if from_rest else (0.5 * normal(*shape[1:])).to(real)
    expected, wanted = layer_and_gradients(reference, config, leaves, voltage, pool)
    output, gradients = layer_and_gradients(cpu, config, leaves, voltage, pool)
    assert output.spikes.dtype == expected.spikes.dtype == dtype
    assert output.voltage.dtype == expected.voltage.dtype == real
    assert torch.equal(output.spikes, expected.spikes)
    assert torch.equal(output.voltage, expected.voltage)
    assert output.num_spikes == expected.num_spikes
    for gradient, want in zip(gradients, wanted, strict=True):
        if want is None:
            assert gradient is None
            continue
        size = float(want.double().abs().max().clamp(min=1e-6))
        torch.testing.assert_close(gradient, want, rtol=0, atol=TOLERANCES[dtype] * size)
    return output


@st.composite
def configs(draw: st.DrawFn) -> NeuronConfig:
    return NeuronConfig(
        threshold=draw(st.sampled_from((1.0, 0.7))),
        v_reset=draw(st.sampled_from((0.0, -0.25, 0.1))),
        decay_input=draw(st.booleans()),
        reset=draw(st.sampled_from(("zero", "subtract"))),
        fires_on_equality=draw(st.booleans()),
        surrogate=draw(st.sampled_from(("atan", "sigmoid", "triangle", "superspike"))),
        surrogate_alpha=draw(st.sampled_from((2.0, 1.5, 4.0))),
        detach_reset=draw(st.booleans()),
    )


@settings(max_examples=150)
@given(
    config=configs(),
    pictures=st.tuples(st.integers(1, 6), st.integers(1, 3), st.sampled_from((1, 2, 3, 10, 16, 32, 40))),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    pool=st.integers(1, 3),
    dtype=st.sampled_from((torch.float64, torch.float32, torch.bfloat16)),
    affine=st.booleans(),
    leak_per_channel=st.booleans(),
    from_rest=st.booleans(),
    seed=st.integers(0, 100),
)
def test_layer_of_pictures_equals_the_definition(
    config, pictures, size, pool, dtype, affine, leak_per_channel, from_rest, seed
):
    require_equal(
        config,
        (*pictures, *(max(side, pool) for side in size)),
        dtype,
        pool=pool,
        affine=affine,
        leak_per_channel=leak_per_channel,
        from_rest=from_rest,
        seed=seed,
    )


@settings(max_examples=50)
@given(
    config=configs(),
    shape=st.tuples(st.integers(1, 20), st.integers(1, 4), st.integers(1, 230)),
    dtype=st.sampled_from((torch.float64, torch.float32, torch.bfloat16)),
    leak_per_channel=st.booleans(),
)
def test_layer_of_features_equals_the_definition(config, shape, dtype, leak_per_channel):
    require_equal(config, shape, dtype, leak_per_channel=leak_per_channel)


@pytest.mark.parametrize(
    ("shape", "pool"), [((30, 2, 32, 17, 70), 2), ((12, 3, 33, 20, 20), 3), ((40, 1, 6, 40, 40), 1)]
)
def test_layers_of_many_tiles_and_threads_equal_the_definition(shape, pool):
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        output = require_equal(NeuronConfig(), shape, torch.float32, pool=pool, affine=True)
    finally:
        torch.set_num_threads(before)
    assert 0 < output.num_spikes < output.voltage.numel() * shape[0]


def test_hand_worked_trace_of_one_neuron():
    # h = v/2 + x: 0.75, then 0.875, then 1.4375 fires and resets, then 0.5.
    currents = torch.tensor([0.75, 0.5, 1.0, 0.5]).reshape(4, 1, 1)
    output = cpu.neuron_layer(currents, torch.tensor(0.5), NeuronConfig())
    assert output.spikes.flatten().tolist() == [0, 0, 1, 0]
    assert output.voltage.item() == 0.5
    assert output.num_spikes.item() == 1


@pytest.mark.parametrize(("fires_on_equality", "spikes"), [(True, 1), (False, 0)])
def test_a_voltage_at_the_threshold_fires_only_on_equality(fires_on_equality, spikes):
    config = NeuronConfig(fires_on_equality=fires_on_equality)
    assert cpu.neuron_layer(torch.ones(1, 1, 5), torch.tensor(0.5), config).num_spikes == 5 * spikes


@pytest.mark.parametrize("fired", list(itertools.product((0.0, 2.0), repeat=4)))
def test_gradient_of_a_window_goes_to_its_first_spike_in_row_major_order(fired):
    currents = torch.tensor(fired).reshape(1, 1, 1, 2, 2).requires_grad_()
    cpu.neuron_layer(currents, torch.tensor(0.5), NeuronConfig(), pool=2).spikes.sum().backward()
    reached = currents.grad.flatten().nonzero().flatten().tolist()
    assert reached == [fired.index(2.0) if 2.0 in fired else 0]


def test_pieces_of_time_give_what_the_whole_gives():
    currents = torch.randn(9, 2, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    whole = cpu.neuron_layer(currents, torch.tensor(0.3), NeuronConfig(), pool=2)
    first = cpu.neuron_layer(currents[:4], torch.tensor(0.3), NeuronConfig(), pool=2)
    second = cpu.neuron_layer(currents[4:], torch.tensor(0.3), NeuronConfig(), voltage=first.voltage, pool=2)
    assert torch.equal(torch.cat([first.spikes, second.spikes]), whole.spikes)
    assert torch.equal(second.voltage, whole.voltage)


@pytest.mark.parametrize("permuted", [False, True])
def test_any_memory_format_gives_the_same_spikes_channels_innermost(permuted):
    currents = torch.randn(3, 2, 6, 4, 4, generator=torch.Generator().manual_seed(0))
    given = currents.transpose(3, 4).contiguous().transpose(3, 4) if permuted else currents
    output = cpu.neuron_layer(given, torch.tensor(0.5), NeuronConfig(), pool=2)
    assert torch.equal(output.spikes, reference.neuron_layer(currents, torch.tensor(0.5), NeuronConfig(), pool=2)[0])
    assert output.spikes.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)


def test_large_results_do_not_share_memory_while_they_live():
    currents = torch.zeros(20, 1, 16, 64, 64)
    none = cpu.neuron_layer(currents, torch.tensor(0.5), NeuronConfig()).spikes
    all_fired = cpu.neuron_layer(currents + 2, torch.tensor(0.5), NeuronConfig()).spikes
    assert none.sum() == 0
    assert all_fired.sum() == all_fired.numel()


def test_no_steps_are_refused():
    with pytest.raises(ShapeError, match=r"at least one step, sample and neuron; got \(0, 2, 3\)"):
        cpu.neuron_layer(torch.zeros(0, 2, 3), torch.tensor(0.5), NeuronConfig())


def test_double_backward_is_refused_by_name():
    currents = torch.ones(2, 1, 3, requires_grad=True)
    spikes = cpu.neuron_layer(currents, torch.tensor(0.5), NeuronConfig()).spikes
    (gradient,) = torch.autograd.grad(spikes.sum(), currents, create_graph=True)
    with pytest.raises(SnnfaceError, match="neuron_layer has no double backward; set SNNFACE_KERNEL=reference"):
        gradient.sum().backward()


def test_operators_keep_the_rules_of_torch():
    currents = torch.randn(3, 2, 5, 4, 4, requires_grad=True)
    leak, scale, shift = (torch.rand(5, requires_grad=True) for _ in range(3))
    options = [1.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    arguments = (currents, leak, scale, shift, None, options, 2)
    checks = ("test_schema", "test_faketensor", "test_aot_dispatch_static")
    torch.library.opcheck(torch.ops.snnface.neuron_layer.default, arguments, test_utils=checks)
