"""A table that came out as Markdown."""

from collections.abc import Iterable

from snnface.app.reproduction.grids import grids, notes_of, numbered_departures, run_grid
from snnface.app.reproduction.outcome import TableOutcome
from snnface.app.reproduction.page import warning_of
from snnface.app.reproduction.table import Table
from snnface.pages.blocks import Grid

__all__ = ["markdown"]


def markdown(table: Table, outcome: TableOutcome) -> str:
    """The whole table: numbers, findings, departures, runs."""
    made = outcome.made
    parts = [
        f"# {outcome.name}: {outcome.title}",
        f"{outcome.source}. Published on: {outcome.published_data}.",
        *([f"**{warning_of(outcome)}**"] if warning_of(outcome) else []),
        *(_table(grid) for grid in grids(table, outcome)),
        *_list("What it says", outcome.findings),
        "## Departures from the paper",
        "\n".join(f"{number}. {_escaped(sentence)}" for sentence, number in numbered_departures(outcome).items()),
        *_list("Notes", notes_of(outcome)),
        _table(run_grid(outcome)),
        f"`{made.command}`, {made.date}, seed {made.seed}, {made.machine}; "
        f"{', '.join(f'{name} {version}' for name, version in made.versions.items())}.",
    ]
    return "\n\n".join(parts) + "\n"


def _list(title: str, sentences: Iterable[str]) -> list[str]:
    points = [f"- {_escaped(sentence)}" for sentence in sentences]
    return [f"## {title}", "\n".join(points)] if points else []


def _table(grid: Grid) -> str:
    aligned = ["---:" if kind == "number" else "---" for _, kind in grid.columns]
    lines = [[heading for heading, _ in grid.columns], aligned, *grid.rows]
    body = "\n".join(f"| {' | '.join(_escaped(cell) for cell in line)} |" for line in lines)
    return f"## {grid.caption}\n\n{body}"


def _escaped(text: str) -> str:
    """Bars would end a cell, stars and underscores would turn text slanted."""
    for mark in "\\|*_<":
        text = text.replace(mark, f"\\{mark}")
    return text
