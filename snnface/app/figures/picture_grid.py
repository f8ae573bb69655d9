"""Pictures side by side, with a name above each column and beside each row."""

import base64
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, UInt8
from plotly.subplots import make_subplots

from hardware.report.pictures import png_bytes
from snnface.app.figures.style import plain_text, styled
from snnface.errors import DataError
from snnface.events.pictures import count_picture
from snnface.representations.histogram import OFF_CHANNEL, ON_CHANNEL

__all__ = ["event_colours", "grey_picture", "picture_grid", "picture_source"]

Picture = UInt8[np.ndarray, "_ _ 3"]

NAMES_PX, HEADINGS_PX, GAP_PX, CAPTION_PX, CHARACTER_PX = 24, 30, 8, 20, 7.5


def picture_grid(
    rows: Sequence[Sequence[Picture | None]],
    *,
    columns: Sequence[str] = (),
    names: Sequence[str] = (),
    captions: Sequence[Sequence[str]] = (),
    side_px: int = 150,
) -> go.Figure:
    """A table of square cells; None leaves one empty.

    Args:
        columns: above the pictures.
        names: at the left of each row.
        captions: below each picture.

    Raises:
        DataError: if there is no picture, or rows differ in length.
    """
    width = len(rows[0]) if rows else 0
    if not width or any(len(row) != width for row in rows):
        raise DataError(f"a grid has rows of equally many pictures; got {[len(row) for row in rows]}.")
    below = CAPTION_PX if captions else 0
    cell_px, row_px = side_px + GAP_PX, side_px + GAP_PX + below
    left = NAMES_PX + round(CHARACTER_PX * max((len(name) for name in names), default=0))
    top = HEADINGS_PX if columns else GAP_PX
    figure = make_subplots(
        rows=len(rows),
        cols=width,
        horizontal_spacing=GAP_PX / (cell_px * width),
        vertical_spacing=(GAP_PX + below) / (row_px * len(rows)),
        column_titles=[plain_text(name) for name in columns] or None,
    )
    figure.update_annotations(font_size=12)
    for place, row in enumerate(rows):
        for column, picture in enumerate(row):
            _show(figure, picture, place + 1, column + 1, caption=captions[place][column] if captions else "")
    figure.update_xaxes(visible=False, constrain="domain")
    figure.update_yaxes(visible=False, constrain="domain")
    for place, name in enumerate(names):
        domain = figure.get_subplot(place + 1, 1).yaxis.domain
        figure.add_annotation(
            text=plain_text(name),
            xref="paper",
            yref="paper",
            x=0,
            y=sum(domain) / 2,
            xshift=-8,
            xanchor="right",
            yanchor="middle",
            showarrow=False,
        )
    styled(figure, width=left + cell_px * width + GAP_PX, height=top + row_px * len(rows) + GAP_PX)
    figure.update_layout(margin={"l": left, "r": GAP_PX, "t": top, "b": GAP_PX + below})
    return figure


def picture_source(picture: Picture, *, least_px: int = 150) -> str:
    """A picture as the text that HTML shows; small ones enlarged without blurring."""
    times = max(1, -(-least_px // max(picture.shape[:2])))
    return "data:image/png;base64," + base64.b64encode(
        png_bytes(picture.repeat(times, axis=0).repeat(times, axis=1))
    ).decode("ascii")


def grey_picture(picture: Float[np.ndarray, "H W"]) -> Picture:
    """Brightness 0 (black) to 1 (white) as a picture; what lies outside is clipped."""
    levels = np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8)
    return np.repeat(levels[..., None], 3, axis=2)


def event_colours(inputs: Float[np.ndarray, "C H W"]) -> Picture:
    """One step of a network's input as a picture.

    Two channels are counts of ON and OFF events, three a colour picture in 0..1, one a grey picture; of
    others the sum of what is positive is shown as ON, of what is negative as OFF.
    """
    if len(inputs) == 1:
        return grey_picture(inputs[0])
    if len(inputs) == 3:
        return np.rint(255 * np.clip(inputs.transpose(1, 2, 0), 0, 1)).astype(np.uint8)
    if len(inputs) == 2:
        both = inputs[[ON_CHANNEL, OFF_CHANNEL]]
    else:
        both = np.stack([np.maximum(inputs, 0).sum(0), np.maximum(-inputs, 0).sum(0)])
    # Whole numbers are wanted; a hundredth of an event is still seen.
    return count_picture(np.rint(100 * both).astype(np.int64))


def _show(figure: go.Figure, picture: Picture | None, row: int, column: int, *, caption: str) -> None:
    if picture is None:
        return
    image = go.Image(source=picture_source(picture), hoverinfo="skip")
    figure.add_trace(image, row=row, col=column)
    if caption:
        place = figure.get_subplot(row, column)
        figure.add_annotation(
            text=plain_text(caption),
            xref="paper",
            yref="paper",
            x=sum(place.xaxis.domain) / 2,
            y=place.yaxis.domain[0],
            xanchor="center",
            yanchor="top",
            showarrow=False,
            font={"size": 11},
        )
