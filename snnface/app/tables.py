"""The tables that commands print."""

import json
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from hardware.energy_ratio import energy_ratios
from snnface.app.deployment import Deployment
from snnface.app.run import Experiment, Scores, TestResult

__all__ = ["print_deployment", "print_scores", "print_training"]


def print_training(out: Path) -> None:
    """The last and the best epoch of a run."""
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    metric = next(iter(rows[-1]["validation"]))
    best = max(rows, key=lambda row: row["validation"][metric])
    Console(markup=False, highlight=False).print(
        f"{out}: {len(rows)} epochs; best validation {metric} {best['validation'][metric]:.3f} "
        f"in epoch {best['epoch']}; last training loss {rows[-1]['train_loss']:.4f}"
    )


def print_scores(
    experiment: Experiment, results: Mapping[str, TestResult], *, deployment: Deployment | None = None
) -> None:
    """Accuracy on the test subjects: models, the first of them on the chip, constant answer, chance."""
    first = next(iter(results.values()))
    source = "synthetic faces" if experiment.dataset.is_synthetic else experiment.dataset.name
    table = Table(title=f"{first.num_clips} clips of {first.num_subjects} unseen subjects, {source}", title_style="")
    for column in ("", "top-1 %", "95 % interval", "top-3 %"):
        table.add_column(column, justify="left" if not column else "right")
    for name, result in results.items():
        add_scores(table, name, result.model)
        if deployment is not None and result is first:
            add_scores(table, f"{name}, fixed point", deployment.fixed_point_scores)
    add_scores(table, "constant answer", first.constant)
    add_scores(table, "chance", first.chance)
    Console(markup=False, highlight=False).print(table)


def add_scores(table: Table, name: str, scores: Scores) -> None:
    """One row of accuracies in per cent."""
    interval = "" if scores.interval is None else f"{100 * scores.interval[0]:.1f} .. {100 * scores.interval[1]:.1f}"
    table.add_row(name, f"{100 * scores.top1:.1f}", interval, f"{100 * scores.top3:.1f}")


def print_deployment(deployment: Deployment) -> None:
    """What each step to the chip changed, and what a clip costs."""
    table = Table(title=f"to {deployment.target}", title_style="")
    for column in ("step", "spikes", "differing", "states differing", "note"):
        table.add_column(column, justify="left" if column in ("step", "note") else "right")
    for row in deployment.agreement:
        if row.not_run:
            table.add_row(row.step, "", "", "", f"not run: {row.not_run}")
        else:
            states = "" if row.num_differing_states is None else f"{row.num_differing_states:,}"
            table.add_row(row.step, f"{row.num_spikes:,}", f"{row.num_differing:,}", states, row.note)
    console = Console(markup=False, highlight=False)
    console.print(table)
    totals = deployment.operations.totals
    console.print(
        f"a clip: {totals['spikes'].mean:,.0f} spikes, {totals['synops'].mean:,.0f} synaptic operations, "
        f"{totals['macs'].mean:,.0f} multiply-accumulates; rate {100 * deployment.operations.rate:.2f} %"
    )
    lava = "" if deployment.lava_seconds is None else f", {1000 * deployment.lava_seconds:,.0f} ms in Lava"
    console.print(f"simulated in {1000 * deployment.fixed_point_seconds:,.1f} ms a clip{lava} (no chip's latency)")
    for ratio in energy_ratios(deployment.energy):
        console.print(ratio.sentence)
    for fit in deployment.fits:
        reasons = f" ({'; '.join(fit.reasons)})" if fit.reasons else ""
        console.print(f"{fit.target}: {fit.verdict}, at least {fit.cores} cores{reasons}")
