"""Files that snntorch, norse, sinabs and spikingjelly wrote: their own spikes, or the reason why not.

How each file was made stands in nir_files/README.md.
"""

from pathlib import Path

import nir
import numpy as np
import pytest

from conversion.nir_import import graph_from_nir, read_nir
from conversion.simulate import simulate
from snnface.errors import UnsupportedLayerError

FILES = Path(__file__).parent / "nir_files"


def last_spikes(name: str, dt_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Of the last population: read by this project, and run by the tool that wrote the file."""
    graph = read_nir(FILES / f"{name}.nir", dt_s=dt_s)
    with np.load(FILES / f"{name}.npz") as stored:
        inputs, expected = stored["inputs"], stored["spikes"]
    spikes = simulate(graph, inputs).spikes[graph.populations[-1].name]
    return spikes.reshape(expected.shape), expected


@pytest.mark.parametrize(
    ("name", "dt_s", "num_spikes"),
    [
        ("snntorch_leaky", 1e-4, 11),
        ("norse_lif", 1e-6, 13),
        ("norse_integrator", 1.0, 10),
        ("sinabs_iaf_reset", 1.0, 5),
        ("spikingjelly_lif", 1e-4, 21),
        ("spikingjelly_plif", 1e-4, 47),
        ("spikingjelly_if", 1e-4, 27),
    ],
)
def test_files_of_other_tools_are_read_with_the_spikes_of_the_tool(name, dt_s, num_spikes):
    spikes, expected = last_spikes(name, dt_s)
    assert expected.sum() == num_spikes
    np.testing.assert_array_equal(spikes, expected)


@pytest.mark.parametrize(
    ("name", "dt_s", "num_differing"),
    [("snntorch_soft_reset", 1e-4, 13), ("sinabs_cnn", 1.0, 6), ("spikingjelly_reset_below", 1e-4, 11)],
)
def test_what_an_exporter_leaves_out_of_its_file_cannot_be_read_back(name, dt_s, num_differing):
    # Reset by subtraction, several spikes a step, a start at v_reset: NIR has none of them, and the file no word of it.
    spikes, expected = last_spikes(name, dt_s)
    assert np.count_nonzero(spikes != expected) == num_differing


def test_a_file_that_subtracts_and_one_that_resets_are_read_alike():
    one, other = (read_nir(FILES / f"snntorch_{name}.nir", dt_s=1e-4) for name in ("leaky", "soft_reset"))
    assert [p.neuron for p in one.populations] == [p.neuron for p in other.populations]


@pytest.mark.parametrize(
    ("name", "dt_s", "message"),
    [
        ("snntorch_synaptic", 1e-4, "node '1' is CubaLIF; .* has a memory of its own; train with LIF or IF"),
        ("norse_cuba", 1e-3, "node '1' is CubaLIF; .* has a memory of its own; train with LIF or IF"),
        ("snntorch_recurrent", 1e-4, "1.lif -> 1.w_rec -> 1.lif form a cycle; .* train a feed-forward network"),
        ("norse_lif", 1e-3, "'1' has tau = 5.00.*e-06 s, below the time step of 0.001 s"),
    ],
)
def test_what_has_no_counterpart_is_refused_by_its_name(name, dt_s, message):
    with pytest.raises(UnsupportedLayerError, match=message):
        read_nir(FILES / f"{name}.nir", dt_s=dt_s)


def lif(v_leak: float, threshold: float, v_reset: float = 0.0, *, population: str) -> nir.LIF:
    """As in the NIR paper's example of two neurons, with a tau of 10 ms."""
    one = np.ones(1)
    return nir.LIF(0.01 * one, one, v_leak * one, threshold * one, v_reset * one, metadata={"population": population})


@pytest.mark.parametrize("v_reset", [0.0, -0.5, 0.25])
def test_a_neuron_that_is_driven_by_its_leak_fires_as_in_the_nir_papers_example(v_reset, nir_euler):
    # Its first neuron rests above its threshold, and so drives the second without any input.
    nodes = {
        "a": nir.Input(input_type={"input": np.array([1])}),
        "b": nir.Affine(np.ones((1, 1)), np.zeros(1)),
        "c": lif(1.2, 1.0, v_reset, population="driven"),
        "d": nir.Affine(np.full((1, 1), 300.0), np.zeros(1)),
        "e": lif(0.0, 2.0, population="behind"),
        "f": nir.Output(output_type={"output": np.array([1])}),
    }
    edges = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"), ("e", "f")]
    graph = nir.NIRGraph(nodes, edges, metadata={"dt": 1e-4}, type_check=False)
    inputs = np.zeros((1500, 1, 1))
    spikes = simulate(graph_from_nir(graph), inputs).spikes
    for name, expected in nir_euler(graph, inputs, 1e-4).items():
        assert expected.sum() > 2
        np.testing.assert_array_equal(spikes[name].ravel(), expected.ravel())
