"""The exact file form: every value survives, and broken files are refused in one sentence."""

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from conversion.array_file import read_arrays, write_arrays
from conversion.graph import LinearSynapse, Neuron
from conversion.graph_io import load_graph, save_graph
from snnface.errors import ConfigError, DataError, DatasetNotFoundError


def test_every_value_of_a_graph_survives_the_file(small_graph, tmp_path):
    graph = small_graph(residual=True)
    soft = Neuron(leak=0.0, threshold=0.7, reset="subtract", fires_on_equality=True, initial_voltage=0.35)
    last = replace(graph.populations[-1], neuron=soft)
    graph = replace(graph, populations=(*graph.populations[:-1], last))
    save_graph(graph, tmp_path / "g.json")
    copy = load_graph(tmp_path / "g.json")
    assert copy.input_shape == graph.input_shape
    assert dict(copy.metadata) == dict(graph.metadata)
    assert [(p.name, p.shape, p.neuron) for p in copy.populations] == [
        (p.name, p.shape, p.neuron) for p in graph.populations
    ]
    for a, b in zip(graph.populations, copy.populations, strict=True):
        for left, right in zip(a.inputs, b.inputs, strict=True):
            assert left.source == right.source
            assert left.synapse.weight.dtype == right.synapse.weight.dtype
            np.testing.assert_array_equal(left.synapse.weight, right.synapse.weight)
            np.testing.assert_array_equal(left.synapse.bias, right.synapse.bias)
            assert isinstance(left.synapse, LinearSynapse) or left.synapse.groups == right.synapse.groups
    np.testing.assert_array_equal(graph.readout.weight, copy.readout.weight)
    assert {path.name for path in tmp_path.iterdir()} == {"g.json", "g.safetensors"}


def test_missing_files_and_files_of_another_kind_are_named(small_graph, tmp_path):
    with pytest.raises(ConfigError, match=r"a spiking graph is a \.json with a \.safetensors beside it; got 'g\.npz'"):
        save_graph(small_graph(), tmp_path / "g.npz")
    with pytest.raises(DatasetNotFoundError, match=r"no file .*none\.json"):
        load_graph(tmp_path / "none.json")
    (tmp_path / "text.json").write_text("hello")
    with pytest.raises(DatasetNotFoundError, match=r"no file .*text\.safetensors"):
        load_graph(tmp_path / "text.json")
    save_file({"x": np.zeros(3)}, tmp_path / "text.safetensors")
    with pytest.raises(DataError, match=r"'text\.json' is not a spiking graph"):
        load_graph(tmp_path / "text.json")


def test_truncated_weights_are_refused(small_graph, tmp_path):
    save_graph(small_graph(), tmp_path / "g.json")
    weights = tmp_path / "g.safetensors"
    weights.write_bytes(weights.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"'g\.safetensors' is not a readable file of arrays"):
        load_graph(tmp_path / "g.json")


def test_the_weights_of_another_graph_are_refused(small_graph, tmp_path):
    save_graph(small_graph(), tmp_path / "g.json")
    save_graph(small_graph(residual=True), tmp_path / "other.json")
    (tmp_path / "other.safetensors").rename(tmp_path / "g.safetensors")
    with pytest.raises(DataError, match="the two files are of two graphs"):
        load_graph(tmp_path / "g.json")


def change_header(path, change) -> None:
    header = json.loads(path.read_text())
    change(header)
    path.write_text(json.dumps(header))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 9}, "of version 1"),
        ({"input_shape": [2, -6, 6]}, "whole numbers of at least 1"),
        ({"input_shape": 4}, "damaged"),
        ({"readout": ["full"]}, "damaged"),
    ],
)
def test_a_header_with_wrong_values_is_refused(small_graph, tmp_path, change, message):
    path = tmp_path / "g.json"
    save_graph(small_graph(), path)
    change_header(path, lambda header: header.update(change))
    with pytest.raises(DataError, match=message):
        load_graph(path)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [("leak", "0.5", "leak of population 'conv' must be float"), ("reset", "never", "must reset to 'zero'")],
)
def test_a_neuron_with_wrong_values_is_refused(small_graph, tmp_path, field, value, message):
    path = tmp_path / "g.json"
    save_graph(small_graph(), path)
    change_header(path, lambda header: header["populations"][0]["neuron"].update({field: value}))
    with pytest.raises(DataError, match=message):
        load_graph(path)


def test_weights_that_are_not_finite_floats_are_refused(small_graph, tmp_path):
    save_graph(small_graph(), tmp_path / "g.json")
    arrays = load_file(tmp_path / "g.safetensors")
    save_file(arrays | {"p0.c0.weight": np.full_like(arrays["p0.c0.weight"], np.nan)}, tmp_path / "g.safetensors")
    with pytest.raises(DataError, match="must be finite floats over 4 axes"):
        load_graph(tmp_path / "g.json")


def test_python_objects_are_neither_written_nor_read(tmp_path):
    with pytest.raises(DataError, match="Python objects"):
        write_arrays(tmp_path / "a.npz", {"x": np.array([{}], dtype=object)})
    assert list(tmp_path.iterdir()) == []
    np.savez(tmp_path / "b.npz", x=np.array([{}], dtype=object))
    with pytest.raises(DataError, match="holds Python objects"):
        read_arrays(tmp_path / "b.npz")


def test_an_array_that_declares_more_than_it_holds_is_refused_without_allocating(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)})
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w") as archive:
        archive.writestr("x.npy", header.getvalue() + b"12345678")
    with pytest.raises(DataError, match="declares 8000000000000 bytes"):
        read_arrays(tmp_path / "bomb.npz")
