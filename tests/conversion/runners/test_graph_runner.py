"""This project's simulator in a parity check: its potentials are those behind its spikes."""

import numpy as np
import pytest

from conversion.graph import INPUT, Connection, LinearSynapse, Neuron, Population, Readout, SpikingGraph
from conversion.graph_io import save_graph
from conversion.nir_export import write_nir
from conversion.runners.graph_runner import GraphRunner, load_spiking_graph
from snnface.errors import ConfigError


def one_neuron(neuron: Neuron) -> SpikingGraph:
    population = Population("n", (1,), neuron, (Connection(INPUT, LinearSynapse(np.ones((1, 1)))),))
    return SpikingGraph((1,), (population,), Readout("n", np.ones((1, 1)), np.zeros(1)))


@pytest.mark.parametrize(
    ("neuron", "potentials"),
    [
        (Neuron(leak=0.0, threshold=1.5), [1, 2, 1, 2]),
        (Neuron(leak=0.0, threshold=1.5, reset="subtract"), [1, 2, 1.5, 2.5]),
        (Neuron(leak=0.0, threshold=1.5, reset="subtract", initial_voltage=0.75), [1.75, 1.25, 2.25, 1.75]),
        (Neuron(leak=0.5, threshold=1.6), [1, 1.5, 1.75, 1]),
    ],
)
def test_potentials_are_what_was_compared_with_the_threshold(neuron, potentials):
    ran = GraphRunner(one_neuron(neuron)).run(np.ones((4, 1, 1)))
    np.testing.assert_array_equal(ran.potential("n", 0).ravel(), potentials)
    np.testing.assert_array_equal(ran.spikes["n"].ravel(), np.array(potentials) > neuron.threshold)


def test_every_spike_of_a_whole_graph_has_a_potential_above_its_threshold(small_graph, input_spikes):
    graph = small_graph(3, residual=True)
    ran = GraphRunner(graph).run(input_spikes)
    for population in graph.populations:
        above = ran.potential(population.name, 1) > population.neuron.threshold
        np.testing.assert_array_equal(above, ran.spikes[population.name][:, 1])


def test_both_kinds_of_file_are_read_and_no_other(small_graph, tmp_path):
    save_graph(small_graph(), tmp_path / "g.json")
    write_nir(small_graph(), tmp_path / "g.nir")
    names = [p.name for p in load_spiking_graph(tmp_path / "g.json", None).populations]
    assert [p.name for p in load_spiking_graph(tmp_path / "g.nir", None).populations] == names
    with pytest.raises(ConfigError, match=r"ends in .nir or .json; got 'g.npz'"):
        load_spiking_graph(tmp_path / "g.npz", None)
