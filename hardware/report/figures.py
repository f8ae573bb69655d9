"""Plotly figures of the report, from plain values. Each function returns a figure and computes nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from snnface.pages.figures import INK, MUTED, SERIES, empty_figure, plain_text, styled

__all__ = [
    "ANN_COLOUR",
    "OFF_COLOUR",
    "ON_COLOUR",
    "SNN_COLOUR",
    "accuracy_intervals",
    "confusion_heatmap",
    "energy_ranges",
    "event_rate",
    "firing_rates",
    "operations_per_layer",
    "spike_raster",
    "time_traces",
]

SNN_COLOUR, ANN_COLOUR = SERIES[0], SERIES[1]
ON_COLOUR, OFF_COLOUR = SERIES[0], SERIES[1]
_ROW_PX = 30
_FRAME_PX = 90


def accuracy_intervals(
    names: Sequence[str], values: Sequence[float], intervals: Sequence[tuple[float, float] | None]
) -> go.Figure:
    """Accuracies (0..1) as dots with their intervals, one row a model, first on top."""
    figure = empty_figure(len(names) * _ROW_PX + _FRAME_PX)
    known = [interval or (value, value) for value, interval in zip(values, intervals, strict=True)]
    error = {
        "type": "data",
        "symmetric": False,
        "array": [high - value for value, (_, high) in zip(values, known, strict=True)],
        "arrayminus": [value - low for value, (low, _) in zip(values, known, strict=True)],
        "thickness": 2,
        "width": 5,
    }
    figure.add_scatter(
        x=list(values),
        y=_texts(names),
        error_x=error,
        mode="markers",
        marker={"size": 9, "color": SNN_COLOUR},
        hovertemplate="%{y}: %{x:.1%}<extra></extra>",
    )
    figure.update_xaxes(range=[0, 1.02], tickformat=".0%", title_text="top-1 accuracy, 95 % interval")
    return _rows_from_top(figure)


def confusion_heatmap(class_names: Sequence[str], counts: Sequence[Sequence[int]]) -> go.Figure:
    """Row: true class; column: predicted class; colour: share of the row; the count stands in the cell."""
    shares = [[count / max(sum(row), 1) for count in row] for row in counts]
    size = len(class_names)
    figure = empty_figure(max(320, 26 * size + 190))
    names = _texts(class_names)
    figure.add_heatmap(
        z=shares,
        x=names,
        y=names,
        zmin=0,
        zmax=1,
        customdata=[list(row) for row in counts],
        text=[[str(count) if count else "" for count in row] for row in counts],
        texttemplate="%{text}" if size <= 25 else None,
        colorscale=[[0, "#ffffff"], [1, SNN_COLOUR]],
        colorbar={"title": "share of<br>true class", "tickformat": ".0%", "thickness": 12, "outlinewidth": 0},
        hovertemplate="true %{y}<br>predicted %{x}<br>%{customdata} clips (%{z:.0%})<extra></extra>",
        xgap=1,
        ygap=1,
    )
    figure.update_layout(margin_t=44)
    figure.update_xaxes(title_text="predicted", tickangle=-45, showgrid=False)
    figure.update_yaxes(title_text="true", showgrid=False, autorange="reversed")
    return figure


def firing_rates(
    names: Sequence[str],
    *,
    mean: Sequence[float],
    median: Sequence[float],
    p99: Sequence[float],
    largest: Sequence[float],
) -> go.Figure:
    """Spikes per neuron and step: mean, median, 99th percentile and largest over the neurons of each layer."""
    figure = empty_figure(len(names) * _ROW_PX + _FRAME_PX + 20, legend=True)
    rows = _texts(names)
    line: dict[str, list[Any]] = {"x": [], "y": []}
    for name, low, high in zip(rows, median, p99, strict=True):
        line["x"] += [low, high, None]
        line["y"] += [name, name, None]
    figure.add_scatter(
        **line, mode="lines", line={"width": 6, "color": "#b3d4e8"}, name="median to 99 %", hoverinfo="skip"
    )
    for label, values, symbol, colour in (
        ("mean", mean, "circle", SNN_COLOUR),
        ("most active neuron", largest, "line-ns-open", INK),
    ):
        figure.add_scatter(
            x=list(values),
            y=rows,
            mode="markers",
            name=label,
            marker={"size": 9, "symbol": symbol, "color": colour, "line": {"width": 2, "color": colour}},
            hovertemplate=f"%{{y}}, {label}: %{{x:.4f}}<extra></extra>",
        )
    figure.update_xaxes(title_text="spikes per neuron and step", rangemode="tozero")
    return _rows_from_top(figure)


def operations_per_layer(names: Sequence[str], *, synops: Sequence[float], updates: Sequence[float]) -> go.Figure:
    """Synaptic operations and neuron updates per inference, side by side."""
    figure = empty_figure(len(names) * (_ROW_PX + 10) + _FRAME_PX + 20, legend=True)
    for label, values, colour in (
        ("synaptic operations", synops, SNN_COLOUR),
        ("neuron updates (clock-driven)", updates, MUTED),
    ):
        figure.add_bar(
            x=list(values),
            y=_texts(names),
            orientation="h",
            name=label,
            marker={"color": colour},
            hovertemplate=f"%{{y}}, {label}: %{{x:,.0f}}<extra></extra>",
        )
    figure.update_layout(barmode="group", bargap=0.35)
    figure.update_xaxes(title_text="per inference", exponentformat="SI", rangemode="tozero")
    return _rows_from_top(figure)


def spike_raster(layers: Sequence[tuple[str, Sequence[Sequence[int]]]], *, num_steps: int) -> go.Figure:
    """One panel a layer: a tick for each spike, step to the right, neuron upward.

    Args:
        layers: (name, for each neuron shown the steps at which it fired).
    """
    heights = [max(len(neurons), 8) for _, neurons in layers]
    figure = make_subplots(
        rows=max(len(layers), 1),
        cols=1,
        shared_xaxes=True,
        row_heights=heights or [1],
        vertical_spacing=0.04,
        subplot_titles=_texts([name for name, _ in layers]),
    )
    # Names stand over their panel, at its left: beside it, long ones would run into each other.
    figure.update_annotations(x=0, xanchor="left", font={"size": 12})
    for row, (_, neurons) in enumerate(layers, start=1):
        figure.add_scatter(
            x=[step for steps in neurons for step in steps],
            y=[index for index, steps in enumerate(neurons) for _ in steps],
            mode="markers",
            marker={"size": 3.5, "symbol": "square", "color": SERIES[(row - 1) % len(SERIES)]},
            hovertemplate="step %{x}, row %{y}<extra></extra>",
            row=row,
            col=1,
        )
        figure.update_yaxes(range=[-1, len(neurons)], showticklabels=False, row=row, col=1)
    styled(figure, 90 + min(3 * sum(heights), 600) + 30 * len(layers))
    figure.update_layout(margin_t=30)
    figure.update_xaxes(range=[-0.5, num_steps - 0.5], showgrid=False)
    figure.update_yaxes(showgrid=False, zeroline=False)
    figure.update_xaxes(title_text="step", row=max(len(layers), 1), col=1)
    return figure


def energy_ranges(
    names: Sequence[str],
    ranges: Sequence[tuple[float, float, float]],
    workloads: Sequence[str],
) -> go.Figure:
    """Low, central and high joules per inference on a logarithmic axis; one row an estimate."""
    figure = empty_figure(len(names) * _ROW_PX + _FRAME_PX + 20, legend=True)
    rows = _texts(names)
    for workload, colour in (("SNN", SNN_COLOUR), ("ANN", ANN_COLOUR)):
        chosen = [(row, bounds) for row, bounds, kind in zip(rows, ranges, workloads, strict=True) if kind == workload]
        if not chosen:
            continue
        line: dict[str, list[Any]] = {"x": [], "y": []}
        for row, (low, _, high) in chosen:
            line["x"] += [low, high, None]
            line["y"] += [row, row, None]
        figure.add_scatter(
            **line,
            mode="lines+markers",
            line={"width": 3, "color": colour},
            marker={"symbol": "line-ns-open", "size": 10, "line": {"width": 2, "color": colour}},
            hovertemplate="%{y}: %{x:.3s}J<extra>bound</extra>",
            name=f"{workload}, low to high",
        )
        figure.add_scatter(
            x=[central for _, (_, central, _) in chosen],
            y=[row for row, _ in chosen],
            mode="markers",
            marker={"size": 10, "color": colour},
            name=f"{workload}, central",
            hovertemplate="%{y}: %{x:.3s}J<extra>central</extra>",
        )
    figure.update_xaxes(
        type="log", title_text="energy per inference, estimated", tickformat="~s", ticksuffix="J", dtick=1
    )
    figure.update_yaxes(categoryorder="array", categoryarray=rows)
    return _rows_from_top(figure)


def event_rate(seconds: Sequence[float], events_per_second: Mapping[str, Sequence[float]]) -> go.Figure:
    """Event rate over time; one line each for the polarities given ("ON", "OFF")."""
    figure = empty_figure(260, legend=True)
    colours = {"ON": ON_COLOUR, "OFF": OFF_COLOUR}
    for name, values in events_per_second.items():
        figure.add_scatter(
            x=list(seconds),
            y=list(values),
            mode="lines",
            name=plain_text(name),
            line={"width": 1.5, "shape": "hv", "color": colours.get(name, INK)},
            hovertemplate="%{x:.3f} s: %{y:.3s} events/s<extra></extra>",
        )
    figure.update_xaxes(title_text="time (s)")
    figure.update_yaxes(title_text="events per second", exponentformat="SI", rangemode="tozero")
    return figure


def time_traces(seconds: Sequence[float], series: Mapping[str, Sequence[float]], *, unit: str) -> go.Figure:
    """One line a series over time."""
    figure = empty_figure(300, legend=len(series) > 1)
    for index, (name, values) in enumerate(series.items()):
        figure.add_scatter(
            x=list(seconds),
            y=list(values),
            mode="lines",
            name=plain_text(name),
            line={"width": 2, "color": SERIES[index % len(SERIES)]},
        )
    figure.update_xaxes(title_text="time (s)")
    figure.update_yaxes(title_text=plain_text(unit))
    return figure


def _rows_from_top(figure: go.Figure) -> go.Figure:
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category")
    return figure


def _texts(names: Sequence[str]) -> list[str]:
    return [plain_text(name) for name in names]
