"""A table that came out as grids of text, the same for Markdown and for the page."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from snnface.app.reproduction.outcome import RowOutcome, TableOutcome
from snnface.app.reproduction.table import Column, Part, Table
from snnface.app.tables import TRIVIAL
from snnface.pages.blocks import Grid
from snnface.pages.numbers import si
from snnface.tasks.scoring import Measure

__all__ = ["grids", "narrow_grid", "notes_of", "numbered_departures", "run_grid"]

MAX_ACROSS = 8
"""A part with more columns of numbers than these has its metrics below each other."""

MAX_DOWN = 10
"""Below each other, with more columns than these, predictors without a network have a table of their own."""

ABSENT = "–"

LABELS = TRIVIAL | {"truth": "the same rule on the truth"}
"""Predictors without a network as tables name them."""


def grids(table: Table, outcome: TableOutcome) -> tuple[Grid, ...]:
    """The parts of the table: published and ours side by side, on which data, with the numbers of the departures."""
    notes = numbered_departures(outcome)
    return tuple(
        grid
        for part in table.parts
        for grid in (_down(part, outcome, notes) if _width(part) > MAX_ACROSS else (_across(part, outcome, notes),))
    )


def numbered_departures(outcome: TableOutcome) -> dict[str, int]:
    """Each sentence once, with its number: those of the whole table first."""
    sentences = [*outcome.departs, *(sentence for row in outcome.rows for sentence in row.departs)]
    return {sentence: number for number, sentence in enumerate(dict.fromkeys(sentences), start=1)}


def narrow_grid(table: Table, outcome: TableOutcome) -> Grid:
    """Every number on a line of its own, for a terminal."""
    rows = [
        (row.label if column is part.columns[0] else "", column.title, *_cells(column, found, has_published=True))
        for part in table.parts
        for row in part.rows
        for found in (outcome.row(row.label),)
        for column in part.columns
        if column.metric in row.published or column.metric in found.ours
    ]
    headings = (("model", "text"), ("metric", "text"), ("published", "number"), ("here (95 %)", "number"))
    return Grid(f"{outcome.name}: {outcome.title}", headings, tuple(rows))


def notes_of(outcome: TableOutcome) -> tuple[str, ...]:
    """What else must be known of a row's numbers, with its name in front."""
    return tuple(f"{row.label}: {note}" for row in outcome.rows for note in row.notes)


def run_grid(outcome: TableOutcome) -> Grid:
    """What each run was and took."""
    headings = ("run", "data", "test clips", "people", "folds", "epochs", "parameters", "device", "time", "memory")
    rows = tuple(
        (
            name,
            record.data,
            f"{record.num_clips:,}",
            str(record.num_subjects),
            f"{len(record.folds)} of {record.num_folds}",
            str(record.num_epochs),
            f"{record.num_parameters:,}",
            record.device if record.precision == "32-true" else f"{record.device}, {record.precision}",
            f"{record.seconds:,.0f} s",
            ABSENT if record.peak_bytes is None else si(record.peak_bytes, "B"),
        )
        for name, record in outcome.runs.items()
    )
    kinds = ("text", "text", *["number"] * 5, "text", "number", "number")
    return Grid("Runs", tuple(zip(headings, kinds, strict=True)), rows)


def _width(part: Part) -> int:
    return len(part.columns) * (2 if part.has_published else 1)


def _caption(part: Part) -> str:
    return f"{part.title}: published and here" if part.has_published else part.title


def _across(part: Part, outcome: TableOutcome, notes: Mapping[str, int]) -> Grid:
    """A row a model: two columns for each metric, or one where the paper has no such table."""
    both = part.has_published
    headings = [("model", "text")]
    for column in part.columns:
        here = [("here (95 %)" if both else f"{column.title} (95 %)", "number")]
        headings += [(f"{column.title}, published", "number"), *here] if both else here
    headings += [("data here", "text"), ("departures", "text")]
    found = [outcome.row(row.label) for row in part.rows]
    rows = []
    for row in found:
        cells = (_cells(column, row, has_published=both) for column in part.columns)
        rows.append(
            (row.label, *(cell for pair in cells for cell in pair), row.data or ABSENT, _noted(row, outcome, notes))
        )
    for label, scores in _trivial(part, found):
        blank = ("",) if both else ()
        rows.append((label, *(cell for column in part.columns for cell in (*blank, _ours(column, scores))), "", ""))
    return Grid(_caption(part), tuple(headings), tuple(rows))


