"""Each published data set's miniature, from disk: a recipe that names the set trains and is judged on it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ann_baselines import ClassTokenConfig, FlatFrameConfig, FrameSequenceConfig, I3dConfig
from ann_baselines.cvae import ConditionalVaeConfig
from ann_baselines.frame_cnn import FrameCnnConfig
from ann_baselines.per_frame import LstmConfig, PerFrameConfig
from snnface.app.evaluation import TestResult, evaluate_run, read_answers
from snnface.app.experiment import Experiment, open_experiment
from snnface.app.filmed_faces import FilmedFaces
from snnface.app.published_faces import PublishedFaces
from snnface.app.real_data import with_data
from snnface.app.recipes import BranchConfig, Recipe, recipe_named
from snnface.app.run import load_run, train_run
from snnface.datasets.coefficient_samples import CoefficientsConfig
from snnface.datasets.protocols import OfficialSplitConfig, SplitConfig
from snnface.events import Resolution
from snnface.models.heads import ClipStepsHeadConfig, MlpHeadConfig
from snnface.models.reconstruction import SpikingReconstructionConfig
from snnface.representations import HistogramConfig, PlainFramesConfig
from snnface.spiking import ConvSnnConfig
from snnface.tasks.action_units import ActionUnitTaskConfig
from snnface.training import TrainingConfig

SIZE = Resolution(height=16, width=16)
EVENTS = HistogramConfig(resolution=SIZE, max_count=15)
RGB = PlainFramesConfig(resolution=SIZE, colour="rgb")
SNN = ConvSnnConfig(channels=(4, 4), features=(16, 16))
LSTM = PerFrameConfig(frame=FrameCnnConfig(channels=(4,), features=8), lstm=LstmConfig(hidden=8))
TOKEN = ClassTokenConfig(width=8, num_heads=2, num_layers=1, hidden=8)
ALONE: dict[str, Any] = {"further": (), "task": ActionUnitTaskConfig(), "head": MlpHeadConfig()}


@dataclass(frozen=True)
class Rehearsal:
    """A recipe, the data set it names, and what is smaller or other than in it."""

    recipe: str
    dataset: str
    changes: Mapping[str, Any]
    split: SplitConfig | OfficialSplitConfig = OfficialSplitConfig(validation_subjects=1)

    def small(self, path: Path) -> Recipe:
        few = TrainingConfig(num_epochs=1, batch_size=4, learning_rate=1e-3)
        made = replace(recipe_named(self.recipe), training=few, split=self.split, representation=EVENTS)
        return with_data(replace(made, **self.changes), path, dataset=self.dataset, allow_pickle=True)


REHEARSALS = {
    "afew-va, spiking": Rehearsal("valence-arousal-plif", "afew-va", {"encoder": SNN}),
    "afew-va, RGB, all steps at once": Rehearsal(
        "valence-arousal-lstm",
        "afew-va",
        {
            "encoder": I3dConfig(width=4, features=8),
            "representation": RGB,
            "temporal": "last",
            "head": ClipStepsHeadConfig(num_steps=9, hidden=(8,)),
        },
    ),
    "facemorphic, units": Rehearsal("cross-modal-lstm", "facemorphic", {"encoder": LSTM, **ALONE}),
    "facemorphic, units and shape": Rehearsal("cross-modal-plif", "facemorphic", {"encoder": SNN}),
    "facemorphic, class token": Rehearsal(
        "cross-modal-lstm",
        "facemorphic",
        {
            "encoder": FrameSequenceConfig(frame=LSTM.frame, sequence=TOKEN),
            "temporal": "class_token",
            "further": (BranchConfig(temporal="tokens"),),
        },
    ),
    "facemorphic, units from coefficients": Rehearsal(
        "cross-modal-lstm",
        "facemorphic",
        {
            "encoder": PerFrameConfig(frame=FlatFrameConfig(), lstm=LstmConfig(hidden=8)),
            "representation": CoefficientsConfig(num_coefficients=16),
            **ALONE,
        },
    ),
    "facemorphic, RGB": Rehearsal("cross-modal-lstm", "facemorphic", {"encoder": LSTM, "representation": RGB, **ALONE}),
    "nefer, emotions": Rehearsal(
        "cross-modal-lstm",
        "nefer",
        {"encoder": LSTM, **ALONE, "task": ActionUnitTaskConfig(target="emotion_reported")},
    ),
    "micro-expression, units": Rehearsal("micro-expression-plif", "micro-expression", {"encoder": SNN}),
    "micro-expression, RGB": Rehearsal(
        "micro-expression-c3d", "micro-expression", {"encoder": SNN, "representation": RGB}
    ),
    "micro-expression, pictures": Rehearsal(
        "reconstruction-plif",
        "micro-expression",
        {"encoder": SpikingReconstructionConfig(encoder=(4,), decoder=(4,))},
    ),
    "micro-expression, pictures by the cVAE": Rehearsal(
        "reconstruction-cvae",
        "micro-expression",
        {"encoder": ConditionalVaeConfig(channels=(4, 4), hidden=8, latent=4, sees_reference=True)},
    ),
}


@dataclass(frozen=True)
class Rehearsed:
    recipe: Recipe
    experiment: Experiment
    folder: Path
    result: TestResult


@pytest.fixture(scope="module", params=REHEARSALS)
def rehearsed(
    request: pytest.FixtureRequest, miniature: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Rehearsed:
    rehearsal = REHEARSALS[request.param]
    recipe = rehearsal.small(miniature(rehearsal.dataset))
    console, folder = Console(quiet=True), tmp_path_factory.mktemp("runs") / "run"
    with pytest.MonkeyPatch.context() as patch:
        # One process emulates: starting others takes longer.
        patch.setattr("os.cpu_count", lambda: 1)
        experiment = open_experiment(recipe, cache_dir=miniature(rehearsal.dataset).parent / "cache", console=console)
    model = train_run(experiment, folder, console=console)
    return Rehearsed(recipe, experiment, folder, evaluate_run(experiment, model, folder))


@pytest.mark.slow
def test_the_recipe_trains_and_is_judged_by_people_it_did_not_see(rehearsed: Rehearsed) -> None:
    result, split = rehearsed.result, rehearsed.experiment.split
    assert result.num_clips == len(split.test) > 0
    trained_on = {clip.subject for clip in (*split.train, *split.validation)}
    assert not trained_on & {clip.subject for clip in split.test}
    for name, measure in result.model.items():
        assert math.isfinite(measure.value), name
    answers = read_answers(rehearsed.folder)
    assert set(answers) == {task.target for task in rehearsed.recipe.tasks}
    assert all(len(rows) == result.num_clips for rows in answers.values())


def test_the_numbers_are_not_taken_for_those_of_real_people(rehearsed: Rehearsed) -> None:
    dataset = rehearsed.experiment.dataset
    assert isinstance(dataset, PublishedFaces | FilmedFaces)
    assert dataset.is_synthetic


def test_the_run_folder_gives_recipe_and_model_back(rehearsed: Rehearsed) -> None:
    recipe, model = load_run(rehearsed.folder)
    assert recipe == rehearsed.recipe
    assert not model.training
