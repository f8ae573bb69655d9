"""Rows beside each other, and beside trivial predictors, on the same people: how sure a difference is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from snnface.app.catalog import scorings_of
from snnface.app.cross_validation import fold_folder
from snnface.app.evaluation import TestResult, read_statistics
from snnface.app.recipes import Recipe
from snnface.app.reproduction.plan import PlannedRun
from snnface.app.reproduction.record import RunRecord
from snnface.app.reproduction.table import Table
from snnface.app.run import EVALUATION
from snnface.config import from_json
from snnface.files import read_text
from snnface.metrics.intervals import Judged, paired_intervals
from snnface.seeding import SeedTree
from snnface.tasks.scoring import merged

__all__ = ["Pairs", "row_pairs"]

Pairs = Mapping[str, Mapping[str, tuple[float, float]]]
"""What a row is compared with (a row's label, a trivial predictor) -> metric -> 95 % interval of ours minus theirs."""


@dataclass(frozen=True, slots=True, eq=False)
class _Judgement:
    """A run's test clips: predictor, "model" among them -> how each of its tasks was judged."""

    recipe: Recipe
    data: str
    predictors: Mapping[str, tuple[Judged, ...]]

    @property
    def model(self) -> tuple[Judged, ...]:
        return self.predictors["model"]


def row_pairs(
    table: Table, runs: Mapping[str, PlannedRun], records: Mapping[str, RunRecord], folder: Path
) -> dict[str, Pairs]:
    """Row label -> how it differs from its trivial predictors, and from the rows that a claim says it is better than.

    Rows of other data or other test people have no pairs, and are left out; so is what was not judged clip by clip
    (costs, emotions of another set, the integers of a chip).

    Args:
        runs: row label -> its run.
        records: folder name -> what the run said.
        folder: where the runs' folders are.
    """
    judged = {label: _judgement(run, records[run.folder_name], folder / run.folder_name) for label, run in runs.items()}
    found: dict[str, dict[str, dict[str, tuple[float, float]]]] = {
        label: {name: _apart(run.recipe, run.model, parts) for name, parts in run.predictors.items() if name != "model"}
        for label, run in judged.items()
    }
    for claim in table.claims:
        one, other = judged.get(claim.better), judged.get(claim.worse)
        if one is not None and other is not None and one.data == other.data:
            found[claim.better][claim.worse] = _apart(one.recipe, one.model, other.model)
    return dict(found)


def _judgement(run: PlannedRun, record: RunRecord, folder: Path) -> _Judgement:
    folds = [fold_folder(folder, fold) for fold in record.folds]
    results = [from_json(TestResult, read_text(fold / EVALUATION)) for fold in folds]
    statistics = [read_statistics(fold) for fold in folds]
    subjects = tuple(subject for result in results for subject in result.subjects)
    return _Judgement(
        recipe=run.recipe,
        data=record.data,
        predictors={
            name: tuple(
                Judged(torch.cat(rows), scoring.metrics, subjects)
                for scoring, rows in zip(
                    scorings_of(run.recipe), zip(*(fold[name] for fold in statistics), strict=True), strict=True
                )
            )
            for name in statistics[0]
        },
    )


def _apart(recipe: Recipe, one: tuple[Judged, ...], other: tuple[Judged, ...]) -> dict[str, tuple[float, float]]:
    """Of every metric of the tasks that both have, by the name it has among the scores."""
    seed = SeedTree(recipe.seed)
    return merged(
        paired_intervals(first, second, generator=seed.numpy("bootstrap")) if _people(first) == _people(second) else {}
        for first, second in zip(one, other, strict=False)
    )


def _people(judged: Judged) -> set[str]:
    """Those with labels."""
    return {subject for subject, row in zip(judged.subjects, judged.statistics, strict=True) if row.any()}
