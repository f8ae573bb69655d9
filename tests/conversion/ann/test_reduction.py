"""Graphs as sums of synapses and ReLUs: the same answers for any residual net, and refusals by name."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conversion.ann.graph import (
    Add,
    AnnGraph,
    AnnNode,
    AveragePool,
    ChannelAffine,
    Conv,
    Flatten,
    Linear,
    MaxPool,
    Operation,
    Pad,
    Relu,
    Softmax,
)
from conversion.ann.network import AnnNetwork
from conversion.ann.reduction import network_of
from conversion.graph import INPUT, Conv2dSynapse
from snnface.errors import ConversionError, UnsupportedLayerError


class Drawing:
    """A graph that grows node by node; the shapes are those that the operations give."""

    def __init__(self, input_shape: tuple[int, ...], seed: int = 0) -> None:
        self.input_shape = input_shape
        self.generator = np.random.default_rng(seed)
        self.nodes: list[AnnNode] = []
        self.shapes = {INPUT: input_shape}

    def add(self, name: str, operation: Operation, *inputs: str) -> str:
        # In double precision, so that a ReLU of numbers near 0 does not matter.
        samples = [torch.zeros(1, *self.shapes[source], dtype=torch.float64) for source in inputs]
        self.shapes[name] = tuple(operation(*samples).shape[1:])
        self.nodes.append(AnnNode(name, operation, inputs, self.shapes[name]))
        return name

    def conv(self, name: str, source: str, outputs: int, window: int = 3, *, stride: int = 1, groups: int = 1) -> str:
        inputs = self.shapes[source][0]
        weight = self.generator.normal(size=(outputs, inputs // groups, window, window)) / window
        bias = self.generator.normal(size=outputs)
        side = window // 2
        return self.add(name, Conv(weight, bias, (stride, stride), (side,) * 4, (1, 1), groups), source)

    def norm(self, name: str, source: str, *, has_shift: bool = True) -> str:
        scale, shift = self.generator.normal(size=(2, self.shapes[source][0]))
        return self.add(name, ChannelAffine(scale, shift * has_shift), source)

    def head(self, source: str, outputs: int = 3) -> AnnGraph:
        pooled = self.add("pool", AveragePool(*[self.shapes[source][1:]] * 2), source)
        flat = self.add("flat", Flatten(), pooled)
        self.full("head", flat, outputs)
        return self.graph()

    def full(self, name: str, source: str, outputs: int) -> str:
        weight = self.generator.normal(size=(outputs, self.shapes[source][0]))
        return self.add(name, Linear(weight, self.generator.normal(size=outputs)), source)

    def graph(self) -> AnnGraph:
        return AnnGraph(self.input_shape, tuple(self.nodes))


def assert_same(network: AnnNetwork, graph: AnnGraph) -> None:
    """Not on the samples on which `network_of` compares them itself."""
    inputs = torch.as_tensor(np.random.default_rng(7).normal(size=(4, *graph.input_shape)))
    torch.testing.assert_close(network(inputs), graph(inputs).flatten(1), rtol=1e-9, atol=1e-9)


def sources(network: AnnNetwork) -> dict[str, list[str]]:
    return {layer.name: [link.source for link in layer.inputs] for layer in network.layers}


def residual_net(
    seed: int, blocks: list[tuple[bool, bool, int]], *, pooled: int, groups: int, has_scaling: bool
) -> AnnGraph:
    """Blocks (is of pre-activation, has batch norms, stride) behind a stem without a ReLU; one is pooled in front."""
    drawing = Drawing((2, 8, 12), seed)
    value = drawing.norm("scaling", INPUT) if has_scaling else INPUT
    value = drawing.conv("stem", value, 4)
    for place, (is_pre, has_norms, stride) in enumerate(blocks):
        value = drawing.add(f"{place}.pool", AveragePool((1, 2), (1, 2)), value) if place == pooled else value
        if is_pre:
            source, value = value, drawing.add(f"{place}.relu0", Relu(), drawing.norm(f"{place}.bn0", value))
        else:
            source = value = drawing.add(f"{place}.relu0", Relu(), value)
        value = drawing.conv(f"{place}.conv1", value, 4, stride=stride, groups=groups)
        value = drawing.norm(f"{place}.bn1", value) if has_norms else value
        value = drawing.add(f"{place}.relu1", Relu(6.0), value)
        value = drawing.conv(f"{place}.conv2", value, 4)
        value = drawing.norm(f"{place}.bn2", value) if has_norms else value
        shortcut = source if stride == 1 else drawing.conv(f"{place}.shortcut", source, 4, 1, stride=stride)
        value = drawing.add(f"{place}.add", Add(), value, shortcut)
        value = value if is_pre else drawing.add(f"{place}.relu2", Relu(), value)
    return drawing.head(drawing.add("last", Relu(), drawing.norm("bn", value)))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    blocks=st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(1, 2)), min_size=1, max_size=3),
    pooled=st.integers(0, 3),
    groups=st.sampled_from([1, 2]),
    has_scaling=st.booleans(),
)
def test_any_residual_net_answers_as_before(seed, blocks, pooled, groups, has_scaling):
    graph = residual_net(seed, blocks, pooled=pooled, groups=groups, has_scaling=has_scaling)
    network = network_of(graph)
    assert_same(network, graph)
    assert len(network.layers) >= 2 * len(blocks) + 1


def test_a_residual_block_adds_currents_of_the_spikes_that_its_input_is():
    drawing = Drawing((2, 6, 6))
    stem = drawing.add("relu", Relu(), drawing.conv("stem", INPUT, 4))
    first = drawing.add("relu:2", Relu(), drawing.norm("bn1", drawing.conv("conv1", stem, 4)))
    second = drawing.norm("bn2", drawing.conv("conv2", first, 4))
    block = drawing.add("relu:3", Relu(), drawing.add("add", Add(), second, stem))
    network = network_of(drawing.head(block))
    assert sources(network) == {"stem": ["input"], "conv1": ["stem"], "conv2": ["conv1", "stem"]}
    shortcut = network.layers[-1].inputs[1].synapse
    assert isinstance(shortcut, Conv2dSynapse)
    assert (shortcut.groups, shortcut.weight.tolist(), shortcut.bias) == (4, np.ones((4, 1, 1, 1)).tolist(), None)
    assert network.source == "conv2"
    assert_same(network, drawing.graph())


def test_a_projection_shortcut_is_one_more_connection_and_the_block_has_the_name():
    drawing = Drawing((2, 6, 6))
    stem = drawing.add("relu", Relu(), drawing.conv("stem", INPUT, 4))
    first = drawing.add("relu:2", Relu(), drawing.conv("conv1", stem, 6, stride=2))
    second = drawing.conv("conv2", first, 6)
    shortcut = drawing.norm("downsample.1", drawing.conv("downsample.0", stem, 6, 1, stride=2))
    drawing.add("relu:3", Relu(), drawing.add("add", Add(), second, shortcut))
    network = network_of(drawing.head("relu:3"))
    assert sources(network)["conv2"] == ["conv1", "stem"]
    assert network.layers[-1].inputs[1].synapse.bias is None
    assert_same(network, drawing.graph())


def test_a_chain_of_sums_without_a_relu_reads_every_part_of_it():
    """As in nets of pre-activation blocks, where a block ends with its sum."""
    drawing = Drawing((2, 6, 6))
    value = drawing.conv("stem", INPUT, 4, 1)
    for block in range(3):
        inner = drawing.add(f"{block}.relu", Relu(), drawing.norm(f"{block}.bn", value))
        value = drawing.add(f"{block}.add", Add(), value, drawing.conv(f"{block}.conv", inner, 4))
    drawing.add("last", Relu(), drawing.norm("bn", value))
    network = network_of(drawing.head("last"))
    assert sources(network) == {
        "stem": ["input"],
        "0.conv": ["input", "stem"],
        "1.conv": ["input", "stem", "0.conv"],
        "2.conv": ["input", "stem", "0.conv", "1.conv"],
    }
    assert_same(network, drawing.graph())


def test_a_value_added_to_itself_is_one_connection():
    drawing = Drawing((2, 4, 4))
    stem = drawing.add("relu", Relu(), drawing.conv("stem", INPUT, 4))
    twice = drawing.add("twice", Add(), stem, stem)
    network = network_of(drawing.head(drawing.add("last", Relu(), twice)))
    (link,) = network.layers[-1].inputs
    assert network.layers[-1].name == "last"
    assert link.synapse.weight.ravel().tolist() == [2, 2, 2, 2]


def test_a_shift_in_front_of_zero_padding_is_carried_by_a_layer_of_ones():
    """ImageNet's (x - mean) / std in front of a padded convolution: its zeros are no zeros of x."""
    drawing = Drawing((2, 5, 5))
    value = drawing.add("scaling", ChannelAffine(np.array([2.0, 4.0]), np.array([-1.0, 1.0])), INPUT)
    value = drawing.add("relu", Relu(), drawing.conv("stem", value, 3))
    value = drawing.norm("bn", value)
    value = drawing.add("relu:2", Relu(), drawing.conv("second", value, 3))
    network = network_of(drawing.head(value))
    assert sources(network) == {
        "ones_5x5": ["input"],
        "stem": ["input", "ones_5x5"],
        "second": ["stem", "ones_5x5"],
    }
    ones = next(iter(network.activations(torch.randn(2, 2, 5, 5))))[1]
    assert ones.tolist() == torch.ones(2, 1, 5, 5).tolist()
    assert "the shift in front of 'stem' would reach its zero padding" in network.removed[0]
    assert_same(network, drawing.graph())


