"""A table of two tiny networks, from nothing to its page."""

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from ann_baselines.c3d import C3dConfig
from snnface.app.commands.reproduce import main
from snnface.app.recipes import Recipe
from snnface.app.reproduction import ReproduceConfig, plan, reproduce
from snnface.app.reproduction.outcome import TableOutcome
from snnface.app.reproduction.published.spiking import COSTS
from snnface.app.reproduction.table import Claim, Column, Part, Row, Table
from snnface.config import from_json
from snnface.datasets.protocols import LeaveOneSubjectOutConfig, SplitConfig
from snnface.datasets.synthetic import SyntheticFacesConfig
from snnface.errors import ConfigError, SnnfaceError
from snnface.events.window import Resolution
from snnface.models.heads import MlpHeadConfig
from snnface.representations import HistogramConfig
from snnface.spiking.encoder import ConvSnnConfig
from snnface.training.optim import TrainingConfig

SNN = Recipe(
    name="tiny-snn",
    source="nobody",
    data=SyntheticFacesConfig(
        action_units=(12, 51),
        num_identities=4,
        clips_per_action_unit=1,
        resolution=Resolution(height=16, width=16),
        render_hz=100,
        supersampling=1,
    ),
    split=LeaveOneSubjectOutConfig(validation_subjects=1),
    representation=HistogramConfig(resolution=Resolution(height=8, width=8), max_count=15),
    encoder=ConvSnnConfig(channels=(4,), features=(8, 20)),
    training=TrainingConfig(num_epochs=1, batch_size=4),
)
CNN = replace(SNN, name="tiny-c3d", encoder=C3dConfig(channels=((4,),)), head=MlpHeadConfig())
ONE_SPLIT = SplitConfig(validation_subjects=1, test_subjects=2)
RECIPES = {
    recipe.name: recipe
    for full in (SNN, CNN)
    for recipe in (full, replace(full, name=f"{full.name}-quick", split=ONE_SPLIT))
}
ROWS = (
    Row(label="SNN", published={"top1": 51.0}, recipe="tiny-snn", further="operations"),
    Row(label="3DCNN", published={"top1": 45.0}, recipe="tiny-c3d", further="operations"),
    Row(label="earlier work", published={"top1": 40.0}),
)
TABLE = Table(
    name="tiny/table1",
    title="Two tiny networks",
    source="nobody, table 1",
    data="nothing",
    parts=(
        Part(title="Accuracy", columns=(Column(metric="top1", heading="Accuracy", factor=100, unit="%"),), rows=ROWS),
        Part(
            title="On the chip",
            columns=(Column(metric="integers top1", heading="In integers", factor=100, unit="%"), *COSTS),
            rows=ROWS[:2],
        ),
    ),
    claims=(Claim(says="the SNN is better", better="SNN", worse="3DCNN", metric="top1"),),
    figures={"SNN": ("confusion_action_unit",)},
)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snnface.app.reproduction.times.TABLES", {TABLE.name: TABLE})
    monkeypatch.setattr(plan, "recipe_named", RECIPES.__getitem__)
    # Seconds for each clip, and tested where it lives.
    monkeypatch.setattr("snnface.app.referees.find_lava_python", lambda: None)
    monkeypatch.setattr("hardware.backends.netx.find_netx_python", lambda: None)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def rerun(out: Path, cache: Path, *, quick: bool = True, folds: tuple[int, ...] = ()) -> TableOutcome:
    (outcome,) = reproduce(
        [TABLE],
        out,
        config=ReproduceConfig(quick=quick, folds=folds, workers=1, device="cpu"),
        cache_dir=cache,
        command="snnface reproduce tiny/table1",
        date="2026-01-01",
        console=Console(quiet=True),
    )
    return outcome


