"""Face models from files: our own npz, folders of blendshapes, FLAME."""

from snnface.faces.files.blendshapes import load_blendshapes
from snnface.faces.files.face_file import load_face, save_face
from snnface.faces.files.flame import load_flame
from snnface.faces.files.mesh_face import MeshFace, open_face

__all__ = ["MeshFace", "load_blendshapes", "load_face", "load_flame", "open_face", "save_face"]