def test_a_shift_without_padding_behind_it_goes_into_the_bias():
    drawing = Drawing((2, 5, 5))
    value = drawing.add("scaling", ChannelAffine(np.array([2.0, 4.0]), np.array([-1.0, 3.0])), INPUT)
    weight = np.array([[[[1.0]], [[10.0]]]])
    value = drawing.add("relu", Relu(), drawing.add("conv", Conv(weight, np.array([0.5])), value))
    network = network_of(drawing.head(value))
    synapse = network.layers[0].inputs[0].synapse
    assert synapse.weight.ravel().tolist() == [2, 40]
    assert synapse.bias is not None
    assert synapse.bias.tolist() == [0.5 - 1 + 30]


def test_clipped_relus_keep_the_lower_ceiling_and_a_second_relu_adds_no_layer():
    drawing = Drawing((2, 4, 4))
    value = drawing.add("relu", Relu(2.0), drawing.conv("stem", INPUT, 4))
    value = drawing.add("relu:2", Relu(6.0), drawing.add("relu:3", Relu(), value))
    network = network_of(drawing.head(drawing.add("lower", Relu(1.0), value)))
    assert [(layer.name, layer.ceiling) for layer in network.layers] == [("stem", 2.0), ("lower", 1.0)]
    assert_same(network, drawing.graph())


