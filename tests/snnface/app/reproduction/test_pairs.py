"""Rows set beside each other by what their runs left of every test clip; the folders are made by hand."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from snnface.app.evaluation import TestResult
from snnface.app.recipes import Recipe, recipe_named
from snnface.app.reproduction.further import CONVERSION_STATISTICS
from snnface.app.reproduction.pairs import row_pairs
from snnface.app.reproduction.plan import PlannedRun
from snnface.app.reproduction.record import RunRecord
from snnface.app.reproduction.table import Claim, Column, Part, Row, Table
from snnface.config import to_json
from snnface.files import write_text
from snnface.metrics import moments
from snnface.tasks.scoring import Measure

RMSE = Column(metric="rmse_valence", heading="RMSE", better="lower")
ROWS = (Row(label="one", recipe="one"), Row(label="two", recipe="two"), Row(label="quoted"))
TABLE = Table(
    name="paper/table1",
    title="A table",
    source="nobody",
    data="nothing",
    parts=(Part(title="RMSE", columns=(RMSE,), rows=ROWS),),
    claims=(
        Claim(says="one is better", better="one", worse="two", metric="rmse_valence"),
        Claim(says="one beats the others", better="one", worse="quoted", metric="rmse_valence"),
    ),
)
RECORD = RunRecord(
    recipe="one",
    data="faces",
    is_synthetic=True,
    selection="validation",
    num_folds=2,
    folds=(0, 1),
    num_clips=4,
    num_subjects=4,
    num_parameters=1,
    num_epochs=1,
    device="cpu",
    precision="32-true",
    seconds=1.0,
)
LABELS = torch.tensor([[0.5, 0.1], [-0.5, 0.3], [0.8, 0.2]])


def statistics(error: float) -> torch.Tensor:
    """Of a clip that is answered wrong by `error` in every step and dimension."""
    return moments(LABELS + error, LABELS, torch.ones(3, dtype=torch.bool)).flatten()


def planned(name: str) -> PlannedRun:
    recipe: Recipe = replace(recipe_named("valence-arousal-plif"), name=name)
    return PlannedRun(recipe=recipe, paper=recipe, folds=None)


def leave(run: PlannedRun, folder: Path, errors: dict[str, list[float]], subjects: str = "abcd") -> None:
    """Two folds of two clips, each of a subject of its own."""
    for fold in range(2):
        place = folder / run.folder_name / f"fold-{fold:02d}"
        place.mkdir(parents=True)
        part = slice(2 * fold, 2 * fold + 2)
        rows = {
            f"{name}/0": torch.stack([statistics(error) for error in values[part]]) for name, values in errors.items()
        }
        save_file(rows, place / "statistics.safetensors")
        result = TestResult(
            weights="w",
            num_clips=2,
            num_subjects=2,
            clip_ids=tuple(subjects[part]),
            scores={"model": {"rmse_valence": Measure(0.1)}},
            subjects=tuple(subjects[part]),
        )
        write_text(place / "evaluation.json", to_json(result))


ONE = {"model": [0.1, 0.2, 0.3, 0.4], "mean": [0.3, 0.2, 0.5, 0.4]}
TWO = {"model": [0.2, 0.3, 0.4, 0.5], "mean": [0.3, 0.2, 0.5, 0.4]}


def pairs(folder: Path, *, data: str = "faces", subjects: str = "abcd") -> dict[str, tuple[float, float]]:
    """What row "one" is compared with -> interval of the difference."""
    runs = {"one": planned("one"), "two": planned("two")}
    leave(runs["one"], folder, ONE)
    leave(runs["two"], folder, TWO, subjects)
    records = {runs["one"].folder_name: RECORD, runs["two"].folder_name: replace(RECORD, data=data)}
    found = row_pairs(TABLE, runs, records, folder)
    assert set(found) == {"one", "two"}
    assert set(found["two"]) == {"mean"}
    return {name: metrics["rmse_valence"] for name, metrics in found["one"].items() if metrics}


def test_a_row_is_paired_with_its_trivial_predictors_and_the_row_it_is_claimed_to_beat(tmp_path: Path) -> None:
    found = pairs(tmp_path)
    assert set(found) == {"mean", "two"}
    # "two" is worse by 0.1 at everybody: the difference of root mean squares is nearly that, whoever is drawn.
    low, high = found["two"]
    assert -0.1 - 1e-9 <= low < high < -0.08
    # Drawn people are b and d alone in one of 16 draws: there the mean answer is as good.
    assert found["mean"][0] < -0.1
    assert found["mean"][1] == pytest.approx(0.0, abs=1e-9)


def test_rows_of_other_data_have_no_pairs(tmp_path: Path) -> None:
    assert set(pairs(tmp_path, data="other faces")) == {"mean"}


def test_rows_of_other_people_have_no_pairs(tmp_path: Path) -> None:
    assert set(pairs(tmp_path, subjects="abce")) == {"mean"}


def test_a_converted_row_is_paired_by_what_the_converted_network_answered(tmp_path: Path) -> None:
    run = planned("one")
    leave(run, tmp_path, ONE)
    # The same run beside itself, converted: wrong by 0.1 more at everybody.
    worse = [error + 0.1 for error in ONE["model"]]
    for fold in range(2):
        part = worse[2 * fold : 2 * fold + 2]
        place = tmp_path / run.folder_name / f"fold-{fold:02d}"
        save_file({"model/0": torch.stack([statistics(error) for error in part])}, place / CONVERSION_STATISTICS)
    rows = (ROWS[0], replace(ROWS[1], further="conversion"))
    table = replace(TABLE, parts=(replace(TABLE.parts[0], rows=rows),), claims=TABLE.claims[:1])
    found = row_pairs(table, {"one": run, "two": run}, {run.folder_name: RECORD}, tmp_path)
    low, high = found["one"]["two"]["rmse_valence"]
    assert -0.1 - 1e-9 <= low < high < -0.08
    assert found["one"]["mean"] != found["two"]["mean"]
