"""Every recipe beyond the demo's own, made small: filmed, trained, and judged by people it never saw."""

import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from ann_baselines.cvae import ConditionalVaeConfig
from ann_baselines.frame_cnn import FrameCnnConfig
from ann_baselines.per_frame import LstmConfig, PerFrameConfig
from conversion.nir_import import read_nir
from snnface.app.cli import main
from snnface.app.cross_validation import cross_validate
from snnface.app.evaluation import TestResult, evaluate_run, read_answers
from snnface.app.experiment import open_experiment
from snnface.app.filmed_faces import FilmedFacesConfig
from snnface.app.recipes import Recipe, recipe_named
from snnface.app.run import load_run, train_run
from snnface.config import from_json, to_json
from snnface.datasets.protocols import SplitConfig
from snnface.datasets.synthesis import SynthesisConfig
from snnface.datasets.synthetic import SyntheticFacesConfig
from snnface.events import Resolution
from snnface.faces.detection import FaceCrop
from snnface.faces.scene import SceneConfig
from snnface.files import read_text
from snnface.models.reconstruction import SpikingReconstructionConfig
from snnface.representations import HistogramConfig
from snnface.spiking import ConvSnnConfig
from snnface.spiking.residual import SewResNetConfig
from snnface.training import TrainingConfig

PICTURES = HistogramConfig(resolution=Resolution(height=16, width=16), max_count=15)
LITTLE = SynthesisConfig(
    name="little",
    action_units=(12, 26),
    num_identities=6,
    clip_ms=700,
    cameras=("davis", "davis_frames"),
    davis=Resolution(height=36, width=48),
    scene=SceneConfig(cell=0.055, supersampling=1, render_hz=200),
)
AFFECT = replace(LITTLE, name="little-affect", action_units=(), clip_ms=2000)
PER_FRAME = PerFrameConfig(frame=FrameCnnConfig(channels=(8, 8), features=16), lstm=LstmConfig(hidden=16))
SNN = ConvSnnConfig(channels=(8, 8), features=(32, 20))

# Name -> what is smaller than in the recipe.
SMALL: dict[str, dict[str, Any]] = {
    "demo-sew": {
        "data": SyntheticFacesConfig(action_units=(2, 12), num_identities=6, clips_per_action_unit=1),
        "encoder": SewResNetConfig(stem=8, stages=(8,), features=(20,)),
    },
    "valence-arousal-plif": {"encoder": SNN},
    "valence-arousal-lstm": {"encoder": PER_FRAME},
    "cross-modal-plif": {"encoder": SNN},
    "cross-modal-lstm": {"encoder": PER_FRAME},
    "reconstruction-plif": {"encoder": SpikingReconstructionConfig(encoder=(4,), decoder=(4,))},
    "reconstruction-cvae": {"encoder": ConditionalVaeConfig(channels=(4, 8), hidden=16, latent=4, sees_reference=True)},
}
# The first metric that a recipe has decides.
TRIVIAL = {
    "ccc": ["model", "constant", "mean"],
    "r2": ["model", "constant", "mean", "chance"],
    "top1": ["model", "constant", "chance"],
    "psnr": ["model", "constant", "mean", "reference"],
}


def small(name: str) -> Recipe:
    recipe = recipe_named(name)
    changes: dict[str, Any] = {
        "split": SplitConfig(validation_subjects=1, test_subjects=2),
        "representation": PICTURES,
        "training": TrainingConfig(num_epochs=4, batch_size=4, learning_rate=3e-3),
    }
    if isinstance(recipe.data, FilmedFacesConfig):
        source = AFFECT if name.startswith("valence") else LITTLE
        coefficients = min(recipe.data.num_coefficients, 4)
        crop = FaceCrop(size=16, is_moving=False)
        changes["data"] = replace(recipe.data, source=source, crop=crop, num_coefficients=coefficients)
    return replace(recipe, **(changes | SMALL[name]))


@dataclass(frozen=True)
class Trained:
    recipe: Recipe
    folder: Path
    result: TestResult
    answers: Mapping[str, torch.Tensor]


