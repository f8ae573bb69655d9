"""A table as it came out: the published numbers, ours, and all that a reader must know of them. Written as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from snnface.app.judged_run import unseen_predictors
from snnface.app.reproduction.differences import data_in_words, data_name, differences
from snnface.app.reproduction.further import FurtherScores
from snnface.app.reproduction.pairs import Pairs
from snnface.app.reproduction.plan import PlannedRun
from snnface.app.reproduction.record import RunRecord
from snnface.app.reproduction.table import Part, Row, Table
from snnface.tasks.scoring import Measure

__all__ = ["Circumstances", "RowOutcome", "TableOutcome", "table_outcome"]

V = TypeVar("V")

ONE_PERSON = "one person was tested: there are no intervals, for nothing tells how others differ."


@dataclass(frozen=True, kw_only=True)
class RowOutcome:
    """A row.

    Attributes:
        published: metric -> the number as printed; empty where the paper has no such row.
        ours: metric -> value and interval; empty for rows that are only quoted.
        trivial: predictor without a network -> metric -> value, on the same clips.
        pairs: trivial predictor or label of another row on the same people -> metric -> 95 % interval of ours
            minus theirs, by pairs.
        unseen: trivial predictors that answer from what the network is never shown, and are no measure of it.
        run: the folder of its run below `runs`; "" for quoted rows.
        data: what it was run on.
        departs: how that differs from the paper, one sentence each.
        notes: what else must be known of its numbers.
    """

    label: str
    published: Mapping[str, float]
    ours: Mapping[str, Measure] = field(default_factory=dict)
    trivial: Mapping[str, Mapping[str, Measure]] = field(default_factory=dict)
    pairs: Pairs = field(default_factory=dict)
    unseen: tuple[str, ...] = ()
    run: str = ""
    data: str = ""
    departs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """How a table came about: the command, the machine, the versions."""

    command: str
    date: str
    machine: str
    versions: Mapping[str, str]
    seed: int


@dataclass(frozen=True, kw_only=True)
class TableOutcome:
    """A table with both columns.

    Attributes:
        is_synthetic: some number of ours is of synthetic people.
        runs: folder name -> what the run said.
    """

    name: str
    title: str
    source: str
    published_data: str
    is_synthetic: bool
    is_quick: bool
    rows: tuple[RowOutcome, ...]
    departs: tuple[str, ...]
    findings: tuple[str, ...]
    runs: Mapping[str, RunRecord]
    made: Circumstances

    def row(self, label: str) -> RowOutcome:
        return next(row for row in self.rows if row.label == label)


def table_outcome(
    table: Table,
    runs: Mapping[str, PlannedRun],
    records: Mapping[str, RunRecord],
    further: Mapping[str, FurtherScores],
    pairs: Mapping[str, Pairs],
    *,
    findings: tuple[str, ...] = (),
    made: Circumstances,
    is_quick: bool,
) -> TableOutcome:
    """The table from its runs.

    Args:
        runs: row label -> its run.
        records: folder name -> what the run said.
        further: row label -> what was asked of its network beyond the task.
        pairs: row label -> as `row_pairs` has them.
    """
    used = {label: records[run.folder_name] for label, run in runs.items()}
    return TableOutcome(
        name=table.name,
        title=table.title,
        source=table.source,
        published_data=table.data,
        is_synthetic=any(record.is_synthetic for record in used.values()),
        is_quick=is_quick,
        rows=tuple(
            _row(
                row,
                table,
                runs.get(row.label),
                used.get(row.label),
                further.get(row.label),
                pairs.get(row.label, {}),
            )
            for row in table.rows
        ),
        departs=table.departs,
        findings=findings,
        runs={run.folder_name: used[label] for label, run in runs.items()},
        made=made,
    )


def _row(
    row: Row,
    table: Table,
    run: PlannedRun | None,
    record: RunRecord | None,
    further: FurtherScores | None,
    pairs: Pairs,
) -> RowOutcome:
    if run is None or record is None:
        return RowOutcome(label=row.label, published=row.published, departs=row.departs)
    scores = {name: dict(metrics) for name, metrics in record.scores.items()}
    for name, metrics in (further.scores if further is not None else {}).items():
        scores[name] = scores.get(name, {}) | dict(metrics)
    shown = {column.metric for part in _parts_of(table, row) for column in part.columns}
    kept = {name: _only(shown, metrics) for name, metrics in scores.items()}
    return RowOutcome(
        label=row.label,
        published=row.published,
        ours=kept.pop("model"),
        trivial={name: metrics for name, metrics in kept.items() if metrics},
        pairs={name: _only(shown, metrics) for name, metrics in pairs.items()},
        unseen=unseen_predictors(run.recipe),
        run=run.folder_name,
        data=data_name(run.recipe, record.data),
        departs=(
            *row.departs,
            *_data_departs(run, record, table),
            *differences(run.recipe, run.paper),
        ),
        notes=(
            *record.account,
            *(further.notes if further is not None else ()),
            *([ONE_PERSON] if record.num_subjects == 1 else []),
        ),
    )


def _only(shown: set[str], metrics: Mapping[str, V]) -> dict[str, V]:
    return {metric: value for metric, value in metrics.items() if metric in shown}


def _parts_of(table: Table, row: Row) -> tuple[Part, ...]:
    return tuple(part for part in table.parts if row in part.rows)


def _data_departs(run: PlannedRun, record: RunRecord, table: Table) -> tuple[str, ...]:
    """What it was run on, if that is not what the paper was run on, and how much of the protocol."""
    found = []
    if record.is_synthetic:
        found.append(f"{data_in_words(run.recipe)}. The paper: {table.data}.")
    if len(record.folds) < record.num_folds:
        found.append(f"{len(record.folds)} of {record.num_folds} folds were run.")
    if record.selection == "test":
        found.append("weights were selected on the test subjects.")
    return tuple(found)
