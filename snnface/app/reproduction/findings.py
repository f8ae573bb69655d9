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
    better, worse = (outcome.row(label) for label in (claim.better, claim.worse))
    ours, other = (row.ours[claim.metric] for row in (better, worse))
    if ours.value == other.value:
        verdict = "No difference here"
    else:
        verdict = "So here too" if _is_better(column, ours.value, other.value) else "The other way round here"
    pair = better.pairs.get(worse.label, {}).get(claim.metric)
    if pair is None:
        apart = "the intervals are apart" if _are_apart(ours, other) else "the intervals overlap"
    else:
        apart = _of_pair(column, ours.value - other.value, pair)
    settled = "" if _is_settled(ours, other, pair) else ", so this is not settled"
    return (
        f"{table.claimant}: {claim.says}. {verdict}: {column.heading} {column.text(ours.value)} against "
        f"{column.text(other.value)}; {apart}{settled}."
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
    pair = row.pairs.get(best, {}).get(column.metric)
    if not _is_better(column, ours.value, other.value):
        verdict = "is NOT better than"
    elif _is_settled(ours, other, pair):
        verdict = "is better, outside the intervals, than"
    else:
        verdict = "is better, within the intervals, than"
    apart = "" if pair is None else f"; {_of_pair(column, ours.value - other.value, pair)}"
    return (
        f"{row.label}: {column.heading} {column.text(ours.value)} {verdict} the best trivial predictor "
        f"({best}, {column.text(other.value)}){apart}."
    )


def _of_pair(column: Column, difference: float, interval: tuple[float, float]) -> str:
    return f"difference over the same people {column.text(difference)} ({' .. '.join(map(column.text, interval))})"


def _is_settled(one: Measure, other: Measure, pair: tuple[float, float] | None) -> bool:
    """By the interval of the paired difference where there is one, which leaves out 0; else by those of each."""
    return _are_apart(one, other) if pair is None else pair[0] > 0 or pair[1] < 0


def _is_better(column: Column, value: float, other: float) -> bool:
    return value < other if column.better == "lower" else value > other


def _are_apart(one: Measure, other: Measure) -> bool:
    """Do the 95 % ranges share no value? A value without a range is its own."""
    (low, high), (other_low, other_high) = (
        measure.interval if measure.interval is not None else (measure.value, measure.value) for measure in (one, other)
    )
    return low > other_high or high < other_low
