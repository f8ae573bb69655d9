"""What a rerun table says: of the paper's own claims, and of predictors that need no network."""

from collections.abc import Iterator

from snnface.app.reproduction.outcome import RowOutcome, TableOutcome
from snnface.app.reproduction.table import Claim, Column, Table
from snnface.app.tables import TRIVIAL
from snnface.tasks.scoring import Measure

__all__ = ["findings"]

# What a network must beat; "truth" is what the rule of a table allows.
TRIVIAL_OR_CHANCE = frozenset({*TRIVIAL, "chance"}) - {"truth"}
# These columns describe a network; nothing is beaten by them.
DESCRIBED = frozenset({"parameters", "synops", "macs"})


def findings(table: Table, outcome: TableOutcome) -> tuple[str, ...]:
    """One sentence for each claim of the paper, then one for each row and leading column against trivial predictors."""
    return (
        *(_of_claim(claim, table, outcome) for claim in table.claims if _is_known(claim, outcome)),
        *_against_trivial(table, outcome),
    )


def _is_known(claim: Claim, outcome: TableOutcome) -> bool:
    return all(claim.metric in outcome.row(label).ours for label in (claim.better, claim.worse))


def _of_claim(claim: Claim, table: Table, outcome: TableOutcome) -> str:
    column = table.column(claim.metric)
    ours, other = (outcome.row(label).ours[claim.metric] for label in (claim.better, claim.worse))
    if ours.value == other.value:
        verdict = "No difference here"
    else:
        verdict = "So here too" if _is_better(column, ours.value, other.value) else "The other way round here"
    apart = "the intervals are apart" if _are_apart(ours, other) else "the intervals overlap, so this is not settled"
    return (
        f"{table.claimant}: {claim.says}. {verdict}: {column.heading} {column.text(ours.value)} against "
        f"{column.text(other.value)}; {apart}."
    )


def _against_trivial(table: Table, outcome: TableOutcome) -> Iterator[str]:
    for part in table.parts:
        leading = [column for column in part.columns if column.better and column.metric not in DESCRIBED][:1]
        for column in leading:
            for row in part.rows:
                found = outcome.row(row.label)
                trivial = {
                    name: scores[column.metric]
                    for name, scores in found.trivial.items()
                    if name in TRIVIAL_OR_CHANCE and column.metric in scores
                }
                if column.metric in found.ours and trivial:
                    yield _of_row(found, column, trivial)


def _of_row(row: RowOutcome, column: Column, trivial: dict[str, Measure]) -> str:
    sign = -1 if column.better == "lower" else 1
    best = max(trivial, key=lambda name: sign * trivial[name].value)
    ours, other = row.ours[column.metric], trivial[best]
    if not _is_better(column, ours.value, other.value):
        verdict = "is NOT better than"
    elif _are_apart(ours, other):
        verdict = "is better, outside the intervals, than"
    else:
        verdict = "is better, within the intervals, than"
    return (
        f"{row.label}: {column.heading} {column.text(ours.value)} {verdict} the best trivial predictor "
        f"({best}, {column.text(other.value)})."
    )


def _is_better(column: Column, value: float, other: float) -> bool:
    return value < other if column.better == "lower" else value > other


def _are_apart(one: Measure, other: Measure) -> bool:
    """Do the 95 % ranges share no value? A value without a range is its own."""
    (low, high), (other_low, other_high) = (
        measure.interval if measure.interval is not None else (measure.value, measure.value) for measure in (one, other)
    )
    return low > other_high or high < other_low
