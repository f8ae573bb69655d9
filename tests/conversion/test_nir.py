"""NIR out and in: every weight by value, spikes by reference Euler, refusals by name."""

from dataclasses import replace
from itertools import pairwise

import h5py
import nir
import numpy as np
import pytest

from conversion.graph import INPUT, Connection, Conv2dSynapse, LinearSynapse, Neuron, Population, Readout, SpikingGraph
from conversion.nir_export import block_diagonal, nir_from_graph, write_nir
from conversion.nir_import import graph_from_nir, read_nir
from conversion.simulate import simulate
from conversion.spike_comparison import compare_spikes
from snnface.errors import ConfigError, ConversionError, DataError, DatasetNotFoundError, UnsupportedLayerError


def ungrouped(synapse):
    return block_diagonal(synapse) if isinstance(synapse, Conv2dSynapse) else synapse


def chain(*nodes: nir.NIRNode, metadata: dict | None = None) -> nir.NIRGraph:
    """Nodes in series, unchecked, with the time step that the tests use."""
    names = [f"n{index:02d}" for index in range(len(nodes))]
    edges = list(pairwise(names))
    stored = {"dt": 1e-4} if metadata is None else metadata
    return nir.NIRGraph(dict(zip(names, nodes, strict=True)), edges, metadata=stored, type_check=False)


def lif(shape, *, tau=2e-4, r=1.0, threshold=1.0, v_leak=0.0, v_reset=0.0) -> nir.LIF:
    arrays = (np.broadcast_to(np.asarray(v, dtype=float), shape).copy() for v in (tau, r, v_leak, threshold, v_reset))
    return nir.LIF(*arrays)


def source(*shape: int) -> nir.Input:
    return nir.Input(input_type={"input": np.array(shape)})


def sink(*shape: int) -> nir.Output:
    return nir.Output(output_type={"output": np.array(shape)})


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("leak", [0.0, 0.3, 0.5])
def test_every_weight_survives_the_file_by_value(small_graph, tmp_path, leak, residual):
    graph = small_graph(3, leak=leak, residual=residual)
    write_nir(graph, tmp_path / "g.nir")
    copy = read_nir(tmp_path / "g.nir")
    assert copy.input_shape == graph.input_shape
    assert dict(copy.metadata) == dict(graph.metadata)
    assert copy.readout.source == graph.readout.source
    np.testing.assert_array_equal(copy.readout.weight, graph.readout.weight)
    np.testing.assert_array_equal(copy.readout.bias, graph.readout.bias)
    assert [(p.name, p.shape) for p in copy.populations] == [(p.name, p.shape) for p in graph.populations]
    for before, after in zip(graph.populations, copy.populations, strict=True):
        assert after.neuron.leak == pytest.approx(before.neuron.leak, rel=1e-15)
        assert replace(after.neuron, leak=before.neuron.leak) == before.neuron
        for left, right in zip(before.inputs, after.inputs, strict=True):
            assert left.source == right.source
            expected = ungrouped(left.synapse)
            np.testing.assert_array_max_ulp(right.synapse.weight, expected.weight, maxulp=4)
            assert (right.synapse.bias is None) == (expected.bias is None)
            if expected.bias is not None:
                np.testing.assert_array_max_ulp(right.synapse.bias, expected.bias, maxulp=4)
    assert list(tmp_path.iterdir()) == [tmp_path / "g.nir"]


@pytest.mark.parametrize("leak", [0.0, 0.25, 1.0])
def test_weights_survive_exactly_where_the_leak_is_a_power_of_two_or_none(small_graph, leak):
    graph = small_graph(4, leak=leak)
    copy = graph_from_nir(nir_from_graph(graph))
    for before, after in zip(graph.populations, copy.populations, strict=True):
        np.testing.assert_array_equal(after.inputs[0].synapse.weight, ungrouped(before.inputs[0].synapse).weight)


@pytest.mark.parametrize("dt_s", [1e-4, 1e-3, 0.033])
@pytest.mark.parametrize(("leak", "residual"), [(0.0, False), (0.5, True), (0.3, True)])
def test_a_plain_euler_reader_finds_the_spikes_of_the_graph(small_graph, input_spikes, leak, residual, dt_s, nir_euler):
    graph = small_graph(6, leak=leak, residual=residual)
    run = simulate(graph, input_spikes)
    read = nir_euler(nir_from_graph(graph, dt_s=dt_s), input_spikes, dt_s)
    comparisons = compare_spikes(run.spikes, read)
    assert [c.num_differing for c in comparisons] == [0, 0, 0, 0]
    assert min(c.num_spikes_a for c in comparisons) > 0


