"""What a rerun table says: of the paper's own claims, and of predictors that need no network."""

from collections.abc import Iterator
from typing import Literal

from snnface.app.reproduction.outcome import RowOutcome, TableOutcome
from snnface.app.reproduction.table import Claim, Column, Table
from snnface.app.tables import TRIVIAL
from snnface.tasks.scoring import Measure

__all__ = ["findings"]

Surety = Literal["apart", "overlapping", "unknown"]
"""Of a difference; "unknown": there is no interval, for one person alone was tested."""

# What a network must beat; "truth" is what the rule of a table allows.
TRIVIAL_OR_CHANCE = frozenset({*TRIVIAL, "chance"}) - {"truth"}
# These columns describe a network; nothing is beaten by them. They are known exactly.
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
    better, worse = (outcome.row(label) for label in (claim.better, claim.worse))
    ours, other = (row.ours[claim.metric] for row in (better, worse))
    if ours.value == other.value:
        verdict = "No difference here"
    else:
        verdict = "So here too" if _is_better(column, ours.value, other.value) else "The other way round here"
    pair = better.pairs.get(worse.label, {}).get(claim.metric)
    surety = _surety(column, ours, other, pair)
    if pair is None:
        said = {"apart": "the intervals are apart", "overlapping": "the intervals overlap"}
        difference = said.get(surety, "there are no intervals")
    else:
        difference = _of_pair(column, ours.value - other.value, pair)
    settled = "" if surety == "apart" else ", so this is not settled"
    says = claim.says.removesuffix(".")  # A row's label may end with one.
    return (
        f"{table.claimant}: {says}. {verdict}: {column.heading} {column.text(ours.value)} against "
        f"{column.text(other.value)}; {difference}{settled}."
    )


def _against_trivial(table: Table, outcome: TableOutcome) -> Iterator[str]:
    told: set[tuple[str, str]] = set()
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
                fair = {name: measure for name, measure in trivial.items() if name not in found.unseen}
                if column.metric in found.ours and fair:
                    unseen = (_of_unseen(name, column, trivial[name]) for name in found.unseen if name in trivial)
                    # What two parts call by one name is measured differently in each.
                    named = (row.label, column.heading)
                    again = f"{part.title}. " if named in told else ""
                    told.add(named)
                    yield again + " ".join((_of_row(found, column, fair), *unseen))


def _of_row(row: RowOutcome, column: Column, trivial: dict[str, Measure]) -> str:
    sign = -1 if column.better == "lower" else 1
    best = max(trivial, key=lambda name: sign * trivial[name].value)
    ours, other = row.ours[column.metric], trivial[best]
    pair = row.pairs.get(best, {}).get(column.metric)
    sure = {"apart": "outside the intervals", "overlapping": "within the intervals", "unknown": "without an interval"}
    if _is_better(column, ours.value, other.value):
        verdict = f"is better, {sure[_surety(column, ours, other, pair)]}, than"
    else:
        verdict = "is NOT better than"
    difference = "" if pair is None else f"; {_of_pair(column, ours.value - other.value, pair)}"
    return (
        f"{row.label}: {column.heading} {column.text(ours.value)} {verdict} the best trivial predictor "
        f"({best}, {column.text(other.value)}){difference}."
    )


def _of_unseen(name: str, column: Column, measure: Measure) -> str:
    shown = TRIVIAL.get(name, name)
    return f"It is never shown {shown}, which alone has {column.text(measure.value)} and is no measure of it."


def _of_pair(column: Column, difference: float, interval: tuple[float, float]) -> str:
    return f"difference over the same people {column.text(difference)} ({' .. '.join(map(column.text, interval))})"


def _surety(column: Column, ours: Measure, other: Measure, pair: tuple[float, float] | None) -> Surety:
    """By the interval of the paired difference where there is one, which leaves out 0; else by those of each."""
    if pair is not None:
        return "apart" if pair[0] > 0 or pair[1] < 0 else "overlapping"
    if ours.interval is None and column.metric not in DESCRIBED:
        return "unknown"
    return "apart" if _are_apart(ours, other) else "overlapping"


def _is_better(column: Column, value: float, other: float) -> bool:
    return value < other if column.better == "lower" else value > other


def _are_apart(one: Measure, other: Measure) -> bool:
    """Do the 95 % ranges share no value? A value without a range is its own."""
    (low, high), (other_low, other_high) = (
        measure.interval if measure.interval is not None else (measure.value, measure.value) for measure in (one, other)
    )
    return low > other_high or high < other_low
