"""NIR files and graphs whose neurons of one node differ: each parameter on its own, the same spikes."""

from itertools import pairwise

import nir
import numpy as np
import pytest
import torch

from conversion.graph import INPUT, Connection, Conv2dSynapse, LinearSynapse, Neuron, Population, Readout, SpikingGraph
from conversion.graph_io import load_graph, save_graph
from conversion.nir_export import nir_from_graph
from conversion.nir_import import graph_from_nir
from conversion.quantize import quantize
from conversion.simulate import run_neurons, simulate
from hardware.backends.reference import ReferenceBackend
from hardware.target import LOIHI2
from snnface.errors import ConversionError, DataError, UnsupportedLayerError

MAP = (3, 4, 5)


def chain(*nodes: nir.NIRNode) -> nir.NIRGraph:
    """An input, nodes in series, an output."""
    ends = nir.Input(input_type={"input": np.array((2, 4, 5))}), nir.Output(output_type={"output": np.array(60)})
    named = {f"n{place:02d}": node for place, node in enumerate((ends[0], *nodes, ends[1]))}
    for name, node in named.items():
        node.metadata = {"population": name}
    return nir.NIRGraph(named, list(pairwise(named)), metadata={"dt": 1e-4}, type_check=False)


def conv(generator: np.random.Generator) -> nir.Conv2d:
    weight = generator.normal(0, 1, (3, 2, 3, 3))
    return nir.Conv2d((4, 5), weight, np.array([1, 1]), np.array([1, 1]), np.array([1, 1]), 1, np.zeros(3))


def full(generator: np.random.Generator) -> list[nir.NIRNode]:
    flatten = nir.Flatten(input_type={"input": np.array((2, 4, 5))}, start_dim=0, end_dim=-1)
    return [flatten, nir.Affine(generator.normal(0, 1, (60, 40)), generator.normal(0, 0.1, 60))]


def leaky(generator: np.random.Generator, shape: tuple[int, ...]) -> nir.LIF:
    """Every parameter drawn for every neuron."""
    return nir.LIF(
        tau=generator.uniform(1e-4, 8e-4, shape),
        r=generator.uniform(0.3, 2.0, shape),
        v_leak=generator.normal(0, 0.3, shape),
        v_threshold=generator.uniform(0.3, 1.5, shape),
        v_reset=generator.uniform(-0.3, 0.2, shape),
    )


def integrating(generator: np.random.Generator, shape: tuple[int, ...]) -> nir.IF:
    return nir.IF(
        r=generator.uniform(2e3, 2e4, shape),
        v_threshold=generator.uniform(0.3, 1.5, shape),
        v_reset=np.zeros(shape),
    )


def cases(seed: int) -> dict[str, nir.NIRGraph]:
    generator = np.random.default_rng(seed)
    return {
        "leaky maps": chain(conv(generator), leaky(generator, MAP)),
        "integrating maps": chain(conv(generator), integrating(generator, MAP)),
        "leaky vector": chain(*full(generator), leaky(generator, (60,))),
        "integrating vector": chain(*full(generator), integrating(generator, (60,))),
    }


@pytest.fixture(scope="module")
def events() -> np.ndarray:
    """float64 [T=25, B=3, 2, 4, 5], a third set."""
    return (np.random.default_rng(8).random((25, 3, 2, 4, 5)) < 0.3).astype(np.float64)


@pytest.mark.parametrize("name", cases(0))
def test_parameters_of_every_neuron_give_the_spikes_of_the_equations(name, events, nir_euler):
    nodes = cases(3)[name]
    neurons = next(key for key, node in nodes.nodes.items() if isinstance(node, nir.LIF | nir.IF))
    node = nodes.nodes[neurons]
    # The plain reader starts at 0, as NIR does.
    wanted = nir_euler(nodes, events, 1e-4)[neurons]
    graph = graph_from_nir(nodes)
    spikes = simulate(graph, events).spikes[neurons]
    assert 200 < wanted.sum() < 0.8 * wanted.size
    np.testing.assert_array_equal(spikes, wanted)
    assert np.shape(node.v_threshold) == graph.populations[0].shape
    ran = ReferenceBackend().run(ReferenceBackend().compile(graph, LOIHI2), events.astype(np.uint8))
    np.testing.assert_array_equal(ran.spikes[neurons], wanted)


