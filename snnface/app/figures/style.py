"""How figures look: colours that stay apart for colour-blind readers, a plain ground, thin lines."""

import html

import plotly.graph_objects as go

__all__ = ["GRID", "INK", "MUTED", "SERIES", "plain_text", "styled"]

INK, MUTED, GRID = "#1f2933", "#9aa5b1", "#e4e7eb"

SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7f7f7f", "#8c6d31")
"""Source: M. Okabe and K. Ito 2008, "Color Universal Design"; grey and brown beside."""


def styled(figure: go.Figure, *, width: int, height: int) -> go.Figure:
    """The figure on white, in the project's type, of a size that does not depend on the page."""
    figure.update_layout(
        template=go.layout.Template(),
        width=width,
        height=height,
        font={"family": "system-ui, sans-serif", "size": 13, "color": INK},
        paper_bgcolor="white",
        plot_bgcolor="white",
        hovermode="closest",
    )
    figure.update_xaxes(gridcolor=GRID, linecolor=MUTED, zeroline=False, title_font_size=13)
    figure.update_yaxes(gridcolor=GRID, linecolor=MUTED, zeroline=False, title_font_size=13)
    return figure


def plain_text(name: str) -> str:
    """Plotly reads labels as a small HTML; names are plain text."""
    return html.escape(name, quote=False)
