"""`snnface reproduce TABLE`"""

import shlex
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table as PrintedTable

from snnface.app.options import Maybe, console_for, default_cache, parse
from snnface.app.reproduction import TABLES, ReproduceConfig, reproduce
from snnface.app.reproduction.grids import narrow_grid
from snnface.app.reproduction.outcome import TableOutcome
from snnface.app.reproduction.page import warning_of
from snnface.app.reproduction.tables import table_named, tables_named
from snnface.app.run import Device
from snnface.config import to_json
from snnface.datasets.synthesis.presets import PresetName

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Rerun tables of the three papers: the published value beside ours, on which data, with every departure named."""

    tables: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="TABLE")] = ()
    """PAPER/TABLE, a PAPER for all of its tables, or "all"; without one the tables are listed."""
    quick: bool = False
    """Small networks on small sets of synthetic people: minutes a row on two cores."""
    data: Maybe[Path] = None
    """The paper's data set, in its published layout; otherwise synthetic people."""
    transfer_data: Maybe[Path] = None
    """NEFER, beside AFEW-VA, for valence-arousal/table5."""
    allow_pickle: bool = False
    """Read files of the data set that are pickles, through a reader that takes plain values and arrays only."""
    preset: Maybe[PresetName] = None
    """Synthetic people of this preset, instead of those of the recipes."""
    weights: Maybe[Path] = None
    """ImageNet weights of ResNet18 with torchvision's names (.safetensors, or a file of torch.save)."""
    folds: tuple[int, ...] = ()
    """Folds of the papers' protocols to run; all of them if left out, with --quick those of the small forms."""
    device: Device = "auto"
    """Where networks run; on cuda they train in bfloat16."""
    scheduler: Maybe[str] = None
    """Address of a Dask cluster that sees the same files (tcp://host:8786)."""
    workers: Maybe[int] = None
    """Processes on this machine; one for each core if left out, one on a GPU."""
    out: Path = Path("runs/reproduction")
    """Where runs and tables are written; a second call goes on with what is there."""
    json: bool = False
    """Print JSON for machines."""
    cache: Path = field(default_factory=default_cache)
    """Where synthesised recordings are kept."""


def main(arguments: list[str]) -> None:
    options = parse(Options, arguments, verb="reproduce")
    if not options.tables:
        _print_list()
        return
    config = ReproduceConfig(
        quick=options.quick,
        data=options.data,
        transfer_data=options.transfer_data,
        allow_pickle=options.allow_pickle,
        preset=options.preset,
        weights=options.weights,
        folds=options.folds,
        device=options.device,
        scheduler=options.scheduler,
        workers=options.workers,
    )
    outcomes = reproduce(
        tables_named(options.tables),
        options.out,
        config=config,
        cache_dir=options.cache,
        command=f"snnface reproduce {shlex.join(arguments)}",
        date=date.today().isoformat(),
        console=console_for(options.json),
    )
    for outcome in outcomes:
        if options.json:
            print(to_json(outcome), end="")
        else:
            _print(outcome, options.out)


def _print_list() -> None:
    listed = PrintedTable(box=None, pad_edge=False)
    for heading in ("table", "rows", "what it shows"):
        listed.add_column(heading)
    for table in TABLES.values():
        listed.add_row(table.name, str(len(table.rows)), table.title)
    Console(markup=False, highlight=False).print(listed)


def _print(outcome: TableOutcome, out: Path) -> None:
    console = Console(markup=False, highlight=False, soft_wrap=True)
    grid = narrow_grid(table_named(outcome.name), outcome)
    printed = PrintedTable(title=grid.caption, title_style="")
    for heading, kind in grid.columns:
        printed.add_column(heading, justify="right" if kind == "number" else "left")
    for row in grid.rows:
        printed.add_row(*row)
    console.print(printed)
    for sentence in outcome.findings:
        console.print(f"- {sentence}")
    console.print(f"{warning_of(outcome)} {out / outcome.name / 'table.html'}".strip())
