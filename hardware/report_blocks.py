"""What a page is made of: paragraphs, tables, figures, pictures, and the sections that hold them."""

from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from hardware.report_format import grouped, significant
from hardware.report_parts import ClipPicture, Table

__all__ = [
    "Block",
    "Clips",
    "Figure",
    "Grid",
    "Heading",
    "Paragraph",
    "Points",
    "Section",
    "columns",
    "grid_of",
    "layer_name",
]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Plain text."""

    text: str


@dataclass(frozen=True, slots=True)
class Heading:
    """Opens a part of a section."""

    text: str


@dataclass(frozen=True, slots=True)
class Points:
    """A list of sentences; strong ones are statements that count."""

    points: tuple[str, ...]
    is_strong: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """A table ready for the page.

    Attributes:
        columns: (heading, "text" or "number"); no headings are shown if the first is empty.
        rows: cells as text, one for each column.
    """

    caption: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot, with words for those who cannot see it."""

    name: str
    figure: go.Figure
    caption: str


@dataclass(frozen=True, slots=True)
class Clips:
    """Pictures of clips with their answers."""

    clips: tuple[ClipPicture, ...]


Block = Paragraph | Heading | Points | Grid | Figure | Clips


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page with an entry in its table of contents."""

    anchor: str
    title: str
    blocks: tuple[Block, ...]


def columns(*titles: str) -> tuple[tuple[str, str], ...]:
    """ "clips #" is a column of numbers called "clips"."""
    return tuple((title.removesuffix(" #"), "number" if title.endswith(" #") else "text") for title in titles)


def grid_of(table: Table) -> Grid:
    """A plain table, its numbers formatted and aligned."""
    kinds = [
        "number" if all(_is_number(row[column]) for row in table.rows) else "text"
        for column in range(len(table.columns))
    ]
    rows = tuple(tuple(_cell(cell) for cell in row) for row in table.rows)
    return Grid(table.title, tuple(zip(table.columns, kinds, strict=True)), rows, table.note)


def layer_name(name: str, kind: str) -> str:
    """A layer as tables show it: relays and the like are marked."""
    return name if kind in ("population", name) else f"{name} ({kind})"


def _is_number(cell: Any) -> bool:
    return cell is None or (isinstance(cell, int | float) and not isinstance(cell, bool))


def _cell(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int):
        return grouped(cell)
    return significant(cell) if isinstance(cell, float) else str(cell)
