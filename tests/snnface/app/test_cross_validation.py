"""Cross-validation: folds as runs of their own, scores per fold and pooled. Two epochs on a few synthetic people."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pytest
import torch
from distributed.protocol.pickle import dumps, loads
from rich.console import Console
from threadpoolctl import threadpool_limits

from snnface.app import cross_validation
from snnface.app.commands import cross_validate as command
from snnface.app.cross_validation import CrossValidation, cross_validate, fold_folder
from snnface.app.evaluation import TestResult, evaluate_run, read_answers, read_statistics
from snnface.app.experiment import Experiment, open_experiment
from snnface.app.recipes import Recipe
from snnface.app.run import train_run
from snnface.app.tables import print_cross_validation
from snnface.config import from_json, to_json
from snnface.datasets.clip import Clip
from snnface.datasets.protocols import LeaveOneSubjectOutConfig, SplitConfig, SubjectFoldsConfig, with_fold
from snnface.datasets.splits import Split
from snnface.datasets.synthetic import SyntheticFaces, SyntheticFacesConfig
from snnface.errors import ConfigError, DataError, SnnfaceError
from snnface.events.window import Resolution
from snnface.files import read_text
from snnface.jobs import Job, JobsOutcome, run_jobs
from snnface.representations import HistogramConfig
from snnface.spiking import ConvSnnConfig
from snnface.training import EpochResult, TrainingConfig, TrainingState
from snnface.training.tracking import CheckpointWriter

SMALL = Resolution(height=16, width=16)
RECIPE = Recipe(
    name="folds",
    source="none",
    data=SyntheticFacesConfig(
        action_units=(2, 12), num_identities=6, clips_per_action_unit=1, resolution=SMALL, render_hz=200
    ),
    split=SubjectFoldsConfig(num_folds=3, validation_subjects=1),
    representation=HistogramConfig(resolution=SMALL),
    encoder=ConvSnnConfig(channels=(4,), features=(10,)),
    training=TrainingConfig(num_epochs=2, batch_size=4, learning_rate=1e-2),
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs") / "folds"


@pytest.fixture(scope="module")
def result(out: Path, cache: Path) -> CrossValidation:
    heard: list[tuple[int, int]] = []
    found = cross_validate(
        RECIPE, out, cache_dir=cache, num_workers=1, on_progress=lambda done, total: heard.append((done, total))
    )
    assert heard == [(0, 3), (1, 3), (2, 3), (3, 3)]
    return found


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def test_every_subject_is_tested_once(result: CrossValidation, cache: Path) -> None:
    everyone = {clip.subject for clip in SyntheticFaces(SyntheticFacesConfig(num_identities=6), None).clips}
    assert sorted(subject for fold in result.folds for subject in fold.subjects) == sorted(everyone)
    assert (result.num_folds, result.num_clips, result.num_subjects) == (3, 12, 6)


def test_a_fold_is_the_run_that_it_would_be_alone(
    result: CrossValidation, out: Path, cache: Path, tmp_path: Path
) -> None:
    recipe = replace(RECIPE, split=with_fold(RECIPE.split, 1))
    experiment, console = open_experiment(recipe, cache_dir=cache, console=Console(quiet=True)), Console(quiet=True)
    # One thread, as jobs have: sums of torch's own layers may be cut otherwise by two.
    with threadpool_limits(1):
        model = train_run(experiment, tmp_path / "alone", console=console)
        alone = evaluate_run(experiment, model, tmp_path / "alone")
    assert weights(tmp_path / "alone") == weights(fold_folder(out, 1))
    assert alone == from_json(TestResult, read_text(fold_folder(out, 1) / "evaluation.json"))
    assert set(result.folds[1].subjects) == set(alone.subjects)
    assert result.folds[1].scores["model"]["top1"] == alone.model["top1"].value


def test_pooled_scores_are_those_of_all_test_clips_together(result: CrossValidation, out: Path, cache: Path) -> None:
    dataset = SyntheticFaces(RECIPE.data, cache)  # type: ignore[arg-type]
    labels = {clip.clip_id: int(clip.labels["action_unit"]) for clip in dataset.clips}
    right = []
    for fold in range(3):
        ids = from_json(TestResult, read_text(fold_folder(out, fold) / "evaluation.json")).clip_ids
        answers = read_answers(fold_folder(out, fold))["action_unit"].argmax(1).tolist()
        right += [labels[name] == answer for name, answer in zip(ids, answers, strict=True)]
    assert len(right) == 12
    assert result.pooled["model"]["top1"].value == pytest.approx(mean(right))
    interval = result.pooled["model"]["top1"].interval
    assert interval is not None
    assert interval[0] <= mean(right) <= interval[1]
    assert list(result.pooled) == ["model", "constant", "chance"]
    assert result.pooled["chance"]["top1"].value == 0.5
    recall = [found.recall for found in result.classes["action_unit"].values()]
    assert result.pooled["model"]["macro_recall"].value == pytest.approx(mean(part or 0.0 for part in recall))


def test_the_spread_is_over_folds(result: CrossValidation) -> None:
    for name in ("model", "constant"):
        values = [fold.scores[name]["macro_f1"] for fold in result.folds]
        assert result.spread[name]["macro_f1"].mean == pytest.approx(mean(values))
        assert result.spread[name]["macro_f1"].sd == pytest.approx(stdev(values))


def test_a_result_is_kept_and_finished_folds_are_not_done_again(
    result: CrossValidation, out: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert from_json(CrossValidation, read_text(out / "cross_validation.json")) == result

    def no_training(*arguments: object, **options: object) -> None:
        raise AssertionError("a finished fold was trained again")

    monkeypatch.setattr(cross_validation, "train_run", no_training)
    assert cross_validate(RECIPE, out, cache_dir=cache, num_workers=1) == result
    some = cross_validate(RECIPE, out, cache_dir=cache, folds=(2,), num_workers=1)
    assert (some.num_folds, [fold.fold for fold in some.folds]) == (3, [2])
    assert some.folds[0] == result.folds[2]
    assert some.spread["model"]["top1"].sd is None
    assert some.pooled["model"]["top1"].value == result.folds[2].scores["model"]["top1"]


class Off(BaseException):
    """The machine is switched off."""


def test_a_cross_validation_that_was_killed_goes_on_where_it_was(
    result: CrossValidation, out: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In the second fold, after the first epoch; and what was being written then lies about.
    write, left = CheckpointWriter.on_epoch_end, [3]

    def switched_off(self: CheckpointWriter, state: TrainingState, epoch: EpochResult) -> None:
        write(self, state, epoch)
        left[0] -= 1
        if not left[0]:
            raise Off

    with monkeypatch.context() as patch:
        patch.setattr(CheckpointWriter, "on_epoch_end", switched_off)
        with pytest.raises(Off):
            cross_validate(RECIPE, tmp_path / "folds", cache_dir=cache, num_workers=1)
    first, second = (fold_folder(tmp_path / "folds", fold) for fold in (0, 1))
    assert json.loads(read_text(second / "last" / "state.json"))["epoch"] == 1
    assert not (second / "evaluation.json").exists()
    (first / ".recipe.json.0a1b2c3d.json").touch()
    third = fold_folder(tmp_path / "folds", 2)
    third.mkdir()
    (third / ".recipe.json.0a1b2c3d.json").touch()
    before = (first / "model.safetensors").stat().st_mtime_ns
    assert cross_validate(RECIPE, tmp_path / "folds", cache_dir=cache, num_workers=1) == result
    assert (first / "model.safetensors").stat().st_mtime_ns == before
    for fold in range(3):
        assert weights(fold_folder(tmp_path / "folds", fold)) == weights(fold_folder(out, fold))
    assert not list(third.glob(".*"))


def test_the_work_of_a_fold_travels_to_another_process(
    result: CrossValidation, out: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def elsewhere(jobs: list[Job[Any]], worker: Any, **options: Any) -> JobsOutcome:
        assert options["num_workers"] == 2
        return run_jobs(*loads(dumps((jobs, worker))), num_workers=1)

    monkeypatch.setattr(cross_validation, "run_jobs", elsewhere)
    found = cross_validate(RECIPE, tmp_path / "folds", cache_dir=cache, folds=(2,), num_workers=2)
    assert found.folds == result.folds[2:]
    assert weights(fold_folder(tmp_path / "folds", 2)) == weights(fold_folder(out, 2))


def test_a_fold_that_fails_is_named_and_the_others_are_kept(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sometimes(experiment: Experiment, model: Any, folder: Path, **options: Any) -> TestResult:
        if folder.name == "fold-00":
            raise DataError("the disk is full.")
        return evaluate_run(experiment, model, folder, **options)

    recipe = replace(RECIPE, training=replace(RECIPE.training, num_epochs=1))
    monkeypatch.setattr(cross_validation, "evaluate_run", sometimes)
    with pytest.raises(SnnfaceError, match=r"(?s)1 of 2 jobs failed; the others are done.*fold 0: the disk is full"):
        cross_validate(recipe, tmp_path / "folds", cache_dir=cache, folds=(0, 1), num_workers=1)
    assert (fold_folder(tmp_path / "folds", 1) / "evaluation.json").is_file()
    assert not (tmp_path / "folds" / "cross_validation.json").exists()


def test_other_settings_in_the_same_folder_are_refused(result: CrossValidation, out: Path, cache: Path) -> None:
    with pytest.raises(ConfigError, match=r'holds a cross-validation with other settings.*"num_folds": 3'):
        cross_validate(replace(RECIPE, split=SubjectFoldsConfig(num_folds=2)), out, cache_dir=cache)


@pytest.mark.parametrize(
    ("changes", "folds", "message"),
    [
        ({}, (0, 3, 4), r"numbered from 0 to 2; got 3, 4\. Leave the numbers out"),
        ({}, (), "numbered from 0 to 2; got none"),
        ({"split": SubjectFoldsConfig(num_folds=7)}, None, "got 7 folds of 6 subjects"),
        ({"split": SubjectFoldsConfig(num_folds=3, validation_subjects=4)}, None, "4 for validation and 0 for test"),
        (
            {"split": LeaveOneSubjectOutConfig(validation_subjects=0)},
            None,
            "on validation subjects, and this split has",
        ),
    ],
)
def test_what_cannot_be_cross_validated_is_refused_before_a_folder_is_made(
    changes: Mapping[str, Any], folds: tuple[int, ...] | None, message: str, cache: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        cross_validate(replace(RECIPE, **changes), tmp_path / "folds", cache_dir=cache, folds=folds)
    assert not (tmp_path / "folds").exists()


class Relabelled(SyntheticFaces):
    """Only one of the people ever shows the second unit, and one has no label at all."""

    def __init__(self) -> None:
        super().__init__(RECIPE.data)  # type: ignore[arg-type]
        self.clips: tuple[Clip, ...] = tuple(
            replace(
                clip,
                labels={"action_unit": int(clip.subject == "face003")} if clip.subject != "face005" else {},
                label_t_us=None,
                over_time=frozenset(),
            )
            for clip in self.clips
        )


def test_a_fold_without_a_class_or_a_label_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = replace(RECIPE, split=LeaveOneSubjectOutConfig(validation_subjects=1))
    experiment = Experiment(recipe, Relabelled(), Split(train=(), validation=(), test=()))
    monkeypatch.setattr(cross_validation, "open_experiment", lambda *arguments, **options: experiment)
    with pytest.raises(DataError) as caught:
        cross_validate(recipe, tmp_path / "folds", cache_dir=None)
    name = experiment.class_names[1]
    assert f"fold 3 (test: face003) has no training clip of {name!r}; fold 5 has no test clip" in str(caught.value)
    assert "Leave these folds out (--folds)" in str(caught.value)
    assert not (tmp_path / "folds").exists()


def test_one_split_is_one_fold(cache: Path, tmp_path: Path) -> None:
    recipe = replace(
        RECIPE,
        split=SplitConfig(validation_subjects=1, test_subjects=3),
        training=replace(RECIPE.training, num_epochs=1),
    )
    found = cross_validate(recipe, tmp_path / "one", cache_dir=cache)
    assert (found.num_folds, found.num_subjects, found.spread["model"]["top1"].sd) == (1, 3, None)
    assert found.pooled == dict(from_json(TestResult, read_text(tmp_path / "one/fold-00/evaluation.json")).scores)


def test_statistics_of_a_run_add_up_to_its_scores(result: CrossValidation, out: Path) -> None:
    statistics = read_statistics(fold_folder(out, 0))
    assert set(statistics) == {"model", "constant"}
    (of_model,) = statistics["model"]
    assert len(of_model) == result.folds[0].num_clips
    assert of_model.dtype == torch.float64


def test_the_table_has_pooled_values_intervals_and_folds(
    result: CrossValidation, capsys: pytest.CaptureFixture[str]
) -> None:
    print_cross_validation(result)
    shown = " ".join(capsys.readouterr().out.split())
    assert "12 clips of 6 unseen subjects, synthetic faces; 3 of 3 folds" in shown
    spread = result.spread["model"]["top1"]
    assert spread.sd is not None
    assert f"folds {100 * spread.mean:.1f} ± {100 * spread.sd:.1f}" in shown
    print_cross_validation(replace(result, selection="test"))
    shown = capsys.readouterr().out
    assert "unseen" not in shown
    assert "selected on the test" in " ".join(shown.split())


def test_the_command_names_the_protocol_and_its_numbers(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        *("demo-plif", "--protocol", "leave-one-subject-out", "--split.validation-subjects", "1", "--folds", "1"),
        *("--data.num-identities", "6", "--data.clips-per-action-unit", "1", "--data.action-units", "2", "12"),
        *("--data.resolution.height", "16", "--data.resolution.width", "16", "--data.render-hz", "200"),
        *("--representation.resolution.height", "16", "--representation.resolution.width", "16"),
        *("--encoder.channels", "4", "--encoder.features", "16", "--training.num-epochs", "1"),
        *("--cache", str(cache), "--out", str(tmp_path / "loso"), "--json"),
    ]
    command.main(arguments)
    found = from_json(CrossValidation, capsys.readouterr().out)
    assert (found.num_folds, [fold.subjects for fold in found.folds]) == (6, [("face001",)])
    recipe = from_json(Recipe, read_text(tmp_path / "loso" / "fold-01" / "recipe.json"))
    assert recipe.split == LeaveOneSubjectOutConfig(fold=1, validation_subjects=1)
    assert from_json(Recipe, to_json(recipe)) == recipe


def test_the_command_says_how_sure_the_differences_from_trivial_answers_are(
    result: CrossValidation,
    out: Path,
    cache: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = command.Options(recipe=RECIPE, out=out, protocol="folds", cache=cache)
    monkeypatch.setattr(command, "cross_validate", lambda *arguments, **options: result)
    monkeypatch.setattr(command, "parse_with_recipe", lambda *arguments, **_: options)
    command.main([])
    shown = capsys.readouterr().out
    _, _, differences = shown.partition("minus trivial answers to the same subjects")
    gained = result.pooled["model"]["top1"].value - result.pooled["constant"]["top1"].value
    (row,) = [line for line in differences.splitlines() if "top1 %" in line]
    assert f"{100 * gained:+.1f} (" in row


def test_a_device_that_is_not_there_is_refused(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="no CUDA device that torch can use; choose the device cpu"):
        cross_validate(RECIPE, tmp_path / "folds", cache_dir=cache, device="cuda")
