"""Valence and arousal over time: what networks answered, and the truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Bool, Float, UInt8
from plotly.subplots import make_subplots

from snnface.app.figures.picture_grid import picture_source
from snnface.app.figures.style import INK, SERIES, plain_text, styled
from snnface.errors import DataError
from snnface.tasks.valence_arousal import DIMENSIONS

__all__ = ["VaTrace", "va_traces"]

# Four clips fit across a page.
COLUMN_PX, ROW_PX, PICTURES_PX = 205, 170, 36


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VaTrace:
    """One clip.

    Attributes:
        seconds: the time of each step.
        truth: valence and arousal.
        answers: of each network, by name.
        present: steps whose truth is known; None: all.
        pictures: what was seen, evenly over the clip's time.

    Raises:
        DataError: if there is no step, or lengths differ.
    """

    name: str
    seconds: Float[np.ndarray, " T"]
    truth: Float[np.ndarray, "L 2"]
    answers: Mapping[str, Float[np.ndarray, "_ 2"]] = field(default_factory=dict)
    present: Bool[np.ndarray, "_"] | None = None
    pictures: UInt8[np.ndarray, "P H W 3"] | None = None

    def __post_init__(self) -> None:
        lengths = {len(self.truth), *(len(rows) for rows in self.answers.values())}
        lengths |= set() if self.present is None else {len(self.present)}
        if lengths != {len(self.seconds)} or not len(self.seconds):
            raise DataError(
                f"trace {self.name!r} has {len(self.seconds)} times; truth and answers should be as long, got "
                f"{', '.join(map(str, sorted(lengths)))}."
            )


def va_traces(traces: Sequence[VaTrace]) -> go.Figure:
    """A column a clip: what the network saw, valence, arousal; the truth is dark, networks are coloured.

    Source: Berlincioni et al., "Neuromorphic Valence and Arousal Estimation", fig. 3.

    Raises:
        DataError: if there is no trace.
    """
    if not traces:
        raise DataError("a figure of traces needs at least one clip; got none.")
    figure = make_subplots(
        rows=3,
        cols=len(traces),
        row_heights=[PICTURES_PX, ROW_PX, ROW_PX],
        shared_xaxes=True,
        shared_yaxes=True,
        horizontal_spacing=0.15 / (5 * len(traces)),
        vertical_spacing=0.03,
        column_titles=[plain_text(trace.name) for trace in traces],
    )
    figure.update_annotations(font_size=13)
    for column, trace in enumerate(traces, start=1):
        _add_pictures(figure, trace, column)
        for k in range(len(DIMENSIONS)):
            _add_lines(figure, trace, k, column)
    styled(figure, width=90 + COLUMN_PX * len(traces), height=2 * ROW_PX + PICTURES_PX + 120)
    figure.update_layout(
        margin={"l": 60, "r": 16, "t": 34, "b": 76},
        legend={"orientation": "h", "x": 0, "y": -0.16, "yanchor": "top"},
    )
    for row, name in enumerate(DIMENSIONS, start=2):
        figure.update_yaxes(range=[-1.05, 1.05], dtick=0.5, row=row, zeroline=True, zerolinecolor="#cbd2d9")
        figure.update_yaxes(title_text=name, row=row, col=1)
    figure.update_yaxes(visible=False, range=[0, 1], row=1)
    figure.update_xaxes(visible=False, row=1)
    figure.update_xaxes(title_text="time (s)", row=3)
    return figure


def _add_lines(figure: go.Figure, trace: VaTrace, k: int, column: int) -> None:
    truth = trace.truth[:, k].astype(np.float64)
    if trace.present is not None:
        # A gap in the line.
        truth = np.where(trace.present, truth, np.nan)
    series = {"truth": (truth, INK, 1.5)}
    for place, (name, rows) in enumerate(trace.answers.items()):
        series[name] = (rows[:, k].astype(np.float64), SERIES[place % len(SERIES)], 2.2)
    for name, (values, colour, width) in series.items():
        figure.add_scatter(
            x=trace.seconds.tolist(),
            y=[None if np.isnan(value) else value for value in values.tolist()],
            mode="lines",
            name=plain_text(name),
            legendgroup=name,
            showlegend=column == 1 and k == 0,
            line={"color": colour, "width": width},
            hovertemplate="%{x:.2f} s: %{y:.2f}",
            row=k + 2,
            col=column,
        )


def _add_pictures(figure: go.Figure, trace: VaTrace, column: int) -> None:
    if trace.pictures is None or not len(trace.pictures):
        return
    first, last = float(trace.seconds[0]), float(trace.seconds[-1])
    width = (last - first) / len(trace.pictures)
    axis = figure.get_subplot(1, column)
    for place, picture in enumerate(trace.pictures):
        figure.add_layout_image(
            source=picture_source(picture, least_px=64),
            xref=axis.xaxis.plotly_name.replace("axis", ""),
            yref=axis.yaxis.plotly_name.replace("axis", ""),
            x=first + (place + 0.5) * width,
            y=0.5,
            sizex=0.94 * width,
            sizey=1,
            xanchor="center",
            yanchor="middle",
            sizing="contain",
        )
