"""A run's model on its test subjects, beside predictors that need no model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from snnface.app.catalog import scorings_of, task_of
from snnface.app.experiment import Experiment
from snnface.app.run import ANSWERS, EVALUATION, weights_hash
from snnface.config import from_json, to_json
from snnface.datasets.clip import Batch
from snnface.errors import CheckpointError, DataError
from snnface.files import atomic_path, read_text, write_text
from snnface.seeding import SeedTree
from snnface.tasks.base import Output
from snnface.tasks.scoring import Measure, Predictor, Scoring, measures, merged
from snnface.training.evaluation import predict

__all__ = ["Scores", "TestResult", "TestScorer", "evaluate_run", "read_answers"]

Scores = Mapping[str, Measure]
"""Metric -> its value, with the 95 % range over subjects."""


@dataclass(frozen=True, slots=True)
class TestResult:
    """What the test subjects say of a trained model.

    Attributes:
        weights: SHA-256 of the recipe and the weights that were evaluated.
        scores: predictor -> metric -> value and interval. "model" comes first, then the trivial
            predictors, which know the training clips alone ("constant", and "mean" for numbers), then
            "chance" for the metrics for which it is defined.
    """

    __test__ = False

    weights: str
    num_clips: int
    num_subjects: int
    clip_ids: tuple[str, ...]
    scores: Mapping[str, Mapping[str, Measure]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.clip_ids) != self.num_clips or not self.scores.get("model"):
            raise DataError("a test result needs a name for each clip and scores of the model; this one is damaged.")

    @property
    def model(self) -> Mapping[str, Measure]:
        return self.scores["model"]


class TestScorer:
    """Judges answers to the test clips, which come batch by batch in the order of the clips.

    Args:
        scorings: of the tasks that are judged; None: of all tasks of the recipe.
    """

    __test__ = False

    def __init__(self, experiment: Experiment, scorings: tuple[Scoring, ...] | None = None) -> None:
        self._experiment = experiment
        self._scorings = scorings_of(experiment.recipe) if scorings is None else scorings
        self._statistics: list[list[Tensor]] = [[] for _ in self._scorings]

    def add(self, output: Output, batch: Batch) -> None:
        for scoring, gathered in zip(self._scorings, self._statistics, strict=True):
            gathered.append(scoring.statistics(output, batch))

    def scores(self) -> dict[str, Measure]:
        """Every metric of every task.

        Raises:
            DataError: if no clip has a label, or not all clips were judged.
        """
        subjects = [clip.subject for clip in self._experiment.split.test]
        seed = SeedTree(self._experiment.recipe.seed)
        return merged(
            measures(scoring, torch.cat(gathered), subjects, generator=seed.numpy("bootstrap"))
            for scoring, gathered in zip(self._scorings, self._statistics, strict=True)
        )


def evaluate_run(experiment: Experiment, model: nn.Module, out: Path) -> TestResult:
    """Read the test subjects, once: the result is kept in `evaluation.json` and returned from there later.

    Only other weights (a run that was resumed since) are a reason to read them again.
    """
    path, weights = out / EVALUATION, weights_hash(out)
    if path.is_file():
        kept = from_json(TestResult, read_text(path))
        if kept.weights == weights:
            return kept
    clips = experiment.split.test
    scores, answers = _test_scores(experiment, model)
    result = TestResult(
        weights=weights,
        num_clips=len(clips),
        num_subjects=len({clip.subject for clip in clips}),
        clip_ids=tuple(clip.clip_id for clip in clips),
        scores={**scores, **_chance(scorings_of(experiment.recipe))},
    )
    # Answers first: a result without them would be taken for whole.
    with atomic_path(out / ANSWERS) as temporary:
        save_file(answers, temporary)
    write_text(path, to_json(result))
    return result


def read_answers(folder: Path) -> dict[str, Tensor]:
    """What the model answered to the test clips, in the order of `TestResult.clip_ids`: target -> [N, ...].

    Raises:
        CheckpointError: if the run has not been evaluated.
    """
    if not (folder / ANSWERS).is_file():
        raise CheckpointError(f"{folder} holds no {ANSWERS}; run `snnface evaluate {folder}` first.")
    return load_file(folder / ANSWERS)


def _test_scores(experiment: Experiment, model: nn.Module) -> tuple[dict[str, Scores], dict[str, Tensor]]:
    """Scores of the model and of the trivial predictors on the test clips, read once; and the model's answers."""
    task, scorings, predictors = task_of(experiment.recipe), scorings_of(experiment.recipe), _predictors(experiment)
    scorers = {name: TestScorer(experiment) for name in ("model", *predictors)}
    answers: dict[str, list[Tensor]] = {}
    with torch.inference_mode():
        for batch in experiment.batches(experiment.split.test):
            output = predict(model.eval(), task, batch)
            scorers["model"].add(output, batch)
            for name, predictor in predictors.items():
                scorers[name].add(predictor(batch), batch)
            for scoring in scorings:
                for name, rows in scoring.answers(output).items():
                    answers.setdefault(name, []).append(rows)
    scores: dict[str, Scores] = {name: scorer.scores() for name, scorer in scorers.items()}
    return scores, {name: torch.cat(rows).contiguous() for name, rows in answers.items()}


def _predictors(experiment: Experiment) -> dict[str, Predictor]:
    """The trivial predictors that every task has, each with the answers to all tasks."""
    train = experiment.split.train
    of_tasks = [scoring.predictors(experiment.label_batches(train)) for scoring in scorings_of(experiment.recipe)]
    shared = [name for name in of_tasks[0] if all(name in others for others in of_tasks)]

    def joined(name: str) -> Predictor:
        return lambda batch: {target: rows for each in of_tasks for target, rows in each[name](batch).items()}

    return {name: joined(name) for name in shared}


def _chance(scorings: tuple[Scoring, ...]) -> dict[str, dict[str, Measure]]:
    values = merged(scoring.chance() for scoring in scorings)
    return {"chance": {name: Measure(value) for name, value in values.items()}} if values else {}