def test_two_relus_of_one_value_are_two_layers():
    drawing = Drawing((2, 4, 4))
    stem = drawing.conv("stem", INPUT, 4)
    one, other = drawing.add("a", Relu(), stem), drawing.add("b", Relu(0.5), drawing.norm("bn", stem))
    total = drawing.add("last", Relu(), drawing.add("add", Add(), one, other))
    network = network_of(drawing.head(total))
    assert sources(network) == {"stem": ["input"], "b": ["input"], "last": ["stem", "b"]}
    assert_same(network, drawing.graph())


def test_a_global_pool_behind_a_convolution_is_a_readout():
    drawing = Drawing((2, 4, 4))
    value = drawing.add("relu", Relu(), drawing.conv("stem", INPUT, 4))
    drawing.add("pool", AveragePool((4, 4), (4, 4)), drawing.conv("classes", value, 3, 1))
    network = network_of(drawing.graph())
    assert (network.source, network.readout.weight.shape) == ("stem", (3, 64))
    assert_same(network, drawing.graph())


def test_a_last_sum_of_one_source_is_one_matrix():
    drawing = Drawing((2, 4, 4))
    value = drawing.add("relu", Relu(), drawing.conv("stem", INPUT, 4))
    graph = drawing.head(drawing.add("add", Add(), drawing.conv("second", value, 4), value))
    network = network_of(graph)
    assert (network.source, network.readout.weight.shape) == ("stem", (3, 64))
    assert_same(network, graph)


