"""Faces: action units, landmarks, the built-in 3-D face, its motion, and its pictures."""

from snnface.faces.action_units import ACTION_UNITS, ActionUnit, action_unit
from snnface.faces.complexion import Complexion
from snnface.faces.landmarks import MIRROR68, mean_landmarks
from snnface.faces.model import FaceMesh
from snnface.faces.motion import Activation, Trajectory, TrajectoryConfig, drawn_trajectory
from snnface.faces.procedural.face import ProceduralFace
from snnface.faces.rendering.camera import OrthographicCamera
from snnface.faces.rendering.renderer import FaceRenderer, Light
from snnface.faces.scene import EventCamera, Person, RgbCamera, Scene, SceneConfig, View

__all__ = [
    "ACTION_UNITS",
    "MIRROR68",
    "ActionUnit",
    "Activation",
    "Complexion",
    "EventCamera",
    "FaceMesh",
    "FaceRenderer",
    "Light",
    "OrthographicCamera",
    "Person",
    "ProceduralFace",
    "RgbCamera",
    "Scene",
    "SceneConfig",
    "Trajectory",
    "TrajectoryConfig",
    "View",
    "action_unit",
    "drawn_trajectory",
    "mean_landmarks",
]