def _down(part: Part, outcome: TableOutcome, notes: Mapping[str, int]) -> tuple[Grid, ...]:
    """A row a metric: two columns for each model, or one where the paper has no such row; then what is trivial."""
    models, trivial = _models_down(part, outcome, notes), _trivial_down(part, outcome)
    if len(models.columns) + len(trivial.columns) - 1 > MAX_DOWN:
        return models, replace(trivial, rows=tuple(row for row in trivial.rows if {*row[1:]} != {ABSENT}))
    num_blank = len(trivial.columns) - 1
    beside = [*(row[1:] for row in trivial.rows), *[("",) * num_blank] * (len(models.rows) - len(trivial.rows))]
    rows = tuple(left + right for left, right in zip(models.rows, beside, strict=True))
    return (replace(models, columns=models.columns + trivial.columns[1:], rows=rows),)


def _models_down(part: Part, outcome: TableOutcome, notes: Mapping[str, int]) -> Grid:
    found = [(outcome.row(row.label), bool(row.published)) for row in part.rows]
    headings = [("metric", "text")]
    of_data, of_notes = ["data here"], ["departures"]
    for row, both in found:
        here = [("here (95 %)" if both else f"{row.label}, here (95 %)", "number")]
        headings += [(f"{row.label}, published", "number"), *here] if both else here
        of_data += [*([""] if both else []), row.data or ABSENT]
        of_notes += [*([""] if both else []), _noted(row, outcome, notes)]
    rows = [
        (column.title, *(cell for row, both in found for cell in _cells(column, row, has_published=both)))
        for column in part.columns
    ]
    return Grid(_caption(part), tuple(headings), (*rows, tuple(of_data), tuple(of_notes)))


def _trivial_down(part: Part, outcome: TableOutcome) -> Grid:
    trivial = _trivial(part, [outcome.row(row.label) for row in part.rows])
    headings = (("metric", "text"), *((label, "number") for label, _ in trivial))
    rows = tuple((column.title, *(_ours(column, scores) for _, scores in trivial)) for column in part.columns)
    return Grid(f"{part.title}: without a network, here (95 %)", headings, rows)


def _cells(column: Column, row: RowOutcome, *, has_published: bool) -> tuple[str, ...]:
    ours = _ours(column, row.ours)
    return (_published(column, row), ours) if has_published else (ours,)


def _noted(row: RowOutcome, outcome: TableOutcome, notes: Mapping[str, int]) -> str:
    return _ranges([notes[sentence] for sentence in (*outcome.departs, *row.departs)]) if row.run else "quoted"


def _trivial(part: Part, rows: Sequence[RowOutcome]) -> list[tuple[str, Mapping[str, Measure]]]:
    """Predictors without a network that have any number of this part; one that prints the same for several rows stands
    once, with the intervals of the first: rows that cut the same recordings otherwise differ behind the last digit."""
    found: list[tuple[str, Mapping[str, Measure]]] = []
    printed: list[tuple[str, dict[str, str]]] = []
    for row in rows:
        for name, scores in row.trivial.items():
            values = {c.metric: c.text(scores[c.metric].value) for c in part.columns if c.metric in scores}
            if not values or (name, values) in printed:
                continue
            is_first = name not in [known for known, _ in printed]
            printed.append((name, values))
            label = LABELS.get(name, name)
            found.append((label if is_first else f"{label}, on the clips of {row.label}", scores))
    return found


def _published(column: Column, row: RowOutcome) -> str:
    """As printed: the number is in the column's units already."""
    if column.metric not in row.published:
        return ABSENT
    return f"{row.published[column.metric]:,.{column.decimals}f}"


def _ours(column: Column, scores: Mapping[str, Measure]) -> str:
    if column.metric not in scores:
        return ABSENT
    measure = scores[column.metric]
    interval = "" if measure.interval is None else f" ({' .. '.join(map(column.text, measure.interval))})"
    return f"{column.text(measure.value)}{interval}"


def _ranges(numbers: Sequence[int]) -> str:
    """ "1-4, 7": runs of neighbours as one."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][-1] + 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    return ", ".join(str(span[0]) if len(span) == 1 else f"{span[0]}-{span[-1]}" for span in spans)
