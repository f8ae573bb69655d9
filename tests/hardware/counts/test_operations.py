"""Spike and operation counts against loops, hand-worked values and the invariants that any honest count obeys."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from conversion.graph import (
    INPUT,
    Connection,
    Conv2dSynapse,
    LinearSynapse,
    Neuron,
    Population,
    Readout,
    SpikingGraph,
    Synapse,
)
from conversion.integer_graph import IntegerGraph, IntegerNeuron, IntegerPopulation, SigmaDeltaNeuron, TernaryNeuron
from hardware.counts.event_trains import EventTrain
from hardware.counts.fan_out import dense_with_padding, fan_out, fan_out_nonzero
from hardware.counts.operation_counts import QUANTITIES, bootstrap_statistic
from hardware.counts.operations import count_operations
from hardware.counts.reach import reached
from snnface.errors import DataError, ShapeError

# --- brute force: one loop an axis, nothing shared with the code under test -------------------


def connections(synapse: Conv2dSynapse, input_shape: tuple[int, ...]) -> list[tuple[tuple, tuple, float]]:
    """Every existing (input element, output element, weight) of a convolution."""
    outputs = synapse.output_shape(input_shape)
    num_out, per_group, kh, kw = synapse.weight.shape
    found = []
    for o, row, column in itertools.product(*map(range, outputs)):
        first = (o // (num_out // synapse.groups)) * per_group
        for i, a, b in itertools.product(range(per_group), range(kh), range(kw)):
            r = row * synapse.stride[0] - synapse.padding[0] + a * synapse.dilation[0]
            c = column * synapse.stride[1] - synapse.padding[1] + b * synapse.dilation[1]
            if 0 <= r < input_shape[1] and 0 <= c < input_shape[2]:
                found.append(((first + i, r, c), (o, row, column), float(synapse.weight[o, i, a, b])))
    return found


CASES = {
    "plain": (Conv2dSynapse(np.ones((4, 2, 3, 3))), (2, 5, 6)),
    "padding": (Conv2dSynapse(np.ones((3, 2, 3, 3)), padding=(1, 2)), (2, 5, 4)),
    "stride": (Conv2dSynapse(np.ones((2, 1, 3, 3)), stride=(2, 3), padding=(1, 1)), (1, 8, 9)),
    "groups": (Conv2dSynapse(np.ones((6, 2, 3, 3)), padding=(1, 1), groups=3), (6, 4, 5)),
    "depthwise pool": (Conv2dSynapse(np.ones((4, 1, 2, 2)), stride=(2, 2), groups=4), (4, 5, 6)),
    "non-square": (Conv2dSynapse(np.ones((2, 3, 1, 5)), padding=(0, 2)), (3, 3, 7)),
    "dilation": (Conv2dSynapse(np.ones((2, 1, 3, 2)), padding=(2, 1), dilation=(2, 3)), (1, 7, 6)),
    "stride and dilation": (Conv2dSynapse(np.ones((2, 1, 3, 3)), (None), (2, 2), (2, 2), (2, 2)), (1, 6, 7)),
    "kernel larger than input": (Conv2dSynapse(np.ones((1, 1, 5, 5)), padding=(2, 2)), (1, 2, 3)),
}


def with_zeros(synapse: Conv2dSynapse, seed: int) -> Conv2dSynapse:
    weight = np.random.default_rng(seed).integers(-1, 2, synapse.weight.shape).astype(float)
    return Conv2dSynapse(weight, None, synapse.stride, synapse.padding, synapse.dilation, synapse.groups)


@pytest.mark.parametrize("name", CASES)
def test_fan_out_equals_a_loop_over_every_connection(name: str) -> None:
    plain, shape = CASES[name]
    synapse = with_zeros(plain, seed=len(name))
    structural, effective = np.zeros(shape, int), np.zeros(shape, int)
    for source, _, weight in connections(synapse, shape):
        structural[source] += 1
        effective[source] += weight != 0
    np.testing.assert_array_equal(fan_out(synapse, shape), structural)
    np.testing.assert_array_equal(fan_out_nonzero(synapse, shape), effective)
    assert effective.sum() < structural.sum()


@pytest.mark.parametrize("name", CASES)
def test_fan_out_equals_a_transposed_convolution_of_ones(name: str) -> None:
    synapse, shape = CASES[name]
    inputs = torch.ones(1, *shape, dtype=torch.float64, requires_grad=True)
    weight = torch.ones(synapse.weight.shape, dtype=torch.float64)
    output = nn.functional.conv2d(
        inputs, weight, None, synapse.stride, synapse.padding, synapse.dilation, synapse.groups
    )
    output.sum().backward()
    assert inputs.grad is not None
    np.testing.assert_array_equal(fan_out(synapse, shape), inputs.grad[0].numpy().astype(int))


@pytest.mark.parametrize("name", CASES)
def test_reach_equals_a_loop_over_every_connection(name: str) -> None:
    synapse, shape = CASES[name]
    events = (np.random.default_rng(3).random((4, *shape)) < 0.1).astype(np.uint8)
    expected = np.zeros((4, *synapse.output_shape(shape)), bool)
    for source, target, _ in connections(synapse, shape):
        expected[(slice(None), *target)] |= events[(slice(None), *source)] > 0
    np.testing.assert_array_equal(reached(synapse, events), expected.reshape(4, -1))


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(3, 6), st.integers(3, 6)),
    groups=st.integers(1, 2),
    seed=st.integers(0, 99),
)
def test_fan_out_of_any_convolution_adds_up_to_its_connections(
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    groups: int,
    seed: int,
) -> None:
    weight = np.random.default_rng(seed).integers(-1, 2, (2 * groups, 1, *kernel)).astype(float)
    synapse = Conv2dSynapse(weight, None, stride, padding, (1, 1), groups)
    found = connections(synapse, (groups, *size))
    assert fan_out(synapse, (groups, *size)).sum() == len(found)
    assert fan_out_nonzero(synapse, (groups, *size)).sum() == sum(w != 0 for _, _, w in found)
    assert dense_with_padding(synapse, (groups, *size)) >= len(found)


def test_fan_out_of_a_linear_layer_is_its_width() -> None:
    synapse = LinearSynapse(np.array([[1.0, 0.0, 2.0], [0.0, 0.0, 3.0]]))
    assert fan_out(synapse, (1, 1, 3)).tolist() == [[[2, 2, 2]]]
    assert fan_out_nonzero(synapse, (1, 1, 3)).tolist() == [[[1, 0, 2]]]


# --- whole networks ------------------------------------------------------------------------


def layer(name: str, source: str, synapse: Synapse, shape: tuple[int, ...], **neuron: float | bool) -> Population:
    return Population(name, shape, Neuron(**{"leak": 0.0, "threshold": 1.0} | neuron), (Connection(source, synapse),))


def tiny_graph() -> SpikingGraph:
    """Two inputs -> two leaky neurons (one biased) -> one answer."""
    synapse = LinearSynapse(np.array([[1.0, 0.0], [2.0, 3.0]]), bias=np.array([0.0, 0.5]))
    readout = Readout("hidden", np.array([[1.0, 0.0]]), np.array([0.25]))
    return SpikingGraph((2,), (layer("hidden", INPUT, synapse, (2,), leak=0.5),), readout)


def rich_graph(seed: int = 0) -> SpikingGraph:
    """Stride, padding, groups, dilation, a non-square kernel, zero weights, a relay pool and a residual."""
    draw = np.random.default_rng(seed)

    def weight(*shape: int) -> np.ndarray:
        return draw.integers(-1, 2, shape).astype(float)

    first = layer(
        "first", INPUT, Conv2dSynapse(weight(4, 2, 3, 5), weight(4), (1, 1), (1, 2)), (4, 6, 8), leak=0.5, threshold=0.5
    )
    pool = layer(
        "pool", "first", Conv2dSynapse(np.ones((4, 1, 2, 2)), None, (2, 2), groups=4), (4, 3, 4), is_relay=True
    )
    residual = Population(
        "residual",
        (4, 3, 4),
        Neuron(leak=0.0, threshold=0.5),
        (
            Connection("pool", Conv2dSynapse(weight(4, 2, 3, 3), None, (1, 1), (2, 2), (2, 2), groups=2)),
            Connection(INPUT, Conv2dSynapse(weight(4, 2, 2, 2), None, (2, 2))),
        ),
    )
    last = layer("last", "residual", LinearSynapse(weight(5, 48), weight(5)), (5,), threshold=0.5)
    return SpikingGraph((2, 6, 8), (first, pool, residual, last), Readout("last", np.eye(3, 5), np.zeros(3)))


def random_spikes(
    graph: SpikingGraph, seed: int, num_steps: int = 5, num_samples: int = 3
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    draw = np.random.default_rng(seed)
    inputs = (draw.random((num_steps, num_samples, *graph.input_shape)) < 0.2).astype(np.uint8)
    spikes = {
        p.name: (draw.random((num_steps, num_samples, *p.shape)) < 0.15).astype(np.uint8) for p in graph.populations
    }
    return inputs, spikes


def test_counts_of_a_tiny_network_are_those_on_paper() -> None:
    inputs = np.array([[[1, 0]], [[0, 0]], [[1, 1]]], np.uint8)
    hidden = np.array([[[0, 1]], [[0, 0]], [[1, 1]]], np.uint8)
    counted = count_operations(tiny_graph(), inputs, {"hidden": hidden})
    row = counted.layer("hidden")
    assert {name: row.per_sample(name).tolist() for name in QUANTITIES} == {
        "in_events": [3],
        "synops": [6],  # 3 events, 2 connections each
        "synops_nonzero": [2 * 2 + 1 * 1],  # input 0 twice through 2 weights, input 1 once through 1
        "synops_textbook": [6],
        "macs": [0],
        "macs_nonzero": [0],
        "spikes": [3],
        "updates_dense": [6],
        "updates_active": [4],  # no event at step 1
        "bias_adds": [3],  # one neuron, three steps
        "leak_multiplies": [6],
    }
    assert row.num_parameters == 6
    assert row.num_zero_weights == 1
    assert row.rates.tolist() == [1 / 3, 2 / 3]
    readout = counted.layer("readout")
    assert readout.per_sample("in_events").tolist() == [3]
    assert readout.per_sample("synops").tolist() == [3]
    assert readout.per_sample("synops_nonzero").tolist() == [1]
    assert readout.per_sample("bias_adds").tolist() == [1]
    assert counted.kappa == (6 + 3) / (4 + 2)


def brute_force(graph: SpikingGraph, inputs: np.ndarray, spikes: dict[str, np.ndarray], name: str) -> dict[str, int]:
    population = graph.population(name)
    totals = {"synops": 0, "synops_nonzero": 0, "updates_active": 0}
    for t, b in itertools.product(range(inputs.shape[0]), range(inputs.shape[1])):
        reached = set()
        for connection in population.inputs:
            source = inputs[t, b] if connection.source == INPUT else spikes[connection.source][t, b]
            assert isinstance(connection.synapse, Conv2dSynapse)
            for element, target, weight in connections(connection.synapse, source.shape):
                totals["synops"] += int(source[element] != 0)
                totals["synops_nonzero"] += int(source[element] != 0 and weight != 0)
                if source[element]:
                    reached.add(target)
        totals["updates_active"] += len(reached)
    return totals


@pytest.mark.parametrize("name", ["first", "pool", "residual"])
def test_counts_of_every_layer_equal_brute_force(name: str) -> None:
    graph = rich_graph()
    inputs, spikes = random_spikes(graph, seed=1)
    counted = count_operations(graph, inputs, spikes).layer(name)
    expected = brute_force(graph, inputs, spikes, name)
    assert {key: int(counted.per_sample(key).sum()) for key in expected} == expected


def test_textbook_fan_out_ignores_borders() -> None:
    graph = rich_graph()
    inputs, spikes = random_spikes(graph, seed=1)
    row = count_operations(graph, inputs, spikes).layer("residual")
    pooled, direct = (connection.in_events for connection in row.connections)
    # 3 x 3 over 2 of 4 maps a group; 2 x 2 at stride 2 over 4 maps: one output position each.
    np.testing.assert_array_equal(row.per_sample("synops_textbook"), pooled * 2 * 9 + direct * 4)


def test_bytes_for_events_hold_the_busiest_step() -> None:
    inputs = np.array([[[1, 0]], [[0, 0]], [[3, 1]]])
    counted = count_operations(tiny_graph(), inputs, {"hidden": np.array([[[0, 1]], [[0, 0]], [[1, 1]]], np.uint8)})
    (connection,) = counted.layer("hidden").connections
    # Two events at the last step, each 1 bit of address and 2 of a value up to 3.
    assert (connection.peak_events, connection.event_bits, connection.event_bytes) == (2, 1 + 2, 1)
    (answers,) = counted.layer("readout").connections
    assert (answers.peak_events, answers.event_bits) == (2, 1)


def test_products_of_a_constant_input_may_be_kept() -> None:
    silent = {"hidden": np.zeros((4, 1, 2), np.uint8)}
    still = count_operations(tiny_graph(), np.tile([[[3, 1]]], (4, 1, 1)), silent).layer("hidden")
    assert still.connections[0].is_constant
    # 3 weights that are not 0, once; what is kept is added to 2 neurons at 4 steps.
    assert still.cached_products == (3.0, 8.0)
    assert still.per_sample("macs_nonzero").tolist() == [12]
    moving = count_operations(tiny_graph(), np.array([[[3, 1]], [[2, 1]], [[3, 1]], [[3, 1]]]), silent).layer("hidden")
    assert moving.cached_products == (12.0, 0.0)


@settings(max_examples=25, deadline=None)
@given(
    data=st.integers(0, 2**32 - 1),
    dtype=st.sampled_from([np.uint8, np.int32, np.int64, np.bool_]),
    shape=st.tuples(st.integers(1, 5), st.integers(1, 3), st.sampled_from([1, 7, 5000])),
)
def test_a_train_adds_up_like_numpy(data: int, dtype: type, shape: tuple[int, int, int]) -> None:
    low = -2 if dtype in (np.int32, np.int64) else 0
    messages = np.random.default_rng(data).integers(low, 2 if dtype is np.bool_ else 4, shape).astype(dtype)
    train = EventTrain.of(messages)
    np.testing.assert_array_equal(train.per_element, (messages != 0).sum(axis=0))
    np.testing.assert_array_equal(train.per_step, (messages != 0).sum(axis=2))
    assert (min(train.low, 0), train.high) == (min(int(messages.min()), 0), int(messages.max()))


def test_invariants_that_hold_for_binary_input() -> None:
    graph = rich_graph()
    inputs, spikes = random_spikes(graph, seed=2)
    counted = count_operations(graph, inputs, spikes)
    for quantity in QUANTITIES:
        total = sum(row.per_sample(quantity) for row in counted.layers)
        np.testing.assert_array_equal(counted.per_sample(quantity), total)
    for row in counted.layers:
        assert (row.per_sample("synops") <= counted.steps * row.dense).all()
        assert (row.per_sample("synops_nonzero") <= row.per_sample("synops")).all()
        assert (row.per_sample("updates_active") <= row.per_sample("updates_dense")).all()
        assert row.dense <= row.dense_pad
    assert counted.layer("pool").per_sample("in_events").tolist() == counted.layer("first").spikes.tolist()
    np.testing.assert_array_equal(
        counted.layer("residual").per_sample("in_events"),
        counted.layer("pool").spikes + inputs.sum(axis=(0, 2, 3, 4), dtype=int),
    )
    assert [row.kind for row in counted.layers] == ["population", "relay", "population", "population", "readout"]


def test_dense_input_reaches_the_bound() -> None:
    graph = rich_graph()
    inputs, spikes = random_spikes(graph, seed=2)
    counted = count_operations(graph, np.ones_like(inputs), spikes)
    row = counted.layer("first")
    assert row.per_sample("synops").tolist() == [5 * row.dense] * 3
    assert row.per_sample("updates_active").tolist() == row.per_sample("updates_dense").tolist()


def test_zero_input_gives_zero_operations_and_no_event_type() -> None:
    graph = rich_graph()
    inputs, spikes = random_spikes(graph, seed=2)
    counted = count_operations(graph, np.zeros_like(inputs), {k: np.zeros_like(v) for k, v in spikes.items()})
    for quantity in ("in_events", "synops", "macs", "spikes", "updates_active"):
        assert counted.per_sample(quantity).tolist() == [0, 0, 0]
    assert {c.event_type for row in counted.layers for c in row.connections} == {"none"}
    assert counted.per_sample("updates_dense").tolist() == [5 * (192 + 48 + 48 + 5)] * 3


def test_counts_do_not_depend_on_the_batch_size() -> None:
    graph = rich_graph()
    inputs, spikes = random_spikes(graph, seed=4, num_samples=5)
    whole = count_operations(graph, inputs, spikes)
    parts = [
        count_operations(graph, inputs[:, cut], {name: train[:, cut] for name, train in spikes.items()})
        for cut in (slice(0, 1), slice(1, 4), slice(4, 5))
    ]
    pieces = parts[0].combine(parts[1]).combine(parts[2])
    for quantity in QUANTITIES:
        np.testing.assert_array_equal(pieces.per_sample(quantity), whole.per_sample(quantity))
    for a, b in zip(pieces.layers, whole.layers, strict=True):
        np.testing.assert_array_equal(a.rates, b.rates)
    assert pieces.total("synops", seed=3) == whole.total("synops", seed=3)


def test_twice_the_steps_of_a_constant_input_is_twice_the_updates() -> None:
    graph = rich_graph()
    inputs, spikes = random_spikes(graph, seed=5)
    once = count_operations(graph, inputs, spikes)
    twice = count_operations(
        graph, np.concatenate([inputs, inputs]), {k: np.concatenate([v, v]) for k, v in spikes.items()}
    )
    for quantity in ("updates_dense", "updates_active", "synops", "bias_adds"):
        rest = once.layer("readout").per_sample(quantity) if quantity == "bias_adds" else 0
        np.testing.assert_array_equal(twice.per_sample(quantity) + rest, 2 * once.per_sample(quantity))


def test_clips_of_different_length_combine() -> None:
    short = count_operations(tiny_graph(), np.ones((2, 1, 2), np.uint8), {"hidden": np.ones((2, 1, 2), np.uint8)})
    longer = count_operations(tiny_graph(), np.ones((6, 1, 2), np.uint8), {"hidden": np.zeros((6, 1, 2), np.uint8)})
    both = short.combine(longer)
    assert both.per_sample("updates_dense").tolist() == [4, 12]
    assert both.layer("hidden").rates.tolist() == [2 / 8, 2 / 8]


@pytest.mark.parametrize(
    ("values", "event_type", "quantity"),
    [
        ([1, 0], "binary", "synops"),
        ([-1, 1], "signed", "synops"),
        ([2, 0], "graded", "macs"),
        ([-2, 1], "graded", "macs"),
    ],
)
def test_only_graded_events_are_multiplied(values: list[int], event_type: str, quantity: str) -> None:
    inputs = np.array(values).reshape(1, 1, 2)
    counted = count_operations(tiny_graph(), inputs, {"hidden": np.zeros((1, 1, 2), np.uint8)}).layer("hidden")
    assert counted.connections[0].event_type == event_type
    assert counted.per_sample(quantity).tolist() == [2 * np.count_nonzero(values)]
    assert counted.per_sample({"macs": "synops", "synops": "macs"}[quantity]).tolist() == [0]


def test_one_graded_batch_makes_the_whole_layer_graded() -> None:
    silent = {"hidden": np.zeros((1, 1, 2), np.uint8)}
    binary = count_operations(tiny_graph(), np.array([[[1, 1]]]), silent)
    graded = count_operations(tiny_graph(), np.array([[[3, 1]]]), silent)
    both = binary.combine(graded).layer("hidden")
    assert both.per_sample("macs").tolist() == [4, 4]
    assert both.per_sample("synops").tolist() == [0, 0]


def integer_graph(input_bits: int) -> IntegerGraph:
    neuron = IntegerNeuron(du=4095, dv=128, vth=3, bias_mant=np.array([0, 7]))
    population = IntegerPopulation(
        "hidden", (2,), neuron, (Connection(INPUT, LinearSynapse(np.array([[2, 0], [4, 6]]))),)
    )
    return IntegerGraph((2,), input_bits, (population,), Readout("hidden", np.eye(2), np.zeros(2)))


def test_an_integer_graph_counts_its_own_biases_decays_and_bytes() -> None:
    spikes = {"hidden": np.zeros((3, 1, 2), np.uint8)}
    row = count_operations(integer_graph(0), np.ones((3, 1, 2), np.uint8), spikes).layer("hidden")
    assert row.per_sample("bias_adds").tolist() == [3]
    assert row.per_sample("leak_multiplies").tolist() == [6]  # dv decays, du = 4095 does not
    assert (row.weight_bytes, row.state_bytes) == (4, 12)


def test_declared_binary_input_is_binary_whatever_its_values() -> None:
    spikes = {"hidden": np.zeros((1, 1, 2), np.uint8)}
    values = np.array([[[5, 0]]])
    binary = count_operations(integer_graph(0), values, spikes).layer("hidden")
    graded = count_operations(integer_graph(4), values, spikes).layer("hidden")
    assert (binary.connections[0].event_type, graded.connections[0].event_type) == ("binary", "graded")


def messages_graph(neuron: SigmaDeltaNeuron | TernaryNeuron) -> IntegerGraph:
    """Two inputs -> two of these neurons -> two LIF neurons, one weight of zero."""
    link = LinearSynapse(np.array([[2, 0], [4, 6]]))
    lif = IntegerNeuron(du=4095, dv=0, vth=3, bias_mant=np.array(0))
    populations = (
        IntegerPopulation("sending", (2,), neuron, (Connection(INPUT, link),)),
        IntegerPopulation("reading", (2,), lif, (Connection("sending", link),)),
    )
    return IntegerGraph((2,), 0, populations, Readout("reading", np.eye(2), np.zeros(2)))


@pytest.mark.parametrize(
    ("messages", "event_type"), [([[1, 0], [1, 1]], "binary"), ([[1, -1], [0, 0]], "signed"), ([[0, 0]] * 2, "none")]
)
def test_ternary_neurons_send_additions(messages: list[list[int]], event_type: str) -> None:
    neuron = TernaryNeuron(du=4095, dv=128, vth_high=3, vth_low=-3, bias_mant=np.array([0, 2]))
    spikes = {"sending": np.array(messages).reshape(2, 1, 2), "reading": np.zeros((2, 1, 2), np.uint8)}
    counted = count_operations(messages_graph(neuron), np.ones((2, 1, 2), np.uint8), spikes)
    row = counted.layer("reading")
    assert row.connections[0].event_type == event_type
    assert row.per_sample("synops").tolist() == [2 * np.count_nonzero(messages)]
    sending = counted.layer("sending")
    assert (sending.num_decays, sending.biases_per_step) == (1, 1)
    assert sending.spikes.tolist() == [np.count_nonzero(messages)]
    with pytest.raises(DataError, match=r"'sending' must be -1\.\.1; got 0\.\.2"):
        count_operations(
            messages_graph(neuron), np.ones((2, 1, 2), np.uint8), spikes | {"sending": np.full((2, 1, 2), 2) * [1, 0]}
        )


def test_sigma_delta_neurons_send_graded_messages_even_if_all_are_one() -> None:
    neuron = SigmaDeltaNeuron(vth=1, bias=np.array([0, 5]))
    for value in (1, -70):
        sending = np.array([[[value, 0]], [[0, value]]], np.int32)
        spikes = {"sending": sending, "reading": np.zeros((2, 1, 2), np.uint8)}
        counted = count_operations(messages_graph(neuron), np.ones((2, 1, 2), np.uint8), spikes)
        assert counted.layer("reading").connections[0].event_type == "graded"
        assert counted.layer("reading").per_sample("macs").tolist() == [4]
        assert (counted.layer("sending").num_decays, counted.layer("sending").biases_per_step) == (0, 1)


def test_delayed_events_reach_neurons_when_they_act() -> None:
    delay = np.array([[0, 2], [1, 1]])
    lif = IntegerNeuron(du=4095, dv=0, vth=3, bias_mant=np.array(0))
    link = Connection(INPUT, LinearSynapse(np.ones((2, 2), np.int64)), delay)
    graph = IntegerGraph(
        (2,), 0, (IntegerPopulation("late", (2,), lif, (link,)),), Readout("late", np.eye(2), np.zeros(2))
    )
    inputs = np.zeros((4, 1, 2), np.uint8)
    inputs[0, 0, 0] = inputs[1, 0, 1] = inputs[3, 0, 0] = 1
    row = count_operations(graph, inputs, {"late": np.zeros((4, 1, 2), np.uint8)}).layer("late")
    # Neuron 0 at steps 0, 3 (delay 2) and 3; neuron 1 at steps 1, 2 and, too late to be seen, 4.
    assert row.per_sample("updates_active").tolist() == [2 + 2]
    assert row.per_sample("synops").tolist() == [6]


def test_neurons_that_differ_count_as_what_most_of_them_need() -> None:
    neuron = Neuron(leak=np.array([0.0, 0.5]), threshold=1.0, rest=np.array([0.0, 0.3]))
    population = Population("two", (2,), neuron, (Connection(INPUT, LinearSynapse(np.ones((2, 2)))),))
    graph = SpikingGraph((2,), (population,), Readout("two", np.eye(2), np.zeros(2)))
    row = count_operations(graph, np.ones((3, 1, 2), np.uint8), {"two": np.zeros((3, 1, 2), np.uint8)}).layer("two")
    assert (row.num_decays, row.per_sample("bias_adds").tolist()) == (1, [3])


def test_counts_stay_exact_beyond_what_float32_can_hold() -> None:
    width = 5001
    synapse = LinearSynapse(np.ones((width, 4000)))
    graph = SpikingGraph(
        (4000,), (layer("wide", INPUT, synapse, (width,)),), Readout("wide", np.ones((1, width)), np.zeros(1))
    )
    inputs = np.ones((3, 1, 4000), np.uint8)
    inputs[0, 0, 0] = 0
    counted = count_operations(graph, inputs, {"wide": np.zeros((3, 1, width), np.uint8)})
    assert counted.layer("wide").per_sample("synops").tolist() == [11_999 * 5001]


def test_interval_of_equal_samples_is_the_value_itself() -> None:
    generator = np.random.default_rng(0)
    same = bootstrap_statistic(np.array([4, 4, 4]), generator=generator)
    assert (same.mean, same.std, same.low, same.high) == (4, 0, 4, 4)
    spread = bootstrap_statistic(np.array([0, 10] * 8), generator=generator)
    assert spread.low < 5 < spread.high
    assert spread.std == pytest.approx(np.std([0, 10] * 8, ddof=1))
    with pytest.raises(DataError, match="at least one sample; got none"):
        bootstrap_statistic(np.zeros(0), generator=generator)


def test_same_seed_gives_the_same_interval() -> None:
    inputs, spikes = random_spikes(rich_graph(), seed=8, num_samples=6)
    counted = count_operations(rich_graph(), inputs, spikes)
    assert counted.total("synops", seed=1) == counted.total("synops", seed=1)
    assert counted.total("synops", seed=1) != counted.total("synops", seed=2)


def test_refusals_name_the_population_and_the_value() -> None:
    graph, inputs = tiny_graph(), np.ones((2, 1, 2), np.uint8)
    good = np.ones((2, 1, 2), np.uint8)
    with pytest.raises(DataError, match=r"'hidden' is missing\. Run with keep=None"):
        count_operations(graph, inputs, {})
    with pytest.raises(DataError, match=r"'hidden' must be 0 and 1; got 1\.\.2"):
        count_operations(graph, inputs, {"hidden": good + np.array([0, 1], np.uint8)})
    with pytest.raises(DataError, match=r"must be integers .* got float64"):
        count_operations(graph, inputs.astype(float), {"hidden": good})
    with pytest.raises(ShapeError, match=r"spikes of 'hidden' must have the axes \[2, 1, 2\]"):
        count_operations(graph, inputs, {"hidden": good[:1]})
    with pytest.raises(ShapeError, match=r"the input must have the axes \[T, B, 2\]"):
        count_operations(graph, inputs[..., :1], {"hidden": good})
    counted = count_operations(graph, inputs, {"hidden": good})
    with pytest.raises(DataError, match=r"must be one of in_events, .*; got 'joules'"):
        counted.per_sample("joules")
    other = count_operations(rich_graph(), *random_spikes(rich_graph(), seed=0))
    with pytest.raises(DataError, match=r"only counts of one network .* \['hidden', 'readout'\]"):
        counted.combine(other)