def test_the_file_says_what_it_assumes_and_nodes_sort_in_execution_order(small_graph, tmp_path):
    graph = small_graph()
    write_nir(graph, tmp_path / "g.nir", dt_s=1e-3, scales={"conv": 127.0})
    nodes = nir.read(str(tmp_path / "g.nir"))
    assert nodes.metadata["dt"] == 1e-3
    assert nodes.metadata["comparison"] == ">"
    assert list(nodes.nodes) == sorted(nodes.nodes)
    assert list(nodes.nodes)[:3] == ["n00_input", "n01_conv", "n02_lif"]
    neuron = nodes.nodes["n02_lif"]
    assert neuron.metadata == {"population": "conv", "is_relay": 0, "quantisation_scale": 127.0}
    assert neuron.tau.shape == (4, 6, 6)
    np.testing.assert_array_equal(neuron.r, 1.0)
    assert nodes.nodes["n04_lif"].tau.flat[0] == 1e-3
    assert all(node.groups == 1 for node in nodes.nodes.values() if isinstance(node, nir.Conv2d))


def test_names_still_sort_in_execution_order_beyond_a_hundred_nodes():
    neuron = Neuron(leak=0.5, threshold=1.0)
    names = [INPUT, *(f"p{index}" for index in range(60))]
    populations = tuple(
        Population(name, (1,), neuron, (Connection(before, LinearSynapse(np.ones((1, 1)))),))
        for before, name in pairwise(names)
    )
    graph = SpikingGraph((1,), populations, Readout("p59", np.ones((1, 1)), np.zeros(1)))
    nodes = nir_from_graph(graph)
    assert list(nodes.nodes) == sorted(nodes.nodes)
    assert [p.name for p in graph_from_nir(nodes).populations] == names[1:]


def test_a_wide_kernel_is_written_square_and_means_the_same(input_spikes):
    generator = np.random.default_rng(0)
    synapse = Conv2dSynapse(generator.normal(size=(3, 2, 1, 5)), stride=(2, 1), padding=(0, 2), dilation=(1, 1))
    shape = synapse.output_shape((2, 6, 6))
    neuron = Neuron(leak=0.5, threshold=1.0)
    graph = SpikingGraph(
        (2, 6, 6),
        (Population("p", shape, neuron, (Connection(INPUT, synapse),)),),
        Readout("p", generator.normal(size=(2, int(np.prod(shape)))), np.zeros(2)),
    )
    copy = graph_from_nir(nir_from_graph(graph))
    assert copy.populations[0].inputs[0].synapse.weight.shape == (3, 2, 5, 5)
    np.testing.assert_array_equal(simulate(copy, input_spikes).spikes["p"], simulate(graph, input_spikes).spikes["p"])


def test_a_kernel_that_cannot_be_made_square_is_refused():
    synapse = Conv2dSynapse(np.ones((1, 1, 1, 2)))
    neuron = Neuron(leak=0.5, threshold=1.0)
    graph = SpikingGraph(
        (1, 2, 2),
        (Population("p", (1, 2, 1), neuron, (Connection(INPUT, synapse),)),),
        Readout("p", np.ones((1, 2)), np.zeros(1)),
    )
    with pytest.raises(UnsupportedLayerError, match="1x2 kernel"):
        nir_from_graph(graph)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"reset": "subtract"}, "resets by subtraction and leaks"),
        ({"initial_voltage": 0.5}, "starts at a voltage other than 0"),
        ({"fires_on_equality": True}, "fires on equality"),
        ({"leak": 1.5}, "has a leak of 1.5"),
    ],
)
def test_a_neuron_without_a_nir_form_is_refused_by_name(small_graph, change, reason):
    graph = small_graph()
    last = replace(graph.populations[-1], neuron=replace(graph.populations[-1].neuron, **change))
    with pytest.raises(UnsupportedLayerError, match=f"population 'full' {reason}"):
        nir_from_graph(replace(graph, populations=(*graph.populations[:-1], last)))


def test_the_time_step_is_never_guessed(small_graph):
    nodes = nir_from_graph(small_graph(), dt_s=1e-3)
    with pytest.raises(ConversionError, match=r"made for a step of 0.001 s; dt_s = 0.0001 was given"):
        graph_from_nir(nodes, dt_s=1e-4)
    nodes.metadata = {}
    with pytest.raises(ConversionError, match="Pass dt_s"):
        graph_from_nir(nodes)
    assert graph_from_nir(nodes, dt_s=1e-3).populations[0].neuron.leak == 0.5
    with pytest.raises(ConfigError, match="must be positive"):
        nir_from_graph(small_graph(), dt_s=0.0)


