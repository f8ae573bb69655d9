"""A face model from a file as a face that people can be drawn from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64

from snnface.errors import DataError
from snnface.faces.complexion import Complexion
from snnface.faces.files.blendshapes import load_blendshapes
from snnface.faces.files.face_file import load_face
from snnface.faces.files.painting import painted
from snnface.faces.model import FaceMesh

__all__ = ["MeshFace", "open_face"]


@dataclass(frozen=True, slots=True, eq=False)
class MeshFace:
    """A `MorphableFace` made of a mesh of any unit; shapes are amounts of its identity modes.

    Attributes:
        mesh: in outer-eye distances.
    """

    mesh: FaceMesh

    @classmethod
    def of(cls, mesh: FaceMesh) -> "MeshFace":
        """The face in outer-eye distances."""
        return cls(mesh.in_eye_distances())

    @property
    def num_shapes(self) -> int:
        return len(self.mesh.identity)

    def coefficients(self, shape: Float64[np.ndarray, " S"]) -> Float64[np.ndarray, " KI"]:
        """Identity coefficients: each amount times its mode's spread."""
        return shape * self.mesh.identity_std

    def albedo(self, complexion: Complexion) -> Float32[np.ndarray, "V 3"]:
        """The face painted in one person's colours."""
        marks = {"landmark_vertices": self.mesh.landmark_vertices, "landmark_weights": self.mesh.landmark_weights}
        return painted(self.mesh.mean, marks, self.mesh.part, complexion)


def open_face(path: Path) -> MeshFace:
    """A face model: an .npz as `save_face` writes it, or a folder of blendshapes.

    FLAME is a pickle and needs consent: `load_flame`, then `save_face`.

    Raises:
        DataError: if it is neither, or cannot be read.
    """
    if path.is_dir():
        return MeshFace.of(load_blendshapes(path))
    if path.suffix == ".npz":
        return MeshFace.of(load_face(path))
    raise DataError(
        f"{path} should be a face model: an .npz, or a folder of blendshapes (.obj). A FLAME pickle becomes an .npz by "
        "load_flame and save_face of snnface.faces.files."
    )
