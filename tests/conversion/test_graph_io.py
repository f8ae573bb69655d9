"""The exact file form: every value survives, and broken files are refused in one sentence."""

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from conversion.array_file import read_arrays, write_arrays
from conversion.graph import LinearSynapse, Neuron
from conversion.graph_io import load_graph, save_graph
from snnface.errors import DataError, DatasetNotFoundError


def test_every_value_of_a_graph_survives_the_file(small_graph, tmp_path):
    graph = small_graph(residual=True)
    soft = Neuron(leak=0.0, threshold=0.7, reset="subtract", fires_on_equality=True, initial_voltage=0.35)
    last = replace(graph.populations[-1], neuron=soft)
    graph = replace(graph, populations=(*graph.populations[:-1], last))
    save_graph(graph, tmp_path / "g.npz")
    copy = load_graph(tmp_path / "g.npz")
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
    assert list(tmp_path.iterdir()) == [tmp_path / "g.npz"]


def test_a_missing_file_and_a_file_of_another_kind_are_named(tmp_path):
    with pytest.raises(DatasetNotFoundError, match="no file"):
        load_graph(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(DataError, match=r"'text.npz' is not a readable .npz file"):
        load_graph(tmp_path / "text.npz")
    write_arrays(tmp_path / "other.npz", {"x": np.zeros(3)})
    with pytest.raises(DataError, match="is not a spiking graph"):
        load_graph(tmp_path / "other.npz")


def test_a_truncated_file_is_refused(small_graph, tmp_path):
    path = tmp_path / "g.npz"
    save_graph(small_graph(), path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match="not a readable"):
        load_graph(path)


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
    path = tmp_path / "g.npz"
    save_graph(small_graph(), path)
    arrays = read_arrays(path)
    header = json.loads(arrays["graph"].tobytes()) | change
    write_arrays(path, arrays | {"graph": np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)})
    with pytest.raises(DataError, match=message):
        load_graph(path)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [("leak", "0.5", "leak of population 'conv' must be float"), ("reset", "never", "must reset to 'zero'")],
)
def test_a_neuron_with_wrong_values_is_refused(small_graph, tmp_path, field, value, message):
    path = tmp_path / "g.npz"
    save_graph(small_graph(), path)
    arrays = read_arrays(path)
    header = json.loads(arrays["graph"].tobytes())
    header["populations"][0]["neuron"][field] = value
    write_arrays(path, arrays | {"graph": np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)})
    with pytest.raises(DataError, match=message):
        load_graph(path)


def test_weights_that_are_not_finite_floats_are_refused(small_graph, tmp_path):
    path = tmp_path / "g.npz"
    save_graph(small_graph(), path)
    arrays = read_arrays(path)
    write_arrays(path, arrays | {"p0.c0.weight": np.full_like(arrays["p0.c0.weight"], np.nan)})
    with pytest.raises(DataError, match="must be finite floats over 4 axes"):
        load_graph(path)


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