@pytest.mark.parametrize("name", cases(0))
def test_what_was_read_survives_being_written_again(name, events, tmp_path):
    graph = graph_from_nir(cases(4)[name])
    wanted = simulate(graph, events)
    save_graph(graph, tmp_path / "g.json")
    exact = load_graph(tmp_path / "g.json")
    assert [p.neuron for p in exact.populations] == [p.neuron for p in graph.populations]
    np.testing.assert_array_equal(*simulate(exact, events).voltage.values(), *wanted.voltage.values())


def test_a_leak_a_pixel_is_written_with_its_own_tau_and_r_and_read_back(nir_euler, events):
    leak = np.random.default_rng(1).uniform(0.1, 1.0, MAP)
    graph = one_layer(Neuron(leak=leak, threshold=0.7))
    nodes = nir_from_graph(graph)
    node = nodes.nodes["n02_lif"]
    np.testing.assert_allclose(node.tau, 1e-4 / leak)
    np.testing.assert_allclose(node.r, 1 / leak)
    wanted = simulate(graph, events).spikes["maps"]
    np.testing.assert_array_equal(nir_euler(nodes, events, 1e-4)["maps"], wanted)
    copy = graph_from_nir(nodes)
    np.testing.assert_allclose(copy.populations[0].neuron.leak, leak, rtol=1e-14)
    np.testing.assert_array_equal(
        copy.populations[0].inputs[0].synapse.weight, graph.populations[0].inputs[0].synapse.weight
    )


def test_a_leak_a_channel_goes_into_the_weights_so_that_r_stays_1(nir_euler, events):
    graph = one_layer(Neuron(leak=np.array([0.25, 0.5, 1.0]).reshape(3, 1, 1), threshold=0.7))
    nodes = nir_from_graph(graph)
    weight = graph.populations[0].inputs[0].synapse.weight
    np.testing.assert_array_equal(nodes.nodes["n02_lif"].r, np.ones(MAP))
    np.testing.assert_allclose(nodes.nodes["n01_conv"].weight[0], weight[0] * 4)
    np.testing.assert_allclose(nodes.nodes["n01_conv"].weight[2], weight[2])
    np.testing.assert_array_equal(nir_euler(nodes, events, 1e-4)["maps"], simulate(graph, events).spikes["maps"])


@pytest.mark.parametrize("shape", [(3, 1, 1), MAP])
def test_a_reset_by_subtraction_may_take_off_another_amount_from_every_neuron(shape, events):
    theta = np.random.default_rng(2).uniform(0.4, 1.3, shape)
    soft = Neuron(leak=0.0, threshold=theta, reset="subtract", fires_on_equality=True, initial_voltage=theta / 2)
    graph = one_layer(soft)
    copy = graph_from_nir(nir_from_graph(graph))
    np.testing.assert_array_equal(simulate(copy, events).spikes["maps"], simulate(graph, events).spikes["maps"])
    # A threshold a channel is taken in by the weights, and is 1 then.
    assert np.shape(copy.populations[0].neuron.threshold) == (MAP if shape == MAP else ())


def one_layer(neuron: Neuron) -> SpikingGraph:
    """(2, 4, 5) -> maps of 3 channels -> their sum, with weights that float64 adds without rounding."""
    weight = np.random.default_rng(3).integers(-32, 32, (3, 2, 3, 3)) / 32
    link = Connection(INPUT, Conv2dSynapse(weight, np.array([0.0, 0.125, -0.125]), padding=(1, 1)))
    return SpikingGraph(
        (2, 4, 5), (Population("maps", MAP, neuron, (link,)),), Readout("maps", np.ones((1, 60)), np.zeros(1))
    )


def test_a_rest_is_a_bias_where_neurons_are_alike_and_stays_where_they_differ(events):
    node = nir.LIF(np.full(MAP, 2e-4), np.ones(MAP), np.full(MAP, 0.5), np.ones(MAP), np.zeros(MAP))
    nodes = chain(conv(np.random.default_rng(0)), node)
    graph = graph_from_nir(nodes)
    assert graph.populations[0].neuron == Neuron(leak=0.5, threshold=1.0)
    np.testing.assert_array_equal(graph.populations[0].inputs[0].synapse.bias, [0.25] * 3)
    node.v_leak[0, 0, 0] = 1.0
    assert graph_from_nir(nodes).populations[0].neuron == Neuron(leak=0.5, threshold=1.0, rest=node.v_leak)
    written = nir_from_graph(graph_from_nir(nodes))
    np.testing.assert_array_equal(written.nodes["n02_lif"].v_leak, node.v_leak)
    with pytest.raises(ConversionError, match=r"a rest of 0.5 for all neurons is a bias"):
        Neuron(leak=0.5, threshold=1.0, rest=0.5)


