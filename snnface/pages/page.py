"""One self-contained HTML page: sections of blocks, pictures inside, plotly.js once if there is a figure."""

import base64
from dataclasses import dataclass

import plotly.graph_objects as go
import plotly.io
from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from snnface.pages.blocks import ClipPicture, Figure, Section, Tile

__all__ = ["Page", "page_html"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page shows.

    Attributes:
        data: what its numbers are of; stands beside every table.
        is_synthetic: whether that was made by a program; stands beside every table, too.
        verdict: one line that says how it went.
        notices: what a reader must know before believing anything, one sentence each.
    """

    title: str
    data: str
    sections: tuple[Section, ...]
    is_synthetic: bool = False
    verdict: str = ""
    notices: tuple[str, ...] = ()
    tiles: tuple[Tile, ...] = ()
    footer: str = ""


def page_html(page: Page) -> str:
    """The whole page, which needs no network and no other file."""
    environment = Environment(
        loader=PackageLoader("snnface.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["picture"] = _picture
    blocks = [block for section in page.sections for block in section.blocks]
    figures = {block.name: _figure_html(block.name, block.figure) for block in blocks if isinstance(block, Figure)}
    return environment.get_template("page.html.jinja").render(
        page=page, figures=figures, plotly_js=get_plotlyjs() if figures else ""
    )


def _figure_html(name: str, figure: go.Figure) -> str:
    # plotly escapes <, > and / inside its JSON, so names from outside cannot end the script.
    return str(
        plotly.io.to_html(
            figure,
            full_html=False,
            include_plotlyjs=False,
            div_id=f"plot-{name}",
            default_height=f"{figure.layout.height}px",
            config={"displaylogo": False, "responsive": True, "displayModeBar": False},
        )
    )


def _picture(clip: ClipPicture) -> str:
    return "data:image/png;base64," + base64.b64encode(clip.png).decode("ascii")
