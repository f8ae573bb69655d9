"""A table that came out as one HTML page, in the form of the project's reports."""

import re
from collections.abc import Mapping
from dataclasses import replace

import plotly.graph_objects as go

from snnface.app.reproduction.grids import grids, notes_of, numbered_departures, run_grid
from snnface.app.reproduction.outcome import TableOutcome
from snnface.app.reproduction.table import Table
from snnface.pages.blocks import Block, Figure, Grid, Paragraph, Points, Section
from snnface.pages.page import Page, page_html

__all__ = ["page", "warning_of"]

SYNTHETIC = (
    "The numbers called “here” are of synthetic people, made by a program. They are no reproduction of the published "
    "numbers beside them, and the two may not be compared: what can be is the order of the rows."
)
QUICK = "Networks and sets were made small (--quick)."
FOOTER = "Departures are numbered within this page. What was run lies in the folder of each run."

INTERVAL = re.compile(r" \((\S+ \.\. \S+)\)$")
"""What stands behind the value in a cell of `grids`."""


def warning_of(outcome: TableOutcome) -> str:
    """What a reader must know before reading a number; "" if nothing."""
    found = [SYNTHETIC] if outcome.is_synthetic else []
    found += [QUICK] if outcome.is_quick else []
    return " ".join(found)


def page(table: Table, outcome: TableOutcome, figures: Mapping[str, go.Figure]) -> str:
    """The whole page; plotly.js stands in it once if there is a figure.

    Args:
        figures: caption -> figure.
    """
    drawn = [Figure(f"figure-{index}", figure, caption) for index, (caption, figure) in enumerate(figures.items())]
    warning = warning_of(outcome)
    return page_html(
        Page(
            title=outcome.title,
            verdict=f"{outcome.source}. Published on: {outcome.published_data}.",
            # The badge beside every table; published and ours stand in the same one.
            data="here: synthetic people" if outcome.is_synthetic else "here: real data",
            notices=(warning,) if warning else (),
            sections=_sections(table, outcome, drawn),
            footer=FOOTER,
        )
    )


def _sections(table: Table, outcome: TableOutcome, figures: list[Figure]) -> tuple[Section, ...]:
    departures = Points(tuple(numbered_departures(outcome)), is_numbered=True)
    made = outcome.made
    came = (
        ("command", made.command),
        ("date", made.date),
        ("seed", str(made.seed)),
        ("machine", made.machine),
        *made.versions.items(),
    )
    found: tuple[tuple[str, str, tuple[Block, ...]], ...] = (
        ("numbers", "Numbers", tuple(map(_with_intervals_below, grids(table, outcome)))),
        ("says", "What it says", (Points(outcome.findings),) if outcome.findings else ()),
        ("figures", "Figures", tuple(figures)),
        (
            "departures",
            "Departures",
            (Paragraph("By the numbers in the tables."), departures) if departures.points else (),
        ),
        ("notes", "Notes", (Points(notes_of(outcome)),) if notes_of(outcome) else ()),
        ("runs", "Runs", (run_grid(outcome),) if outcome.runs else ()),
        ("provenance", "Provenance", (Grid("How this page came about", (("", "text"), ("", "text")), came),)),
    )
    return tuple(Section(anchor, title, blocks) for anchor, title, blocks in found if blocks)


def _with_intervals_below(grid: Grid) -> Grid:
    """The same grid, about half as wide: what stands in brackets behind a number stands below it."""
    kinds = [kind for _, kind in grid.columns]
    rows = tuple(
        tuple(_below(cell) if kind == "number" else cell for cell, kind in zip(row, kinds, strict=True))
        for row in grid.rows
    )
    return replace(grid, rows=rows)


def _below(cell: str) -> str:
    """An interval without its brackets, which the heading explains; a name's brackets stay."""
    return INTERVAL.sub(r"\n\1", cell).replace(" (", "\n(")
