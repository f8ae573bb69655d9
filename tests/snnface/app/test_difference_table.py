"""A model beside trivial predictors on the same people; the run folders are made by hand."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from snnface.app.difference_table import print_differences
from snnface.app.evaluation import TestResult
from snnface.app.judged_run import apart_from_trivial, judgement_of, unseen_predictors
from snnface.app.recipes import Recipe, recipe_named
from snnface.config import to_json
from snnface.errors import CheckpointError
from snnface.files import write_text
from snnface.metrics import picture_sums
from snnface.metrics.image import picture_metrics
from snnface.tasks.scoring import Measure

RECIPE = replace(recipe_named("reconstruction-plif"), name="pictures")
BLIND = replace(recipe_named("micro-expression-cvae-davis-quick"), task=RECIPE.task)
TRUTH = torch.linspace(0.2, 0.8, 256).reshape(1, 1, 16, 16)

# Brightness is missed by so much, of each person.
ERRORS = {"model": [0.01, 0.02, 0.03], "mean": [0.05, 0.06, 0.07], "reference": [0.02, 0.01, 0.03]}


def left(folder: Path, errors: dict[str, list[float]], subjects: str) -> dict[str, dict[str, Measure]]:
    """A run folder with a clip of each subject; returns its scores."""
    folder.mkdir(parents=True)
    sums = {
        name: torch.cat([picture_sums(TRUTH + error, TRUTH) for error in missed]) for name, missed in errors.items()
    }
    save_file({f"{name}/0": rows for name, rows in sums.items()}, folder / "statistics.safetensors")
    scores = {
        name: {metric: Measure(float(value)) for metric, value in picture_metrics(rows.sum(0)).items()}
        for name, rows in sums.items()
    }
    result = TestResult(
        weights="w",
        num_clips=len(subjects),
        num_subjects=len(set(subjects)),
        clip_ids=tuple(f"clip{index}" for index in range(len(subjects))),
        scores=scores,
        subjects=tuple(subjects),
    )
    write_text(folder / "evaluation.json", to_json(result))
    return scores


def printed(
    recipe: Recipe, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, people: str
) -> str:
    monkeypatch.setenv("COLUMNS", "160")
    print_differences(recipe, [folder], left(folder, ERRORS, people))
    return capsys.readouterr().out


def test_a_model_is_paired_with_every_trivial_predictor(tmp_path: Path) -> None:
    left(tmp_path / "run", ERRORS, "abc")
    judged = judgement_of(RECIPE, [tmp_path / "run"])
    assert next(iter(judged)) == "model"
    found = apart_from_trivial(RECIPE, judged)
    assert set(found) == {"mean", "reference"}
    # The mean answer misses everybody by 0.04 more: so much more is its mean absolute error, whoever is drawn.
    assert found["mean"]["mae"] == pytest.approx((-0.04, -0.04), abs=1e-6)
    # The reference is better for one, worse for another and as good for the third.
    low, high = found["reference"]["mae"]
    assert low == pytest.approx(-0.01, abs=1e-6)
    assert high == pytest.approx(0.01, abs=1e-6)


def test_folds_are_judged_together(tmp_path: Path) -> None:
    whole = left(tmp_path / "whole", ERRORS, "abc")
    for place, people in ((slice(0, 2), "ab"), (slice(2, 3), "c")):
        left(tmp_path / people, {name: missed[place] for name, missed in ERRORS.items()}, people)
    parts = judgement_of(RECIPE, [tmp_path / "ab", tmp_path / "c"])
    assert apart_from_trivial(RECIPE, parts) == apart_from_trivial(RECIPE, judgement_of(RECIPE, [tmp_path / "whole"]))
    (of_model,) = parts["model"]
    assert float(of_model.metrics(of_model.statistics.sum(0))["mae"]) == pytest.approx(whole["model"]["mae"].value)


def test_the_table_marks_differences_that_leave_out_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = printed(RECIPE, tmp_path / "run", capsys, monkeypatch, "abc")
    assert "minus trivial answers to the same subjects (95 %; *: 0 lies outside)" in shown
    (row,) = [line for line in shown.splitlines() if " mae " in line]
    _, _, of_mean, of_reference, _ = row.split("│")
    assert of_mean.strip() == "-0.040 (-0.040 .. -0.040) *"
    assert of_reference.strip() == "+0.000 (-0.010 .. +0.010)"
    assert "is no measure" not in shown


def test_what_the_model_is_never_shown_is_named_and_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (unseen_predictors(BLIND), unseen_predictors(RECIPE)) == (("reference",), ())
    assert unseen_predictors(recipe_named("reconstruction-cvae")) == ()
    shown = printed(BLIND, tmp_path / "run", capsys, monkeypatch, "abc")
    assert "the reference picture is no measure of a model that is never shown it" in shown
    (row,) = [line for line in shown.splitlines() if " mae " in line]
    assert len(row.split("│")) == 4


def test_of_one_subject_no_difference_is_sure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = printed(RECIPE, tmp_path / "run", capsys, monkeypatch, "aaa")
    assert shown == "one subject was tested: there are no intervals, for nothing tells how others differ\n"


def test_a_run_that_was_not_evaluated_is_named(tmp_path: Path) -> None:
    left(tmp_path / "run", ERRORS, "abc")
    (tmp_path / "run" / "statistics.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"holds no statistics.safetensors"):
        judgement_of(RECIPE, [tmp_path / "run"])
