"""The wheel of emotions: valence to the right, arousal upwards."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from snnface.app.emotion_transfer import LabelTransfer
from snnface.app.figures.style import GRID, INK, MUTED, SERIES, plain_text, styled
from snnface.errors import DataError

__all__ = ["AFFECTS", "WheelPoint", "emotion_wheel", "template_wheel"]

AFFECTS = ("pleasure", "excitement", "arousal", "distress", "displeasure", "depression", "sleepiness", "relaxation")
"""At every 45 degrees from the axis of valence on.

Source: Russell 1980, "A circumplex model of affect", J. Pers. Soc. Psychol. 39(6), abstract. (The wheel in the figures
of Berlincioni et al. is Mikels'.)
"""

HEIGHT_PX, KEY_PX = 540, 220
X_RANGE, Y_RANGE = (-1.55, 1.55), (-1.25, 1.25)
SYMBOLS = ("circle", "square", "diamond", "cross", "x", "triangle-up", "star", "hexagon")


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelPoint:
    """One moment of a clip: (valence, arousal) as they are and as they were told."""

    name: str
    truth: tuple[float, float]
    answer: tuple[float, float]


def emotion_wheel(points: Sequence[WheelPoint]) -> go.Figure:
    """Each moment as a colour: the truth filled, the answer hollow, a line from one to the other.

    Source: Berlincioni et al., "Neuromorphic Valence and Arousal Estimation", fig. 4.

    Raises:
        DataError: if there is no point.
    """
    if not points:
        raise DataError("a wheel of emotions needs at least one point; got none.")
    figure = _wheel([value for point in points for value in (point.truth, point.answer)])
    for place, point in enumerate(points):
        colour, name = SERIES[place % len(SERIES)], plain_text(point.name)
        figure.add_scatter(
            x=[point.truth[0], point.answer[0]],
            y=[point.truth[1], point.answer[1]],
            text=["truth", "answer"],
            mode="lines+markers",
            name=name,
            line={"color": colour, "width": 1.2},
            marker={"size": 11, "symbol": ["circle", "circle-open"], "color": colour, "line": {"width": 2}},
            hovertemplate=f"{name}, %{{text}}: %{{x:.2f}}, %{{y:.2f}}<extra></extra>",
        )
    figure.add_annotation(
        text="filled: truth<br>hollow: answer", xref="paper", yref="paper", x=1.02, y=0, xanchor="left", align="left",
        showarrow=False,
    )  # fmt: skip
    return figure


def template_wheel(label: LabelTransfer) -> go.Figure:
    """Where emotions were told: a large mark for each template, a small one for the frame that each video is told by.

    Small marks have the colour of the video's own emotion, filled where it was told right.
    """
    figure = _wheel([(video.valence, video.arousal) for video in label.videos])
    emotions = sorted({*label.templates, *(video.emotion for video in label.videos)})
    marks = {
        emotion: (SERIES[place % len(SERIES)], SYMBOLS[place % len(SYMBOLS)]) for place, emotion in enumerate(emotions)
    }
    # Templates lie close together, and below the frames.
    for emotion, (valence, arousal) in label.templates.items():
        colour, symbol = marks[emotion]
        figure.add_scatter(
            x=[valence],
            y=[arousal],
            mode="markers",
            legendgroup=emotion,
            showlegend=False,
            opacity=0.7,
            marker={"size": 17, "symbol": symbol, "color": colour, "line": {"width": 2, "color": INK}},
            hovertemplate=f"template of {plain_text(emotion)}: %{{x:.2f}}, %{{y:.2f}}<extra></extra>",
        )
    for emotion, (colour, symbol) in marks.items():
        videos = [video for video in label.videos if video.emotion == emotion]
        texts = [f"{video.video} ({video.second:.2f} s): {video.answer}" for video in videos]
        figure.add_scatter(
            x=[video.valence for video in videos],
            y=[video.arousal for video in videos],
            text=[plain_text(text) for text in texts],
            mode="markers",
            name=plain_text(emotion),
            legendgroup=emotion,
            marker={
                "size": 8,
                "symbol": [symbol if video.answer == emotion else f"{symbol}-open" for video in videos],
                "color": colour,
            },
            hovertemplate=f"{plain_text(emotion)}: %{{text}}<extra></extra>",
        )
    figure.add_annotation(
        text="large: templates<br>filled: told right<br>hollow: told wrong", xref="paper", yref="paper", x=1.02, y=0,
        xanchor="left", align="left", showarrow=False,
    )  # fmt: skip
    return figure


def _wheel(points: Sequence[tuple[float, float]]) -> go.Figure:
    """The empty wheel: circles at a half and at 1, spokes, and what lies in each direction; room for all points."""
    figure = go.Figure()
    # Nothing holds a network's answers within 1.
    zoom = max(1.0, *(abs(x) / X_RANGE[1] for x, _ in points), *(abs(y) / Y_RANGE[1] for _, y in points)) * 1.02
    for radius, colour in ((0.5, GRID), (1.0, MUTED)):
        figure.add_shape(type="circle", x0=-radius, y0=-radius, x1=radius, y1=radius, line_color=colour, layer="below")
    for k, name in enumerate(AFFECTS):
        x, y = float(np.cos(k * np.pi / 4)), float(np.sin(k * np.pi / 4))
        figure.add_shape(type="line", x0=0, y0=0, x1=x, y1=y, line_color=GRID, layer="below")
        figure.add_annotation(
            x=1.05 * x,
            y=1.05 * y,
            text=name,
            showarrow=False,
            font={"size": 12, "color": "#52606d"},
            xanchor="center" if abs(x) < 0.1 else "left" if x > 0 else "right",
            yanchor="middle" if abs(y) < 0.1 else "bottom" if y > 0 else "top",
        )
    margin = {"l": 64, "r": KEY_PX, "t": 12, "b": 52}
    # So that circles are round.
    width = (HEIGHT_PX - margin["t"] - margin["b"]) * X_RANGE[1] / Y_RANGE[1]
    styled(figure, width=round(width) + margin["l"] + margin["r"], height=HEIGHT_PX)
    figure.update_layout(margin=margin, legend={"x": 1.02, "y": 1})
    ticks = [-1, -0.5, 0, 0.5, 1]
    figure.update_xaxes(range=[zoom * end for end in X_RANGE], tickvals=ticks, title_text="valence", showgrid=False)
    figure.update_yaxes(
        range=[zoom * end for end in Y_RANGE], tickvals=ticks, title_text="arousal", showgrid=False, scaleanchor="x"
    )
    return figure
