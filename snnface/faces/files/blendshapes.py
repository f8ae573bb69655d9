"""A folder of blendshapes: a neutral mesh and one file for each shape, as ICT-FaceKit and MakeHuman have them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int32

from snnface.errors import DataError, DatasetNotFoundError
from snnface.faces.files.arkit import action_units_of_json, arkit_action_units
from snnface.faces.files.painting import painted
from snnface.faces.model import FaceMesh, landmarks_at_vertices
from snnface.files import read_text

__all__ = ["load_blendshapes"]

NEUTRAL_NAMES = ("generic_neutral_mesh", "neutral", "base", "mean", "template")
LANDMARK_FILES: Mapping[str, str | None] = {"landmarks68.json": None, "vertex_indices.json": "idx_to_landmark_verts"}
"""Files that may hold the 68 vertices, and under which key; None: the list itself."""
ACTION_UNITS = "action_units.json"

MAX_VERTICES, MAX_COORDINATE = 1 << 31, 1e30
"""What 32-bit numbers hold, with room to reckon."""


@dataclass(frozen=True, slots=True, eq=False)
class _Mesh:
    vertices: Float32[np.ndarray, "V 3"]
    triangles: Int32[np.ndarray, "F 3"]


def load_blendshapes(folder: Path, *, landmarks68: tuple[int, ...] | None = None) -> FaceMesh:
    """Read a neutral .obj (named generic_neutral_mesh, neutral, base, mean or template) and its shapes.

    A shape is an .obj of as many vertices in the same order, or a MakeHuman .target (vertex and
    offset a line); files in sub-folders count too. Shapes named identity... are identity modes, of
    spread 1; all others are expressions, named as the file. Polygons are cut into triangles.

    The 68 points are vertices from `landmarks68`, from landmarks68.json (a list of 68 numbers from
    0), or from ICT-FaceKit's vertex_indices.json. Action units come from action_units.json
    ({"12": {"mouthSmile_L": 1, ...}}), otherwise from ARKit's names. The face is painted.

    Raises:
        DatasetNotFoundError: if there is no such folder, or no neutral mesh in it.
        DataError: if a file cannot be read, a shape does not correspond to the neutral mesh, two
            shapes have one name, or the 68 points are missing; names the file.
    """
    neutral_path = _neutral(folder)
    neutral = _read_obj(neutral_path, with_triangles=True)
    offsets = {name: _offsets(path, neutral.vertices) for name, path in _shapes(folder, neutral_path).items()}
    identity = [offset for name, offset in offsets.items() if name.startswith("identity")]
    names = tuple(name for name in offsets if not name.startswith("identity"))
    num_vertices = len(neutral.vertices)
    marks = landmarks_at_vertices(_landmarks(folder, landmarks68, num_vertices))
    part = np.zeros(num_vertices, dtype=np.int8)
    units = folder / ACTION_UNITS
    try:
        return FaceMesh(
            mean=neutral.vertices,
            triangles=neutral.triangles,
            identity=_stacked(identity, num_vertices),
            identity_std=np.ones(len(identity), dtype=np.float32),
            expression=_stacked([offsets[name] for name in names], num_vertices),
            expression_names=names,
            **marks,
            part=part,
            albedo=painted(neutral.vertices, marks, part),
            action_units=_action_units(units) if units.exists() else arkit_action_units(names),
        )
    except DataError as error:
        raise DataError(f"{folder} is no folder of blendshapes as `load_blendshapes` describes it: {error}") from error


def _shapes(folder: Path, neutral: Path) -> dict[str, Path]:
    """Name and file of every shape, by path."""
    shapes: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix not in (".obj", ".target") or path == neutral:
            continue
        other = shapes.setdefault(path.stem, path)
        if other != path:
            raise DataError(f"{path} and {other} are two shapes of one name; rename one, or move it elsewhere.")
    return shapes


def _neutral(folder: Path) -> Path:
    if not folder.is_dir():
        raise DatasetNotFoundError(f"{folder} should be a folder of blendshapes; there is no such folder.")
    found = [path for name in NEUTRAL_NAMES if (path := folder / f"{name}.obj").is_file()]
    if not found:
        raise DatasetNotFoundError(
            f"{folder} holds no neutral mesh; expected one of {', '.join(f'{name}.obj' for name in NEUTRAL_NAMES)}."
        )
    return found[0]


def _offsets(path: Path, neutral: Float32[np.ndarray, "V 3"]) -> Float32[np.ndarray, "V 3"]:
    if path.suffix == ".target":
        return _read_target(path, len(neutral))
    vertices = _read_obj(path, with_triangles=False).vertices
    if len(vertices) != len(neutral):
        raise DataError(
            f"{path} has {len(vertices)} vertices and the neutral mesh {len(neutral)}; a blendshape must have the "
            "same vertices in the same order."
        )
    return vertices - neutral


def _read_obj(path: Path, *, with_triangles: bool) -> _Mesh:
    """Vertices and triangles of a Wavefront .obj; all else in it is passed over."""
    vertices: list[list[float]] = []
    triangles: list[tuple[int, int, int]] = []
    for number, line in enumerate(_read_text(path).splitlines(), start=1):
        try:
            if line.startswith("v "):
                vertices.append(_coordinates(line.split()[1:4]))
            elif with_triangles and line.startswith("f "):
                corners = [int(word.split("/")[0]) for word in line.split()[1:]]
                # Counted from 1, or backwards from the last vertex so far.
                corners = [corner - 1 if corner > 0 else len(vertices) + corner for corner in corners]
                if not all(0 <= corner < MAX_VERTICES for corner in corners):
                    raise ValueError("corners count from 1, or backwards from -1")
                triangles += [(corners[0], one, other) for one, other in pairwise(corners[1:])]
        except ValueError as error:
            raise DataError(f"{path}, line {number}: {line[:60]!r} is no vertex or face: {error}") from error
    if not vertices:
        raise DataError(f"{path} should be a mesh (Wavefront .obj); it holds no vertex.")
    return _Mesh(np.array(vertices, dtype=np.float32), np.array(triangles, dtype=np.int32).reshape(-1, 3))


def _read_target(path: Path, num_vertices: int) -> Float32[np.ndarray, "V 3"]:
    offsets = np.zeros((num_vertices, 3), dtype=np.float32)
    for number, line in enumerate(_read_text(path).splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            vertex, offset = int(words[0]), _coordinates(words[1:])
            if not 0 <= vertex < num_vertices:
                raise ValueError(f"expected a vertex below {num_vertices}")
        except ValueError as error:
            raise DataError(f"{path}, line {number}: {line[:60]!r} is no line of a target: {error}.") from error
        offsets[vertex] = offset
    return offsets


def _coordinates(words: list[str]) -> list[float]:
    values = [float(word) for word in words]
    if len(values) != 3 or not all(abs(value) < MAX_COORDINATE for value in values):
        raise ValueError(f"expected three numbers below {MAX_COORDINATE:g}")
    return values


def _read_text(path: Path) -> str:
    try:
        return read_text(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error


def _landmarks(folder: Path, given: tuple[int, ...] | None, num_vertices: int) -> Int32[np.ndarray, " 68"]:
    source = "landmarks68"
    values: Any = None if given is None else list(given)
    for name, key in LANDMARK_FILES.items():
        if values is None and (folder / name).is_file():
            content = _json(folder / name)
            source, values = str(folder / name), content.get(key) if isinstance(content, dict) else content
    if values is None:
        raise DataError(
            f"{folder} names no 68 points; put landmarks68.json beside the meshes, 68 vertices counted from 0."
        )
    entries = values if isinstance(values, list) else []
    ids = [value for value in entries if isinstance(value, int) and 0 <= value < num_vertices]
    if len(entries) != 68 or len(ids) != 68:
        raise DataError(
            f"{source} should list 68 vertices below {num_vertices}; it lists {len(entries)}, {len(ids)} of them such."
        )
    return np.array(ids, dtype=np.int32)


def _action_units(path: Path) -> dict[int, dict[str, float]]:
    try:
        return action_units_of_json(_read_text(path))
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _json(path: Path) -> Any:
    try:
        return json.loads(_read_text(path))
    except (json.JSONDecodeError, RecursionError) as error:
        raise DataError(f"{path} should be JSON: {error}") from error


def _stacked(offsets: list[np.ndarray], num_vertices: int) -> Float32[np.ndarray, "K V 3"]:
    return np.stack(offsets) if offsets else np.zeros((0, num_vertices, 3), dtype=np.float32)
