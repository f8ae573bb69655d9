"""`snnface deploy FILE`: networks that came as files, and files that are refused by name."""

import json
from dataclasses import replace
from pathlib import Path

import nir
import numpy as np
import pytest

from conversion.graph import INPUT, Connection, Conv2dSynapse, LinearSynapse, Neuron, Population, Readout, SpikingGraph
from conversion.graph_io import save_graph
from conversion.nir_export import nir_from_graph, write_nir
from conversion.parity_inputs import InputConfig
from snnface.app.cli import main
from snnface.app.deployment import DeploymentConfig
from snnface.app.file_deployment import deploy_file
from snnface.app.prepared_network import Scaling
from snnface.errors import ConfigError

LEAKY = Neuron(leak=0.5, threshold=1.0)
FEW = InputConfig(steps=12, samples=3, rate=0.4)


def network(neuron: Neuron = LEAKY) -> SpikingGraph:
    """2 x 4 x 4 -> conv 3 -> fc 5 -> 2 answers."""
    generator = np.random.default_rng(0)
    conv = Conv2dSynapse(generator.normal(0.1, 0.5, (3, 2, 3, 3)), generator.normal(0, 0.1, 3), padding=(1, 1))
    full = LinearSynapse(generator.normal(0.05, 0.4, (5, 48)))
    populations = (
        Population("conv", (3, 4, 4), neuron, (Connection(INPUT, conv),)),
        Population("full", (5,), neuron, (Connection("conv", full),)),
    )
    return SpikingGraph((2, 4, 4), populations, Readout("full", generator.normal(0, 1, (2, 5)), np.zeros(2)))


