"""Figures of evaluated runs: which there are, of which clips, and what is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import Tensor, nn

from snnface.app.evaluation import TestResult, evaluate_run
from snnface.app.experiment import Experiment, open_experiment
from snnface.app.figures import run_figures
from snnface.app.filmed_faces import FilmedFacesConfig
from snnface.app.recipes import BranchConfig, Recipe, WeightedSumConfig
from snnface.app.recipes.recipe import WeightedTaskConfig
from snnface.config import from_json, to_json
from snnface.datasets.protocols import SplitConfig
from snnface.errors import CheckpointError, DataError
from snnface.events.window import Resolution
from snnface.faces.detection import FaceCrop
from snnface.representations import HistogramConfig
from snnface.tasks.action_units import ActionUnitTaskConfig
from snnface.tasks.face_shape import FaceShapeTaskConfig
from snnface.tasks.reconstruction import ReconstructionTaskConfig
from snnface.tasks.valence_arousal import ValenceArousalTaskConfig
from tests.support.small_sets import SMALL_SET

SIDE, COEFFICIENTS = 16, 4
DATA = FilmedFacesConfig(
    source=replace(SMALL_SET, num_identities=3, cameras=("davis", "davis_frames"), seed=5),
    frames="davis_frames",
    crop=FaceCrop(size=SIDE, is_moving=False),
    num_coefficients=COEFFICIENTS,
)
RECIPE = Recipe(
    name="seen",
    source="none",
    data=DATA,
    split=SplitConfig(validation_subjects=0, test_subjects=2),
    representation=HistogramConfig(resolution=Resolution(height=SIDE, width=SIDE)),
    task=WeightedSumConfig(
        parts=tuple(
            WeightedTaskConfig(task=task)
            for task in (ActionUnitTaskConfig(), ValenceArousalTaskConfig(), FaceShapeTaskConfig())
        )
    ),
    further=(BranchConfig(), BranchConfig()),
)


class Constant(nn.Module):
    """The same answers to everything: class 1, valence 0.25, no expression; as a picture, mid-grey."""

    def __init__(self) -> None:
        super().__init__()
        self.grey = nn.Parameter(torch.tensor(0.5))

    def forward(self, inputs: Tensor, *references: Tensor) -> dict[str, Tensor]:
        num_steps, size = inputs.shape[:2]
        return {
            "action_unit": torch.tensor([0.0, 1.0]).expand(size, 2),
            "valence_arousal": torch.tensor([0.25, 0.0]).expand(num_steps, size, 2),
            "face_shape": torch.zeros(num_steps, size, COEFFICIENTS),
            "picture": self.grey.detach().expand(size, 1, SIDE, SIDE),
        }


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Recipe, str], tuple[Experiment, Path]]:
    """A run of `Constant`, made without training; recordings are filmed once."""
    root = tmp_path_factory.mktemp("runs")

    def made(recipe: Recipe, name: str) -> tuple[Experiment, Path]:
        experiment = open_experiment(recipe, cache_dir=root / "cache", console=Console(quiet=True))
        folder = root / name
        folder.mkdir(exist_ok=True)
        (folder / "recipe.json").write_text(to_json(recipe))
        (folder / "model.safetensors").write_bytes(b"weights")
        evaluate_run(experiment, Constant(), folder)
        return experiment, folder

    return made


Evaluated = Callable[[Recipe, str], tuple[Experiment, Path]]


@pytest.mark.slow
def test_a_run_has_the_figures_of_its_tasks(evaluated: Evaluated) -> None:
    experiment, folder = evaluated(RECIPE, "all")
    figures = run_figures(experiment, folder, beside={"other": folder}, num_clips=2)
    assert set(figures) == {"confusion_action_unit", "va_traces", "emotion_wheel", "coloured_meshes", "component_maps"}
    lines = {line.name for line in figures["va_traces"].data}
    assert lines == {"truth", "seen", "other"}
    assert {value for line in figures["va_traces"].data if line.name == "seen" for value in line.y} == {0.25, 0.0}
    # Of two subjects, one clip each before a second of either.
    titles = [note.text for note in figures["va_traces"].layout.annotations]
    assert len({title.split("/")[0] for title in titles[:2]}) == 2
    # The network answers no expression: neutral faces, beside pictures, events, and what was fitted.
    assert [note.text for note in figures["coloured_meshes"].layout.annotations][:4] == [
        "picture", "events", "answer", "fitted",
    ]  # fmt: skip
    assert len(figures["component_maps"].data) == COEFFICIENTS
    # All four clips are answered with the second class.
    assert [list(row) for row in figures["confusion_action_unit"].data[0].customdata] == [[0, 2], [0, 2]]


def test_the_moment_on_the_wheel_is_the_one_farthest_from_neutral(evaluated: Evaluated) -> None:
    experiment, folder = evaluated(RECIPE, "all")
    point = run_figures(experiment, folder, num_clips=1)["emotion_wheel"].data[0]
    clip = next(clip for clip in experiment.split.test if point.name.startswith(clip.clip_id))
    truth = torch.from_numpy(clip.labels["valence_arousal"].copy())
    step = int(truth.square().sum(1).argmax())
    assert (point.x[0], point.y[0]) == pytest.approx(tuple(truth[step].tolist()))
    assert (point.x[1], point.y[1]) == (0.25, 0.0)
    assert f"{step * 0.033:.2f} s" in point.name


def test_reconstructions_stand_between_the_earlier_picture_and_the_truth(evaluated: Evaluated) -> None:
    recipe = replace(
        RECIPE, name="grey", task=ReconstructionTaskConfig(), further=(), data=replace(DATA, num_coefficients=0)
    )
    experiment, folder = evaluated(recipe, "grey")
    figure = run_figures(experiment, folder, num_clips=3)["picture_strips"]
    texts = [note.text for note in figure.layout.annotations]
    assert texts[:4] == ["events", "earlier picture", "grey", "truth"]
    assert len(figure.data) == 12


def test_runs_without_results_or_of_other_clips_are_refused(evaluated: Evaluated, tmp_path: Path) -> None:
    experiment, folder = evaluated(RECIPE, "all")
    with pytest.raises(CheckpointError, match="run `snnface evaluate"):
        run_figures(experiment, tmp_path)
    result = json.loads((folder / "evaluation.json").read_text())
    result["clip_ids"] = list(reversed(result["clip_ids"]))
    (tmp_path / "evaluation.json").write_text(json.dumps(result))
    assert from_json(TestResult, json.dumps(result)).num_clips == 4
    with pytest.raises(DataError, match="was tested on other clips than"):
        run_figures(experiment, folder, beside={"other": tmp_path})
