"""What a deployment found, as tables of plain values: for the report, and for the terminal."""

from collections.abc import Sequence

from conversion.quantisation_report import QuantisationReport
from hardware.report.parts import Table
from snnface.app.parity_table import ParityRow

__all__ = [
    "SHARES",
    "metric_heading",
    "metric_value",
    "parity_table",
    "short_parity_table",
    "short_step_table",
    "step_table",
]

SHARES = frozenset({"top1", "top3", "top5"})
"""Metrics that are shown in per cent."""

Cell = str | int | float | None

_PARITY_TITLE = "One network in every tool that reads it"


def metric_heading(metric: str) -> str:
    return f"{metric} %" if metric in SHARES else metric


def metric_value(metric: str, value: float) -> float:
    """In the unit of its heading."""
    return 100 * value if metric in SHARES else value


def parity_table(rows: Sequence[ParityRow]) -> Table:
    """One network in every tool; the last column says what kept a tool away, or where it is known to be wrong."""
    metric = _metric_of(rows)
    columns = ("tool", "computes in", "must equal", "clips", "spikes", "differing", "states differing")
    judged = () if metric is None else (metric_heading(metric),)
    return Table(
        title=_PARITY_TITLE,
        columns=(*columns, "answers differ by %", *judged, "note"),
        rows=tuple(_parity_row(row, metric) for row in rows),
        note="Bins (step, clip, neuron) in which one side spikes and the other does not, and final currents and "
        "voltages where both sides have them.",
    )


def _parity_row(row: ParityRow, metric: str | None) -> tuple[Cell, ...]:
    against = row.against if row.is_exact or not row.against else f"{row.against}, but for rounding"
    named, judged = (row.tool, row.numbers), _judged(row, metric)
    if row.not_run:
        return (*named, f"{against} (not run)", None, None, None, None, None, *judged, f"not run: {row.not_run}")
    answers = None if row.answer_difference is None else 100 * row.answer_difference
    counts = (row.num_clips, row.num_spikes, row.num_differing, row.num_differing_states)
    return (*named, against, *counts, answers, *judged, "; ".join(row.notes))


def short_parity_table(rows: Sequence[ParityRow]) -> Table:
    """The same for 80 columns of a terminal, without its notes."""
    metric = _metric_of(rows)
    judged = () if metric is None else (metric_heading(metric),)
    return Table(
        title=_PARITY_TITLE,
        columns=("tool", "clips", "spikes", "differ", "from", "states", *judged),
        rows=tuple(_short_parity_row(row, metric) for row in rows),
    )


def _short_parity_row(row: ParityRow, metric: str | None) -> tuple[Cell, ...]:
    if row.not_run:
        return (row.tool, None, None, "not run", "", None, *_judged(row, metric))
    against = row.against.split(",")[0]
    counts = (row.num_clips, row.num_spikes, row.num_differing, against, row.num_differing_states)
    return (row.tool, *counts, *_judged(row, metric))


def _metric_of(rows: Sequence[ParityRow]) -> str | None:
    """The first that any row was judged by."""
    return next((name for row in rows for name in row.metrics), None)


def _judged(row: ParityRow, metric: str | None) -> tuple[Cell, ...]:
    """The cell of the metric's column, if there is one."""
    if metric is None:
        return ()
    return (metric_value(metric, row.metrics[metric]) if metric in row.metrics else None,)


def short_step_table(report: QuantisationReport) -> Table:
    """What the integers change in each population, and the rounding that alone changes most."""
    by_step = {step.step: step.comparisons for step in report.steps}
    alone = {name: compared for name, compared in by_step.items() if name not in ("all numbers", "integers")}
    rows: list[tuple[Cell, ...]] = []
    for place, room in enumerate(report.head_room):
        together = by_step["integers"][place]
        most = max(alone, key=lambda name: alone[name][place].num_differing)
        largest = alone[most][place].num_differing
        cause = f"{most} ({largest:,})" if largest else ""
        share = 100 * room.voltage_share
        rows.append((room.population, together.num_spikes_a, together.num_differing, cause, share, room.num_ties))
    return Table(
        title=f"What rounding changes, {report.num_samples} clips",
        columns=("population", "spikes", "differ", "most by (alone)", "peak v %", "ties"),
        rows=tuple(rows),
    )


def step_table(report: QuantisationReport) -> Table:
    """Differing bins, population by population, with each rounding alone, and how near the integers come to 24 bits.

    Roundings that change no spike are left out.
    """
    steps = [step for step in report.steps if step.num_differing or step.step == "integers"]
    rows: list[tuple[Cell, ...]] = []
    for place, room in enumerate(report.head_room):
        compared = [step.comparisons[place] for step in steps]
        peaks = (100 * room.current_share, 100 * room.voltage_share)
        spikes = compared[0].num_spikes_a
        rows.append((room.population, spikes, *(one.num_differing for one in compared), *peaks, room.num_ties))
    for metric, value in list(report.metrics.items())[:1]:
        values = [value, *(step.metrics.get(metric) for step in steps)]
        shown = [None if of is None else metric_value(metric, of) for of in values]
        rows.append((metric_heading(metric), *shown, None, None, None))
    return Table(
        title=f"Spikes that each rounding alone changes, {report.num_samples} clips",
        columns=("population", "spikes", *(step.step for step in steps), "peak u %", "peak v %", "ties"),
        rows=tuple(rows),
        note="Differing bins against the network as it was trained; a difference in one population moves those behind "
        "it. Peaks in parts of 24 bits; ties: bins in which v is the threshold exactly.",
    )