def test_what_a_padded_convolution_gives_is_pooled_by_the_matrix_of_the_readout():
    drawing = Drawing((2, 4, 5))
    value = drawing.add("relu", Relu(), drawing.conv("stem", INPUT, 4))
    graph = drawing.head(drawing.conv("second", value, 6, stride=2))
    network = network_of(graph)
    assert network.removed == ("layer 'head' is one matrix with 'second': no ReLU stands between them",)
    assert_same(network, graph)


def test_batch_norms_of_vectors_fold_wherever_they_stand():
    drawing = Drawing((2, 3, 4))
    value = drawing.add("relu", Relu(), drawing.conv("stem", INPUT, 4))
    value = drawing.norm("bn0", drawing.add("flat", Flatten(), value))
    value = drawing.norm("bn0b", value)
    value = drawing.add("relu:2", Relu(), drawing.norm("bn1", drawing.full("fc1", value, 5)))
    value = drawing.norm("bn2", drawing.full("fc2", drawing.norm("bn1b", value), 3))
    graph = drawing.graph()
    network = network_of(graph)
    assert [layer.shape for layer in network.layers] == [(4, 3, 4), (5,)]
    assert_same(network, graph)


def test_vectors_have_shortcuts_too():
    drawing = Drawing((6,))
    value = drawing.add("relu", Relu(), drawing.full("fc1", INPUT, 5))
    inner = drawing.add("relu:2", Relu(), drawing.full("fc2", value, 5))
    value = drawing.add("relu:3", Relu(), drawing.add("add", Add(), drawing.full("fc3", inner, 5), value))
    drawing.full("head", value, 2)
    network = network_of(drawing.graph())
    assert network.layers[-1].inputs[1].synapse.weight.tolist() == np.eye(5).tolist()
    assert_same(network, drawing.graph())


def test_maxima_become_averages_when_asked_and_are_named():
    drawing = Drawing((2, 8, 8))
    value = drawing.add("relu", Relu(), drawing.conv("stem", INPUT, 4))
    value = drawing.add("maxpool", MaxPool((3, 3), (2, 2), (1, 1)), value)
    value = drawing.add("relu:2", Relu(), drawing.conv("second", value, 4))
    graph = drawing.head(value)
    with pytest.raises(UnsupportedLayerError, match="'maxpool' is a max-pool: the maximum over spikes is a logical OR"):
        network_of(graph)
    network = network_of(graph, max_pool="average")
    assert "max-pool 'maxpool' over (3, 3) became an average over (2, 2)" in network.removed[0]
    averaged = tuple(
        replace(node, operation=AveragePool((2, 2), (2, 2))) if node.name == "maxpool" else node for node in graph.nodes
    )
    assert_same(network, replace(graph, nodes=averaged))


@pytest.mark.parametrize(
    ("side", "pool", "window", "behind"),
    [
        (7, MaxPool((2, 2), (2, 2)), (2, 2), 3),  # the last row and column are not read
        (7, MaxPool((3, 3), (2, 2), (1, 1)), (3, 3), 3),  # the stem of a ResNet on an odd map
        (8, MaxPool((3, 3), (2, 2)), (3, 3), 1),
        (8, MaxPool((3, 3), (1, 1)), (3, 3), 1),
    ],
)
def test_maxima_of_odd_maps_and_of_windows_that_overlap_become_averages_of_their_size(side, pool, window, behind):
    drawing = Drawing((2, side, side))
    value = drawing.add("maxpool", pool, drawing.add("relu", Relu(), drawing.conv("stem", INPUT, 4)))
    value = drawing.add("relu:2", Relu(), drawing.conv("second", value, 4, behind))
    graph = drawing.head(value)
    average = AveragePool(window, pool.stride, pool.padding)
    averaged = tuple(replace(node, operation=average) if node.name == "maxpool" else node for node in graph.nodes)
    network = network_of(graph, max_pool="average")
    assert f"over {pool.window} became an average over {window}" in network.removed[0]
    assert_same(network, replace(graph, nodes=averaged))


