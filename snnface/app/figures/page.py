"""Figures as HTML: a page of one's own, or a piece of another page."""

import html
from pathlib import Path

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from snnface.errors import ConfigError
from snnface.files import write_text

__all__ = ["figure_html", "plotly_script", "write_figure"]

STYLE = "body{font-family:system-ui,sans-serif;color:#1f2933;margin:24px} h1{font-size:18px}"


def plotly_script() -> str:
    """What the head of a page with figures needs, once; it makes the page independent of any network."""
    return f"<script>{get_plotlyjs()}</script>"


def figure_html(figure: go.Figure) -> str:
    """The figure as a piece of a page whose head has `plotly_script`."""
    piece = figure.to_html(full_html=False, include_plotlyjs=False, config={"displayModeBar": False})
    return str(piece)


def write_figure(figure: go.Figure, path: Path, *, title: str) -> None:
    """Write one figure as a page that needs no other file.

    Raises:
        ConfigError: if the name does not end in .html.
        DataError: if the disk refuses it.
    """
    if path.suffix.lower() != ".html":
        raise ConfigError(f"a figure is written as a page; got {path.name!r}. Name it {path.stem or 'figure'}.html.")
    heading = html.escape(title)
    write_text(
        path,
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{heading}</title>\n{plotly_script()}\n'
        f"<style>{STYLE}</style></head>\n<body><h1>{heading}</h1>\n{figure_html(figure)}\n</body></html>\n",
    )
