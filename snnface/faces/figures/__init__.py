"""Pictures of what a 3DMM knows and of what a fit found: heat maps, coloured faces, a turning head."""

from snnface.faces.figures.coloured_faces import coloured_faces, displacement_picture, turning_face
from snnface.faces.figures.component_sheet import component_sheet
from snnface.faces.figures.files import write_animation, write_picture
from snnface.faces.figures.heat import heat_colours

__all__ = [
    "coloured_faces",
    "component_sheet",
    "displacement_picture",
    "heat_colours",
    "turning_face",
    "write_animation",
    "write_picture",
]
