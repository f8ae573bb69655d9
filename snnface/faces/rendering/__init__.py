"""From a face in space to a picture: camera, light, z-buffer."""

from snnface.faces.rendering.camera import OrthographicCamera
from snnface.faces.rendering.colour import luminance
from snnface.faces.rendering.renderer import FaceRenderer, Light

__all__ = ["FaceRenderer", "Light", "OrthographicCamera", "luminance"]
