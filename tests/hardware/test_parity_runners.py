"""Integers in a parity check, and where this package and the app are registered."""

import tomllib
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

from conversion.graph import INPUT, Connection, LinearSynapse, Neuron, Population, Readout, SpikingGraph
from conversion.graph_io import save_graph
from conversion.integer_graph import IntegerGraph, IntegerNeuron, IntegerPopulation
from conversion.nir_export import write_nir
from conversion.run_comparison import compare_runs
from conversion.runners.graph_runner import GraphRunner
from hardware.backends.lava import find_lava_python
from hardware.backends.netx import find_netx_python
from hardware.netx.writer import write_netx
from hardware.parity_runners import open_fixed_point, open_lava, open_netx
from hardware.random_networks import random_network
from snnface.errors import DataError, UnsupportedLayerError

ROOT = Path(__file__).resolve().parents[2]


def two_layers(neuron: Neuron, *, seed: int = 0) -> SpikingGraph:
    """8 inputs, 6 and 4 neurons, with weights that are integers over 127, as the chip has them."""
    generator = np.random.default_rng(seed)

    def weights(rows: int, columns: int) -> LinearSynapse:
        whole = 2 * generator.integers(-63, 64, (rows, columns))
        whole[0, 0] = 126
        return LinearSynapse(whole / 126)

    populations = (
        Population("first", (6,), neuron, (Connection(INPUT, weights(6, 8)),)),
        Population("second", (4,), neuron, (Connection("first", weights(4, 6)),)),
    )
    return SpikingGraph((8,), populations, Readout("second", np.eye(4), np.zeros(4)))


@pytest.fixture
def spikes() -> np.ndarray:
    return (np.random.default_rng(1).random((25, 3, 8)) < 0.4).astype(np.uint8)


PORTABLE = Neuron(leak=0.0, threshold=1.0)


def test_potentials_of_integers_explain_every_spike_in_units_of_the_float_graph(tmp_path, spikes):
    graph = two_layers(Neuron(leak=0.3, threshold=0.9))
    save_graph(graph, tmp_path / "g.json")
    ran = open_fixed_point(tmp_path / "g.json", None).run(spikes)
    for name in ("first", "second"):
        potential = ran.potential(name, 2)
        fired = ran.spikes[name][:, 2] != 0
        assert fired.any()
        # The threshold is rounded to an integer of the layer's scale.
        assert potential[fired].min() > potential[~fired].max()
        assert potential[fired].min() == pytest.approx(0.9, abs=0.2)


def test_a_network_on_the_chips_grid_sends_the_same_spikes_as_its_float_graph(tmp_path, spikes):
    graph = two_layers(PORTABLE)
    write_nir(graph, tmp_path / "g.nir")
    found = compare_runs(GraphRunner(graph).run(spikes), open_fixed_point(tmp_path / "g.nir", None).run(spikes))
    assert found.is_identical
    assert min(c.num_spikes_a for c in found.populations) > 10
    assert found.answers[0].largest_difference == 0


@pytest.mark.lava
@pytest.mark.skipif(find_lava_python() is None, reason="Lava's environment is not installed (make lava)")
def test_lava_sends_the_same_spikes_as_the_fixed_point_simulator(tmp_path, spikes):
    save_graph(two_layers(PORTABLE), tmp_path / "g.json")
    fixed = open_fixed_point(tmp_path / "g.json", None).run(spikes)
    found = compare_runs(fixed, open_lava(tmp_path / "g.json", None).run(spikes))
    assert found.is_identical
    assert len(found.populations) == 2


def test_a_netx_file_is_run_as_it_stands_and_its_potentials_are_in_units_of_v(tmp_path):
    network = random_network(5)
    form = write_netx(network.graph, tmp_path / "g.net")
    ran = open_fixed_point(tmp_path / "g.net", None).run(network.spikes)
    assert ran.notes == ()
    for population in form.graph.populations:
        potential, fired = ran.potential(population.name, 0), ran.spikes[population.name][:, 0] != 0
        assert np.array_equal(potential > population.neuron.vth << 6, fired)
    assert sum(int(train.sum()) for train in ran.spikes.values()) > 100


def test_potentials_are_not_told_where_delays_would_make_them_others(tmp_path, spikes):
    matrix = LinearSynapse(np.full((2, 8), 200))
    neuron = IntegerNeuron(du=4095, dv=0, vth=300, bias_mant=np.zeros((), dtype=np.int64))
    link = Connection(INPUT, matrix, delay=np.full((2, 8), 3))
    graph = IntegerGraph(
        (8,), 0, (IntegerPopulation("a", (2,), neuron, (link,)),), Readout("a", np.eye(2), np.zeros(2))
    )
    write_netx(graph, tmp_path / "g.net")
    ran = open_fixed_point(tmp_path / "g.net", None).run(spikes)
    assert ran.potential is None
    assert ran.spikes["a"].any()


@pytest.mark.lava
@pytest.mark.skipif(find_netx_python() is None, reason="lava-dl is not installed (make lava-dl)")
def test_netx_sends_the_same_spikes_as_the_fixed_point_simulator_of_one_file(tmp_path):
    network = random_network(5)
    write_netx(network.graph, tmp_path / "g.net")
    found = compare_runs(
        *(opened(tmp_path / "g.net", None).run(network.spikes) for opened in (open_fixed_point, open_netx))
    )
    assert found.is_identical
    assert sum(population.num_spikes_a for population in found.populations) > 100


@pytest.mark.lava
@pytest.mark.skipif(find_netx_python() is None, reason="lava-dl is not installed (make lava-dl)")
def test_biases_that_netx_rounds_are_noted(tmp_path, spikes):
    graph = two_layers(PORTABLE)
    first = graph.populations[0]
    biased = LinearSynapse(first.inputs[0].synapse.weight, np.full(6, 0.1234))
    first = replace(first, inputs=(Connection(INPUT, biased),))
    save_graph(replace(graph, populations=(first, graph.populations[1])), tmp_path / "g.json")
    ran = open_netx(tmp_path / "g.json", None).run(spikes)
    assert any("population 'first': 6 biases were rounded to multiples of 64" in note for note in ran.notes)
    assert ran.spikes["first"].any()


def test_soft_reset_and_fractions_are_refused_by_name(tmp_path, spikes):
    soft = two_layers(replace(PORTABLE, reset="subtract"))
    save_graph(soft, tmp_path / "soft.json")
    with pytest.raises(UnsupportedLayerError, match="population 'first' resets by subtraction"):
        open_fixed_point(tmp_path / "soft.json", None).run(spikes)
    save_graph(two_layers(PORTABLE), tmp_path / "g.json")
    with pytest.raises(DataError, match="must be integers"):
        open_fixed_point(tmp_path / "g.json", None).run(spikes * 0.5)


def test_the_registered_runners_exist():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    registered = project["entry-points"]["conversion.runners"]
    assert set(registered) >= {"fixed-point", "lava", "torch"}
    for name, place in registered.items():
        assert callable(EntryPoint(name, place, "conversion.runners").load())
