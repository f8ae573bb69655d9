"""Many components on one sheet: where on the face each of them acts."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from snnface.errors import ConfigError, DataError
from snnface.faces.components.components import Components
from snnface.faces.figures.coloured_faces import coloured_faces, displacement_colours
from snnface.faces.figures.heat import heat_bar
from snnface.faces.model import FaceMesh

__all__ = ["component_sheet"]

GAP_PX, TEXT_PX, FONT_PX = 8, 20, 14
BAR_PX = (12, 120)
INK, GROUND = (31, 41, 51), (255, 255, 255)


def component_sheet(
    mesh: FaceMesh,
    components: Components,
    *,
    chosen: tuple[int, ...] | None = None,
    num_columns: int = 8,
    tile_px: int = 160,
) -> UInt8[np.ndarray, "H W 3"]:
    """Heat maps of components on the mean face: blue where a component moves nothing, red where it moves most.

    Every face has its own scale, up to its largest displacement.

    Args:
        chosen: which components, in this order; None: all.

    Raises:
        DataError: if the components belong to another mesh.
        ConfigError: if a chosen component is not there, or there is no column.

    Source: Becattini et al. 2024, "Neuromorphic Facial Analysis with Cross-Modal Supervision", fig. 2.
    """
    indices = range(len(components)) if chosen is None else chosen
    if not indices or min(indices) < 0 or max(indices) >= len(components):
        raise ConfigError(f"a sheet shows some of the components 0..{len(components) - 1}; got {list(indices)}.")
    if num_columns < 1:
        raise ConfigError(f"a sheet has one column at least; got {num_columns}.")
    if components.num_vertices != len(mesh.mean):
        raise DataError(
            f"components of {components.num_vertices} vertices do not fit a face of {len(mesh.mean)}; "
            "use the mesh they were learned on."
        )
    columns = min(num_columns, len(indices))
    rows = -(-len(indices) // columns)
    width, height = tile_px + GAP_PX, tile_px + TEXT_PX + GAP_PX
    sheet = Image.new("RGB", (columns * width + GAP_PX, rows * height + TEXT_PX + 2 * GAP_PX), GROUND)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT_PX)
    template = mesh.mean if components.template is None else components.template
    for place, index in enumerate(indices):
        left, top = GAP_PX + place % columns * width, GAP_PX + place // columns * height
        colours = displacement_colours(mesh, components.basis[index])
        sheet.paste(Image.fromarray(coloured_faces(mesh, template, colours, side_px=tile_px)[0]), (left, top))
        name = components.names[index] if components.names else str(index + 1)
        centre = left + (tile_px - draw.textlength(name, font=font)) / 2
        draw.text((centre, top + tile_px), name, fill=INK, font=font)
    _draw_scale(sheet, draw, font, top=rows * height + GAP_PX)
    return np.asarray(sheet)


def _draw_scale(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, *, top: int
) -> None:
    """What the colours mean, below the faces."""
    left = float(GAP_PX)
    draw.text((left, top), "none", fill=INK, font=font)
    left += draw.textlength("none", font=font) + GAP_PX
    sheet.paste(Image.fromarray(heat_bar(*BAR_PX)), (round(left), top + 3))
    draw.text((left + BAR_PX[1] + GAP_PX, top), "most", fill=INK, font=font)
