"""Rows beside each other, and beside trivial predictors, on the same people: how sure a difference is."""

from collections.abc import Mapping
from pathlib import Path

from snnface.app.cross_validation import fold_folder
from snnface.app.judged_run import Apart, apart, apart_from_trivial, judgement_of
from snnface.app.reproduction.further import CONVERSION_STATISTICS
from snnface.app.reproduction.plan import PlannedRun
from snnface.app.reproduction.record import RunRecord
from snnface.app.reproduction.table import Table

__all__ = ["Pairs", "row_pairs"]

Pairs = Mapping[str, Apart]
"""What a row is compared with (a row's label, a trivial predictor) -> how ours differs from it."""


def row_pairs(
    table: Table, runs: Mapping[str, PlannedRun], records: Mapping[str, RunRecord], folder: Path
) -> dict[str, Pairs]:
    """Row label -> how it differs from its trivial predictors, and from the rows that a claim says it is better than.

    Rows of other data or other test people have no pairs, and are left out; so is what was not judged clip by clip
    (costs, emotions of another set, the integers of a chip). A converted network's row is of what that answered.

    Args:
        runs: row label -> its run.
        records: folder name -> what the run said.
        folder: where the runs' folders are.
    """
    converted = {row.label for row in table.rows if row.further == "conversion"}
    judged = {
        label: judgement_of(
            run.recipe,
            [fold_folder(folder / run.folder_name, fold) for fold in records[run.folder_name].folds],
            model=CONVERSION_STATISTICS if label in converted else None,
        )
        for label, run in runs.items()
    }
    found = {label: apart_from_trivial(runs[label].recipe, judgement) for label, judgement in judged.items()}
    for claim in table.claims:
        if claim.better in judged and claim.worse in judged:
            one, other = runs[claim.better], runs[claim.worse]
            if records[one.folder_name].data == records[other.folder_name].data:
                models = judged[claim.better]["model"], judged[claim.worse]["model"]
                found[claim.better][claim.worse] = apart(one.recipe, *models)
    return dict(found)
