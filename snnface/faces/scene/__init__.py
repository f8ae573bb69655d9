"""A person, a light and a background in front of cameras."""

from snnface.faces.scene.background import Background, Distractor
from snnface.faces.scene.cameras import DAVIS346, EVK4, VGA, Clock, EventCamera, RgbCamera, View
from snnface.faces.scene.lighting import Lighting
from snnface.faces.scene.person import Person
from snnface.faces.scene.scene import Scene, SceneConfig, face_cell

__all__ = [
    "DAVIS346",
    "EVK4",
    "VGA",
    "Background",
    "Clock",
    "Distractor",
    "EventCamera",
    "Lighting",
    "Person",
    "RgbCamera",
    "Scene",
    "SceneConfig",
    "View",
    "face_cell",
]
