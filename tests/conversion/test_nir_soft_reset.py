"""Reset by subtraction through NIR: the same spikes, from the file and for a plain Euler reader."""

from dataclasses import replace
from itertools import pairwise

import nir
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion.graph import INPUT, Connection, LinearSynapse, Neuron, Population, Readout, SpikingGraph
from conversion.nir_export import nir_from_graph, write_nir
from conversion.nir_import import graph_from_nir, read_nir
from conversion.simulate import simulate
from conversion.spike_comparison import compare_spikes
from snnface.errors import ConversionError, UnsupportedLayerError

CONVERTED = Neuron(leak=0.0, threshold=1.0, reset="subtract", fires_on_equality=True, initial_voltage=0.5)


def one_neuron(neuron: Neuron) -> SpikingGraph:
    population = Population("a", (1,), neuron, (Connection(INPUT, LinearSynapse(np.ones((1, 1)))),))
    return SpikingGraph((1,), (population,), Readout("a", np.ones((1, 1)), np.zeros(1)))


def soft(graph: SpikingGraph, neuron: Neuron = CONVERTED) -> SpikingGraph:
    """The graph with such neurons in place of all but its relays."""
    return replace(
        graph,
        populations=tuple(p if p.neuron.is_relay else replace(p, neuron=neuron) for p in graph.populations),
    )


def plain_euler(nodes: nir.NIRGraph, inputs: np.ndarray) -> np.ndarray:
    """One neuron by NIR's equations alone: dv/dt = r I, spike above the threshold, feedback one step late."""
    (integrator,) = (n for n in nodes.nodes.values() if isinstance(n, nir.I))
    (threshold,) = (n for n in nodes.nodes.values() if isinstance(n, nir.Threshold))
    (feedback,) = (n for n in nodes.nodes.values() if isinstance(n, nir.Scale))
    voltage, spike, spikes = 0.0, 0.0, []
    for current in inputs.ravel():
        voltage += nodes.metadata["dt"] * integrator.r.item() * (current + feedback.scale.item() * spike)
        spike = float(voltage > threshold.threshold.item())
        spikes.append(spike)
    return np.array(spikes)


def test_the_three_nodes_hold_what_the_neuron_says():
    nodes = nir_from_graph(one_neuron(Neuron(leak=0.0, threshold=2.0, reset="subtract", initial_voltage=0.5)))
    assert list(nodes.nodes) == [
        "n00_input", "n01_fc", "n02_i", "n03_threshold", "n04_feedback", "n05_fc", "n06_output"
    ]  # fmt: skip
    assert nodes.nodes["n02_i"].r == pytest.approx(1e4)
    assert nodes.nodes["n03_threshold"].threshold == 1.5
    assert nodes.nodes["n03_threshold"].metadata["comparison"] == ">"
    assert nodes.nodes["n04_feedback"].scale == -2.0
    assert ("n04_feedback", "n02_i") in nodes.edges
    assert (nodes.metadata["reset"], nodes.metadata["comparison"]) == ("subtract", ">")


@given(
    currents=st.lists(st.floats(-2, 3), min_size=1, max_size=30),
    threshold=st.floats(0.3, 2),
    start=st.floats(-1, 0.9),
)
def test_nirs_own_equations_give_the_spikes_of_the_graph(currents, threshold, start):
    neuron = Neuron(leak=0.0, threshold=threshold, reset="subtract", initial_voltage=start * threshold)
    graph = one_neuron(neuron)
    inputs = np.array(currents).reshape(-1, 1, 1)
    run = simulate(graph, inputs)
    distance = np.abs(threshold - potentials(neuron, inputs)).min()
    if distance > 1e-9:  # a tie is decided by rounding
        np.testing.assert_array_equal(plain_euler(nir_from_graph(graph), inputs), run.spikes["a"].ravel())


def potentials(neuron: Neuron, inputs: np.ndarray) -> np.ndarray:
    voltage, seen = neuron.initial_voltage, []
    for current in inputs.ravel():
        voltage += current
        seen.append(voltage)
        voltage -= neuron.threshold * (voltage > neuron.threshold)
    return np.array(seen)