def test_any_r_and_any_threshold_become_weights():
    nodes = chain(
        source(2), nir.Affine(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, -1.0])),
        lif(2, r=[4.0, 8.0], threshold=[2.0, 0.5]), sink(2),
    )  # fmt: skip
    graph = graph_from_nir(nodes)
    population = graph.populations[0]
    # gain = (dt/tau) r / threshold = 0.5 * [4, 8] / [2, 0.5] = [1, 8]
    np.testing.assert_allclose(population.inputs[0].synapse.weight, [[1, 2], [24, 32]])
    np.testing.assert_allclose(population.inputs[0].synapse.bias, [1, -8])
    assert population.neuron == Neuron(leak=0.5, threshold=1.0)
    np.testing.assert_array_equal(graph.readout.weight, np.eye(2))


def test_a_threshold_per_channel_is_folded_behind_a_convolution_and_one_per_pixel_is_kept():
    conv = nir.Conv2d((2, 2), np.ones((2, 1, 1, 1)), 1, 0, 1, 1, np.zeros(2))
    channels = np.array([1.0, 4.0])[:, None, None]
    graph = graph_from_nir(chain(source(1, 2, 2), conv, lif((2, 2, 2), threshold=channels), sink(2, 2, 2)))
    np.testing.assert_allclose(graph.populations[0].inputs[0].synapse.weight.ravel(), [0.5, 0.125])
    assert graph.readout.weight.shape == (8, 8)
    pixels = np.arange(1.0, 9.0).reshape(2, 2, 2)
    graph = graph_from_nir(chain(source(1, 2, 2), conv, lif((2, 2, 2), threshold=pixels), sink(2, 2, 2)))
    assert graph.populations[0].neuron == Neuron(leak=0.5, threshold=pixels)
    np.testing.assert_allclose(graph.populations[0].inputs[0].synapse.weight.ravel(), [0.5, 0.5])


def test_pools_are_folded_into_the_weights_behind_them():
    pools = [nir.AvgPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))]
    pools += [nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])), nir.Scale(np.array([0.5]))]
    flatten = nir.Flatten(input_type={"input": np.array([1, 2, 2])}, start_dim=0)
    affine = nir.Affine(np.arange(4.0).reshape(1, 4), np.ones(1))
    graph = graph_from_nir(chain(source(1, 8, 8), *pools, flatten, affine, lif(1, tau=1e-4), sink(1)))
    weight = graph.populations[0].inputs[0].synapse.weight.reshape(8, 8)
    np.testing.assert_allclose(weight, np.kron(np.arange(4.0).reshape(2, 2), np.ones((4, 4))) / 4 * 0.5)
    np.testing.assert_array_equal(graph.populations[0].inputs[0].synapse.bias, 1.0)
    # Behind it, neurons read directly through a pool become a depthwise convolution.
    direct = graph_from_nir(chain(source(3, 4, 4), pools[0], lif((3, 2, 2), tau=1e-4), sink(3, 2, 2)))
    assert direct.populations[0].inputs[0].synapse.groups == 3
    assert np.all(direct.populations[0].inputs[0].synapse.weight == 0.25)


def test_one_number_for_a_whole_layer_takes_the_shape_of_its_currents():
    graph = graph_from_nir(chain(source(3), nir.Linear(np.ones((2, 3))), lif(()), sink(2)))
    assert graph.populations[0].shape == (2,)


def test_populations_get_different_names_even_where_nodes_are_called_input():
    nodes = {"in": source(1), "b": nir.Linear(np.ones((1, 1))), INPUT: lif(1), "d": sink(1)}
    edges = [("in", "b"), ("b", INPUT), (INPUT, "d")]
    graph = graph_from_nir(nir.NIRGraph(nodes, edges, metadata={"dt": 1e-4}, type_check=False))
    assert [population.name for population in graph.populations] == ["input_"]


def test_two_edges_into_one_neuron_are_two_connections():
    one, two = nir.Linear(np.ones((1, 1))), nir.Linear(np.full((1, 1), 2.0))
    nodes = {"a": source(1), "b": one, "c": two, "d": lif(1), "e": sink(1)}
    edges = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("d", "e")]
    graph = graph_from_nir(nir.NIRGraph(nodes, edges, metadata={"dt": 1e-4}, type_check=False))
    assert [link.synapse.weight.item() for link in graph.populations[0].inputs] == [0.5, 1.0]


