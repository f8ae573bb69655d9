"""Faces made from events beside those that a camera took."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, UInt8

from snnface.app.figures.picture_grid import grey_picture, picture_grid
from snnface.errors import DataError

__all__ = ["PictureStrip", "picture_strips"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PictureStrip:
    """One clip; grey pictures are 0 (black) to 1 (white).

    Attributes:
        events: what the network saw.
        answers: the picture that each network made of it, by name.
        truth: what a camera took.
        reference: the earlier picture that the network was given; None where it was given none.
    """

    name: str
    events: UInt8[np.ndarray, "_ _ 3"]
    answers: Mapping[str, Float[np.ndarray, "_ _"]]
    truth: Float[np.ndarray, "_ _"]
    reference: Float[np.ndarray, "_ _"] | None = None


def picture_strips(strips: Sequence[PictureStrip]) -> go.Figure:
    """A row a clip: events, the earlier picture, what networks made, and the truth.

    Below each picture stands its PSNR, of a peak of 1.

    Source: Mastropasqua et al. 2025, "Exploring Spatial-Temporal Dynamics in Event-based Facial Micro-Expression
    Analysis", fig. 5 (input, reconstruction, truth).

    Raises:
        DataError: if there is no strip, or the strips have answers of different networks.
    """
    if not strips or any(strip.answers.keys() != strips[0].answers.keys() for strip in strips):
        raise DataError("a figure of strips needs clips, each with the answers of the same networks.")
    has_reference = any(strip.reference is not None for strip in strips)
    columns = ["events", *(["earlier picture"] if has_reference else []), *strips[0].answers, "truth"]
    rows, captions = [], []
    for strip in strips:
        greys = {"earlier picture": strip.reference, **strip.answers}
        cells: dict[str, UInt8[np.ndarray, "_ _ 3"] | None] = {
            name: None if grey is None else grey_picture(grey) for name, grey in greys.items()
        }
        cells |= {"events": strip.events, "truth": grey_picture(strip.truth)}
        likeness = {name: "" if grey is None else _likeness(grey, strip.truth) for name, grey in greys.items()}
        rows.append([cells[name] for name in columns])
        captions.append([likeness.get(name, "") for name in columns])
    return picture_grid(rows, columns=columns, names=[strip.name for strip in strips], captions=captions)


def _likeness(picture: Float[np.ndarray, "H W"], truth: Float[np.ndarray, "H W"]) -> str:
    error = float(np.square(picture.astype(np.float64) - truth).mean())
    return f"PSNR {-10 * np.log10(error):.1f} dB" if error else "identical"