@pytest.fixture(autouse=True)
def _without_lava(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Lava has its own tests, and takes seconds to start."""
    monkeypatch.setattr("snnface.app.referees.find_lava_python", lambda: None)
    monkeypatch.setattr("hardware.backends.netx.find_lava_python", lambda: None)


def test_a_nir_file_is_quantised_and_compared_tool_by_tool(tmp_path: Path) -> None:
    write_nir(network(), tmp_path / "model.nir")
    found = deploy_file(tmp_path / "model.nir", shown=FEW)
    rows = {row.tool: row for row in found.parity}
    assert list(rows) == ["NIR graph", "NIR in snntorch", "NIR in norse", "fixed point", "Lava", "netx"]
    assert rows["NIR graph"].num_spikes > 100
    assert rows["fixed point"].num_clips == 3
    assert "make lava" in rows["Lava"].not_run
    assert "make lava-dl" in rows["netx"].not_run
    assert found.steps is not None
    assert found.steps.num_samples == 3
    assert [layer.name for layer in found.quantized] == ["conv", "full"]
    # Spikes of 0 and 1 need no graded messages, so every chip takes the input.
    assert not any("counts" in reason for fit in found.fits for reason in fit.reasons)


def test_the_command_prints_the_table_or_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "model.json"
    save_graph(network(), path)
    arguments = ["deploy", str(path), "--steps", "8", "--samples", "2"]
    assert main(arguments) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "One network in every tool" in shown
    assert "Lava: not run" in shown
    assert main([*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["inputs"] == "spikes drawn at random: 2 samples of 8 steps"
    assert main([*arguments, "--baseline", str(tmp_path)]) == 1
    assert "leave out --baseline" in capsys.readouterr().err


def test_counts_of_a_file_are_shown_as_they_are(tmp_path: Path) -> None:
    write_nir(network(), tmp_path / "model.nir")
    counts = np.random.default_rng(1).integers(0, 6, (9, 2, 2, 4, 4))
    np.savez(tmp_path / "counts.npz", inputs=counts)
    found = deploy_file(tmp_path / "model.nir", shown=InputConfig(inputs=tmp_path / "counts.npz"))
    assert found.inputs == "counts.npz: 2 samples of 9 steps"
    assert next(layer for layer in found.quantized if layer.name == "conv").worst_current > 0
    assert any("counts of 3 bits" in reason for fit in found.fits for reason in fit.reasons)


def test_a_percentile_clips_all_layers_and_a_search_needs_a_run(tmp_path: Path) -> None:
    write_nir(network(), tmp_path / "model.nir")
    clipped = DeploymentConfig(scaling=Scaling(scale="percentile", percentile=90.0))
    found = deploy_file(tmp_path / "model.nir", config=clipped, shown=FEW)
    assert [layer.clip_percentile for layer in found.quantized] == [90.0, 90.0]
    assert all(layer.num_clipped for layer in found.quantized)
    assert any("weights were clipped" in sentence for sentence in found.warnings)
    with pytest.raises(ConfigError, match="a file has none"):
        deploy_file(tmp_path / "model.nir", config=DeploymentConfig(scaling=Scaling(scale="search")))


def test_a_network_that_resets_by_subtraction_has_rows_that_say_so(tmp_path: Path) -> None:
    save_graph(network(Neuron(leak=0.0, threshold=1.0, reset="subtract", initial_voltage=0.5)), tmp_path / "soft.json")
    found = deploy_file(tmp_path / "soft.json", shown=FEW)
    rows = {row.tool: row for row in found.parity}
    assert rows["NIR graph"].num_spikes > 0
    assert "population 'conv' resets by subtraction" in rows["fixed point"].not_run
    assert found.steps is None
    assert found.quantized == ()


def damaged(folder: Path, what: str) -> Path:
    """A NIR file as no tool should write it."""
    nodes, path = nir_from_graph(network()), folder / f"{what.replace(' ', '-')}.nir"
    names = list(nodes.nodes)
    conv = next(name for name in names if isinstance(nodes.nodes[name], nir.Conv2d))
    neuron = next(name for name in names if isinstance(nodes.nodes[name], nir.LIF))
    edges, changed = list(nodes.edges), dict(nodes.nodes)
    if what == "cycle":
        edges.append((names[-2], conv))
    elif what == "negative tau":
        changed[neuron] = nir.LIF(
            tau=-nodes.nodes[neuron].tau,
            r=nodes.nodes[neuron].r,
            v_leak=nodes.nodes[neuron].v_leak,
            v_threshold=nodes.nodes[neuron].v_threshold,
            v_reset=nodes.nodes[neuron].v_reset,
        )
    elif what == "unknown node":
        changed[neuron] = nir.CubaLI(*(np.ones((3, 4, 4)) for _ in range(4)))
    elif what == "wrong shape":
        changed[conv] = nir.Conv2d(
            input_shape=(4, 4),
            weight=np.ones((3, 5, 3, 3)),
            stride=1,
            padding=1,
            dilation=1,
            groups=1,
            bias=np.zeros(3),
        )
    graph = nir.NIRGraph(nodes=changed, edges=edges, metadata=nodes.metadata, type_check=False)
    nir.write(path, graph)
    return path


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("cycle", "form a cycle"),
        ("negative tau", "tau of node 'n02_lif' must be positive"),
        ("unknown node", "node 'n02_lif' is CubaLI"),
        ("wrong shape", "a convolution over 5 channels cannot read an input of (2, 4, 4)"),
    ],
)
def test_files_that_cannot_be_deployed_are_refused_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str, reason: str
) -> None:
    assert main(["deploy", str(damaged(tmp_path, what))]) == 1
    said = capsys.readouterr().err
    assert reason in said
    assert len(said.splitlines()) == 1


def test_a_wrong_step_a_wrong_input_and_no_file_are_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.nir"
    nodes = nir_from_graph(network())
    del nodes.metadata["dt"]
    nir.write(path, nodes)
    assert main(["deploy", str(path)]) == 1
    assert "step" in capsys.readouterr().err
    # A step longer than the time constant is no leak.
    assert main(["deploy", str(path), "--dt-s", "1.0"]) == 1
    assert "tau" in capsys.readouterr().err
    assert main(["deploy", str(path), "--dt-s", "1e-4", "--steps", "4", "--samples", "1"]) == 0
    capsys.readouterr()
    np.savez(tmp_path / "wrong.npz", inputs=np.zeros((4, 1, 2, 5, 5), dtype=np.int64))
    assert main(["deploy", str(path), "--dt-s", "1e-4", "--inputs", str(tmp_path / "wrong.npz")]) == 1
    assert "[B, 2, 4, 4]" in capsys.readouterr().err
    np.savez(tmp_path / "half.npz", inputs=np.full((4, 1, 2, 4, 4), 0.5))
    assert main(["deploy", str(path), "--dt-s", "1e-4", "--inputs", str(tmp_path / "half.npz")]) == 1
    assert "whole input counts" in capsys.readouterr().err
    assert main(["deploy", str(tmp_path / "none.nir")]) == 1
    assert "none.nir" in capsys.readouterr().err


def test_a_threshold_that_does_not_fit_lowers_the_scale_and_is_warned_of(tmp_path: Path) -> None:
    graph = network(replace(LEAKY, threshold=3000.0))
    save_graph(graph, tmp_path / "high.json")
    found = deploy_file(tmp_path / "high.json", shown=InputConfig(steps=2, samples=1))
    assert any("the threshold limits the scale" in sentence for sentence in found.warnings)
