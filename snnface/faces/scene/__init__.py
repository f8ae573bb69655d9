"""A person, a light and a background in front of cameras."""

from snnface.faces.scene.scene import Person, Scene, SceneConfig

__all__ = ["Person", "Scene", "SceneConfig"]
