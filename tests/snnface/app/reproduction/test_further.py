"""What is asked of a network beyond its task is kept by what was asked."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from noisy_faces import an_experiment, small_recipe
from rich.console import Console

from snnface.app.emotion_transfer import EmotionTransfer, LabelTransfer
from snnface.app.experiment import Experiment
from snnface.app.recipes import Recipe
from snnface.app.reproduction import ReproduceConfig, further
from snnface.app.reproduction.further import FurtherScores, further_scores
from snnface.app.reproduction.plan import PlannedRun
from snnface.app.reproduction.record import RunRecord, record_path
from snnface.config import to_json
from snnface.errors import ConfigError
from snnface.tasks.scoring import Measure

FOLDS = (2, 3)
RECIPE = small_recipe("valence-arousal")
RUN = PlannedRun(recipe=RECIPE, paper=RECIPE, folds=FOLDS)
RECORD = RunRecord(
    recipe=RECIPE.name,
    data="noise",
    is_synthetic=False,
    selection="validation",
    num_folds=5,
    folds=FOLDS,
    num_clips=6,
    num_subjects=2,
    num_parameters=1,
    num_epochs=1,
    device="cpu",
    precision="32-true",
    seconds=1.0,
)


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Callable[[Path | None], FurtherScores], list[str]]:
    """Asks for the emotions of a set, and the names of the sets that were really told."""
    told: list[str] = []
    experiment, model = an_experiment(RECIPE)

    def with_data(recipe: Recipe, path: Path, **_: Any) -> Recipe:
        return replace(recipe, source=str(path))

    def opened(recipe: Recipe, **_: Any) -> Experiment:
        return replace(experiment, recipe=recipe)

    def transfer(shown: Experiment, _: Any) -> EmotionTransfer:
        told.append(shown.recipe.source)
        label = LabelTransfer(scores={"model": {"top1": Measure(len(told) / 10)}}, classes={}, templates={})
        return EmotionTransfer(
            labels={"emotion": label},
            recipe=RECIPE.name,
            data="nefer",
            is_synthetic=False,
            num_training_videos=4,
            num_test_videos=4,
            num_test_subjects=2,
        )

    monkeypatch.setattr(further, "load_run", lambda _: (RECIPE, model))
    monkeypatch.setattr(further, "with_data", with_data)
    monkeypatch.setattr(further, "open_experiment", opened)
    monkeypatch.setattr(further, "transfer_emotions", transfer)
    (tmp_path / "fold-02").mkdir()
    record_path(tmp_path, FOLDS).write_text(to_json(RECORD))

    def emotions_of(path: Path | None) -> FurtherScores:
        config = ReproduceConfig(data=Path("afew-va"), transfer_data=path)
        return further_scores(
            "emotion_transfer", RUN, tmp_path, config=config, cache_dir=tmp_path, console=Console(quiet=True)
        )

    return emotions_of, told


def test_emotions_are_told_once_for_each_set(ask: tuple[Callable[[Path | None], FurtherScores], list[str]]) -> None:
    emotions_of, told = ask
    first = emotions_of(Path("nefer"))
    other = emotions_of(Path("another-nefer"))
    assert emotions_of(Path("nefer")) == first
    assert told == ["nefer", "another-nefer"]
    assert first.scores["model"]["emotion"].value != other.scores["model"]["emotion"].value
    assert first.notes[-1] == "emotion transfer: of the network of fold 2 alone."


def test_emotions_of_real_faces_need_a_set_that_shows_them(
    ask: tuple[Callable[[Path | None], FurtherScores], list[str]],
) -> None:
    emotions_of, told = ask
    with pytest.raises(ConfigError, match=r"name NEFER's folder as --transfer-data"):
        emotions_of(None)
    assert not told
