"""The tables that commands print."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from hardware.energy.ratio import energy_ratios
from hardware.mapping.resources import ChipFit
from hardware.report.parts import Table as PlainTable
from snnface.app.cross_validation import CrossValidation, Spread
from snnface.app.deployment import Deployment
from snnface.app.deployment_tables import SHARES, metric_heading, short_parity_table, short_step_table
from snnface.app.evaluation import Scores, TestResult
from snnface.app.experiment import Experiment
from snnface.app.file_deployment import FileDeployment
from snnface.app.parity_table import ParityRow
from snnface.training.optim import Selection

__all__ = [
    "SHARES",
    "TRIVIAL",
    "print_cross_validation",
    "print_deployment",
    "print_file_deployment",
    "print_scores",
    "print_training",
    "score_rows",
    "selected_on",
]

NOT_SHOWN = frozenset({"top5", "macro_recall", "macro_f1"})
"""Metrics that stand in the files alone."""

MAX_ACROSS = 2
"""More metrics than these stand below each other."""

TRIVIAL = {"constant": "constant answer", "mean": "mean answer", "reference": "the reference picture"}
"""Trivial predictors as tables name them."""


def print_training(out: Path, *, metric: str) -> None:
    """The last epoch of a run, and the best by `metric` (larger is better), where epochs were judged by one."""
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    said = f"{out}: {len(rows)} epochs; "
    chosen_on = "test" if "test" in rows[0] else "validation"
    if rows[0][chosen_on]:
        best = max(rows, key=lambda row: row[chosen_on][metric])
        said += f"best {chosen_on} {metric} {best[chosen_on][metric]:.3f} in epoch {best['epoch']}; "
    Console(markup=False, highlight=False).print(f"{said}last training loss {rows[-1]['train_loss']:.4f}")


def print_scores(
    experiment: Experiment, results: Mapping[str, TestResult], *, deployment: Deployment | None = None
) -> None:
    """Metrics on the test subjects: models, the first of them on the chip, trivial predictors, chance."""
    first = next(iter(results.values()))
    source = "synthetic faces" if experiment.dataset.is_synthetic else experiment.dataset.name
    metrics = [name for name in first.model if name not in NOT_SHOWN]
    are_unseen = all(result.selection != "test" for result in results.values())
    title = f"{first.num_clips} clips of {first.num_subjects} {'unseen ' if are_unseen else ''}subjects, {source}"
    rows = score_rows(results, deployment)
    print_table = _with_metrics_down if len(metrics) > MAX_ACROSS else _with_metrics_across
    Console(markup=False, highlight=False).print(print_table(title, metrics, rows))


def print_cross_validation(result: CrossValidation) -> None:
    """Metrics over the pooled test clips with their intervals, and below them mean and deviation over the folds."""
    source = "synthetic faces" if result.is_synthetic else result.data
    unseen = "" if result.selection == "test" else "unseen "
    table = Table(
        title=f"{result.num_clips} clips of {result.num_subjects} {unseen}subjects, {source}; "
        f"{len(result.folds)} of {result.num_folds} folds",
        title_style="",
    )
    table.add_column("")
    names = {name: TRIVIAL.get(name, name) for name in result.pooled}
    names["model"] = f"{result.recipe}{selected_on(result.selection)}"
    for name in names.values():
        table.add_column(name, justify="right")
    for metric in (name for name in result.pooled["model"] if name not in NOT_SHOWN):
        cells = [
            "\n".join([*_cells(metric, scores), _over_folds(metric, result.spread.get(name, {}))]).strip()
            for name, scores in result.pooled.items()
        ]
        table.add_row(metric_heading(metric), *cells)
    Console(markup=False, highlight=False).print(table)


def _over_folds(metric: str, spread: Mapping[str, Spread]) -> str:
    if metric not in spread:
        return ""
    mean, sd = spread[metric].mean, spread[metric].sd
    return f"folds {_number(metric, mean)}" + ("" if sd is None else f" ± {_number(metric, sd)}")


def _with_metrics_across(title: str, metrics: list[str], rows: Mapping[str, Scores]) -> Table:
    table = Table(title=title, title_style="")
    table.add_column("")
    for name in metrics:
        for heading in (metric_heading(name), "95 % interval"):
            table.add_column(heading, justify="right")
    for name, scores in rows.items():
        table.add_row(name, *(cell for metric in metrics for cell in _cells(metric, scores)))
    return table


def _with_metrics_down(title: str, metrics: list[str], rows: Mapping[str, Scores]) -> Table:
    """Value and, below it, the interval."""
    table = Table(title=title, title_style="")
    table.add_column("")
    for name in rows:
        table.add_column(name, justify="right")
    for metric in metrics:
        table.add_row(metric_heading(metric), *("\n".join(_cells(metric, scores)).rstrip() for scores in rows.values()))
    return table


def score_rows(results: Mapping[str, TestResult], deployment: Deployment | None) -> dict[str, Scores]:
    """What stands in a table of scores, row by row: models, the first in fixed point, then what needs no model."""
    first = next(iter(results.values()))
    rows: dict[str, Scores] = {}
    for name, result in results.items():
        rows[f"{name}{selected_on(result.selection)}"] = result.model
        if deployment is not None and result is first:
            rows[f"{name}, fixed point"] = deployment.fixed_point_scores
    return rows | {TRIVIAL.get(name, name): scores for name, scores in first.scores.items() if name != "model"}


def selected_on(selection: Selection) -> str:
    """What stands behind the name of a model that was chosen on the very subjects it is judged on."""
    return ", selected on the test subjects" if selection == "test" else ""


def _cells(metric: str, scores: Scores) -> tuple[str, str]:
    """Value and interval; shares in per cent, and nothing where a predictor has no such metric."""
    if metric not in scores:
        return "", ""
    measure = scores[metric]
    interval = "" if measure.interval is None else " .. ".join(_number(metric, value) for value in measure.interval)
    return _number(metric, measure.value), interval


def _number(metric: str, value: float) -> str:
    return f"{100 * value:.1f}" if metric in SHARES else f"{value:.3f}"


def print_deployment(deployment: Deployment) -> None:
    """Who gives the same spikes, what each rounding changed, and what a clip costs."""
    console = Console(markup=False, highlight=False)
    _print_parity(console, deployment.parity)
    console.print(_printed(short_step_table(deployment.steps)))
    rounded = deployment.agreement[1]
    console.print(
        f"on all {deployment.num_clips} test clips rounding changes {rounded.num_differing:,} bins beside "
        f"{rounded.num_spikes:,} spikes; u left 24 bits {deployment.num_folds:,} times, v stopped at its limit "
        f"{deployment.num_saturations:,} times"
    )
    totals = deployment.operations.totals
    console.print(
        f"a clip: {totals['spikes'].mean:,.0f} spikes, {totals['synops'].mean:,.0f} synaptic operations, "
        f"{totals['macs'].mean:,.0f} multiply-accumulates; rate {100 * deployment.operations.rate:.2f} %"
    )
    lava = "" if deployment.lava_seconds is None else f", {1000 * deployment.lava_seconds:,.0f} ms in Lava"
    console.print(f"simulated in {1000 * deployment.fixed_point_seconds:,.1f} ms a clip{lava} (no chip's latency)")
    for ratio in energy_ratios(deployment.energy):
        console.print(ratio.sentence)
    _print_fits(console, deployment.fits)


def print_file_deployment(deployment: FileDeployment) -> None:
    """The same of a network that came as a file, as far as it is known."""
    console = Console(markup=False, highlight=False)
    console.print(f"{deployment.name} to {deployment.target}; shown: {deployment.inputs}")
    _print_parity(console, deployment.parity)
    if deployment.steps is not None:
        console.print(_printed(short_step_table(deployment.steps)))
    for sentence in deployment.warnings:
        console.print(sentence)
    _print_fits(console, deployment.fits)


def _print_parity(console: Console, rows: Sequence[ParityRow]) -> None:
    console.print(_printed(short_parity_table(rows)))
    for row in rows:
        notes = [*([f"not run: {row.not_run}"] if row.not_run else []), *row.notes]
        if notes:
            console.print(f"{row.tool}: {'; '.join(notes)}")


def _print_fits(console: Console, fits: Sequence[ChipFit]) -> None:
    for fit in fits:
        reasons = f" ({'; '.join(fit.reasons)})" if fit.reasons else ""
        console.print(f"{fit.target}: {fit.verdict}, at least {fit.cores} cores{reasons}")


def _printed(table: PlainTable) -> Table:
    """A table of plain values for the terminal."""
    printed = Table(title=table.title, title_style="", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for index, name in enumerate(table.columns):
        is_text = any(isinstance(row[index], str) for row in table.rows) and not any(
            isinstance(row[index], int) for row in table.rows
        )
        printed.add_column(name, justify="left" if is_text else "right", no_wrap=True)
    for row in table.rows:
        printed.add_row(*map(_cell, row))
    return printed


def _cell(value: str | int | float | None) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else value or ""
