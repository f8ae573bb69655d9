"""What a page is made of: paragraphs, tables, figures, pictures, and the sections that hold them."""

from dataclasses import dataclass, field

import plotly.graph_objects as go

__all__ = [
    "Block",
    "ClipPicture",
    "Clips",
    "Drawing",
    "Figure",
    "Grid",
    "Heading",
    "Paragraph",
    "Points",
    "Section",
    "Tile",
    "columns",
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
    """A list of sentences; strong ones are statements that count, numbered ones are called by their number."""

    points: tuple[str, ...]
    is_strong: bool = False
    is_numbered: bool = False


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
class Drawing:
    """A picture in lines, with words for those who cannot see it.

    Attributes:
        svg: the mark-up, which must not hold names from outside unescaped.
    """

    svg: str
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipPicture:
    """A clip as it goes into the network, and the answer.

    Attributes:
        png: the busiest steps of the clip, one after the other.
        true_label: None where it is not known.
        votes: (class, answer) of the highest answers, best first.
    """

    clip_id: str
    png: bytes = field(repr=False)
    num_steps: int
    votes: tuple[tuple[str, float], ...]
    true_label: str | None = None


@dataclass(frozen=True, slots=True)
class Clips:
    """Pictures of clips with their answers."""

    clips: tuple[ClipPicture, ...]


Block = Paragraph | Heading | Points | Grid | Figure | Drawing | Clips


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page with an entry in its table of contents.

    Attributes:
        count: how many there are of what the title names; None leaves it out.
    """

    anchor: str
    title: str
    blocks: tuple[Block, ...]
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Tile:
    """One number to see first."""

    label: str
    value: str
    detail: str = ""


def columns(*titles: str) -> tuple[tuple[str, str], ...]:
    """ "clips #" is a column of numbers called "clips"."""
    return tuple((title.removesuffix(" #"), "number" if title.endswith(" #") else "text") for title in titles)
