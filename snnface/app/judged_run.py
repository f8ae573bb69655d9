"""How the answers of a run were judged, clip by clip, and how sure its differences from others are."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ann_baselines.cvae import ConditionalVaeConfig
from snnface.app.catalog import scorings_of
from snnface.app.evaluation import joined_statistics, load_statistics, read_statistics, read_subjects
from snnface.app.recipes import Recipe
from snnface.metrics.intervals import Judged, paired_intervals
from snnface.seeding import SeedTree
from snnface.tasks.scoring import merged

__all__ = ["Apart", "Judgement", "apart", "apart_from_trivial", "judgement_of", "unseen_predictors"]

Judgement = Mapping[str, tuple[Judged, ...]]
"""Predictor, "model" first -> how each task of its recipe was judged; of a task that it does not answer, nothing."""

Apart = Mapping[str, tuple[float, float]]
"""Metric -> 95 % interval of one's value minus the other's, drawn over the same people for both."""


def judgement_of(recipe: Recipe, folders: Sequence[Path], *, model: str | None = None) -> Judgement:
    """Of the test clips of some run folders together: the folds of one recipe.

    Args:
        model: the file, in each folder, that says of "model" how another form of it was judged, as
            `write_statistics` writes it; None: the trained one.

    Raises:
        CheckpointError: if one of them has not been evaluated.
    """
    subjects = read_subjects(folders)
    statistics = joined_statistics([read_statistics(folder) for folder in folders])
    if model is not None:
        statistics |= joined_statistics([load_statistics(folder / model) for folder in folders])
    names = ["model", *(name for name in statistics if name != "model")]
    return {
        name: tuple(
            Judged(of_task, scoring.metrics, subjects)
            for scoring, of_task in zip(scorings_of(recipe), statistics[name], strict=True)
        )
        for name in names
    }


def apart(recipe: Recipe, one: tuple[Judged, ...], other: tuple[Judged, ...]) -> Apart:
    """Every metric of the tasks that both answer, by the name it has among the scores; none where the people with
    labels are not the same, or one alone."""
    seed = SeedTree(recipe.seed)
    return merged(
        paired_intervals(first, second, generator=seed.numpy("bootstrap")) if _people(first) == _people(second) else {}
        for first, second in zip(one, other, strict=False)
    )


def apart_from_trivial(recipe: Recipe, judged: Judgement) -> dict[str, Apart]:
    """Trivial predictor -> how the model differs from it."""
    return {name: apart(recipe, judged["model"], parts) for name, parts in judged.items() if name != "model"}


def unseen_predictors(recipe: Recipe) -> tuple[str, ...]:
    """Trivial predictors that answer from what the recipe's network is never shown, and are no measure of it."""
    encoder = recipe.encoder
    is_blind = isinstance(encoder, ConditionalVaeConfig) and not encoder.sees_reference
    return ("reference",) if is_blind else ()


def _people(judged: Judged) -> set[str]:
    """Those with labels."""
    return {subject for subject, row in zip(judged.subjects, judged.statistics, strict=True) if row.any()}