def test_a_maximum_over_windows_with_holes_is_refused():
    drawing = Drawing((2, 8, 8))
    value = drawing.add("relu", Relu(), drawing.conv("stem", INPUT, 4))
    value = drawing.add("maxpool", MaxPool((2, 2), (1, 1), (0, 0), (2, 2)), value)
    with pytest.raises(UnsupportedLayerError, match=r"'maxpool' is a max-pool of \(8, 8\) to .* Replace it in the mod"):
        network_of(drawing.head(value), max_pool="average")


def test_a_maximum_over_one_number_only_leaves_out_rows_and_columns_and_is_exact():
    drawing = Drawing((2, 7, 6))
    value = drawing.add("relu", Relu(), drawing.conv("stem", INPUT, 4))
    value = drawing.add("every other", MaxPool((1, 1), (2, 2)), value)
    graph = drawing.head(drawing.add("relu:2", Relu(), drawing.conv("second", value, 4)))
    assert_same(network_of(graph), graph)


def test_what_a_pool_leaves_of_an_odd_map_is_padded_behind_a_copy_without_its_last_row_and_column():
    drawing = Drawing((2, 9, 7))
    value = drawing.add("relu", Relu(6.0), drawing.conv("stem", INPUT, 4))
    value = drawing.add("mean", AveragePool((2, 2), (2, 2)), value)
    graph = drawing.head(drawing.add("relu:2", Relu(), drawing.conv("second", value, 4)))
    network = network_of(graph)
    assert [(layer.name, layer.shape) for layer in network.layers] == [
        ("stem", (4, 9, 7)),
        ("stem.8x6", (4, 8, 6)),
        ("second", (4, 4, 3)),
    ]
    assert network.layers[1].ceiling == 6.0
    assert "'second' pads what a pool leaves of 'stem', (9, 7): layer 'stem.8x6', a copy" in network.removed[-1]
    assert_same(network, graph)


def unclosed_sum(kind: str) -> AnnGraph:
    """An answer that reads a sum with no ReLU behind it."""
    drawing = Drawing((2, 8, 8))
    stem = drawing.add("relu", Relu(), drawing.conv("stem", INPUT, 4))
    if kind == "vectors":
        stem = drawing.add("flat", Flatten(), drawing.add("mean", AveragePool((8, 8), (8, 8)), stem))
        hidden = drawing.add("relu:2", Relu(), drawing.full("hidden", stem, 6))
        drawing.full("head", drawing.add("add", Add(), drawing.full("last", hidden, 4), stem), 3)
        return drawing.graph()
    stride = 2 if kind == "maps of two sizes" else 1
    inner = drawing.add("relu:2", Relu(), drawing.conv("inner", stem, 6, stride=stride))
    shortcut = stem if stride == 1 else drawing.conv("shortcut", stem, 4, 1, stride=2)
    return drawing.head(drawing.add("add", Add(), drawing.conv("outer", inner, 4), shortcut))


@pytest.mark.parametrize(
    ("kind", "shape"), [("maps", (10, 8, 8)), ("maps of two sizes", (6 * 16 + 4 * 64,)), ("vectors", (6 + 4 * 64,))]
)
def test_an_answer_of_a_sum_without_a_relu_reads_one_layer_of_copies_of_its_parts(kind, shape):
    graph = unclosed_sum(kind)
    network = network_of(graph)
    copies = network.layers[-1]
    assert (network.source, copies.name, copies.shape) == ("head.copies", "head.copies", shape)
    assert all(np.isin(link.synapse.weight, (0, 1)).all() for link in copies.inputs)
    assert sum(int(link.synapse.weight.sum()) for link in copies.inputs) == shape[0]
    assert "'head' reads 'inner' and 'stem'" in network.removed[-1].replace("hidden", "inner")
    assert_same(network, graph)


def test_a_sum_of_maps_too_large_to_be_copied_by_a_matrix_is_refused(monkeypatch):
    monkeypatch.setattr("conversion.ann.relay_layers.MAX_WEIGHTS", 10_000)
    with pytest.raises(UnsupportedLayerError, match=r"'head.copies' would copy 96 numbers of 'inner' with a mat"):
        network_of(unclosed_sum("maps of two sizes"))