def metrics_of(trained: Trained, predictor: str) -> list[str]:
    """All that the model has; a mean of both an action unit and a face's shape is one of the shape alone."""
    known = list(trained.result.model)
    return ["r2", "mse", "rmse"] if predictor == "mean" and "top1" in known else known


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module", params=SMALL)
def trained(request: pytest.FixtureRequest, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    recipe, folder = small(request.param), tmp_path_factory.mktemp("runs") / request.param
    console = Console(quiet=True)
    # One process films: starting others takes longer than the set.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.cpu_count", lambda: 1)
        experiment = open_experiment(recipe, cache_dir=cache, console=console)
    model = train_run(experiment, folder, console=console)
    return Trained(recipe, folder, evaluate_run(experiment, model, folder), read_answers(folder))


@pytest.mark.slow
def test_the_training_loss_falls(trained: Trained) -> None:
    losses = [json.loads(line)["train_loss"] for line in read_text(trained.folder / "metrics.jsonl").splitlines()]
    assert len(losses) == 4
    assert min(losses[1:]) < losses[0]


def test_the_evaluation_is_complete_and_of_people_who_were_not_trained_on(trained: Trained) -> None:
    kept = from_json(TestResult, read_text(trained.folder / "evaluation.json"))
    assert kept == trained.result
    assert kept.num_subjects == 2
    first = next(iter(kept.model))
    assert first in ("top1", "ccc", "mse")
    scores = {name: scores for name, scores in kept.scores.items() if name != "chance"}
    for name, metrics in scores.items():
        assert list(metrics) == metrics_of(trained, name), name
        for metric, measure in metrics.items():
            assert math.isfinite(measure.value), (name, metric)
            assert measure.interval is not None
            assert measure.interval[0] <= measure.interval[1]


def test_scores_pooled_over_one_fold_are_those_of_its_run(trained: Trained, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(to_json(trained.recipe))
    shutil.copytree(trained.folder, tmp_path / "fold-00")
    assert cross_validate(trained.recipe, tmp_path, cache_dir=cache).pooled == dict(trained.result.scores)


def test_trivial_predictors_stand_beside_the_model(trained: Trained) -> None:
    wanted = next(names for metric, names in TRIVIAL.items() if metric in trained.result.model)
    assert list(trained.result.scores) == wanted


def test_every_test_clip_has_an_answer_to_every_task(trained: Trained) -> None:
    assert set(trained.answers) == {task.target for task in trained.recipe.tasks}
    for rows in trained.answers.values():
        assert len(rows) == trained.result.num_clips
        assert torch.isfinite(rows).all()


def test_the_run_folder_gives_the_model_back(trained: Trained) -> None:
    recipe, model = load_run(trained.folder)
    assert recipe == trained.recipe
    assert not model.training
    environment = json.loads(read_text(trained.folder / "environment.json"))
    assert "ran" in environment["kernels"]


def test_a_reconstruction_is_better_than_a_mean_face_on_new_people(trained: Trained) -> None:
    if trained.recipe.name != "reconstruction-plif":
        pytest.skip("of the spiking reconstruction alone")
    scores = trained.result.scores
    assert scores["model"]["mse"].value < scores["mean"]["mse"].value < scores["constant"]["mse"].value
    assert scores["model"]["ssim"].value > scores["mean"]["ssim"].value


def test_the_chip_answers_valence_and_arousal_in_every_step(
    trained: Trained, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if trained.recipe.name != "valence-arousal-plif":
        pytest.skip("of the spiking network alone")
    run = str(trained.folder)
    arguments = ["--cache", str(cache)]
    assert main(["deploy", run, "--parity-clips", "2", "--lava-clips", "1", *arguments, "--json"]) == 0
    deployment = json.loads(capsys.readouterr().out)
    assert deployment["head"] == "valence_arousal"
    assert all(row["num_differing"] == 0 for row in deployment["agreement"][0]["comparisons"])
    assert "ccc" in deployment["fixed_point_scores"]
    assert main(["report", run, *arguments]) == 0
    page = (trained.folder / "report.html").read_text(encoding="utf-8")
    assert "valence and arousal from events to the chip" in page
    assert "rmse_arousal" in page


def test_the_chip_makes_pictures_and_a_report_of_them_is_refused_by_name(
    trained: Trained, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if trained.recipe.name != "reconstruction-plif":
        pytest.skip("of the spiking reconstruction alone")
    run, arguments = str(trained.folder), ["--cache", str(cache)]
    assert main(["deploy", run, "--parity-clips", "2", "--lava-clips", "1", *arguments, "--json"]) == 0
    deployment = json.loads(capsys.readouterr().out)
    assert all(row["num_differing"] == 0 for row in deployment["agreement"][0]["comparisons"])
    on_chip, exact = deployment["fixed_point_scores"]["psnr"]["value"], trained.result.model["psnr"].value
    assert on_chip == pytest.approx(exact, abs=3)
    assert main(["report", run, *arguments]) == 1
    assert "the first task of 'reconstruction-plif' is ReconstructionTaskConfig" in capsys.readouterr().err


def test_a_network_that_has_no_form_on_the_chip_is_refused_by_name(
    trained: Trained, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if trained.recipe.name != "reconstruction-cvae":
        pytest.skip("of the conventional reconstruction alone")
    run, arguments = str(trained.folder), ["--cache", str(cache)]
    assert main(["deploy", run, *arguments]) == 1
    assert "was expected; got ConditionalVae" in capsys.readouterr().err
    # Nor is it counted as a baseline.
    assert main(["deploy", run, "--baseline", run, *arguments]) == 1
    assert "so 'reconstruction-cvae' has no baseline; leave out --baseline" in capsys.readouterr().err


def test_of_several_answers_the_first_is_exported_or_the_one_named(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if trained.recipe.name != "cross-modal-plif":
        pytest.skip("of the network with two heads alone")
    for number, arguments in enumerate(([], ["--head", "face_shape"])):
        path = tmp_path / f"{number}.nir"
        assert main(["export", str(trained.folder), "--out", str(path), *arguments]) == 0
    first, second = (read_nir(tmp_path / f"{number}.nir").readout for number in range(2))
    assert not first.keeps_steps
    assert second.keeps_steps
    assert main(["export", str(trained.folder), "--out", str(tmp_path / "x.nir"), "--head", "nose"]) == 1
    assert "unknown head 'nose'. Known: action_unit, face_shape" in capsys.readouterr().err


@pytest.mark.parametrize("name", SMALL)
def test_a_small_recipe_survives_its_json(name: str) -> None:
    assert from_json(Recipe, to_json(small(name))) == small(name)
