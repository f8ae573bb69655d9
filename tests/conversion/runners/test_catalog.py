"""Which tool runs which file."""

from importlib.metadata import EntryPoint

import pytest

from conversion.graph_io import save_graph
from conversion.nir_export import write_nir
from conversion.runners import catalog
from conversion.runners.catalog import open_runner, runner_names
from conversion.runners.graph_runner import GraphRunner
from snnface.errors import ConfigError


def test_a_path_alone_takes_the_tool_of_its_ending(small_graph, tmp_path):
    save_graph(small_graph(), tmp_path / "g.json")
    write_nir(small_graph(), tmp_path / "g.nir")
    assert isinstance(open_runner(str(tmp_path / "g.json")), GraphRunner)
    assert isinstance(open_runner(str(tmp_path / "g.nir")), GraphRunner)
    assert isinstance(open_runner(f"nir:{tmp_path / 'g.nir'}"), GraphRunner)


def test_tools_of_other_packages_come_from_the_entry_points(monkeypatch, small_graph, tmp_path):
    save_graph(small_graph(), tmp_path / "g.json")
    entry = EntryPoint("chip", "conversion.runners.graph_runner:open_graph", catalog.GROUP)
    monkeypatch.setattr(catalog, "entry_points", lambda group: [entry] if group == catalog.GROUP else [])
    assert isinstance(open_runner(f"chip:{tmp_path / 'g.json'}"), GraphRunner)
    assert "chip" in runner_names()
    assert set(runner_names()) >= {"nir", "graph", "snntorch", "norse", "onnx", "ann"}


def test_an_unknown_tool_gets_its_nearest_name():
    with pytest.raises(ConfigError, match="unknown tool 'nirr'"):
        open_runner("nirr:x.nir")
    with pytest.raises(ConfigError, match="does not say what runs it; write tool:path"):
        open_runner("weights.bin")
