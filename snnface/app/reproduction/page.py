"""A table that came out as one HTML page, in the form of the project's reports."""

from collections.abc import Mapping
from dataclasses import dataclass

import plotly.graph_objects as go
import plotly.io
from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from hardware.report_blocks import Block, Figure, Grid, Paragraph, Points, Section
from snnface.app.reproduction.grids import grids, notes_of, numbered_departures, run_grid
from snnface.app.reproduction.outcome import TableOutcome
from snnface.app.reproduction.table import Table

__all__ = ["page", "warning_of"]

SYNTHETIC = (
    "The numbers called “here” are of synthetic people, made by a program. They are no reproduction of the published "
    "numbers beside them, and the two may not be compared: what can be is the order of the rows."
)
QUICK = "Networks and sets were made small (--quick)."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """What the template of the reports reads."""

    title: str
    verdict: str
    data: str
    notices: tuple[str, ...]
    is_synthetic: bool = False
    all_warnings: tuple[str, ...] = ()


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
    environment = Environment(
        loader=PackageLoader("hardware"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["picture"] = str
    drawn = [Figure(f"figure-{index}", figure, caption) for index, (caption, figure) in enumerate(figures.items())]
    warning = warning_of(outcome)
    return environment.get_template("report.html.jinja").render(
        report=_Page(
            title=outcome.title,
            verdict=f"{outcome.source}. Published on: {outcome.published_data}.",
            # The badge beside every table; published and ours stand in the same one.
            data="here: synthetic people" if outcome.is_synthetic else "here: real data",
            notices=(warning,) if warning else (),
        ),
        tiles=[],
        sections=_sections(table, outcome, drawn),
        figures={figure.name: _html(figure) for figure in drawn},
        plotly_js=get_plotlyjs() if drawn else "",
    )


def _sections(table: Table, outcome: TableOutcome, figures: list[Figure]) -> tuple[Section, ...]:
    departures = tuple(f"{number}. {sentence}" for sentence, number in numbered_departures(outcome).items())
    made = outcome.made
    came = (
        ("command", made.command),
        ("date", made.date),
        ("seed", str(made.seed)),
        ("machine", made.machine),
        *made.versions.items(),
    )
    found: tuple[tuple[str, str, tuple[Block, ...]], ...] = (
        ("numbers", "Numbers", grids(table, outcome)),
        ("says", "What it says", (Points(outcome.findings),) if outcome.findings else ()),
        ("figures", "Figures", tuple(figures)),
        (
            "departures",
            "Departures",
            (Paragraph("By the numbers in the tables."), Points(departures)) if departures else (),
        ),
        ("notes", "Notes", (Points(notes_of(outcome)),) if notes_of(outcome) else ()),
        ("runs", "Runs", (run_grid(outcome),) if outcome.runs else ()),
        ("provenance", "Provenance", (Grid("How this page came about", (("", "text"), ("", "text")), came),)),
    )
    return tuple(Section(anchor, title, blocks) for anchor, title, blocks in found if blocks)


def _html(figure: Figure) -> str:
    return str(
        plotly.io.to_html(
            figure.figure,
            full_html=False,
            include_plotlyjs=False,
            div_id=f"plot-{figure.name}",
            default_height=f"{figure.figure.layout.height}px",
            config={"displaylogo": False, "responsive": True, "displayModeBar": False},
        )
    )
