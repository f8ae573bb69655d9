"""Trained networks of every task on real recordings: the same spikes in every tool that reads them."""

import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from bar_pictures import bar_pictures, trained_ann
from torch import nn

from conversion.convert import ConvertConfig, convert
from conversion.from_snn import graph_from_model
from conversion.graph import SpikingGraph
from conversion.nir_export import write_nir
from conversion.nir_import import read_nir
from conversion.quantize import QuantizeConfig, quantize
from conversion.runners.graph_runner import GraphRunner
from conversion.runners.run import Run
from hardware.backends.base import RunResult
from hardware.backends.lava import LavaBackend, find_lava_python
from hardware.target import LOIHI2
from snnface.app.parity_runner import ModelRunner
from snnface.app.parity_table import ParityRow, parity_rows
from snnface.app.prepared_network import Prepared
from snnface.app.pretrained import PRETRAINED
from snnface.app.referees import NotRun, RefereeRun, fixed_point_run
from snnface.app.run import load_run
from snnface.events import Resolution, TimeWindow, open_events
from snnface.models import EveryStep, FaceModel, MeanOverTime, MlpHead, MlpHeadConfig, VotingHead, VotingHeadConfig
from snnface.recording import Recording
from snnface.representations import HistogramConfig
from snnface.representations.histogram import PolarityHistogram
from snnface.spiking import ConvSnn, ConvSnnConfig

pytestmark = [pytest.mark.data, pytest.mark.slow]

RECORDING = "gen31_640x480_evt3_triggers.raw"
NUM_STEPS, PEAK = 12, 7


@dataclass(frozen=True)
class Case:
    prepared: Prepared
    trained: Run
    counts: np.ndarray
    nir_path: Path


def real_counts(folder: Path, size: int) -> np.ndarray:
    """Two windows of a real recording as counts, int64 [T, 2, 2, size, size]."""
    pictures = PolarityHistogram(
        HistogramConfig(step_ms=4.0, resolution=Resolution(height=size, width=size), max_count=PEAK)
    )
    window_us = NUM_STEPS * 4000
    shown: list[np.ndarray] = []
    for events in open_events(folder / RECORDING).slices(window_us):
        if len(events) > 100:
            start = int(events.t_us[0])
            recording = Recording(recording_id="real", subject="unknown", events=events)
            shown.append(pictures(recording, TimeWindow(start, start + window_us)))
        if len(shown) == 2:
            break
    counts = np.stack(shown, axis=1).astype(np.int64)
    assert (counts > 0).mean() > 0.01
    return counts


def spiking(temporal: nn.Module, **heads: nn.Module) -> FaceModel:
    torch.manual_seed(1)
    encoder = ConvSnn(
        ConvSnnConfig(channels=(6, 8), features=(24, 12)), in_channels=2, resolution=Resolution(height=16, width=16)
    )
    return FaceModel(encoder, temporal, heads)


def linear(num_outputs: int) -> MlpHead:
    return MlpHead(MlpHeadConfig(), num_features=12, num_outputs=num_outputs)