@pytest.mark.parametrize("comparison", [True, False])
@pytest.mark.parametrize("residual", [False, True])
def test_a_file_brings_back_every_spike_ties_included(small_graph, input_spikes, tmp_path, residual, comparison):
    # Multiples of 1/64: ties are common, and computed exactly.
    graph = soft(
        small_graph(3, leak=0.0, residual=residual, step=1 / 64), replace(CONVERTED, fires_on_equality=comparison)
    )
    write_nir(graph, tmp_path / "g.nir")
    copy = read_nir(tmp_path / "g.nir")
    assert [p.neuron for p in copy.populations] == [p.neuron for p in graph.populations]
    before, after = simulate(graph, input_spikes), simulate(copy, input_spikes)
    assert min(before.num_spikes.values()) > 0
    assert sum(c.num_differing for c in compare_spikes(before.spikes, after.spikes)) == 0
    np.testing.assert_array_equal(before.answers, after.answers)


def test_a_plain_euler_reader_of_whole_networks_finds_the_same_spikes(small_graph, input_spikes, nir_euler):
    graph = soft(small_graph(6, residual=True), replace(CONVERTED, fires_on_equality=False))
    run = simulate(graph, input_spikes)
    read = nir_euler(nir_from_graph(graph), input_spikes, 1e-4)
    assert sum(c.num_differing for c in compare_spikes(run.spikes, read)) == 0
    assert min(run.num_spikes.values()) > 0


@pytest.mark.filterwarnings("ignore")
def test_tools_that_know_no_such_reset_refuse_the_file_instead_of_losing_spikes(small_graph):
    nodes = nir_from_graph(soft(small_graph()))
    with pytest.raises(ValueError, match="Unknown node type"):
        pytest.importorskip("snntorch.import_nir").import_from_nir(nodes)
    with pytest.raises(KeyError, match="_i"):
        pytest.importorskip("norse.torch").from_nir(nodes, dt=1e-4)


def test_a_leak_and_a_reset_by_subtraction_are_refused_together(small_graph):
    with pytest.raises(UnsupportedLayerError, match="population 'conv' resets by subtraction and leaks"):
        nir_from_graph(soft(small_graph(), replace(CONVERTED, leak=0.5)))


@pytest.mark.parametrize(
    ("node", "field", "value", "message"),
    [
        ("n04_feedback", "scale", np.array([1.0]), "must take off a positive number; got 1.0"),
        ("n02_i", "r", np.array([5e3]), "r of node 'n02_i' must be one over the time step"),
        ("n03_threshold", "metadata", {"comparison": "<"}, "must be > or >="),
        ("n03_threshold", "threshold", np.array([np.nan]), "threshold of node .* must be a number"),
    ],
)
def test_a_feedback_that_says_something_else_is_refused(node, field, value, message):
    nodes = nir_from_graph(one_neuron(CONVERTED))
    setattr(nodes.nodes[node], field, value)
    with pytest.raises(UnsupportedLayerError, match=message):
        graph_from_nir(nodes)


def test_three_nodes_of_different_shapes_are_refused():
    nodes = nir_from_graph(one_neuron(CONVERTED))
    nodes.nodes["n04_feedback"].scale = -np.ones(3)
    with pytest.raises(ConversionError, match=r"'n04_feedback' declares a shape of \(3,\); \(1,\) arrives"):
        graph_from_nir(nodes)


def test_a_reset_voltage_is_the_new_zero_of_the_potential():
    # By hand, threshold 1, reset to -1/2, start at 0: 0.6, 1.2 fires, then -0.5 + 0.6 ...
    node = nir.IF(r=np.full(1, 1e4), v_threshold=np.ones(1), v_reset=np.full(1, -0.5))
    weights = nir.Affine(np.ones((1, 1)), np.zeros(1))
    names = ("n0", "n1", "n2", "n3", "n4")
    parts = (
        nir.Input(input_type={"input": np.array([1])}), weights, node, weights,
        nir.Output(output_type={"output": np.array([1])}),
    )  # fmt: skip
    edges = list(pairwise(names))
    nodes = nir.NIRGraph(dict(zip(names, parts, strict=True)), edges, metadata={"dt": 1e-4}, type_check=False)
    graph = graph_from_nir(nodes)
    assert graph.populations[0].neuron == Neuron(leak=0.0, threshold=1.5, initial_voltage=0.5)
    spikes = simulate(graph, np.full((6, 1, 1), 0.6)).spikes["n2"].ravel()
    assert spikes.tolist() == [0, 1, 0, 0, 1, 0]
