"""A run's model on its test subjects, beside predictors that need no model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from snnface.app.catalog import class_names_of, scorings_of, task_of
from snnface.app.experiment import Experiment
from snnface.app.recipes import Recipe
from snnface.app.run import ANSWERS, EVALUATION, STATISTICS, Device, device_of, weights_hash
from snnface.config import from_json, to_json
from snnface.datasets.clip import Batch
from snnface.errors import CheckpointError, DataError
from snnface.files import atomic_path, read_text, write_text
from snnface.metrics.classification import ClassResult, class_results
from snnface.seeding import SeedTree
from snnface.tasks.base import Output
from snnface.tasks.class_scoring import ClassScoring
from snnface.tasks.scoring import Measure, Predictor, Scoring, measures, merged
from snnface.training.evaluation import predict
from snnface.training.optim import Selection

__all__ = [
    "Scores",
    "Statistics",
    "TestResult",
    "TestScorer",
    "class_results_of",
    "evaluate_run",
    "joined_statistics",
    "load_statistics",
    "read_answers",
    "read_statistics",
    "read_subjects",
    "scores_of_clips",
    "write_statistics",
]

Scores = Mapping[str, Measure]
"""Metric -> its value, with the 95 % range over subjects."""

Statistics = tuple[Tensor, ...]
"""Of each scoring of a recipe, those of each clip, [N, S]: scores of a set of clips are a function of their sum.
Of a task that a trivial predictor does not answer, [N, 0]."""


@dataclass(frozen=True, slots=True)
class TestResult:
    """What the test subjects say of a trained model.

    Attributes:
        weights: SHA-256 of the recipe and the weights that were evaluated.
        scores: predictor -> metric -> value and interval. "model" comes first, then the trivial
            predictors, which know the training clips alone ("constant", and "mean" for numbers), each with the metrics
            of the tasks that have it, then "chance" for the metrics for which it is defined.
        subjects: of each clip. None in a file that was written before subjects were kept.
        selection: what the weights were chosen on; after "test" these scores are not of unseen subjects.
        classes: target -> class -> how the model fared with it, where there are classes.
    """

    __test__ = False

    weights: str
    num_clips: int
    num_subjects: int
    clip_ids: tuple[str, ...]
    scores: Mapping[str, Mapping[str, Measure]] = field(default_factory=dict)
    subjects: tuple[str, ...] = ()
    selection: Selection = "validation"
    classes: Mapping[str, Mapping[str, ClassResult]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        named = len(self.clip_ids) == self.num_clips and len(self.subjects) in (0, self.num_clips)
        if not named or not self.scores.get("model"):
            raise DataError("a test result needs a name for each clip and scores of the model; this one is damaged.")

    @property
    def model(self) -> Mapping[str, Measure]:
        return self.scores["model"]


class TestScorer:
    """Judges answers to the test clips, which come batch by batch in the order of the clips.

    Args:
        scorings: of the tasks that are judged, None in the place of one that is not; None: of all tasks of the recipe.
    """

    __test__ = False

    def __init__(self, experiment: Experiment, scorings: tuple[Scoring | None, ...] | None = None) -> None:
        self._experiment = experiment
        self._scorings = scorings_of(experiment.recipe) if scorings is None else scorings
        self._statistics: list[list[Tensor]] = [[] for _ in self._scorings]

    def add(self, output: Output, batch: Batch) -> None:
        for scoring, gathered in zip(self._scorings, self._statistics, strict=True):
            nothing = torch.zeros(len(batch.clip_ids), 0, dtype=torch.float64)
            gathered.append(nothing if scoring is None else scoring.statistics(output, batch))

    @property
    def statistics(self) -> Statistics:
        """Of the clips that were judged so far."""
        return tuple(torch.cat(gathered) for gathered in self._statistics)

    def scores(self) -> dict[str, Measure]:
        """Every metric of every task that is judged.

        Raises:
            DataError: if no clip has a label, or not all clips were judged.
        """
        subjects = [clip.subject for clip in self._experiment.split.test]
        return scores_of_clips(self._experiment.recipe, self.statistics, subjects)


def scores_of_clips(recipe: Recipe, statistics: Statistics, subjects: Sequence[str]) -> dict[str, Measure]:
    """Every metric of every task that was judged, of clips of one fold or several. Tasks whose metrics share a name
    are of one kind, and are judged all or none: numbers behind names, see `merged`, agree with those of the model.

    Args:
        statistics: of the recipe's tasks, or of its first ones.
        subjects: of each clip.

    Raises:
        DataError: if no clip has a label, or there are not as many subjects as clips.
    """
    seed = SeedTree(recipe.seed)
    return merged(
        measures(scoring, of_task, subjects, generator=seed.numpy("bootstrap")) if of_task.shape[1] else {}
        for scoring, of_task in zip(scorings_of(recipe), statistics, strict=False)
    )


def evaluate_run(experiment: Experiment, model: nn.Module, out: Path, *, device: Device = "auto") -> TestResult:
    """Read the test subjects, once: the result is kept in `evaluation.json` and returned from there later.

    Only other weights (a run that was resumed since) are a reason to read them again, or a result without the
    statistics that its scores are made of.

    Raises:
        ConfigError: if there is no such device.
    """
    path, weights = out / EVALUATION, weights_hash(out)
    if path.is_file() and (out / STATISTICS).is_file():
        kept = from_json(TestResult, read_text(path))
        if kept.weights == weights:
            return kept
    clips, recipe = experiment.split.test, experiment.recipe
    scorers, answers = _judged(experiment, model, device_of(device))
    scores: dict[str, Scores] = {name: scorer.scores() for name, scorer in scorers.items()}
    result = TestResult(
        weights=weights,
        num_clips=len(clips),
        num_subjects=len({clip.subject for clip in clips}),
        clip_ids=tuple(clip.clip_id for clip in clips),
        scores={**scores, **_chance(scorings_of(recipe))},
        subjects=tuple(clip.subject for clip in clips),
        selection=recipe.training.selection,
        classes=class_results_of(recipe, scorers["model"].statistics),
    )
    # The result comes last: without the files that belong to it, it would be taken for whole.
    with atomic_path(out / ANSWERS) as temporary:
        save_file(answers, temporary)
    write_statistics({name: scorer.statistics for name, scorer in scorers.items()}, out / STATISTICS)
    write_text(path, to_json(result))
    return result


def class_results_of(recipe: Recipe, statistics: Statistics) -> dict[str, dict[str, ClassResult]]:
    """Target -> class -> how it fared, for the tasks of a recipe that have classes."""
    return {
        scoring.target: class_results(of_task.sum(0), class_names_of(recipe))
        for scoring, of_task in zip(scorings_of(recipe), statistics, strict=True)
        if isinstance(scoring, ClassScoring)
    }


def read_answers(folder: Path) -> dict[str, Tensor]:
    """What the model answered to the test clips, in the order of `TestResult.clip_ids`: target -> [N, ...].

    Raises:
        CheckpointError: if the run has not been evaluated.
    """
    if not (folder / ANSWERS).is_file():
        raise CheckpointError(f"{folder} holds no {ANSWERS}; run `snnface evaluate {folder}` first.")
    return load_file(folder / ANSWERS)


def read_statistics(folder: Path) -> dict[str, Statistics]:
    """What the scores of a run are made of, in the order of `TestResult.clip_ids`: predictor -> its statistics.

    Raises:
        CheckpointError: if the run has not been evaluated, or was before they were kept.
    """
    if not (folder / STATISTICS).is_file():
        raise CheckpointError(
            f"{folder} holds no {STATISTICS}; remove its {EVALUATION}, if there is one, and run "
            f"`snnface evaluate {folder}`."
        )
    return load_statistics(folder / STATISTICS)


def write_statistics(statistics: Mapping[str, Statistics], path: Path) -> None:
    """Predictor -> its statistics, whole or not at all."""
    tensors = {
        f"{name}/{index}": of_task.contiguous()
        for name, of_tasks in statistics.items()
        for index, of_task in enumerate(of_tasks)
    }
    with atomic_path(path) as temporary:
        save_file(tensors, temporary)


def load_statistics(path: Path) -> dict[str, Statistics]:
    """What `write_statistics` wrote."""
    tensors = load_file(path)
    names = sorted({key.rpartition("/")[0] for key in tensors})
    num_tasks = len(tensors) // len(names)
    return {name: tuple(tensors[f"{name}/{index}"] for index in range(num_tasks)) for name in names}


def read_subjects(folders: Sequence[Path]) -> tuple[str, ...]:
    """Of each test clip of some runs that were evaluated, in the order of their `joined_statistics`."""
    results = [from_json(TestResult, read_text(folder / EVALUATION)) for folder in folders]
    return tuple(subject for result in results for subject in result.subjects)


def joined_statistics(folds: Sequence[Mapping[str, Statistics]]) -> dict[str, Statistics]:
    """The clips of several folds, one after the other: predictor -> its statistics."""
    return {
        name: tuple(torch.cat(of_task) for of_task in zip(*(fold[name] for fold in folds), strict=True))
        for name in folds[0]
    }


def _judged(
    experiment: Experiment, model: nn.Module, device: torch.device
) -> tuple[dict[str, TestScorer], dict[str, Tensor]]:
    """The model and the trivial predictors on the test clips, read once; and the model's answers."""
    task, scorings = task_of(experiment.recipe), scorings_of(experiment.recipe)
    predictors = _predictors(experiment, scorings)
    scorers = {"model": TestScorer(experiment)}
    for name, of_tasks in predictors.items():
        judged = (scoring if part else None for scoring, part in zip(scorings, of_tasks, strict=True))
        scorers[name] = TestScorer(experiment, tuple(judged))
    answers: dict[str, list[Tensor]] = {}
    model = model.to(device).eval()
    with torch.inference_mode():
        for batch in experiment.batches(experiment.split.test):
            output = {name: rows.cpu() for name, rows in predict(model, task, batch.to(device)).items()}
            scorers["model"].add(output, batch)
            for name, of_tasks in predictors.items():
                said = {target: rows for part in of_tasks if part for target, rows in part(batch).items()}
                scorers[name].add(said, batch)
            for scoring in scorings:
                for name, rows in scoring.answers(output).items():
                    answers.setdefault(name, []).append(rows)
    model.cpu()
    return scorers, {name: torch.cat(rows).contiguous() for name, rows in answers.items()}


def _predictors(experiment: Experiment, scorings: tuple[Scoring, ...]) -> dict[str, tuple[Predictor | None, ...]]:
    """The trivial predictors by name, one for each task; None where a task has none of that name."""
    train = experiment.split.train
    of_tasks = [scoring.predictors(experiment.label_batches(train)) for scoring in scorings]
    names = dict.fromkeys(name for own in of_tasks for name in own)
    return {name: tuple(own.get(name) for own in of_tasks) for name in names}


def _chance(scorings: tuple[Scoring, ...]) -> dict[str, dict[str, Measure]]:
    values = merged(scoring.chance() for scoring in scorings)
    return {"chance": {name: Measure(value) for name, value in values.items()}} if values else {}