def test_a_softmax_behind_the_answers_goes_and_one_inside_is_refused():
    drawing = Drawing((6,))
    value = drawing.full("head", drawing.add("relu", Relu(), drawing.full("fc", INPUT, 5)), 3)
    without = network_of(drawing.graph())
    drawing.add("softmax", Softmax(), value)
    network = network_of(drawing.graph())
    assert network.removed == ("softmax 'softmax' is left to the host: the answers are logits, their order stays",)
    assert network.readout.weight.tolist() == without.readout.weight.tolist()
    drawing.full("behind", "softmax", 2)
    with pytest.raises(UnsupportedLayerError, match="'softmax' is a softmax and something stands behind it"):
        network_of(drawing.graph())


def refused(kind: str) -> AnnGraph:
    drawing = Drawing((2, 8, 8))
    relu = drawing.add("relu", Relu(), drawing.conv("stem", INPUT, 4))
    conv = drawing.conv("second", relu, 4)
    match kind:
        case "two convolutions":
            return drawing.head(drawing.add("last", Relu(), drawing.conv("third", conv, 4)))
        case "overlapping pool":
            pooled = drawing.add("pool3", AveragePool((3, 3), (2, 2)), relu)
            return drawing.head(drawing.add("last", Relu(), drawing.conv("third", pooled, 4)))
        case "uncounted border":
            return drawing.head(drawing.add("pool3", AveragePool((3, 3), (2, 2), (1, 1), False), relu))
        case "map":
            return drawing.graph()
        case "sum with the input":
            return drawing.head(drawing.add("add:2", Add(), drawing.conv("third", relu, 2), INPUT))
        case "input":
            return Drawing((2, 8, 8)).head(INPUT)
        case "relu of flattened norms":
            flat = drawing.norm("bn", drawing.add("flattened", Flatten(), relu))
            drawing.full("head", drawing.add("last", Relu(), flat), 2)
            return drawing.graph()
        case _:
            flat = drawing.norm("bn", drawing.add("flattened", Flatten(), relu))
            drawing.full("head", drawing.add("add", Add(), flat, flat), 2)
            return drawing.graph()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("two convolutions", "'third' pads with zeros what 'second' has mixed over its border"),
        ("overlapping pool", "'third' pads with zeros what a pool of overlapping windows has mixed"),
        ("uncounted border", "'pool3' averages over fewer numbers at the border"),
        ("map", r"'second' is a map \(4, 8, 8\)"),
        ("sum with the input", "'head' reads the input past every ReLU"),
        ("input", "no hidden layer with a ReLU"),
        ("relu of flattened norms", "'last' is a ReLU of a flattened map with a batch norm"),
        ("sum of flattened norms", "'add' adds values of different shapes"),
    ],
)
def test_what_has_no_spiking_form_where_it_stands_is_refused_by_name(kind, message):
    with pytest.raises(UnsupportedLayerError, match=message):
        network_of(refused(kind))


def test_a_refusal_names_the_line_of_the_source():
    drawing = Drawing((2, 8, 8))
    drawing.nodes.append(AnnNode("pool", MaxPool((2, 2), (2, 2)), (INPUT,), (2, 4, 4), "model.py, line 31"))
    with pytest.raises(UnsupportedLayerError, match=r"\(Found in model\.py, line 31\.\)"):
        network_of(drawing.graph())


def test_uneven_padding_and_pads_are_part_of_the_next_weights():
    drawing = Drawing((2, 7, 6))
    value = drawing.add("pad", Pad((0, 1, 2, 0)), INPUT)
    weight = drawing.generator.normal(size=(3, 2, 2, 3))
    value = drawing.add("conv", Conv(weight, None, (2, 1), (1, 0, 0, 2), (1, 2)), value)
    graph = drawing.head(drawing.add("relu", Relu(), value))
    network = network_of(graph)
    assert [link.source for link in network.layers[0].inputs] == [INPUT]
    assert_same(network, graph)


def test_a_graph_names_the_layer_whose_weights_are_not_finite():
    with pytest.raises(ConversionError, match="the bias of layer 'fc' holds NaN or infinite values"):
        AnnGraph((2,), (AnnNode("fc", Linear(np.ones((1, 2)), np.array([np.inf])), (INPUT,), (1,)),))