def test_an_r_that_turns_the_sign_within_a_map_is_refused_and_one_a_channel_is_not(events, nir_euler):
    nodes = cases(0)["integrating maps"]
    nodes.nodes["n02"].r = np.full(MAP, 1e4) * np.array([1.0, -1.0, 0.5])[:, None, None]
    nodes.nodes["n02"].v_threshold = np.full(MAP, 0.7)
    graph = graph_from_nir(nodes)
    np.testing.assert_array_equal(simulate(graph, events).spikes["n02"], nir_euler(nodes, events, 1e-4)["n02"])
    nodes.nodes["n02"].r[1, 2, 3] *= -1
    with pytest.raises(UnsupportedLayerError, match="r of node 'n02' differs within a map"):
        graph_from_nir(nodes)


def test_a_parameter_for_another_number_of_neurons_is_refused():
    nodes = cases(0)["leaky vector"]
    nodes.nodes["n03"].tau = np.full(59, 1e-3)
    with pytest.raises(ConversionError, match=r"tau of node 'n03' is for \(59,\) neurons; \(60,\) currents arrive"):
        graph_from_nir(nodes)


def test_neurons_with_and_without_a_leak_have_no_node_of_nir():
    leak = np.array([0.0, 0.5, 0.5]).reshape(3, 1, 1)
    with pytest.raises(UnsupportedLayerError, match="'maps' has neurons with a leak and neurons without"):
        nir_from_graph(one_layer(Neuron(leak=leak, threshold=1.0)))


def test_the_chip_has_one_leak_a_population():
    graph = one_layer(Neuron(leak=np.array([0.1, 0.5, 0.5]).reshape(3, 1, 1), threshold=1.0))
    with pytest.raises(UnsupportedLayerError, match="'maps' has a leak of its own for each neuron"):
        quantize(graph)


def test_neurons_are_equal_by_value_and_one_value_is_a_number():
    leak = np.array([0.1, 0.5])
    assert Neuron(leak=leak, threshold=1.0) == Neuron(leak=leak.copy(), threshold=1.0)
    assert Neuron(leak=leak, threshold=1.0) != Neuron(leak=leak[::-1], threshold=1.0)
    assert Neuron(leak=leak, threshold=1.0) != Neuron(leak=0.1, threshold=1.0)
    assert Neuron(leak=np.full((3, 1, 1), 0.5), threshold=1.0) == Neuron(leak=0.5, threshold=1.0)
    assert len({Neuron(leak=leak, threshold=1.0), Neuron(leak=leak.copy(), threshold=1.0)}) == 1


@pytest.mark.parametrize("shape", [(4,), (2, 1), (1, 4, 1)])
def test_a_parameter_that_does_not_broadcast_to_its_population_is_refused(shape):
    leak = np.linspace(0.1, 0.9, int(np.prod(shape))).reshape(shape)
    with pytest.raises(ConversionError, match=r"the leak of population 'p' has the shape .* its \(3,\) neurons"):
        Population("p", (3,), Neuron(leak=leak, threshold=1.0), (Connection(INPUT, LinearSynapse(np.eye(3))),))


def test_two_neurons_of_one_population_leak_by_their_own_number():
    neuron = Neuron(leak=np.array([0.0, 0.5]), threshold=np.array([2.0, 1.0]), initial_voltage=np.array([0.0, 0.25]))
    currents = torch.full((3, 1, 2), 0.75, dtype=torch.float64)
    spikes, voltage = run_neurons(currents, neuron)
    # 0.75, 1.5, 2.25 fires;  0.875, 1.1875 fires, 0.75
    assert spikes[:, 0].tolist() == [[0, 0], [0, 1], [1, 0]]
    assert voltage[0].tolist() == [0.0, 0.75]


def test_a_parameter_without_its_array_is_refused(tmp_path):
    graph = one_layer(Neuron(leak=np.array([0.1, 0.5, 0.5]).reshape(3, 1, 1), threshold=1.0))
    save_graph(graph, tmp_path / "g.json")
    header = (tmp_path / "g.json").read_text()
    (tmp_path / "g.json").write_text(header.replace('"leak": null', '"leak": 0.5'))
    with pytest.raises(DataError, match="the two files are of two graphs"):
        load_graph(tmp_path / "g.json")
    (tmp_path / "g.json").write_text(header.replace('"threshold": 1.0', '"threshold": null'))
    with pytest.raises(DataError, match=r"'g\.json' is not a spiking graph, or is damaged: KeyError"):
        load_graph(tmp_path / "g.json")
