"""A recipe under every fold of its protocol: each a run of its own, then scores per fold and over all of them.

settings.json          the recipe, whole
fold-00/, fold-01/ ... a run folder each
cross_validation.json  scores of each fold, their spread, and those of the pooled test clips
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean, stdev

from rich.console import Console

from snnface.app.catalog import LABELS, class_names_of
from snnface.app.claim import claim
from snnface.app.evaluation import (
    TestResult,
    class_results_of,
    evaluate_run,
    joined_statistics,
    read_statistics,
    scores_of_clips,
)
from snnface.app.experiment import Experiment, open_experiment
from snnface.app.recipes import Recipe
from snnface.app.run import ANSWERS, EVALUATION, STATISTICS, Device, device_of, require_choice, train_run
from snnface.config import from_json, to_json
from snnface.datasets.clip import Clip
from snnface.datasets.protocols import num_folds_of, split_of, with_fold
from snnface.errors import ConfigError, DataError
from snnface.files import read_text, write_text
from snnface.jobs import Job, run_jobs
from snnface.metrics.classification import ClassResult
from snnface.tasks.action_units import ActionUnitTaskConfig
from snnface.tasks.reconstruction import ReconstructionTaskConfig
from snnface.tasks.scoring import Measure
from snnface.training.optim import Selection

__all__ = ["CROSS_VALIDATION", "CrossValidation", "FoldResult", "Spread", "cross_validate", "fold_folder"]

SETTINGS, CROSS_VALIDATION = "settings.json", "cross_validation.json"

MAX_NAMED = 3


@dataclass(frozen=True, slots=True)
class Spread:
    """A metric over folds: the mean of its values and their standard deviation (n - 1; None of one fold)."""

    mean: float
    sd: float | None


@dataclass(frozen=True, slots=True)
class FoldResult:
    """What one fold says.

    Attributes:
        subjects: the test subjects.
        scores: predictor -> metric -> value over the fold's test clips.
    """

    fold: int
    subjects: tuple[str, ...]
    num_clips: int
    scores: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """What all folds say.

    Attributes:
        recipe: its name.
        data: name of the data set.
        selection: what each fold's weights were chosen on; after "test" no score is of unseen subjects.
        num_folds: of the protocol; fewer may have been asked for.
        spread: predictor -> metric -> mean and standard deviation over the folds; without chance, which has none.
        pooled: predictor -> metric -> value over the test clips of all folds together, with the 95 % range
            over subjects. "model" comes first; the trivial predictors of each fold know its training clips alone.
        classes: target -> class -> how the models fared with it over the pooled test clips.
    """

    recipe: str
    data: str
    is_synthetic: bool
    selection: Selection
    num_folds: int
    folds: tuple[FoldResult, ...]
    spread: Mapping[str, Mapping[str, Spread]]
    pooled: Mapping[str, Mapping[str, Measure]]
    classes: Mapping[str, Mapping[str, ClassResult]] = field(default_factory=dict)

    @property
    def num_clips(self) -> int:
        return sum(fold.num_clips for fold in self.folds)

    @property
    def num_subjects(self) -> int:
        return len({subject for fold in self.folds for subject in fold.subjects})


@dataclass(frozen=True, slots=True, kw_only=True)
class _FoldRun:
    """One fold's work; travels to the process that does it."""

    recipe: Recipe
    folder: Path
    cache_dir: Path | None
    device: Device


def cross_validate(
    recipe: Recipe,
    out: Path,
    *,
    cache_dir: Path | None,
    folds: Sequence[int] | None = None,
    scheduler: str | None = None,
    num_workers: int | None = None,
    device: Device = "auto",
    on_progress: Callable[[int, int], None] | None = None,
    console: Console | None = None,
) -> CrossValidation:
    """Train and evaluate the recipe in every fold of its protocol, on all cores or a cluster; one split is one fold.

    A cross-validation that was stopped or killed goes on when the same is called again: folds that are finished
    are kept, one that was under way resumes. The weights of a fold depend neither on other folds nor on
    the number of workers.

    Args:
        folds: their numbers, from 0; None: all. Scores are of these alone.
        scheduler, num_workers, on_progress: as `run_jobs`; on a GPU of this machine one fold runs at a time, unless
            `num_workers` says otherwise.
        console: where the making of recordings is shown; None: nowhere.

    Raises:
        ConfigError: if the data have too few subjects for the protocol or no such fold, `out` holds other
            things, or the weights cannot be chosen as the recipe wants; and as `run_jobs`.
        DataError: if a fold tests on a class that it has no training clip of, or has no labels; names it.
        SnnfaceError: if a fold failed; names every one that did. The others are kept.
    """
    device_type = device_of(device).type
    experiment = open_experiment(
        replace(recipe, split=with_fold(recipe.split, 0)), cache_dir=cache_dir, console=console or Console(quiet=True)
    )
    recipe, dataset = experiment.recipe, experiment.dataset
    num_folds = num_folds_of(recipe.split, dataset, seed=recipe.seed)
    numbers = _numbers(folds, num_folds)
    _check(experiment, numbers)
    claim(out, SETTINGS, to_json(recipe), what="a cross-validation")
    runs = [
        _FoldRun(
            recipe=replace(recipe, split=with_fold(recipe.split, number)),
            folder=fold_folder(out, number),
            cache_dir=None if cache_dir is None else cache_dir.resolve(),
            device=device,
        )
        for number in numbers
    ]
    if num_workers is None and scheduler is None and device_type == "cuda":
        num_workers = 1
    # All that a fold leaves atomically, the result last: what a killed one left of them is removed beforehand.
    names = ("recipe.json", "model.safetensors", ANSWERS, STATISTICS, EVALUATION)
    jobs = [
        Job(f"fold {number}", tuple(run.folder / name for name in names), run)
        for number, run in zip(numbers, runs, strict=True)
    ]
    run_jobs(jobs, _run_fold, scheduler=scheduler, num_workers=num_workers, on_progress=on_progress).require_all()
    result = _cross_validation(experiment, dict(zip(numbers, runs, strict=True)), num_folds)
    write_text(out / CROSS_VALIDATION, to_json(result))
    return result


