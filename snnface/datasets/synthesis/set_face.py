"""The face model of a set's people, from a file: which one it is, and whether it can show what they are asked for."""

import hashlib
import json
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from snnface.datasets.synthesis.presets import SynthesisConfig
from snnface.errors import ConfigError
from snnface.faces.action_units import action_unit
from snnface.faces.files import open_face
from snnface.faces.model import FaceMesh

__all__ = ["SetFace"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFace:
    """A face model from a file.

    Attributes:
        name: of the file or folder.
        sha256: of what the face is, however it is packed.
    """

    path: Path
    name: str
    sha256: str

    @classmethod
    def opened(cls, path: Path, config: SynthesisConfig) -> "SetFace":
        """The face in a file or folder that `open_face` reads.

        Raises:
            ConfigError: if the face cannot show an action unit of the set; names all of them.
            DataError: if it cannot be read.
        """
        mesh = open_face(path).mesh
        needed = [code for code in config.shown_units if action_unit(code).kind != "head"]
        missing = [code for code in needed if not mesh.action_units.get(code)]
        if missing:
            raise ConfigError(
                f"people of {config.name} show action units that the face in {path} cannot: "
                f"{', '.join(map(str, missing))}. Choose another --face-model or another --preset."
            )
        return cls(path=path, name=path.name, sha256=_sha256(mesh))


def _sha256(mesh: FaceMesh) -> str:
    digest = hashlib.sha256()
    for field in fields(mesh):
        value = getattr(mesh, field.name)
        if isinstance(value, np.ndarray):
            digest.update(f"{field.name} {value.dtype.str} {value.shape}".encode())
            digest.update(np.ascontiguousarray(value).data)
        elif field.name == "action_units":
            digest.update(json.dumps({str(code): dict(value[code]) for code in sorted(value)}, sort_keys=True).encode())
        else:
            digest.update(json.dumps(value).encode())
    return digest.hexdigest()
