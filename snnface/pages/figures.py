"""The look of the plots: an empty figure with its axes, and colours that stay apart for colour-blind readers."""

import html
from typing import Any

import plotly.graph_objects as go

__all__ = ["INK", "MUTED", "SERIES", "empty_figure", "plain_text", "styled"]

# The palette of Okabe and Ito.
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7f7f7f")
MUTED = "#9aa5b1"
INK = "#1f2933"
_GRID = "#e4e7eb"


def empty_figure(height: int, *, legend: bool = False) -> go.Figure:
    """A figure of this many pixels to draw into."""
    return styled(go.Figure(), height, legend=legend)


def styled(figure: go.Figure, height: int, *, legend: bool = False) -> go.Figure:
    """The same figure, in the look of all."""
    figure.update_layout(
        template=go.layout.Template(),
        height=height,
        margin={"l": 10, "r": 16, "t": 34 if legend else 12, "b": 10},
        font={"family": "system-ui, sans-serif", "size": 13, "color": INK},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        showlegend=legend,
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "xanchor": "left"},
        hovermode="closest",
    )
    axis: dict[str, Any] = {"gridcolor": _GRID, "linecolor": MUTED, "zeroline": False, "automargin": True, "ticks": ""}
    axis["title"] = {"font": {"size": 13}, "standoff": 10}
    figure.update_xaxes(**axis, showline=True)
    figure.update_yaxes(**axis)
    return figure


def plain_text(name: str) -> str:
    """A name as a label: plotly reads labels as a small HTML."""
    return html.escape(name, quote=False)