def affine() -> nir.Affine:
    return nir.Affine(np.eye(2), np.zeros(2))


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([source(2), affine(), nir.LI(np.ones(2), np.ones(2), np.zeros(2)), sink(2)], "'n02' .LI. sends a potential"),
        ([source(2), nir.Delay(np.ones(2)), affine(), lif(2), sink(2)], "'n01' is Delay; .* can hold Input"),
        ([source(2), affine(), lif(2, tau=-1.0), sink(2)], "tau of node 'n02' must be positive; got -1.0"),
        ([source(2), affine(), lif(2, tau=5e-5), sink(2)], "below the time step"),
        ([source(2), affine(), lif(2, v_leak=np.inf), sink(2)], "v_leak of node 'n02' must be a number"),
        ([source(2), affine(), lif(2, v_reset=np.nan), sink(2)], "v_reset of node 'n02' must be a number"),
        (
            [source(2), lif(2), nir.LI(np.array([1e-3, 2e-3]), np.ones(2), np.zeros(2)), affine(), sink(2)],
            "tau of node 'n02' must be the same for all that a readout reads",
        ),
        ([source(2), affine(), lif(2, threshold=np.nan), sink(2)], "v_threshold of node 'n02' must be a number"),
        ([source(2), affine(), affine(), lif(2), sink(2)], "'n02' .Affine. stands behind weights"),
        ([source(2, 2, 2), affine(), lif(2), sink(2)], "'n01' reads a map; put a Flatten"),
        ([source(2, 2), affine(), lif(2), sink(2)], "'n00' has the shape"),
        ([source(2), nir.Affine(np.full((2, 2), np.inf), np.zeros(2)), lif(2), sink(2)], "'n01' must be finite"),
        ([source(2), nir.Scale(np.array([1.0, 2.0])), affine(), lif(2), sink(2)], "one number for all"),
        ([source(5000), lif(5000), sink(5000)], "limited to 4096"),
        (
            [source(1, 4, 4), nir.SumPool2d(*np.array([[3, 3], [2, 2], [1, 1]])), lif((1, 2, 2)), sink(4)],
            "only a stride of the window's size",
        ),
    ],
)  # fmt: skip
def test_what_a_graph_cannot_keep_is_refused_with_the_reason(nodes, message):
    with pytest.raises(UnsupportedLayerError, match=message):
        graph_from_nir(chain(*nodes))


def test_cycles_and_unknown_edges_and_second_inputs_are_refused():
    nodes = {"a": source(2), "b": affine(), "c": lif(2), "d": affine(), "e": sink(2)}
    edges = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "c"), ("c", "e")]
    with pytest.raises(UnsupportedLayerError, match="form a cycle"):
        graph_from_nir(nir.NIRGraph(nodes, edges, metadata={"dt": 1e-4}, type_check=False))
    with pytest.raises(ConversionError, match="'x', which is not in the graph"):
        graph_from_nir(nir.NIRGraph(nodes, [("a", "x")], metadata={"dt": 1e-4}, type_check=False))
    with pytest.raises(ConversionError, match="one Input node and one Output"):
        graph_from_nir(nir.NIRGraph({"a": source(2)}, [], metadata={"dt": 1e-4}, type_check=False))
    with pytest.raises(UnsupportedLayerError, match="second Input"):
        graph_from_nir(nir.NIRGraph(nodes | {"aa": source(2)}, edges[:3], metadata={"dt": 1e-4}, type_check=False))


def test_missing_foreign_truncated_and_linked_files_are_refused(small_graph, tmp_path):
    with pytest.raises(DatasetNotFoundError, match="no file"):
        read_nir(tmp_path / "none.nir")
    (tmp_path / "text.nir").write_text("hello")
    with pytest.raises(DataError, match=r"'text.nir' is not a readable NIR file"):
        read_nir(tmp_path / "text.nir")
    write_nir(small_graph(), tmp_path / "cut.nir")
    (tmp_path / "cut.nir").write_bytes((tmp_path / "cut.nir").read_bytes()[:5000])
    with pytest.raises(DataError, match="not a readable NIR file"):
        read_nir(tmp_path / "cut.nir")
    with h5py.File(tmp_path / "link.nir", "w") as file:
        file["node"] = h5py.ExternalLink("elsewhere.h5", "/")
    with pytest.raises(DataError, match="links are not followed"):
        read_nir(tmp_path / "link.nir")
    with h5py.File(tmp_path / "huge.nir", "w") as file:
        file.create_dataset("node/weight", shape=(10**7, 10**7), dtype="f8", chunks=(1, 1000))
    with pytest.raises(DataError, match="at most 4294967296 are read"):
        read_nir(tmp_path / "huge.nir")
    with h5py.File(tmp_path / "loop.nir", "w") as file:
        inner = file.create_group("node/inner")
        inner["again"] = file["node"]
    with pytest.raises(DataError, match="not a readable NIR file"):
        read_nir(tmp_path / "loop.nir")


def test_a_failed_export_leaves_the_old_file(small_graph, tmp_path):
    path = tmp_path / "g.nir"
    path.write_text("old")
    with pytest.raises(ConfigError):
        write_nir(small_graph(), path, dt_s=-1.0)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