@pytest.mark.usefixtures("tiny")
def test_a_table_is_rerun_written_and_not_trained_again(tmp_path: Path, cache: Path) -> None:
    outcome = rerun(tmp_path, cache)
    snn, cnn, quoted = outcome.rows
    assert snn.published == {"top1": 51.0}
    assert set(snn.ours) == {"top1", "integers top1", "parameters", "synops", "macs"}
    assert set(cnn.ours) == {"top1", "parameters", "macs"}
    assert snn.trivial["chance"]["top1"].value == 0.5
    assert quoted.ours == {}
    assert outcome.is_synthetic
    assert "split: Split(validation_subjects 1, test_subjects 2) here" in " ".join(snn.departs)
    assert {name: set(metrics) for name, metrics in snn.pairs.items()} == {"constant": {"top1"}, "3DCNN": {"top1"}}
    (claimed,) = (sentence for sentence in outcome.findings if sentence.startswith("The paper: the SNN is better."))
    assert "difference over the same people" in claimed
    folder = tmp_path / "tiny/table1"
    assert from_json(TableOutcome, (folder / "table.json").read_text()) == outcome
    assert "| SNN | 51.000 |" in (folder / "table.md").read_text()
    assert "SNN: confusion action unit." in (folder / "table.html").read_text()
    assert (tmp_path / "times.md").read_text().splitlines()[-1].startswith("| together | 2 |")
    weights = sorted((tmp_path / "runs").glob("*/fold-00/model.safetensors"))
    assert len(weights) == 2
    before = [path.stat().st_mtime_ns for path in weights]
    assert rerun(tmp_path, cache) == outcome
    assert [path.stat().st_mtime_ns for path in weights] == before


@pytest.mark.usefixtures("tiny")
def test_folds_that_are_asked_for_are_run_and_counted(tmp_path: Path, cache: Path) -> None:
    alone = rerun(tmp_path, cache, folds=(1,))
    snn = alone.row("SNN")
    assert snn.ours["top1"].interval is None
    assert snn.notes[-1] == "one person was tested: there are no intervals, for nothing tells how others differ."
    assert "there are no intervals, so this is not settled" in alone.findings[0]
    outcome = rerun(tmp_path, cache, folds=(1, 3))
    record = outcome.runs[outcome.row("SNN").run]
    assert (record.folds, record.num_folds, record.num_subjects) == ((1, 3), 4, 2)
    snn = outcome.row("SNN")
    assert "2 of 4 folds were run." in snn.departs
    assert "SNN, fold 1: confusion action unit." in (tmp_path / "tiny/table1/table.html").read_text()
    # Costs are means over the folds' networks; what the integers answer is counted over all clips, as the rest is.
    other = rerun(tmp_path, cache, folds=(3,)).row("SNN")
    single = [row.ours["synops"].value for row in (alone.row("SNN"), other)]
    assert single[0] != single[1]
    assert snn.ours["synops"].value == pytest.approx(sum(single) / 2)
    assert "operations: costs are means over the networks of 2 folds." in snn.notes
    on_chip = [row.ours["integers top1"] for row in (alone.row("SNN"), other, snn)]
    assert [one.interval is None for one in on_chip] == [True, True, False]
    assert on_chip[2].value == pytest.approx((on_chip[0].value + on_chip[1].value) / 2)


@pytest.mark.usefixtures("tiny")
def test_a_run_that_cannot_be_is_named_and_the_others_are_kept(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = replace(RECIPES["tiny-c3d-quick"], training=replace(CNN.training, learning_rate=1e30, num_epochs=3))
    monkeypatch.setitem(RECIPES, "tiny-c3d-quick", broken)
    with pytest.raises(SnnfaceError, match=r"1 of 2 jobs failed.*\n.*tiny-c3d-quick-"):
        rerun(tmp_path, cache)
    assert len(list((tmp_path / "runs").glob("tiny-snn-quick-*/record-all.json"))) == 1


def test_without_a_table_the_tables_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    listed = capsys.readouterr().out
    assert "micro-expression/table5" in listed
    assert "spiking/summary" in listed


def test_an_unknown_table_is_refused_with_its_neighbours() -> None:
    with pytest.raises(ConfigError, match=r"unknown table 'micro-expression/tabel5'\. Did you mean"):
        main(["micro-expression/tabel5"])
