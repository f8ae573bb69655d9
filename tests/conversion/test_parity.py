"""The parity command: exit status, text and JSON, on small graphs."""

import json

import numpy as np
import pytest

from conversion.graph import INPUT, Connection, LinearSynapse, Neuron, Population, Readout, SpikingGraph
from conversion.graph_io import save_graph
from conversion.nir_export import write_nir
from conversion.parity import main


def counting(threshold: float) -> SpikingGraph:
    """One neuron that adds up its input."""
    neuron = Neuron(leak=0.0, threshold=threshold)
    population = Population("n", (1,), neuron, (Connection(INPUT, LinearSynapse(np.ones((1, 1)))),))
    return SpikingGraph((1,), (population,), Readout("n", np.ones((1, 1)), np.zeros(1)))


@pytest.fixture
def ones(tmp_path):
    """A file of one sample that spikes at each of four steps."""
    np.savez(tmp_path / "x.npz", inputs=np.ones((4, 1, 1)))
    return str(tmp_path / "x.npz")


def test_the_same_network_in_two_files_is_identical(small_graph, tmp_path, capsys):
    graph = small_graph(2, residual=True)
    write_nir(graph, tmp_path / "g.nir")
    save_graph(graph, tmp_path / "g.json")
    assert main([str(tmp_path / "g.nir"), f"graph:{tmp_path / 'g.json'}", "--steps", "8", "--samples", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "identical"
    assert "total: 0 differing bins in 4 populations" in lines


def test_the_first_difference_is_printed_with_both_potentials(tmp_path, ones, capsys):
    # Fires above 0.5: at each of the four ones. Above 1.5: at every second, where 2 has come together.
    save_graph(counting(0.5), tmp_path / "a.json")
    save_graph(counting(1.5), tmp_path / "b.json")
    assert main([str(tmp_path / "a.json"), str(tmp_path / "b.json"), "--inputs", ones]) == 1
    out = capsys.readouterr().out
    assert "n: 2 of 4 bins differ (4 and 2 spikes, first at step 0)" in out
    assert "step 0, sample 0, neuron [0]: spike a 1, b 0; potential a 1, potential b 1" in out
    assert out.endswith("different\n")


def test_json_holds_every_number(tmp_path, ones, capsys):
    save_graph(counting(0.5), tmp_path / "a.json")
    save_graph(counting(1.5), tmp_path / "b.json")
    assert main([str(tmp_path / "a.json"), str(tmp_path / "b.json"), "--inputs", ones, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["is_identical"] is False
    assert told["populations"] == [
        {"population": "n", "num_spikes_a": 4, "num_spikes_b": 2, "num_differing": 2, "num_bins": 4, "first_step": 0}
    ]
    assert told["first"] == {
        "population": "n", "step": 0, "sample": 0, "neuron": [0],
        "spike_a": 1, "spike_b": 0, "potential_a": 1.0, "potential_b": 1.0,
    }  # fmt: skip
    # The readout is the rate: 4 of 4 steps, and 2 of 4.
    assert told["answers"][0]["largest_difference"] == 0.5


def test_a_reader_of_the_wrong_step_is_found_by_its_own_name(tmp_path, small_graph, capsys):
    write_nir(small_graph(leak=0.5), tmp_path / "g.nir")
    assert main([f"nir:{tmp_path / 'g.nir'}", f"nir:{tmp_path / 'g.nir'}", "--dt-s", "1e-3"]) == 2
    assert "made for a step of 0.0001 s; dt_s = 0.001 was given" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("snntorhc:g.nir", "unknown tool 'snntorhc'"),
        ("g.txt", "does not say what runs it; write tool:path"),
        ("graph:g.nir.gz", "ends in .nir or .json; got 'g.nir.gz'"),
        ("none.nir", "no file 'none.nir'"),
    ],
)
def test_what_cannot_be_compared_is_one_line_and_status_2(name, message, capsys):
    assert main([name, name]) == 2
    told = capsys.readouterr()
    assert message in told.err
    assert told.out == ""
    assert told.err.count("\n") == 1


def test_usage_errors_leave_with_status_2(capsys):
    with pytest.raises(SystemExit) as left:
        main(["only-one.nir"])
    assert left.value.code == 2