def fold_folder(out: Path, fold: int) -> Path:
    """The run folder of a fold."""
    return out.resolve() / f"fold-{fold:02d}"


def _run_fold(run: _FoldRun) -> None:
    console = Console(quiet=True)
    experiment = open_experiment(run.recipe, cache_dir=run.cache_dir, console=console)
    resume = (run.folder / "recipe.json").is_file()
    model = train_run(experiment, run.folder, console=console, resume=resume, device=run.device)
    evaluate_run(experiment, model, run.folder, device=run.device)


def _numbers(folds: Sequence[int] | None, num_folds: int) -> tuple[int, ...]:
    if folds is None:
        return tuple(range(num_folds))
    numbers = tuple(dict.fromkeys(folds))
    wrong = [number for number in numbers if not 0 <= number < num_folds]
    if wrong or not numbers:
        raise ConfigError(
            f"the folds of this protocol are numbered from 0 to {num_folds - 1}; got "
            f"{', '.join(map(str, wrong)) or 'none'}. Leave the numbers out for all of them."
        )
    return numbers


def _check(experiment: Experiment, numbers: Sequence[int]) -> None:
    """Refuse, before any fold is trained, those that cannot be."""
    recipe, problems = experiment.recipe, []
    for number in numbers:
        split = split_of(with_fold(recipe.split, number), experiment.dataset, seed=recipe.seed)
        require_choice(recipe.training.selection, split)
        problems += [f"fold {number} {problem}" for problem in _problems(recipe, split.train, split.test)]
    if problems:
        more = f"; and {len(problems) - MAX_NAMED} more" if len(problems) > MAX_NAMED else ""
        raise DataError(
            f"every class that is tested needs training clips, and every fold labels: {'; '.join(problems[:MAX_NAMED])}"
            f"{more}. Leave these folds out (--folds), or their clips, or take other folds."
        )


def _problems(recipe: Recipe, train: Sequence[Clip], test: Sequence[Clip]) -> list[str]:
    """What is missing, in words."""
    found = []
    for task in recipe.tasks:
        # Pictures are no labels: every clip has them.
        if isinstance(task, ReconstructionTaskConfig):
            continue
        names = LABELS[type(task)](task)
        for what, clips in (("training", train), ("test", test)):
            if not any(name in clip.labels for clip in clips for name in names):
                found.append(f"has no {what} clip with the label {names[0]!r}")
        if isinstance(task, ActionUnitTaskConfig):
            known, tested = (
                {int(clip.labels[task.target]) for clip in clips if task.target in clip.labels}
                for clips in (train, test)
            )
            subjects = ", ".join(sorted({clip.subject for clip in test})[:MAX_NAMED])
            found += [
                f"(test: {subjects}) has no training clip of {class_names_of(recipe)[index]!r}"
                for index in sorted(tested - known)
            ]
    return found


def _cross_validation(experiment: Experiment, runs: Mapping[int, _FoldRun], num_folds: int) -> CrossValidation:
    recipe = experiment.recipe
    results = {number: from_json(TestResult, read_text(run.folder / EVALUATION)) for number, run in runs.items()}
    folds = tuple(
        FoldResult(
            fold=number,
            subjects=tuple(sorted(set(result.subjects))),
            num_clips=result.num_clips,
            scores={name: {key: one.value for key, one in scores.items()} for name, scores in result.scores.items()},
        )
        for number, result in results.items()
    )
    statistics = joined_statistics([read_statistics(run.folder) for run in runs.values()])
    subjects = [subject for result in results.values() for subject in result.subjects]
    first = folds[0].scores
    return CrossValidation(
        recipe=recipe.name,
        data=experiment.dataset.name,
        is_synthetic=experiment.dataset.is_synthetic,
        selection=recipe.training.selection,
        num_folds=num_folds,
        folds=folds,
        spread={
            name: {metric: _spread([fold.scores[name][metric] for fold in folds]) for metric in metrics}
            for name, metrics in first.items()
            if name in statistics
        },
        pooled={
            # What guessing expects is no count of answers.
            name: scores_of_clips(recipe, statistics[name], subjects)
            if name in statistics
            else {metric: Measure(value) for metric, value in metrics.items()}
            for name, metrics in first.items()
        },
        classes=class_results_of(recipe, statistics["model"]),
    )


def _spread(values: Sequence[float]) -> Spread:
    return Spread(fmean(values), stdev(values) if len(values) > 1 else None)
