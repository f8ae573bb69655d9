"""The built-in 3-D face, made from formulas."""

from snnface.faces.procedural.face import ProceduralFace

__all__ = ["ProceduralFace"]
