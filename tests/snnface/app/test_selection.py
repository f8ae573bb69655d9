"""Which epoch's weights a run keeps, and that every result says on whom they were chosen."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from ann_baselines.c3d import C3dConfig
from snnface.app.evaluation import TestResult, evaluate_run, read_statistics
from snnface.app.experiment import Experiment, open_experiment
from snnface.app.pretrained import PRETRAINED
from snnface.app.recipes import Recipe
from snnface.app.run import KNOWN_FACES, load_run, train_run
from snnface.app.tables import print_scores, print_training
from snnface.config import from_json
from snnface.datasets.protocols import SplitConfig
from snnface.datasets.synthetic import SyntheticFacesConfig
from snnface.errors import CheckpointError, ConfigError
from snnface.events.window import Resolution
from snnface.files import read_text
from snnface.models.heads import MlpHeadConfig
from snnface.representations import HistogramConfig
from snnface.spiking import ConvSnnConfig
from snnface.training import TrainingConfig
from snnface.training.optim import Selection

QUIET = Console(quiet=True)
SMALL = Resolution(height=16, width=16)
RECIPE = Recipe(
    name="selection",
    source="none",
    data=SyntheticFacesConfig(
        action_units=(2, 12), num_identities=4, clips_per_action_unit=1, resolution=SMALL, render_hz=200
    ),
    representation=HistogramConfig(resolution=SMALL),
    encoder=ConvSnnConfig(channels=(4,), features=(10,)),
    training=TrainingConfig(num_epochs=3, batch_size=4, learning_rate=3e-2),
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def experiment_of(selection: Selection, cache: Path, *, validation_subjects: int) -> Experiment:
    recipe = replace(
        RECIPE,
        split=SplitConfig(validation_subjects=validation_subjects, test_subjects=2),
        training=replace(RECIPE.training, selection=selection),
    )
    return open_experiment(recipe, cache_dir=cache, console=QUIET)


def test_without_validation_subjects_nothing_is_chosen_on_them(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"this split has none\. Keep some of them .*or take the last epoch's weights"
    ):
        train_run(experiment_of("validation", cache, validation_subjects=0), tmp_path / "run", console=QUIET)
    assert not (tmp_path / "run").exists()


def test_validation_clips_that_nobody_would_look_at_are_refused(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nobody looks at the 2 validation clips\. Train on them"):
        train_run(experiment_of("test", cache, validation_subjects=1), tmp_path / "run", console=QUIET)
    assert not (tmp_path / "run").exists()


def test_the_last_epoch_needs_nobody_to_choose_on(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = experiment_of("last", cache, validation_subjects=0)
    model = train_run(experiment, tmp_path, console=QUIET)
    assert (tmp_path / "model.safetensors").read_bytes() == (tmp_path / "last" / "model.safetensors").read_bytes()
    # Held-out people would set the limit of what is known as a face.
    assert not (tmp_path / KNOWN_FACES).exists()
    assert load_run(tmp_path)[0] == experiment.recipe
    print_training(tmp_path, metric="top1")
    shown = " ".join(capsys.readouterr().out.split())
    assert "3 epochs; last training loss" in shown
    result = evaluate_run(experiment, model, tmp_path)
    assert result.selection == "last"
    print_scores(experiment, {"selection": result})
    assert "4 clips of 2 unseen subjects" in " ".join(capsys.readouterr().out.split())
    # A result without what its scores are made of is made again.
    (tmp_path / "statistics.safetensors").unlink()
    assert evaluate_run(experiment, model, tmp_path) == result
    assert set(read_statistics(tmp_path)) == {"model", "constant"}


def test_what_is_chosen_on_the_test_subjects_says_so(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    experiment = experiment_of("test", cache, validation_subjects=0)
    model = train_run(experiment, tmp_path, console=QUIET)
    result = evaluate_run(experiment, model, tmp_path)
    rows = [json.loads(line) for line in read_text(tmp_path / "metrics.jsonl").splitlines()]
    assert result.model["top1"].value == max(row["test"]["top1"] for row in rows)
    assert from_json(TestResult, read_text(tmp_path / "evaluation.json")).selection == "test"
    print_training(tmp_path, metric="top1")
    assert "best test top1" in " ".join(capsys.readouterr().out.split())
    print_scores(experiment, {"selection": result})
    shown = " ".join(capsys.readouterr().out.split())
    assert "4 clips of 2 subjects, synthetic faces" in shown
    assert "selection, selected on the test subjects" in shown


def test_pictures_smaller_than_a_layout_say_nothing_of_faces(cache: Path, tmp_path: Path) -> None:
    experiment = experiment_of("validation", cache, validation_subjects=1)
    tiny = HistogramConfig(resolution=Resolution(height=6, width=16))
    recipe = replace(experiment.recipe, representation=tiny, training=replace(RECIPE.training, num_epochs=1))
    train_run(replace(experiment, recipe=recipe), tmp_path, console=QUIET)
    assert (tmp_path / "model.safetensors").is_file()
    assert not (tmp_path / KNOWN_FACES).exists()


def test_a_network_that_no_recording_is_shown_to_learns_nothing_of_where_faces_are(cache: Path, tmp_path: Path) -> None:
    experiment = experiment_of("validation", cache, validation_subjects=1)
    network = {"encoder": C3dConfig(channels=((4,),)), "head": MlpHeadConfig()}
    once = replace(RECIPE.training, num_epochs=1)
    spiking = replace(experiment.recipe, training=once)
    train_run(replace(experiment, recipe=spiking), tmp_path / "spiking", console=QUIET)
    train_run(replace(experiment, recipe=replace(spiking, **network)), tmp_path / "conventional", console=QUIET)
    assert (tmp_path / "spiking" / KNOWN_FACES).is_file()
    assert not (tmp_path / "conventional" / KNOWN_FACES).exists()


def test_results_that_were_written_before_can_be_read() -> None:
    result = from_json(TestResult, read_text(PRETRAINED / "evaluation.json"))
    assert (result.selection, result.num_clips) == ("validation", len(result.clip_ids))


def test_statistics_that_were_not_kept_are_asked_for_by_name(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds no statistics\.safetensors; remove its evaluation\.json"):
        read_statistics(tmp_path)
