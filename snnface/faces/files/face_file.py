"""A face model in one npz file, without pickles."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from snnface.arrays import read_arrays, write_arrays
from snnface.errors import DataError
from snnface.faces.files.arkit import action_units_of_json, arkit_action_units
from snnface.faces.files.painting import painted
from snnface.faces.model import PARTS, FaceMesh, landmarks_at_vertices

__all__ = ["load_face", "save_face"]

MAX_NAMES = 1 << 16
"""A file with more names than this is refused: so many expressions or parts no face has."""

# Names of parts in other models, and what they are here; longest first where one begins another.
_PART_OF: Mapping[str, str] = {
    "face": "skin",
    "head_neck": "head",
    "mouth_socket": "mouth interior",
    "eye_socket": "mouth interior",
    "gums_tongue": "mouth interior",
    "teeth": "teeth",
    "sclera": "eyeball",
    "iris": "iris",
}


def save_face(mesh: FaceMesh, path: Path) -> None:
    """Write a face model, whole or not at all.

    Raises:
        DataError: if the disk refuses the file.
    """
    units = {str(code): dict(weights) for code, weights in mesh.action_units.items()}
    write_arrays(
        path,
        {
            "mean": mesh.mean,
            "triangles": mesh.triangles,
            "identity": mesh.identity,
            "identity_std": mesh.identity_std,
            "expression": mesh.expression,
            "expression_names": np.array(mesh.expression_names, dtype=str),
            "landmark_vertices": mesh.landmark_vertices,
            "landmark_weights": mesh.landmark_weights,
            "part": mesh.part,
            "part_names": np.array(PARTS),
            "albedo": mesh.albedo,
            "action_units": np.array(json.dumps(units)),
        },
    )


def load_face(path: Path) -> FaceMesh:
    """Read a face model.

    The file holds `mean` [V, 3], `triangles` [F, 3] and landmarks: `landmarks68`, 68 vertices, or
    `landmark_faces` [68] and `landmark_barycentric` [68, 3], or `landmark_vertices` and
    `landmark_weights` [68, 3]. All else may be left out: `identity` [K, V, 3] with `identity_std`
    [K], `expression` [K, V, 3] with `expression_names`, `part` with `part_names`, `albedo` [V] or
    [V, 3], `action_units` (JSON text: code -> {expression: weight}). A basis may be quantised:
    `identity_q` times `identity_scale` [K], likewise `expression_q`. Where action units are left
    out, blendshapes with ARKit's names are taken for what they are; where albedo is, the face is
    painted.

    Raises:
        DataError: if the file is missing or damaged, or is no such model; names what is wrong.
    """
    arrays = read_arrays(path, required=("mean", "triangles"), what="a face model")
    try:
        return _mesh(arrays)
    except KeyError as error:
        raise DataError(f"{path} is no face model as `load_face` describes it: it lacks {error}.") from error
    except (TypeError, ValueError, IndexError) as error:
        raise DataError(f"{path} is no face model as `load_face` describes it: {error}") from error


def _mesh(arrays: Mapping[str, np.ndarray]) -> FaceMesh:
    mean = _shaped(arrays["mean"], "mean", (None, 3)).astype(np.float32)
    num_vertices = len(mean)
    triangles = _index(arrays, "triangles", (None, 3), "vertices", num_vertices)
    identity = _basis(arrays, "identity", num_vertices)
    expression = _basis(arrays, "expression", num_vertices)
    names = _names(arrays, "expression_names") or tuple(f"expression {k}" for k in range(len(expression)))
    units = arrays.get("action_units")
    part = _parts(arrays, num_vertices)
    landmarks = _landmarks(arrays, triangles, num_vertices)
    albedo = arrays.get("albedo")
    if albedo is not None:
        colours = albedo if albedo.ndim == 2 else np.repeat(_shaped(albedo, "albedo", (num_vertices,))[:, None], 3, 1)
        colours = _shaped(colours, "albedo", (num_vertices, 3)).astype(np.float32)
    else:
        colours = painted(mean, landmarks, part)
    return FaceMesh(
        mean=mean,
        triangles=triangles,
        identity=identity,
        identity_std=_shaped(
            arrays.get("identity_std", np.ones(len(identity))), "identity_std", (len(identity),)
        ).astype(np.float32),
        expression=expression,
        expression_names=names,
        **landmarks,
        part=part,
        albedo=colours,
        action_units=arkit_action_units(names) if units is None else action_units_of_json(str(units)),
    )


def _basis(arrays: Mapping[str, np.ndarray], name: str, num_vertices: int) -> np.ndarray:
    """[K, V, 3] float32, from itself or from its quantised form; empty where there is none."""
    if f"{name}_q" in arrays:
        quantised = _shaped(arrays[f"{name}_q"], f"{name}_q", (None, num_vertices, 3))
        scale = _shaped(arrays[f"{name}_scale"], f"{name}_scale", (len(quantised),))
        # What single precision cannot hold becomes infinite, and is refused as such.
        with np.errstate(over="ignore"):
            return (quantised * scale[:, None, None]).astype(np.float32)
    basis = arrays.get(name, np.zeros((0, num_vertices, 3)))
    return _shaped(basis, name, (None, num_vertices, 3)).astype(np.float32)


def _landmarks(arrays: Mapping[str, np.ndarray], triangles: np.ndarray, num_vertices: int) -> dict[str, np.ndarray]:
    if "landmark_vertices" in arrays:
        return {
            "landmark_vertices": _index(arrays, "landmark_vertices", (68, 3), "vertices", num_vertices),
            "landmark_weights": _shaped(arrays["landmark_weights"], "landmark_weights", (68, 3)).astype(np.float32),
        }
    if "landmark_faces" in arrays:
        faces = _index(arrays, "landmark_faces", (68,), "triangles", len(triangles))
        weights = _shaped(arrays["landmark_barycentric"], "landmark_barycentric", (68, 3))
        return {"landmark_vertices": triangles[faces], "landmark_weights": weights.astype(np.float32)}
    if "landmarks68" not in arrays:
        raise DataError("it has no landmarks: landmarks68, or landmark_faces with landmark_barycentric.")
    return landmarks_at_vertices(_index(arrays, "landmarks68", (68,), "vertices", num_vertices))


def _index(
    arrays: Mapping[str, np.ndarray], name: str, shape: tuple[int | None, ...], what: str, size: int
) -> np.ndarray:
    index = _shaped(arrays[name], name, shape)
    if index.dtype.kind not in "iu":
        raise DataError(f"{name} must be whole numbers; it is {index.dtype}.")
    if index.size and (index.min() < 0 or index.max() >= size):
        raise DataError(f"{name} must index {size} {what}; got {index.min()}..{index.max()}.")
    return index.astype(np.int32)


def _parts(arrays: Mapping[str, np.ndarray], num_vertices: int) -> np.ndarray:
    if "part" not in arrays:
        return np.zeros(num_vertices, dtype=np.int8)
    names = _names(arrays, "part_names") or PARTS
    index = _index(arrays, "part", (num_vertices,), "names", len(names))
    return np.array([PARTS.index(_part(name)) for name in names], dtype=np.int8)[index]


def _part(name: str) -> str:
    """Our name of a part; what we have no name for is skin."""
    if name in PARTS:
        return name
    return next((ours for theirs, ours in _PART_OF.items() if name.startswith(theirs)), "skin")


def _names(arrays: Mapping[str, np.ndarray], key: str) -> tuple[str, ...]:
    """Text of an array; none where it is left out."""
    names = arrays.get(key, np.array((), dtype=str))
    if names.dtype.kind != "U" or names.ndim != 1 or len(names) > MAX_NAMES:
        raise DataError(f"{key} must be a list of up to {MAX_NAMES} names; it is {names.dtype} {list(names.shape)}.")
    return tuple(names.tolist())


def _shaped(array: np.ndarray, name: str, shape: tuple[int | None, ...]) -> np.ndarray:
    if array.dtype.kind not in "iuf" or array.ndim != len(shape):
        raise DataError(f"{name} must be numbers of shape {_words(shape)}; it is {array.dtype} {list(array.shape)}.")
    if any(want not in (None, size) for want, size in zip(shape, array.shape, strict=True)):
        raise DataError(f"{name} must be of shape {_words(shape)}; it is {list(array.shape)}.")
    if not (np.abs(array) <= np.finfo(np.float32).max).all():
        raise DataError(f"{name} must be finite numbers of single precision; some are not.")
    return array


def _words(shape: tuple[int | None, ...]) -> str:
    return "[" + ", ".join("any" if size is None else str(size) for size in shape) + "]"