def trained_on(model: FaceModel, counts: np.ndarray) -> FaceModel:
    """A few steps towards answers drawn at random: weights and batch norms that are no longer those of the start."""
    inputs, optimizer = torch.from_numpy(counts).float(), torch.optim.Adam(model.parameters(), lr=1e-2)
    model.train()
    for _ in range(12):
        answers = model(inputs)
        rates = torch.cat([answer.flatten() for answer in answers.values()])
        loss = ((rates - torch.linspace(0.2, 0.8, len(rates))) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def case_of(graph: SpikingGraph, trained: Run, counts: np.ndarray, nir_path: Path) -> Case:
    write_nir(graph, nir_path)
    again = read_nir(nir_path)
    quantized = quantize(again, QuantizeConfig(input_bits=3, peak_input=PEAK))
    return Case(Prepared(again, quantized, LOIHI2), trained, counts, nir_path)


def of_model(model: nn.Module, head: str, counts: np.ndarray, nir_path: Path) -> Case:
    twin = copy.deepcopy(model).double().eval()
    graph = graph_from_model(twin, head=head)
    return case_of(graph, ModelRunner(twin, graph.input_shape, head).run(counts), counts, nir_path)


def converted(counts: np.ndarray, nir_path: Path) -> Case:
    pictures, labels = bar_pictures(192, 3)
    config = ConvertConfig(steps=8, epochs=1, neuron="hard", method="steps")
    graph = convert(trained_ann(), pictures, config, training=pictures, training_labels=labels).graph
    # One channel: events of either polarity.
    both = counts.sum(axis=2, keepdims=True).clip(0, PEAK)
    return case_of(graph, GraphRunner(graph).run(both), both, nir_path)


@pytest.fixture(scope="module")
def tables(shared_events: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, ParityRow]]:
    folder = tmp_path_factory.mktemp("nir")
    small = real_counts(shared_events, 16)
    va = trained_on(spiking(EveryStep(), valence_arousal=linear(2)), small)
    heads = {"action_unit": VotingHead(VotingHeadConfig(), num_features=12, num_outputs=3), "face_shape": linear(4)}
    multi = trained_on(spiking(MeanOverTime(), **heads), small)
    _, units = load_run(PRETRAINED)
    cases = {
        "action units": of_model(units, "action_unit", real_counts(shared_events, 32), folder / "au.nir"),
        "valence and arousal": of_model(va, "valence_arousal", small, folder / "va.nir"),
        "multi-task": of_model(multi, "action_unit", small, folder / "multi.nir"),
        "converted": converted(real_counts(shared_events, 12), folder / "converted.nir"),
    }
    lava = _in_lava(cases)
    return {name: _rows(case, lava[name]) for name, case in cases.items()}


def _in_lava(cases: dict[str, Case]) -> dict[str, RunResult | NotRun]:
    """All networks in one start: Lava takes seconds for it."""
    if find_lava_python() is None:
        return dict.fromkeys(cases, NotRun("Lava's environment is not installed (make lava)"))
    backend = LavaBackend()
    pairs = [(backend.compile(c.prepared.quantized.graph, LOIHI2), c.counts[:, :1]) for c in cases.values()]
    return dict(zip(cases, backend.run_many(pairs), strict=True))


def _rows(case: Case, lava: RunResult | NotRun) -> dict[str, ParityRow]:
    few = fixed_point_run(case.prepared, case.counts[:, :1])
    rows = parity_rows(
        case.prepared.graph,
        case.counts,
        nir_path=case.nir_path,
        trained=case.trained,
        fixed=fixed_point_run(case.prepared, case.counts),
        referees=(RefereeRun(tool="Lava", fixed=few, ran=lava),),
    )
    return {row.tool: row for row in rows}


NETWORKS = ("action units", "valence and arousal", "multi-task", "converted")


@pytest.mark.parametrize("name", NETWORKS)
def test_the_file_gives_the_spikes_of_the_trained_network(tables: dict[str, dict[str, ParityRow]], name: str) -> None:
    trained, graph, fixed = (tables[name][tool] for tool in ("trained network", "NIR graph", "fixed point"))
    assert trained.num_spikes > 200
    assert graph.num_differing == 0
    assert graph.answer_difference == pytest.approx(0, abs=1e-9)
    # The one lossy step loses spikes, not the network.
    assert fixed.num_spikes == pytest.approx(trained.num_spikes, rel=0.1)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("tool", ["snntorch", "norse"])
def test_other_tools_read_the_same_spikes_or_are_known_not_to(
    tables: dict[str, dict[str, ParityRow]], name: str, tool: str
) -> None:
    row = tables[name][f"NIR in {tool}"]
    if row.not_run:
        pytest.skip(row.not_run)
    # float32 against float64: a voltage that is the threshold but for rounding may fall on either side.
    assert row.notes or row.num_differing <= row.num_spikes / 1000


@pytest.mark.lava
@pytest.mark.parametrize("name", NETWORKS)
def test_lava_gives_the_spikes_and_states_of_the_simulator(tables: dict[str, dict[str, ParityRow]], name: str) -> None:
    row = tables[name]["Lava"]
    if row.not_run:
        pytest.skip(row.not_run)
    assert row.num_spikes > 50
    assert (row.num_differing, row.num_differing_states) == (0, 0)
