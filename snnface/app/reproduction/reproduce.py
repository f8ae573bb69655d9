"""Rerun tables: make what runs are missing, and write each table as JSON, Markdown and a page.

out/runs/NAME-HASH/                a run (of every fold that was asked for), shared by all tables that show it
out/PAPER/TABLE/table.json         the table with all numbers
out/PAPER/TABLE/table.md, .html    the same to read
out/times.md                       what the runs of all tables in `out` took
"""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import plotly.graph_objects as go
import torch
from rich.console import Console

from snnface import __version__
from snnface.app.cross_validation import fold_folder
from snnface.app.experiment import open_experiment
from snnface.app.figures.run_figures import run_figures
from snnface.app.reproduction.findings import findings
from snnface.app.reproduction.further import further_scores
from snnface.app.reproduction.markdown import markdown
from snnface.app.reproduction.outcome import Circumstances, TableOutcome, table_outcome
from snnface.app.reproduction.page import page
from snnface.app.reproduction.pairs import row_pairs
from snnface.app.reproduction.plan import PlannedRun, ReproduceConfig, planned_runs
from snnface.app.reproduction.record import read_record
from snnface.app.reproduction.runs import make_runs
from snnface.app.reproduction.table import Table
from snnface.app.reproduction.times import times
from snnface.app.run import load_run
from snnface.config import to_json
from snnface.files import write_text

__all__ = ["reproduce"]

RUNS = "runs"


def reproduce(
    tables: Sequence[Table],
    out: Path,
    *,
    config: ReproduceConfig,
    cache_dir: Path,
    command: str,
    date: str,
    console: Console,
) -> tuple[TableOutcome, ...]:
    """Rerun the tables into `out`; runs that are there already are read, one that was killed goes on.

    Args:
        command, date: as they shall stand in the tables.

    Raises:
        ConfigError: if an option does not fit a table, and as `with_data`; before anything is trained.
        SnnfaceError: if a run failed; names every one that did. The others are kept.
    """
    plans = {table.name: planned_runs(table, config) for table in tables}
    folder = out.resolve() / RUNS
    made = Circumstances(command=command, date=date, machine=_machine(), versions=_versions(), seed=_seed(plans))
    make_runs(
        [run for plan in plans.values() for run in plan.values()],
        folder,
        config=config,
        cache_dir=cache_dir.resolve(),
        console=console,
    )
    outcomes = tuple(
        _write(table, plans[table.name], out, config=config, cache_dir=cache_dir.resolve(), made=made, console=console)
        for table in tables
    )
    write_text(out / "times.md", times(out))
    return outcomes


def _write(
    table: Table,
    runs: Mapping[str, PlannedRun],
    out: Path,
    *,
    config: ReproduceConfig,
    cache_dir: Path,
    made: Circumstances,
    console: Console,
) -> TableOutcome:
    folder = out.resolve() / RUNS
    records = {run.folder_name: read_record(folder / run.folder_name, run.folds) for run in runs.values()}
    further = {
        row.label: further_scores(
            row.further,
            runs[row.label],
            folder / runs[row.label].folder_name,
            config=config,
            cache_dir=cache_dir,
            console=console,
        )
        for row in table.rows
        if row.further is not None
    }
    pairs = row_pairs(table, runs, records, folder)
    outcome = table_outcome(table, runs, records, further, pairs, made=made, is_quick=config.quick)
    outcome = replace(outcome, findings=findings(table, outcome))
    figures = _figures(table, runs, folder, cache_dir=cache_dir, console=console)
    target = out / table.name
    write_text(target / "table.json", to_json(outcome))
    write_text(target / "table.md", markdown(table, outcome))
    write_text(target / "table.html", page(table, outcome, figures))
    return outcome


def _figures(
    table: Table, runs: Mapping[str, PlannedRun], folder: Path, *, cache_dir: Path, console: Console
) -> dict[str, go.Figure]:
    """Caption -> figure, of the first fold of the rows that the table draws."""
    found: dict[str, go.Figure] = {}
    for label, names in table.figures.items():
        run = runs[label]
        place = folder / run.folder_name
        folds = read_record(place, run.folds).folds
        first, whose = fold_folder(place, folds[0]), f", fold {folds[0]}" if len(folds) > 1 else ""
        recipe, _ = load_run(first)
        drawn = run_figures(open_experiment(recipe, cache_dir=cache_dir, console=console), first)
        found |= {f"{label}{whose}: {name.replace('_', ' ')}.": drawn[name] for name in names if name in drawn}
    return found


def _seed(plans: Mapping[str, Mapping[str, PlannedRun]]) -> int:
    """That of all runs: no recipe of a table has one of its own."""
    return next((run.recipe.seed for plan in plans.values() for run in plan.values()), 0)


def _machine() -> str:
    card = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores{card}"


def _versions() -> dict[str, str]:
    return {"snnface": __version__, "torch": version("torch"), "Python": platform.python_version()}
