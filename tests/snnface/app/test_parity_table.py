"""The parity table: what each row says of tools that agree, that differ, and that are not there."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conversion.graph import INPUT, Connection, LinearSynapse, Neuron, Population, Readout, SpikingGraph
from conversion.nir_export import write_nir
from conversion.quantize import QuantizeConfig, quantize
from conversion.runners.graph_runner import GraphRunner
from hardware.backends.base import RunResult
from hardware.target import LOIHI2
from snnface.app.parity_table import ParityRow, parity_rows
from snnface.app.prepared_network import Prepared
from snnface.app.referees import NotRun, RefereeRun, fixed_point_run


def network(*, is_soft: bool = False) -> SpikingGraph:
    generator = np.random.default_rng(2)
    neuron = Neuron(leak=0.0, threshold=1.0, reset="subtract" if is_soft else "zero")
    # Weights and thresholds on the chip's grid, so that rounding changes nothing.
    first, second = (2 * generator.integers(-60, 64, shape) / 128 for shape in ((6, 8), (4, 6)))
    populations = (
        Population("first", (6,), neuron, (Connection(INPUT, LinearSynapse(first)),)),
        Population("second", (4,), neuron, (Connection("first", LinearSynapse(second)),)),
    )
    return SpikingGraph((8,), populations, Readout("second", np.eye(4), np.zeros(4)))


@pytest.fixture
def counts() -> np.ndarray:
    return (np.random.default_rng(1).random((20, 4, 8)) < 0.4).astype(np.int64)


@pytest.fixture
def prepared() -> Prepared:
    graph = network()
    return Prepared(graph, quantize(graph, QuantizeConfig(input_bits=1)), LOIHI2)


def rows_of(
    prepared: Prepared, counts: np.ndarray, folder: Path, *, referee: RunResult | NotRun | None = None
) -> dict[str, ParityRow]:
    write_nir(prepared.graph, folder / "model.nir")
    fixed = fixed_point_run(prepared, counts)
    few = fixed_point_run(prepared, counts[:, :2])

    def score(answers: np.ndarray) -> Mapping[str, float]:
        return {"clips": float(answers.shape[-2])}

    rows = parity_rows(
        prepared.graph,
        counts,
        nir_path=folder / "model.nir",
        trained=GraphRunner(prepared.graph).run(counts),
        fixed=fixed,
        referees=(RefereeRun(tool="Lava", fixed=few, ran=referee or few, note="a note"),),
        score=score,
    )
    return {row.tool: row for row in rows}


def test_tools_that_agree_have_a_row_each_with_nothing_differing(prepared, counts, tmp_path):
    rows = rows_of(prepared, counts, tmp_path)
    assert list(rows) == ["trained network", "NIR graph", "NIR in snntorch", "NIR in norse", "fixed point", "Lava"]
    first = rows["trained network"]
    assert first.num_spikes > 50
    assert (first.against, first.num_differing) == ("", None)
    for name in ("NIR graph", "fixed point"):
        row = rows[name]
        assert (row.num_clips, row.num_spikes, row.num_differing) == (4, first.num_spikes, 0), name
        assert row.answer_difference == pytest.approx(0, abs=1e-6)
        assert row.metrics == {"clips": 4.0}
    assert rows["NIR graph"].against == "trained network"
    assert [row.tool for row in rows.values() if not row.is_exact] == ["fixed point"]
    lava = rows["Lava"]
    assert (lava.num_clips, lava.num_differing, lava.num_differing_states) == (2, 0, 0)
    assert lava.metrics == {"clips": 2.0}
    assert lava.notes == ("a note",)
    assert lava.against == "fixed point, as noted"
    assert all(row.is_identical for row in rows.values() if not row.not_run and "NIR in" not in row.tool)


def test_norse_reads_the_file_as_the_graph_says(prepared, counts, tmp_path):
    row = rows_of(prepared, counts, tmp_path)["NIR in norse"]
    if "not installed" in row.not_run:
        pytest.skip(row.not_run)
    assert (row.numbers, row.against, row.num_differing) == ("float32", "NIR graph", 0)
    assert row.num_spikes > 50


def test_a_peer_that_refuses_the_file_says_so_in_its_row(prepared, counts, tmp_path):
    row = rows_of(prepared, counts, tmp_path)["NIR in snntorch"]
    if "not installed" in row.not_run:
        pytest.skip(row.not_run)
    # snntorch 1.0.0 has no integrator without leak.
    assert "snntorch 1.0.0 does not run this file: r != 1 not supported" in row.not_run
    assert (row.against, row.num_differing) == ("NIR graph", None)


def test_a_spike_or_a_state_that_differs_is_counted_in_the_row_of_the_tool(prepared, counts, tmp_path):
    few = fixed_point_run(prepared, counts[:, :2])
    spikes = {name: train.copy() for name, train in few.spikes.items()}
    spikes["second"][3, 1, 2] ^= 1
    voltage = {name: state.copy() for name, state in few.voltage.items()}
    voltage["first"][0, :3] += 1
    row = rows_of(prepared, counts, tmp_path, referee=replace(few, spikes=spikes, voltage=voltage))["Lava"]
    assert (row.num_differing, row.num_differing_states) == (1, 3)
    assert not row.is_identical


def test_what_was_not_run_says_why(prepared, counts, tmp_path):
    row = rows_of(prepared, counts, tmp_path, referee=NotRun("its environment is not there"))["Lava"]
    assert row.not_run == "its environment is not there"
    assert (row.num_clips, row.num_differing, row.metrics) == (0, None, {})
    assert not row.is_identical


def test_a_network_without_a_form_in_integers_still_has_its_rows(counts, tmp_path):
    graph = network(is_soft=True)
    write_nir(graph, tmp_path / "soft.nir")
    rows = parity_rows(
        graph, counts, nir_path=tmp_path / "soft.nir", trained=None, fixed=NotRun("resets by subtraction"), referees=()
    )
    assert rows[0].tool == "NIR graph"
    assert rows[0].num_spikes > 0
    assert rows[-1].not_run == "resets by subtraction"
    assert all(not row.metrics for row in rows)
