"""What a 3DMM knows, and what networks found with it: heat maps of components, coloured faces."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, UInt8

from snnface.app.figures.picture_grid import picture_grid
from snnface.errors import ConfigError, DataError
from snnface.faces.components import Components
from snnface.faces.figures import coloured_faces, displacement_picture
from snnface.faces.figures.coloured_faces import displacement_colours
from snnface.faces.model import FaceMesh

__all__ = ["MeshSample", "coloured_meshes", "component_maps"]

SIDE_PX = 150

# Eight maps in a row fit a page of 1200 pixels beside its contents.
COLUMNS, MAP_PX = 8, 104


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeshSample:
    """One moment of a clip.

    Attributes:
        events: what the network saw.
        answer: its coefficients.
        truth: those that were fitted; None where none were.
        picture: the face at that time; None where no camera saw it.
    """

    name: str
    events: UInt8[np.ndarray, "_ _ 3"]
    answer: Float[np.ndarray, " K"]
    truth: Float[np.ndarray, "_"] | None = None
    picture: UInt8[np.ndarray, "_ _ 3"] | None = None


def component_maps(mesh: FaceMesh, components: Components, *, chosen: tuple[int, ...] | None = None) -> go.Figure:
    """Where on the face each component acts: blue where it moves nothing, red where it moves most.

    Every face has its own scale, up to its largest displacement.

    Args:
        chosen: which components, in this order; None: all.

    Raises:
        ConfigError: if a chosen component is not there.
        DataError: if the components belong to another mesh.

    Source: Becattini et al. 2024, "Neuromorphic Facial Analysis with Cross-Modal Supervision", fig. 2.
    """
    indices = tuple(range(len(components))) if chosen is None else chosen
    if not indices or min(indices) < 0 or max(indices) >= len(components):
        raise ConfigError(f"maps show some of the components 0..{len(components) - 1}; got {list(indices)}.")
    _require_fitting(mesh, components)
    template = mesh.mean if components.template is None else components.template
    names = components.names or tuple(str(number) for number in range(1, len(components) + 1))
    width = min(COLUMNS, len(indices))
    tiles: list[UInt8[np.ndarray, "_ _ 3"] | None] = [
        coloured_faces(mesh, template, displacement_colours(mesh, components.basis[index]), side_px=MAP_PX)[0]
        for index in indices
    ]
    texts = [names[index] for index in indices]
    blank = -len(tiles) % width
    tiles, texts = tiles + [None] * blank, texts + [""] * blank
    starts = range(0, len(tiles), width)
    return picture_grid(
        [tiles[start : start + width] for start in starts],
        captions=[texts[start : start + width] for start in starts],
        side_px=MAP_PX,
    )


def coloured_meshes(samples: Sequence[MeshSample], mesh: FaceMesh, components: Components) -> go.Figure:
    """A row a moment: picture, events, the face by the network's coefficients, and by those fitted.

    Faces are coloured by the distance from neutral, on one scale for both of a row: that of the fitted one.

    Raises:
        DataError: if there is no sample, or coefficients do not fit the components and these the mesh.

    Source: Becattini et al. 2024, "Neuromorphic Facial Analysis with Cross-Modal Supervision", fig. 3; the face by
    fitted coefficients is added here.
    """
    if not samples:
        raise DataError("a figure of faces needs at least one moment; got none.")
    _require_fitting(mesh, components)
    has_picture = any(sample.picture is not None for sample in samples)
    has_truth = any(sample.truth is not None for sample in samples)
    columns = [*(["picture"] if has_picture else []), "events", "answer", *(["fitted"] if has_truth else [])]
    rows = []
    for sample in samples:
        largest = _largest(components, sample.answer if sample.truth is None else sample.truth)
        faces = {
            name: None
            if coefficients is None
            else displacement_picture(mesh, mesh.mean, components.offsets(coefficients), largest=largest, side_px=220)
            for name, coefficients in (("answer", sample.answer), ("fitted", sample.truth))
        }
        cells = {"picture": sample.picture, "events": sample.events, **faces}
        rows.append([cells[name] for name in columns])
    return picture_grid(rows, columns=columns, names=[sample.name for sample in samples], side_px=SIDE_PX)


def _largest(components: Components, coefficients: Float[np.ndarray, " K"]) -> float:
    return float(np.linalg.norm(components.offsets(coefficients), axis=-1).max())


def _require_fitting(mesh: FaceMesh, components: Components) -> None:
    if components.num_vertices != len(mesh.mean):
        raise DataError(
            f"components of {components.num_vertices} vertices do not fit a face of {len(mesh.mean)}; "
            "use the mesh they were learned on."
        )
