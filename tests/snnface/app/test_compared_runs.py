"""Run folders as rows of a comparison, and the command that writes it."""

import dataclasses
import json
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import torch
from report_examples import full_report
from safetensors.torch import save_file

from conversion.quantisation_report import QuantisationReport
from hardware.report.sources import GROUP, open_report_source
from snnface.app.cli import main
from snnface.app.compared_runs import compared_run, open_reported_run
from snnface.app.deployment import Deployment
from snnface.app.evaluation import TestResult
from snnface.app.recipes import recipe_named
from snnface.app.reporting import read_deployment
from snnface.app.run import weights_hash
from snnface.config import to_json
from snnface.errors import CheckpointError
from snnface.tasks.scoring import Measure


def deployment(weights: str) -> Deployment:
    report = full_report()
    assert report.operations is not None
    return Deployment(
        weights=weights,
        target="loihi2",
        head="action_unit",
        num_clips=12,
        agreement=report.agreement,
        parity=(),
        quantized=report.quantisation,
        steps=QuantisationReport(num_samples=2, steps=(), head_room=()),
        fixed_point_scores={"top1": Measure(0.5, (0.25, 0.75))},
        num_folds=0,
        num_saturations=0,
        operations=report.operations,
        baseline=report.ann,
        energy=report.energy,
        fits=report.chip_fits,
        warnings=(),
        fixed_point_seconds=0.1,
    )


Maker = Callable[..., Path]


@pytest.fixture
def make_run(tmp_path: Path) -> Maker:
    """A run folder as training, deploying and evaluating leave it; only the numbers are made up."""

    def make(name: str, *, subjects: int = 6, parts: tuple[str, ...] = ("deployment", "evaluation")) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        recipe = recipe_named("demo-plif")
        recipe = dataclasses.replace(recipe, split=dataclasses.replace(recipe.split, test_subjects=subjects))
        (folder / "recipe.json").write_text(to_json(recipe))
        save_file({"w": torch.zeros(1)}, folder / "model.safetensors")
        weights = weights_hash(folder)
        result = TestResult(
            weights=weights,
            num_clips=12,
            num_subjects=6,
            clip_ids=("a",) * 12,
            scores={"model": {"top1": Measure(0.625, (0.5, 0.75)), "top5": Measure(1.0)}},
            subjects=("s",) * 12,
        )
        files = {"deployment": to_json(deployment(weights)), "evaluation": to_json(result)}
        for part in parts:
            (folder / f"{part}.json").write_text(files[part])
        return folder

    return make


def test_a_row_is_read_from_the_files_of_a_run(make_run: Maker) -> None:
    folder = make_run("one")
    row = compared_run(folder)
    assert row.name == folder.as_posix()
    assert (row.is_synthetic, row.num_clips, row.target) == (True, 12, "loihi2")
    assert "test_subjects: 6" in row.split
    (score,) = row.scores
    assert (score.metric, score.value, score.interval) == ("top1", 0.625, (0.5, 0.75))
    assert (score.on_chip, score.on_chip_interval) == (0.5, (0.25, 0.75))
    assert row.operations == full_report().operations
    assert open_reported_run(folder).compared == row


def test_the_command_compares_runs_in_the_order_given(make_run: Maker, tmp_path: Path) -> None:
    later, first = make_run("later"), make_run("first", subjects=5)
    page = tmp_path / "page.md"
    assert main(["report", str(later), str(first), "--out", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert text.index("| later | top1") < text.index("| first | top1")
    assert "first was judged on another split" in text
    values = json.loads((tmp_path / "page.json").read_text(encoding="utf-8"))
    assert [run["name"] for run in values["runs"]] == ["later", "first"]


def test_runs_that_are_not_ready_are_named(make_run: Maker, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bare = make_run("bare", parts=())
    with pytest.raises(CheckpointError, match=r"holds no deployment\.json; run `snnface deploy"):
        compared_run(bare)
    with pytest.raises(CheckpointError, match="has not been evaluated; run `snnface evaluate"):
        compared_run(make_run("unjudged", parts=("deployment",)))
    ready = make_run("ready")
    assert main(["report", str(ready), str(ready)]) == 1
    assert "two or more runs of different names" in capsys.readouterr().err
    assert main(["report", str(ready), str(bare), "--baseline", str(ready)]) == 1
    assert "a comparison of runs shows no --baseline" in capsys.readouterr().err


def test_a_deployment_of_another_version_is_named(make_run: Maker) -> None:
    folder = make_run("old")
    values = json.loads((folder / "deployment.json").read_text())
    del values["operations"]["kappa"]
    (folder / "deployment.json").write_text(json.dumps(values))
    with pytest.raises(
        CheckpointError, match=r"another version of snnface or is damaged .*kappa.* Run `snnface deploy"
    ):
        read_deployment(folder)


def test_the_package_offers_its_run_folders_to_hardware(make_run: Maker) -> None:
    if not entry_points(group=GROUP):
        pytest.skip("the project was installed before it had this entry point; install it again")
    folder = make_run("one")
    assert open_report_source(folder).compared == compared_run(folder)
